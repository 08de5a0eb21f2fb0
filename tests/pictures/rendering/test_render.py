"""Rendering: what Graphviz says, what stands in for it, and fonts."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from autograd_rnn import Value, play, use_renderer
from autograd_rnn.errors import RendererNotFound, RenderError
from autograd_rnn.pictures.rendering import render as rendering
from autograd_rnn.pictures.rendering.render import WARM, render

from ..exercise import exercise


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


@pytest.fixture
def without_pygraphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A `pygraphviz` that does not load, for a renderer that starts anew."""
    folder = tmp_path / "broken"
    folder.mkdir()
    words = "libexpat.so.1: cannot open shared object file"
    (folder / "pygraphviz.py").write_text(f"raise ImportError({words!r})")
    monkeypatch.syspath_prepend(folder)
    WARM.stop()
    yield
    WARM.stop()


@pytest.mark.usefixtures("without_pygraphviz")
def test_without_any_renderer_the_error_says_what_to_do_and_dot_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = exercise()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RendererNotFound, match=r"libexpat.*`apt-get install libexpat1 "):
        drawing.svg()
    assert drawing.save(tmp_path / "picture.dot").read_text("utf-8") == drawing.dot
    shown = drawing._repr_mimebundle_()
    assert list(shown) == ["text/plain"]
    assert shown["text/plain"].startswith("<Drawing: L = 4, 18 boxes, 3 copies of w₁>\ndrawing to")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
@pytest.mark.usefixtures("without_pygraphviz")
def test_a_dot_program_serves_where_pygraphviz_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "has_fonts", lambda: True)  # the stand-in draws no letters
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\ncat > "$0.input"\necho "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert exercise().png(dpi=72) == b"-Tpng -Gdpi=72\n"
    assert (tmp_path / "dot.input").read_text("utf-8") == exercise().dot
    program.write_text("#!/bin/sh\necho 'Error: no such thing' >&2; exit 1\n")
    with pytest.raises(RenderError, match="Error: no such thing"):
        exercise().svg()


# --- another renderer ----------------------------------------------------------------------------


@pytest.fixture
def given_back() -> Iterator[None]:
    yield
    use_renderer(None)


@pytest.mark.usefixtures("given_back")
def test_a_renderer_of_ones_own_makes_every_picture() -> None:
    asked: list[tuple[str, str, list[str]]] = []

    def renderer(dot: str, format: str, options: Sequence[str]) -> bytes:
        asked.append((dot, format, list(options)))
        return b"<svg>mine</svg>"

    drawing, played = exercise(), play(Value(3, "x") * 2)
    use_renderer(renderer)
    assert drawing.svg().endswith("mine</svg>\n")
    assert "mine</svg>" in drawing.html()
    assert drawing.png(dpi=96) == drawing.pdf() == b"<svg>mine</svg>"
    assert [(format, options) for _, format, options in asked] == [
        *(("svg", []), ("svg", []), ("png", ["-Gdpi=96"]), ("pdf", []))
    ]
    assert {dot for dot, *_ in asked} == {drawing.dot}
    use_renderer(None)
    assert play(Value(3, "x") * 2).html == played.html


@pytest.mark.usefixtures("given_back")
def test_what_is_no_renderer_and_what_is_no_picture() -> None:
    with pytest.raises(TypeError, match="renderer must be a function, not str"):
        use_renderer("dot")  # type: ignore[arg-type]
    use_renderer(lambda dot, format, options: "<svg/>")  # type: ignore[arg-type,return-value]
    with pytest.raises(RenderError, match="the renderer returned a str for svg, not bytes"):
        exercise().svg()
    use_renderer(lambda dot, format, options: b"%PDF-1.7")
    with pytest.raises(RenderError, match="the renderer returned no <svg>, but '%PDF-1.7'"):
        exercise().svg()
    use_renderer(lambda dot, format, options: b"<svg><g></svg>")
    with pytest.raises(RenderError, match="the renderer returned an <svg> that is no XML: mismat"):
        exercise().html()


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("No module named 'pygraphviz'", r"`pip install pygraphviz` brings its own, or install"),
        (
            "libXrender.so.1: cannot open shared object file: No such file or directory",
            r"install what it needs, as `apt-get install libexpat1 .*`apt-get install graphviz`",
        ),
    ],
)
def test_without_graphviz_it_says_what_to_install(
    missing: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = rendering.Warm()
    monkeypatch.setattr(warm, "_ask_again", lambda *asked: missing)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RendererNotFound, match=remedy):
        warm.render(PLAIN.encode(), "svg", [])


