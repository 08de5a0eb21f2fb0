"""Derivations on paper: lines that fit, names that compile, files and pages."""

import re
import shutil
import subprocess
import unicodedata
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Derivation,
    Stack,
    Value,
    bits,
    copies,
    derive,
    draw,
    softmax,
    tanh,
)
from autograd_rnn.derivation.document import Section
from autograd_rnn.derivation.typeset import Lines, _blocks, as_fragment, as_tex
from autograd_rnn.errors import FormatError
from autograd_rnn.graph.notation import LATEX, as_ascii, latex_name
from autograd_rnn.program.lines import LINE, broken, pieces, places, width

from ..pictures.exercise import NAMES
from .examples import exercise
from .random_cases import some_derivation

PDFLATEX = shutil.which("pdflatex")
NAMES = [
    *("hidden_state", "w[0]", "learning rate", "layer1.weight", "%", "#", "é", "日本語", "🙂"),
    *("a\\b", "x^2", "~", "{", "a|b", "W" * 40, "αβ", "$", "&", "_", "w_1_2", "ẇ̇", "-"),
    *[name for name in NAMES if len(name) < 100],
]


def of_a_name(name: str) -> Derivation:
    """A derivation by a parameter of this name, beside results that are called alike."""
    x = h = Value(2, name or None)
    for k in range(2):
        h = tanh(h * x + 1)
        if k % 2:
            h.name = f"{name}_{k}"
    return derive(h * h + 1, x)


@cache
def of_a_kind(kind: str) -> Derivation:
    """The widest of each kind of derivation."""
    if kind == "softmax":
        zs = [Value(0.1 * place, f"z_{place}") for place in range(9)]
        return derive(softmax(zs)[0] * zs[0], zs[0])
    model: Any = {
        "tanh": lambda: RNN([[0.9], [1]], bias=False),
        "every step": lambda: RNN([[0.9], [1]], bias=False),
        "three states": lambda: RNN.random(3, 2, seed=1),
        "LSTM": lambda: LSTM.random(2, 1, seed=1),
        "GRU": lambda: GRU.random(2, 1, seed=1),
        "Stack": lambda: Stack.random("LSTM", 1, 1, 1, layers=2, seed=1),
    }[kind]()
    steps = {"tanh": 12, "every step": 7}.get(kind, 2)
    run = model.unroll([[1.0] * model.inputs] * steps)
    outputs = [y if isinstance(y := step.output, Value) else y[0] for step in run.steps]
    losses = [(0.5 - y) ** 2 for y in outputs]
    return derive(
        sum(losses) if kind == "every step" else losses[-1], model.parameters()[0], run=run
    )


def blocks(worked: Derivation) -> list[Lines]:
    """The equations of a derivation as they are laid out."""
    parts = [part for section in worked.sections for part in _blocks(section)]
    return [part for part in parts if isinstance(part, Lines)]


KINDS = ["softmax", "tanh", "every step", "three states", "LSTM", "GRU", "Stack"]


