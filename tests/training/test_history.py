"""The history as a table and as curves."""

import sys
from types import SimpleNamespace

import pytest
import rich.console

from autograd_rnn import History


def test_the_history_is_a_table() -> None:
    history = History(loss=[0.5, 0.25], accuracy=[0.5, 1.0], seconds=[1.0, 2.0])
    lines = str(history).splitlines()
    assert [word for word in lines[1].split() if word.isalpha()] == [
        "epoch",
        "loss",
        "accuracy",
        "seconds",
    ]
    assert "validation" not in str(history)
    assert [word for word in lines[4].split() if word != "│"] == ["2", "0.25", "1", "2"]
    many = History(loss=[1.0 / n for n in range(1, 1001)])
    assert len(str(many).splitlines()) <= 26
    assert "1000" in str(many)
    assert "epoch" in str(History())


def test_a_notebook_prints_and_shows_the_history_as_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = History(loss=[0.5, 0.25], accuracy=[0.5, 1.0], seconds=[1.0, 2.0])
    printed = str(history)
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    assert str(history) == printed
    shown: list[str] = []
    history._repr_pretty_(SimpleNamespace(text=shown.append), False)
    assert shown == [printed]


def test_the_history_as_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no curves")
    history = History(loss=[0.5, 0.25], validation_loss=[0.6, 0.5], accuracy=[0.5, 1.0])
    above, below = history.plot().axes
    assert history.plot()._repr_png_().startswith(b"\x89PNG")
    curves = [[list(line.get_ydata()) for line in axes.lines] for axes in (above, below)]
    assert curves == [[[0.5, 0.25], [0.6, 0.5]], [[0.5, 1.0]]]
    assert [line.get_label() for line in above.lines] == ["loss", "validation loss"]
    assert list(above.lines[0].get_xdata()) == [1, 2]
    assert len(History(loss=[1.0]).plot().axes) == 1
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="needs matplotlib: pip install matplotlib"):
        history.plot()
