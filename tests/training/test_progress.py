"""The bar: on a terminal only."""

import re

import pytest
import rich.console

from autograd_rnn import SGD, fit
from autograd_rnn.training import progress

from .trainings import network, parity, train


def test_the_bar_is_drawn_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(SGD(0.5), None)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(rich.console.Console, "is_terminal", True)
    train(SGD(0.5), None)
    out, drawn = capsys.readouterr()
    assert out == ""
    assert re.search(r"epoch \d/6  loss 0\.\d+  accuracy \d+\.\d%", drawn)
    sequences, targets = parity(3)
    arguments = {"loss": "squared_error", "optimiser": SGD(0.1), "epochs": 2, "batch_size": 2}
    fit(network(), (sequences, targets), engine="eager", progress=False, **arguments)
    assert capsys.readouterr() == ("", "")


def test_a_notebook_without_widgets_draws_no_bar_and_is_not_warned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    train(SGD(0.5), None)
    assert capsys.readouterr() == ("", "")