def test_the_parts_of_a_line() -> None:
    assert broken("= a + b", 440.0, 400.0) == ["= a + b"]
    long = "= " + " + ".join([r"\left(x \cdot y + z\right)"] * 12)
    lines = broken(long, 200.0, 180.0)
    assert all(width(line) <= 200.0 for line in lines)
    assert all(line.startswith("+ ") for line in lines[1:])  # the outermost break
    assert " ".join(lines) == long
    product = "= " + r" \cdot ".join(["x_{1}"] * 40)
    assert all(line.startswith(r"\cdot ") for line in broken(product, 200.0, 180.0)[1:])
    inside = broken(r"= 2\left(" + " + ".join(["x_{12}"] * 30) + r"\right)", 200.0, 180.0)
    assert inside[0].startswith(r"= 2\bigl(x")
    assert inside[-1].endswith(r"\bigr)")
    factors = broken(r"= \left(a + b + c\right)\left(d + e + f\right)", 70.0, 90.0)
    assert factors[1].startswith(r"\cdot \left(d")
    fraction = rf"= \frac{{1}}{{{' + '.join(['x_{12}'] * 30)}}}"
    assert broken(fraction, 200.0, 180.0)[0].startswith("= ")
    assert all(width(line) <= 200.0 for line in broken(fraction, 200.0, 180.0))
    assert [piece.depth for piece in pieces(r"a + \left(b - c\right) + d")] == [0, 0, 1, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_fits_by_the_estimate(kind: str) -> None:
    for block in blocks(of_a_kind(kind)):
        for left, right in block.rows:
            assert width(left) <= LINE
            assert width(right) <= block.room, right
    assert max(map(places, of_a_kind(kind).text.splitlines())) <= 78


def run_pdflatex(text: str, folder: Path) -> str:
    """The log of pdfLaTeX."""
    (folder / "file.tex").write_text(text, "ascii")
    done = subprocess.run(
        [str(PDFLATEX), "-interaction=nonstopmode", "-halt-on-error", "file.tex"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    log = done.stdout.decode("latin-1")
    assert done.returncode == 0, log[-1500:]
    return log


def overfull(log: str) -> list[float]:
    """By how many points boxes are too wide."""
    found = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    return [points for points in found if points > 5.0]


@pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex")
def test_every_kind_and_every_name_compiles_and_fits(tmp_path: Path) -> None:
    worked = [*map(of_a_kind, KINDS), *[d for n in range(4) if (d := some_derivation(n))]]
    worked += map(of_a_name, [*NAMES, "a" * 5_000])
    sections: list[Section] = [section for one in worked for section in one.sections]
    assert overfull(run_pdflatex(as_tex(sections), tmp_path)) == []


@pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex")
def test_the_estimate_is_no_less_than_what_pdflatex_sets(tmp_path: Path) -> None:
    lines = [block for kind in KINDS for block in blocks(of_a_kind(kind)) if block.shown is None]
    rows = [row for block in lines for row in block.rows]
    formulas = [side for row in rows for side in row if side]
    boxes = [rf"\setbox0\hbox{{$\displaystyle {one}$}}\typeout{{W:\the\wd0}}" for one in formulas]
    head = "\\documentclass{article}\\usepackage{amsmath}\\begin{document}\n"
    log = run_pdflatex(head + as_ascii("\n".join(boxes)) + "\\end{document}\n", tmp_path)
    widths = [float(points) for points in re.findall(r"W:([\d.]+)pt", log)]
    assert len(widths) == len(formulas) > 100
    for formula, true in zip(formulas, widths, strict=True):
        assert true <= width(formula) + 3.0, formula
        assert width(formula) <= 1.6 * true + 20.0, formula


@pytest.mark.parametrize("name", NAMES)
def test_names_are_written_for_every_reader(name: str) -> None:
    worked = of_a_name(name)
    assert worked.tex.isascii()
    for table in re.findall("<table>.*?</table>", worked.html, re.DOTALL):
        if all(unicodedata.category(c) not in ("Cc", "Cs", "Cn") for c in name):  # XML has none
            ElementTree.fromstring(table)
    numbered = unicodedata.normalize("NFC", f"{name}⁽¹⁾")
    assert latex_name(numbered).endswith("^{(1)}")


def test_files_are_written_by_their_ending(tmp_path: Path) -> None:
    worked = exercise()
    for ending, text in [
        *[("tex", worked.tex), ("md", worked.markdown), ("txt", worked.text)],
        *[("html", worked.html), ("HTML", worked.html)],
    ]:
        path = worked.save(tmp_path / f"derivation.{ending}")
        assert path.read_text("utf-8") == text
    folded = worked.save(tmp_path / "folded.html", fold=True).read_text("utf-8")
    assert folded == worked.folded != worked.html
    for name, words in (("derivation", "no ending"), ("derivation.pdf", "'pdf' is unknown")):
        with pytest.raises(FormatError, match=words):
            worked.save(tmp_path / name)
    with pytest.raises(ValueError, match="fold"):
        worked.save(tmp_path / "derivation.html", fold="yes")  # type: ignore[arg-type]
    assert not (tmp_path / "derivation").exists()
    with pytest.raises(FileNotFoundError):
        worked.save(tmp_path / "nowhere" / "derivation.tex")


def test_folded_steps_have_a_hint_first() -> None:
    folded = exercise().folded
    assert folded.count("<details>") == folded.count("</details>") == 12
    steps = re.findall(r"<details><summary>\d\. [^<]+</summary>\n<p>([^<]+)</p><details>", folded)
    assert len(steps) == len(set(steps)) == 6
    assert "32" not in " ".join(steps)
    assert folded.index("<h2>1. The problem</h2>") < folded.index("<details>")


def test_jupyter_shows_mathml() -> None:
    shown = exercise()._repr_html_()
    assert shown.count("<math") > 20
    assert "http" not in shown.replace("http://www.w3.org/1998/Math/MathML", "")
    assert "<script" not in shown
    assert "<html" not in shown


def test_html_is_not_cut_on_paper() -> None:
    html = of_a_kind("LSTM").html
    printed = html[html.index("@media print") :]
    assert "@page{size:A4" in html
    assert "overflow:visible" in printed[: printed.index("</style>")]


def test_a_step_text_has_one_system_of_accents() -> None:
    rnn = RNN([[0.9], [1]], bias=False)
    for steps, dots in ((4, True), (5, False)):
        run = rnn.unroll(bits("1" * steps))
        text = derive((1 - run.pi[0]) ** 2, rnn.parameters()[0], run=run).text
        assert ("π̇" in text) == dots
        assert ("π⁽¹⁾" in text) == (not dots)
    text = of_a_kind("LSTM").text
    assert "i⁽¹⁾" in text or "i₁⁽¹⁾" in text
    assert not re.search("[\u0307\u0308\u20db\u20dc]", unicodedata.normalize("NFD", text))


def test_gates_come_in_order_and_weights_say_what_they_are() -> None:
    lstm = LSTM.random(1, 1, seed=0)
    run = lstm.unroll(bits("11"))
    text = derive((1 - run.q[0]) ** 2, lstm.parameters()[5], run=run).text
    problem = text[: text.index("2. ")]
    lefts = re.findall(r"^    (\S+) = ", problem, re.MULTILINE)
    step = [f"{name}⁽¹⁾" for name in ("π_i", "i", "π_f", "f", "π_g", "g", "π_o", "o", "c", "h")]
    assert lefts[:10] == step
    assert "π_f⁽¹⁾ = b_f + U_f·h + W_f·x⁽¹⁾" in problem
    assert problem.count("from h: U_i U_f U_g U_o") == 1
    assert text.startswith("1. The problem\n\n  Compute ∂L/∂U_f, where:\n")


def test_truncation_is_explained() -> None:
    rnn = RNN([[0.9], [1]], bias=False)
    run = rnn.unroll(bits("111"), truncate=2)
    text = derive((1 - run.pi[0]) ** 2, rnn.parameters()[0], run=run).text
    assert "sg(q̈)" in text
    words = " ".join(text.split())
    assert "Here it cuts the way back from step 3 to step 2: the run is truncated." in words
    assert "counts as a constant" in words


# --- marks ----------------------------------------------------------------------------------------


def marked_texts(body: str) -> dict[str, set[str]]:
    """The letters of the symbols that have each mark, without powers."""
    found: dict[str, set[str]] = {}
    for formula in re.findall("<math.*?</math>", body, re.DOTALL):
        for element in ElementTree.fromstring(formula).iter():
            if mark := element.get("data-node"):
                parts = [*element][:2] if element.tag.endswith("msubsup") else [element]
                text = "".join(["".join(part.itertext()) for part in parts])
                found.setdefault(mark, set()).add(text)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_mark_belongs_to_one_symbol_and_changes_nothing_else(seed: int) -> None:
    derivation = some_derivation(seed)
    texts = marked_texts(derivation.body)
    assert texts
    assert all(len(written) == 1 for written in texts.values()), texts
    assert len({*map(str, texts.values())}) == len(texts)
    plain = as_fragment(derivation.sections, style=LATEX)
    bare = r'</?mrow[^>]*>| data-node="\w+"'  # braces around a symbol are a row
    assert re.sub(bare, "", as_fragment(derivation.sections)) == re.sub(bare, "", plain)
    private = re.compile("[\U000f0000-\U0010ffff]")
    for written in (derivation.body, derivation.latex, derivation.markdown, derivation.tex):
        assert not private.search(written)


def test_a_symbol_has_the_mark_of_its_box() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss, (w1, w2) = (15 - run.pi[0]) ** 2, rnn.parameters()
    body = derive(loss, w1, run=run).body
    ids, texts = draw(loss, run=run).ids, marked_texts(body)
    for node, text in [(w1, "w1"), (w2, "w2"), (loss, "L"), (run.pi[0], "π⃛")]:
        assert texts[ids[node]] == {text}
    assert [*map(texts.get, map(ids.get, copies(w1, loss, run)))] == [{"w˙1"}, {"w¨1"}, {"w⃛1"}]
    # A row is about what it defines, or what its derivative is by, over all its lines.
    rows = re.findall("<tr( data-node=[^>]*)?>", body[body.index("4. The chain rule") :])
    about = f' data-node="{ids[w1]}"'
    assert rows[:5] == [about] * 5
    assert rows[-2:] == [about] * 2
    ahead = re.findall("<tr( data-node=[^>]*)?>", body[: body.index("3. The separating")])
    (pi, q), (pi2, q2) = [(step.pi[0], step.q[0]) for step in run.steps[:2]]
    defined = [ids[node] for node in (pi, q, pi2, q2, run.pi[0], loss)]
    assert ahead[:6] == [f' data-node="{id}"' for id in defined]
    assert ahead[6] == ""
    assert "<p>Compute <math" in body
    assert '<mi data-node="n21">L</mi>' in body[: body.index("</p>")]


def test_the_style_of_a_part_holds_inside_of_it() -> None:
    derivation = exercise()
    assert derivation.body.startswith('<div class="derivation">\n<h2>1. The problem</h2>')
    assert re.fullmatch(r"\.derivation\{.*\}", derivation.style)
    assert "body" not in derivation.style
    assert derivation.style[12:-1] in derivation.html
