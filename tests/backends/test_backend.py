"""The choice of a backend, and a backend from outside."""

import importlib.util
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from autograd_rnn import RNN, SGD, fit
from autograd_rnn.backends.backend import Backend
from autograd_rnn.backends.python import Python

from .steps import check_beside_the_engine

pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")


def test_auto_takes_what_is_there_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rnn = RNN.random(1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rnn.compile("squared_error").backend == "native"
    real = importlib.util.find_spec
    gone = {"llvmlite"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in gone else real(name)
    )
    with pytest.warns(UserWarning, match="takes 'numpy', since llvmlite is not installed: pip in"):
        assert rnn.compile("squared_error").backend == "numpy"
    with pytest.warns(UserWarning, match=r"takes 'python'"):
        assert rnn.compile("squared_error", exact=True).backend == "python"
    with pytest.raises(ValueError, match=r"llvmlite is not installed: pip install llvmlite, or ch"):
        rnn.compile("squared_error", backend="native")
    monkeypatch.setattr(Backend.kinds["native"], "requires", ("llvmlite", "no_such_package"))
    with pytest.warns(UserWarning, match="are not installed: pip install llvmlite no_such_package"):
        assert rnn.compile("squared_error").backend == "numpy"


@pytest.fixture
def printed() -> Iterator[str]:
    """The name of a backend from outside, which runs the source that programs print."""

    class Printed(Python):
        name = "printed"

        def record(self, *given: Any) -> Any:
            names: dict[str, Any] = {}
            exec(super().record(*given).python("f"), names)
            return names["f"]

    yield Printed.name
    del Backend.kinds["printed"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("every", [False, True])
def test_a_backend_from_outside_is_one_of_them(printed: str, seed: int, every: bool) -> None:
    check_beside_the_engine(seed, every, [(printed, False), (printed, True)])


def test_errors_and_training_know_a_backend_from_outside(printed: str) -> None:
    rnn = RNN([[0.5], [0.25]], activation="linear", bias=False)
    with pytest.raises(ValueError, match=r"'numpy' is not exact: .*'printed'.* for exact=True"):
        rnn.compile("squared_error", backend="numpy", exact=True)
    with pytest.raises(ValueError, match="'printed' takes no devices: choose backend='jax', or"):
        rnn.compile("squared_error", backend=printed, devices=[1])
    options = {"loss": "squared_error", "optimiser": SGD(0.1), "epochs": 1, "batch_size": 1}
    history = fit(rnn, ([[1, 0, 1]], [15]), **options, engine=printed, progress=False)
    twin = RNN([[0.5], [0.25]], activation="linear", bias=False)
    assert (
        history.loss
        == fit(twin, ([[1, 0, 1]], [15]), **options, engine="eager", progress=False).loss
    )
    assert [w.data for w in rnn.parameters()] == [w.data for w in twin.parameters()]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"name": "auto"}, "the name 'auto' is taken"),
        ({"name": "numpy"}, "the name 'numpy' is taken"),
        ({"name": 3}, "name must be a str, not int"),
        ({"name": "mine", "requires": "numpy"}, "requires must be a tuple of names, not a str"),
    ],
)
def test_a_backend_that_cannot_be_known_by_its_name_is_refused(
    members: dict[str, Any], words: str
) -> None:
    before = dict(Backend.kinds)
    with pytest.raises((TypeError, ValueError), match=words):
        type("Mine", (Python,), members)
    assert Backend.kinds == before