def test_in_a_browser_the_page_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    """`js` stands for the module of that name that Pyodide makes of the page."""
    drawing, page = exercise(), ModuleType("js")
    monkeypatch.setitem(sys.modules, "js", page)
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.setattr(WARM, "render", None)
    with pytest.raises(RendererNotFound) as missing:
        drawing.svg()
    assert "function autograd_rnn_graphviz(dot, format)" in str(missing.value)
    assert "pip install" not in str(missing.value)
    calls = []
    vars(page)["autograd_rnn_graphviz"] = lambda *asked: calls.append(asked) or "<svg>page</svg>"
    assert drawing.svg().endswith("page</svg>\n")
    assert calls == [(drawing.dot, "svg")]
    vars(page)["autograd_rnn_graphviz"] = lambda dot, format: None
    with pytest.raises(RenderError, match="the page could not render the picture: .*NoneType"):
        drawing.png()


# --- the process that renders ---------------------------------------------------------------------

PLAIN = "digraph { a -> b }"


def test_threads_share_the_process_that_renders() -> None:
    alone = [render(f"digraph {{ a{number} -> b }}", "svg") for number in range(20)]
    found: dict[int, bytes] = {}

    def draw_one(number: int) -> None:
        found[number] = render(f"digraph {{ a{number} -> b }}", "svg")

    threads = [threading.Thread(target=draw_one, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(20)] == alone


def test_a_process_that_has_ended_is_started_again() -> None:
    before = render(PLAIN, "svg")
    process = WARM._process
    assert process is not None
    process.kill()
    process.wait()
    assert render(PLAIN, "svg") == before
    assert WARM._process is not None
    assert WARM._process is not process
    WARM._process.kill()  # which has not ended yet when the next one is asked for
    assert render(PLAIN, "svg") == before


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system stops no processes")
def test_a_process_that_was_stopped_goes_on() -> None:
    before = render(PLAIN, "svg")
    process = WARM._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    assert render(PLAIN, "svg") == before
    assert WARM._process is process


def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "LONGEST", 0.2)
    warm = rendering.Warm()
    with monkeypatch.context() as patch:
        hangs = "import time; time.sleep(60)"
        start = subprocess.Popen
        patch.setattr(
            subprocess, "Popen", lambda command, **pipes: start([command[0], "-c", hangs], **pipes)
        )
        late = "Graphviz took longer than 0.2 seconds: draw a p"
        with pytest.raises(RenderError, match=late):
            warm.render(PLAIN.encode(), "svg", [])
    # One that has served before is not asked for the same again.
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    warm._process = subprocess.Popen([sys.executable, "-c", hangs], **pipes)
    with pytest.raises(RenderError, match=late):
        warm.render(PLAIN.encode(), "svg", [])


def test_no_file_of_the_user_takes_the_place_of_a_module_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = render(PLAIN, "svg")
    for name in ("json", "tempfile", "signal"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not this one')")
    monkeypatch.syspath_prepend(tmp_path)
    WARM.stop()
    assert render(PLAIN, "svg") == before
    monkeypatch.undo()
    WARM.stop()


def test_what_is_interrupted_answers_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    before = render(PLAIN, "svg")

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("autograd_rnn.pictures.rendering.render.json.loads", interrupt)
        with pytest.raises(KeyboardInterrupt):
            render("digraph { other -> one }", "svg")
    assert render(PLAIN, "svg") == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only Unix forks")
def test_a_forked_process_renders_with_one_of_its_own() -> None:
    code = """
import os
from autograd_rnn.pictures.rendering.render import render
before = render("digraph { a -> b }", "svg")
child = os.fork()
if child == 0:
    os._exit(int(render("digraph { a -> b }", "svg") != before))
_, status = os.waitpid(child, 0)
print(status, render("digraph { a -> b }", "svg") == before)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "0 True\n"
    assert ran.stderr == ""
