"""no_grad, detect_anomaly, and contexts in general."""

import linecache
import math
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from autograd_rnn import RNN, AnomalyError, Value, bits, detect_anomaly, gradients, no_grad, ops
from autograd_rnn.engine.contexts import Context
from autograd_rnn.engine.shared import WATCH, watchers


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> object:
    yield
    assert WATCH.open == 0
    assert not watchers()


class Log(Context):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.results: list[float] = []
        self.constant: list[bool] = []
        self.adjoints: list[float] = []

    def made(self, value: Value) -> Value:
        self.results.append(value.data)
        self.constant.append(value.constant)
        return value

    def swept(self, node: Value, adjoint: float) -> None:
        self.adjoints.append(adjoint)


# --- any context --------------------------------------------------------------------------------


def test_a_context_sees_every_result_and_every_adjoint() -> None:
    x = Value(3)
    with Log() as log:
        y = (x + 1) * (x - 1) / 2
        z = -y
        w = z.exp()
        w = w**x
        gradients(z, [x])
        z.backward()
    assert log.results == [4, 2, 8, 4, -4, math.exp(-4), math.exp(-4) ** 3]
    # By gradients: every node; by backward: the results from the last on, then the leaves.
    assert log.adjoints[:2] == [1, -1]
    assert log.adjoints[-6:] == [1, -1, -0.5, -2, -1, -3]
    assert x.grad == -3


def test_a_plain_context_changes_nothing() -> None:
    x = Value(3)
    with Context():
        y = x * x
        y.backward()
    assert (y.data, y.op, x.grad) == (9, ops.mul, 6)


def test_the_innermost_context_comes_first() -> None:
    x = Value(3)
    with Log() as outer, no_grad(), Log() as inner:
        y = x * 2
    assert outer.results == inner.results == [6]
    assert (inner.constant, outer.constant, y.constant) == ([False], [True], True)


def test_a_context_can_be_opened_inside_itself_and_again() -> None:
    x, log, quiet = Value(3), Log(), no_grad()
    with log, log:
        x * 2
    assert log.results == [6, 6]
    with quiet:
        with quiet:
            pass
        assert (x * x).constant
    assert not (x * x).constant
    with quiet:
        assert (x * x).constant


def test_a_context_is_open_in_its_own_thread_only() -> None:
    x = Value(3)
    made: list[Value] = []
    with no_grad():
        thread = threading.Thread(target=lambda: made.append(x * x))
        thread.start()
        thread.join()
    assert not made[0].constant


def test_contexts_close_in_any_order_and_after_an_error() -> None:
    first, second = no_grad(), Log()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not (Value(3) * 2).constant
    second.__exit__(None, None, None)
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018


# --- no_grad ------------------------------------------------------------------------------------


def test_no_grad_makes_constants_and_keeps_no_graph() -> None:
    x = Value(3, "x")
    with no_grad():
        results = [x + 1, x - 1, x * x, x / 2, x**2, -x, x.exp(), abs(x), 2 - x]
    assert all(y.constant and y.op is None and y.parents == () for y in results)
    assert [y.data for y in results] == [4, 2, 9, 1.5, 9, -3, math.exp(3), 3, -1]
    loss = x * results[2]
    loss.backward()
    assert (x.grad, results[2].grad) == (9, 0)


def test_no_grad_runs_a_network() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    with no_grad():
        run = rnn.unroll(bits("101"))
    assert [step.pi[0].data for step in run.steps] == [1, 4, 17]
    assert run.pi[0].constant
    assert run.pi[0].name == "π⃛"


# --- detect_anomaly -----------------------------------------------------------------------------


def here(text: str) -> str:
    """`computed in` this file and the line that holds the text and this call's mark."""
    lines = Path(__file__).read_text("utf-8").splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.endswith(f"  # {text}")]
    return f"computed in {__file__}:{number}: {linecache.getline(__file__, number).strip()}"


def test_a_result_that_is_not_finite() -> None:
    x, y = Value(0.0, "x"), Value(-1, "y")
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        y / x  # the bad result
    assert str(caught.value) == (
        f"div(y = -1.0, x = 0.0) = -inf is the first result that is not finite, "
        f"{here('the bad result')}."
    )
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"log\(y = -1.0\) = nan is the first"):
        y.log()
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"exp\(1000.0\) = inf"):
        Value(1000).exp()


def test_an_adjoint_that_is_not_finite_names_the_line_that_computed_its_node() -> None:
    x = Value(0.0, "x")
    with detect_anomaly():
        h = x * 2  # the node with the bad adjoint
        y = h.sqrt()
        with pytest.raises(AnomalyError) as caught:
            y.backward()
    assert str(caught.value) == (
        f"the adjoint of mul(x = 0.0, 2.0) = 0.0 is inf, the first that is not finite, "
        f"{here('the node with the bad adjoint')}. What is computed from it has too large a slope, "
        f"or one that is not finite; no grad of a leaf was changed."
    )
    assert x.grad == 0


@pytest.mark.parametrize("derive", [lambda y, x: y.backward(), lambda y, x: gradients(y, [x])])
def test_an_adjoint_of_a_leaf(derive: Callable[[Value, Value], object]) -> None:
    x = Value(0.0, "x")
    y = x.sqrt()
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"adjoint of x = 0.0 is inf"):
        derive(y, x)
    assert x.grad == 0
    derive(y, x)


def test_a_partial_that_is_not_finite_is_no_anomaly() -> None:
    x = Value(0.0)
    with detect_anomaly():
        y = x.sqrt()
        assert y.partials == (math.inf,)


def test_anomalies_of_a_gradient_graph() -> None:
    x = Value(0.0, "x")
    y = x.sqrt()
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"div\(0.5, .*\) = inf"):
        gradients(y, [x], create_graph=True)


def test_an_adjoint_on_which_no_derivative_hangs_is_no_anomaly() -> None:
    """The slope of (-3)² by its exponent is NaN, but the exponent is made of constants."""
    x = Value(-3.0)
    (slope,) = gradients(x**2, [x], create_graph=True)
    with detect_anomaly():
        slope.backward()
    assert x.grad == 2


def test_anomalies_without_a_known_line(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Value(0.0, "x")
    h = x * 2
    y = h.sqrt()
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"that is not finite\. What is"):
        y.backward()
    monkeypatch.setitem(linecache.cache, "<string>", (3, None, ["of another\n"], "<string>"))
    names: dict[str, object] = {"x": Value(0.0)}
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"computed in <string>:1\."):
        exec("y = x.log()", names)


def test_the_results_are_let_go_when_it_closes() -> None:
    anomalies = detect_anomaly()
    with anomalies:
        with anomalies:
            Value(1) * 2
        assert len(anomalies._lines) == 1
    assert len(anomalies._lines) == 0
