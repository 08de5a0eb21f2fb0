"""Rendering: what Graphviz says, what stands in for it, and fonts."""

import builtins
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_rnn.errors import RendererNotFound, RenderError
from autograd_rnn.pictures.render import has_fonts, render

from .exercise import exercise


def test_without_a_font_a_png_is_refused_and_an_svg_made(tmp_path: Path) -> None:
    fonts = tmp_path / "fonts.conf"
    fonts.write_text("<fontconfig></fontconfig>")
    code = """
from autograd_rnn import Value, draw
drawing = draw(Value(1, "x") * 2)
print(len(drawing.svg()) > 1000)
for make in (drawing.png, drawing.pdf):
    try:
        make()
    except RuntimeError as error:
        print(error)
"""
    environment = {**os.environ, "FONTCONFIG_FILE": str(fonts)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    said = ran.stdout.splitlines()
    assert said[0] == "True"
    assert re.match("no fonts were found, and the png would show boxes for letters", said[1])
    assert re.match("no fonts were found, and the pdf would show boxes for letters", said[2])


def test_the_resolution_of_a_png() -> None:
    for dpi in (0, 1e9):
        with pytest.raises(ValueError, match="dpi must be from 10 to 2400, not"):
            exercise().png(dpi)


def test_what_graphviz_only_says_on_its_error_stream_is_an_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(RenderError, match="Graphviz could not render the picture: .*syntax error"):
        render("digraph { a -> }", "svg")
    with pytest.raises(RenderError, match="in label of node a"):
        render("digraph { a [label=<<B>>] }", "svg")
    assert capfd.readouterr().err == ""


def test_lines_of_other_threads_arrive_while_graphviz_is_at_work() -> None:
    code = """
import os, threading, time
from autograd_rnn import Value, draw
def write():
    for line in range(300):
        os.write(2, b"line %d\\n" % line)
        time.sleep(0.001)
writer = threading.Thread(target=write)
writer.start()
x = Value(2, "x")
while writer.is_alive():
    draw(x * x).svg()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    lines = result.stderr.decode().splitlines()
    assert sorted(lines) == sorted(f"line {line}" for line in range(300))


def without_pygraphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: object, **options: object) -> object:
        if name == "pygraphviz":
            raise ImportError("libexpat.so.1: cannot open shared object file")
        return real(name, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)


def test_without_any_renderer_the_error_says_what_to_do_and_dot_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = exercise()
    without_pygraphviz(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RendererNotFound, match=r"libexpat.*`pip install pygraphviz` brings its"):
        drawing.svg()
    assert drawing.save(tmp_path / "picture.dot").read_text("utf-8") == drawing.dot
    shown = drawing._repr_mimebundle_()
    assert list(shown) == ["text/plain"]
    assert shown["text/plain"].startswith("<Drawing: L = 4, 18 boxes, 3 copies of w₁>\ndrawing to")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
def test_a_dot_program_serves_where_pygraphviz_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert has_fonts()  # asked before: the stand-in draws no letters
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\ncat > "$0.input"\necho "$@"\n')
    program.chmod(0o755)
    without_pygraphviz(monkeypatch)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert exercise().png(dpi=72) == b"-Tpng -Gdpi=72\n"
    assert (tmp_path / "dot.input").read_text("utf-8") == exercise().dot
    program.write_text("#!/bin/sh\necho 'Error: no such thing' >&2; exit 1\n")
    with pytest.raises(RenderError, match="Error: no such thing"):
        exercise().svg()
