"""The layer of the lecture, its unrolling, and the counter."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import RNN, Value, bits, counter, gradients, in_family, one_hot
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError
from autograd_rnn.networks.rnn import activations


@given(st.data(), st.text("ACGT", max_size=30), st.integers(1, 6))
def test_the_counter_agrees_with_the_program(data: st.DataObject, dna: str, count: int) -> None:
    base = data.draw(st.sampled_from("ACGT"))
    rnn = counter(base, count)
    assert (rnn(one_hot(dna))[-1].data > 0) == in_family(dna, base, count)
    assert in_family(dna, base, count) == (dna.count(base) >= count)


def test_the_counter_on_another_alphabet() -> None:
    rnn = counter("x", 2, alphabet="xyz")
    assert rnn(one_hot("xyzx", "xyz"))[-1].data == 1
    assert rnn(one_hot("xyzz", "xyz"))[-1].data == 0


@given(st.integers(1, 3), st.integers(0, 3), st.booleans(), st.data())
def test_a_step_is_the_formula_of_panel_8(
    states: int, inputs: int, bias: bool, data: st.DataObject
) -> None:
    whole = st.integers(-5, 5)
    rows = bias + states + inputs
    W = [[data.draw(whole) for _ in range(states)] for _ in range(rows)]  # noqa: N806
    q = [data.draw(whole) for _ in range(states)]
    x = [data.draw(whole) for _ in range(inputs)]
    run = RNN(W, "relu", bias=bias).unroll([x], q)
    column = [1] * bias + q + x
    for j in range(states):
        pi = sum(W[i][j] * column[i] for i in range(rows))
        assert run.pi[j].data == pi
        assert run.q[j].data == max(pi, 0)


def test_the_offset_enters_as_itself_and_the_sum_runs_downwards() -> None:
    rnn = RNN([[7], [3], [5]], "linear")
    run = rnn.unroll([[2]], [11])
    (pi,) = run.pi
    total, driven = pi.parents
    offset, recurrent = total.parents
    assert offset is rnn.weights[0][0]
    assert recurrent.parents == (rnn.weights[1][0], run.state[0])
    assert driven.parents == (rnn.weights[2][0], run.steps[0].x[0])
    assert run.q == run.pi


def test_inputs_are_constants_and_the_initial_state_is_not() -> None:
    rnn = RNN([[4], [1]], "relu", bias=False)
    run = rnn.unroll(bits("10"), [3])
    assert all(step.x[0].constant for step in run.steps)
    assert not run.state[0].constant
    assert gradients(run.q[0], run.state) == (16,)
    x = Value(1, "mine")
    run = rnn.unroll([[x]])
    assert run.steps[0].x == (x,)
    assert gradients(run.q[0], [x]) == (1,)


def test_names_follow_the_lecture() -> None:
    run = counter().unroll(one_hot("AGGTG"))
    assert [q.name for q in run.state] == ["q_1", "q_2", "q_3"]
    assert [q.name for q in run.steps[1].q] == ["q̈₁", "q̈₂", "q̈₃"]
    assert run.pi[2].name == "π₃⁽⁵⁾"
    assert run.steps[0].x[3].name == "ẋ₄"
    assert [weight.name for weight in RNN([[1, 2], [3, 4]], bias=False).parameters()] == [
        *["w_1", "w_2", "w_3", "w_4"]
    ]


def test_no_inputs() -> None:
    run = counter().unroll([])
    assert run.q == run.state
    assert run.steps == ()
    with pytest.raises(ValueError, match="there is no π: the network was unrolled over no inputs"):
        _ = run.pi


def test_shapes_and_printing() -> None:
    rnn = RNN.random(3, 4, activation="sigmoid", seed=1)
    assert (rnn.states, rnn.inputs, len(rnn.weights)) == (3, 4, 8)
    assert repr(rnn) == "<RNN: 3 states, 4 inputs, sigmoid>"
    assert repr(rnn.unroll(one_hot("AC"))) == f"<{rnn!r} unrolled over 2 steps>"
    assert RNN([[1], [2]], bias=False).inputs == 1
    assert RNN([[1], [2]]).inputs == 0


def test_random_weights_depend_on_the_seed_alone_and_stay_in_their_bounds() -> None:
    draws = [[w.data for w in RNN.random(4, 2, seed=seed).parameters()] for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]
    assert min(draws[0]) < -0.4 < 0.4 < max(draws[0])
    assert all(abs(w) <= 0.5 for w in draws[0])
    assert len(set(draws[0])) == len(draws[0]) == 28


def test_zero_grad() -> None:
    rnn = RNN([[4], [1]], bias=False)
    rnn(bits("11"))[0].backward()
    assert all(weight.grad for weight in rnn.parameters())
    rnn.zero_grad()
    assert [weight.grad for weight in rnn.parameters()] == [0, 0]


def test_weights_may_be_values_shared_with_other_graphs() -> None:
    w = Value(2, "shared")
    rnn = RNN([[w], [w]], "linear", bias=False)
    (q,) = rnn(bits("11"))
    assert rnn.parameters() == [w, w]
    assert q.data == 6
    assert [value.name for value in RNN([[w], [Value(1)]], bias=False).parameters()] == [
        *["shared", None]
    ]
    assert len(RNN(([x] for x in (1, 2)), bias=False).parameters()) == 2
    assert gradients(q, [w]) == (5,)


def test_every_op_of_one_operand_is_an_activation() -> None:
    for name in activations():
        assert RNN([[1], [2]], name).unroll([[]], [0.5]).q[0].data is not None


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: counter("U"), ArgumentValueError, "base must be one of the symbols 'ACGT'"),
        (lambda: counter(3), ArgumentTypeError, "base must be a str, not int"),
        (lambda: counter(at_least=0), ArgumentValueError, "at_least must be 1 or more, not 0"),
        (lambda: counter(at_least=True), ArgumentTypeError, "at_least must be an int, not bool"),
        (lambda: RNN([]), ArgumentValueError, "weights must have one or more rows"),
        (lambda: RNN([[1, 2], [3]]), ArgumentValueError, "rows of one length"),
        (lambda: RNN(3), ArgumentTypeError, "weights must be a list of rows"),
        (lambda: RNN.random(1, 1, seed=None), ArgumentTypeError, "seed must be an int, not NoneT"),
        (lambda: RNN(["ab"]), ArgumentTypeError, r"weights\[0\] must be a list, not str"),
        (lambda: RNN([[1, 2], [3, 4]]), ArgumentValueError, "2 rows for 2 states.*at least 3"),
        (lambda: RNN([["1"], [2]]), ArgumentTypeError, r"weights\[0\]\[0\] must be a real number"),
        (lambda: RNN([[1], [2]], "cosine"), ArgumentValueError, "activation 'cosine' is unknown"),
        (lambda: RNN([[1], [2]], None), ArgumentTypeError, "activation must be a str"),
        (lambda: RNN([[1], [2]], "add"), ArgumentValueError, "activation 'add' is unknown"),
        (lambda: RNN([[1], [2]], names=5), ArgumentTypeError, "names must be a list of rows"),
        (lambda: counter().unroll([{1: 1}]), ArgumentTypeError, r"inputs\[0\] must be a list of 4"),
        (lambda: RNN([[1], [2]], names=[["a"]]), ArgumentValueError, "shape of weights, 2 rows"),
        (lambda: RNN([[1], [2]], names=[["a"], [2]]), ArgumentTypeError, "name must be a str"),
        (lambda: RNN.random(0, 1), ArgumentValueError, "states must be 1 or more, not 0"),
        (lambda: RNN.random(1, 2.0), ArgumentTypeError, "inputs must be an int, not float"),
        (lambda: counter().unroll("AG"), ArgumentTypeError, r"write one_hot\(\.\.\.\) or bits"),
        (lambda: counter().unroll(3), ArgumentTypeError, "inputs must be a list of vectors"),
        (lambda: counter().unroll([[1, 0]]), ArgumentValueError, r"inputs\[0\] must have size 4"),
        (
            lambda: RNN([[4], [1]], "relu").unroll(bits("101")),
            ArgumentValueError,
            r"\[0\] must have size 0, not 1\. The first row of weights is the offset's, unless",
        ),
        (lambda: RNN([[1]], bias=False).unroll([[1]]), ArgumentValueError, r"size 0, not 1\.$"),
        (lambda: counter().unroll([1.0]), ArgumentTypeError, r"inputs\[0\] must be a symbol, an"),
        (lambda: counter().unroll([1, 4]), ArgumentValueError, r"\[1\] .* from 0 to 3, .* not 4"),
        (lambda: counter().unroll([1, True]), ArgumentTypeError, r"\[1\] must be a symbol.* True"),
        (lambda: counter().unroll([1, [1]]), ArgumentTypeError, r"\[1\] is a vector among symbols"),
        (lambda: counter().unroll([[1] * 4, 1]), ArgumentTypeError, r"\[1\] is no vector among v"),
        (lambda: counter().unroll([], [0]), ArgumentValueError, "state must have size 3, not 1"),
        (
            lambda: counter().unroll([[0, 0, None, 0]]),
            ArgumentTypeError,
            r"inputs\[0\]\[2\] must be a real number",
        ),
    ],
)
def test_refusals_name_the_argument(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
