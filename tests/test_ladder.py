"""The ladder of `docs/ladder`: each rung runs, and the last one trains as the package does."""

import re
import runpy
from pathlib import Path

import pytest

from autograd_rnn import RNN, SGD, Value, bits, copies, fit, gradients, topological

LADDER = Path(__file__).parents[1] / "docs" / "ladder"
RUNGS = sorted(LADDER.glob("rung*.py"))


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rungs import each other, as they do for who runs them in their folder."""
    monkeypatch.syspath_prepend(LADDER)


def test_five_rungs_of_two_hundred_lines_at_most() -> None:
    assert [path.stem[:5] for path in RUNGS] == [f"rung{place}" for place in range(1, 6)]
    assert sum(len(path.read_text("utf-8").splitlines()) for path in RUNGS) <= 200


@pytest.mark.parametrize("path", RUNGS, ids=lambda path: path.stem)
def test_a_rung_prints_what_it_says(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    comments = re.findall(r"^    print\(.*\)  # (.+)$", path.read_text("utf-8"), re.MULTILINE)
    printed = capsys.readouterr().out.splitlines()
    assert printed
    for line, comment in zip(printed, comments, strict=True):
        assert comment == line or comment.startswith(f"{line}, ")


@pytest.mark.parametrize("path", RUNGS, ids=lambda path: path.stem)
def test_the_page_shows_the_rung(path: Path) -> None:
    page = (LADDER / "index.md").read_text("utf-8")
    assert f"```py\n{path.read_text('utf-8')}```" in page


def test_the_sweep_and_the_copies_are_those_of_the_package() -> None:
    ladder = {path.stem: runpy.run_path(str(path)) for path in RUNGS}
    for string in ("1", "101", "0110", "11011"):
        w1, w2 = (ladder["rung1_value"]["Value"](data) for data in (1.25, -0.5))
        output = ladder["rung4_rnn"]["unroll"](w1, w2, map(float, string))
        rnn = RNN([[1.25], [-0.5]], activation="relu", bias=False)
        theirs = rnn.unroll(bits(string)).pi[0]
        assert output.data == theirs.data
        found = ladder["rung2_sweep"]["gradients"](output)
        assert (found[w1], found[w2]) == gradients(theirs, rnn.parameters())
        for weight, parameter in zip((w1, w2), rnn.parameters(), strict=True):
            terms = [copy.grad for copy in copies(parameter, theirs)]
            assert ladder["rung3_copies"]["copies"](weight, output) == terms


def test_the_nodes_come_in_the_order_of_the_package() -> None:
    rung = runpy.run_path(str(LADDER / "rung2_sweep.py"))
    results = []
    for kind, order in ((rung["Value"], rung["topological"]), (Value, topological)):
        a, b = kind(2.0), kind(3.0)
        product = a * b
        output = (product + b) * (product - a * product)
        results.append([node.data for node in order(output)])
    assert results[0] == results[1]


def test_the_last_rung_trains_as_the_package_does() -> None:
    rung = runpy.run_path(str(LADDER / "rung5_training.py"))
    w1, w2 = (rung["Value"](0.5) for _ in range(2))
    losses = rung["train"](w1, w2, epochs=40, learning_rate=0.02)
    rnn = RNN([[0.5], [0.5]], activation="relu", bias=False)
    strings = rung["STRINGS"]
    history = fit(
        rnn,
        ([bits(string) for string in strings], [string.count("1") for string in strings]),
        loss="squared_error",
        optimiser=SGD(0.02),
        epochs=40,
        batch_size=len(strings),
        engine="eager",
        progress=False,
    )
    assert history.loss == pytest.approx(losses, rel=1e-12)
    assert [w1.data, w2.data] == pytest.approx([w.data for w in rnn.parameters()], rel=1e-12)
