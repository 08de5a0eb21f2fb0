"""Callbacks of `fit`: what they are told, how they end a training, and the log as CSV."""

import csv
from pathlib import Path
from typing import Any

import pytest

from autograd_rnn import SGD, CSVLog, History, Report, fit

from .trainings import network, parity, weights


def trained(callbacks: Any, model: Any = None, **options: Any) -> tuple[list[float], History]:
    model, data = model or network(), parity(8)
    given: dict[str, Any] = {"loss": "binary_cross_entropy", "batch_size": 3, "epochs": 4}
    given |= {"engine": "numpy", "validation": (data[0][:3], data[1][:3]), "optimiser": SGD(0.5)}
    history = fit(model, data, callbacks=callbacks, **(given | options))
    return weights(model), history


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_callback_is_told_of_each_epoch_with_its_weights() -> None:
    model, told, seen = network(), list[Report](), []

    def look(report: Report) -> None:
        told.append(report)
        seen.append(weights(report.model))

    after, history = trained([look], model)
    assert [one.epoch for one in told] == [1, 2, 3, 4]
    assert [one.loss for one in told] == history.loss
    assert [one.validation_accuracy for one in told] == history.validation_accuracy
    assert [one.seconds for one in told] == history.seconds
    assert {one.learning_rate for one in told} == {0.5}
    assert {id(one.model) for one in told} == {id(model)}
    assert seen[-1] == after
    assert [trained([], epochs=n)[0] for n in (1, 2, 3)] == seen[:3]
    # Without validation there is none.
    trained([lambda report: told.append(report)], validation=None)
    assert (told[-1].validation_loss, told[-1].validation_accuracy) == (None, None)


def test_one_that_returns_true_ends_the_training_for_good(tmp_path: Path) -> None:
    import numpy as np

    calls = list[int]()
    for second in (lambda r: r.epoch == 2, lambda r: np.bool_(r.epoch == 2)):
        calls.clear()
        after, history = trained([second, lambda r: calls.append(r.epoch)])
        assert (len(history), calls) == (2, [1, 2])
        assert after == trained([], epochs=2)[0]
    path = tmp_path / "training.json"
    trained([lambda report: report.epoch == 2], checkpoint=path)
    again, history = trained([lambda report: False], checkpoint=path)
    assert (len(history), again) == (2, after)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_model_and_checkpoint_after_the_last_whole_epoch(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path, model = tmp_path / "training.json", network()

    def fail(report: Report) -> None:
        for weight in report.model.parameters():
            weight.data = 7.0
        if report.epoch == 3:
            raise error("mine")

    with pytest.raises(error, match="mine"):
        trained([fail], model, checkpoint=path)
    assert weights(model) == trained([], epochs=3)[0]
    whole, expected = trained([])
    after, history = trained([], checkpoint=path)
    assert (after, history.loss) == (whole, expected.loss)


def test_the_log_has_a_row_per_epoch_and_loses_none(tmp_path: Path) -> None:
    path, checkpoint = tmp_path / "training.csv", tmp_path / "training.json"
    _, history = trained([CSVLog(path)], epochs=2, checkpoint=checkpoint)
    _, history = trained([CSVLog(path)], checkpoint=checkpoint)
    found = rows(path)
    assert [row["epoch"] for row in found] == ["1", "2", "3", "4"]
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "seconds"):
        assert [float(row[name]) for row in found] == getattr(history, name)
    # A training without a checkpoint begins anew, below.
    trained([CSVLog(path)], epochs=1, validation=None)
    assert rows(path)[:4] == found
    assert (rows(path)[4]["epoch"], rows(path)[4]["validation_loss"]) == ("1", "")


def test_an_epoch_that_is_done_again_has_one_row_and_half_a_row_stays(tmp_path: Path) -> None:
    path, report = tmp_path / "training.csv", Report(1, 0.5, learning_rate=0.1, seconds=2.0)
    CSVLog(path)(report)
    CSVLog(path)(Report(1, 0.5, learning_rate=0.1, seconds=3.0))
    assert [row["seconds"] for row in rows(path)] == ["2.0"]
    whole = path.read_text()
    path.write_text(f"{whole}2,0.2")
    CSVLog(path)(Report(2, 0.25, learning_rate=0.1, seconds=4.0))
    assert path.read_text() == f"{whole}2,0.2\n2,0.25,,,,0.1,4.0\n"
    path.unlink()
    log = CSVLog(path)
    log(report)
    log(Report(2, 0.25))
    assert len(rows(path)) == 2


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n1,2\n")
    junk: Any
    for junk, words in [
        (lambda: CSVLog(path), "is not a log that CSVLog wrote: choose another path"),
        (lambda: CSVLog(tmp_path), "is a folder: give the name of a file"),
        (lambda: CSVLog(tmp_path / "none" / "x.csv"), "there is no folder"),
        (lambda: CSVLog(3), "path must be a path, not int"),  # type: ignore[arg-type]
        (lambda: trained([3]), r"callbacks\[0\] must be a function, not int"),
        (lambda: trained(3), "callbacks must be a list of functions, not int"),
        (lambda: trained([lambda report: 0.5]), r"callbacks\[0\] must return True, False or None"),
    ]:
        with pytest.raises((ValueError, TypeError, FileNotFoundError), match=words):
            junk()
    assert path.read_text() == "a,b\n1,2\n"
