"""Steps: a loop of one's own is read as an unrolled network is."""

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import (
    LSTM,
    RNN,
    Steps,
    Value,
    bits,
    copies,
    derive,
    detect_anomaly,
    draw,
    draw_network,
    freeze,
    grad,
    no_grad,
    play,
    relu,
    sigmoid,
    stop_gradient,
    tanh,
)
from autograd_rnn.engine.shared import WATCH, watchers


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> object:
    yield
    assert WATCH.open == 0
    assert not watchers()


def name(letter: str, entries: Sequence[Value]) -> None:
    for place, entry in enumerate(entries, 1):
        entry.name = letter if len(entries) == 1 else f"{letter}_{place}"


def inputs(entries: Sequence[float]) -> list[Value]:
    """The inputs of a step, constants as those of a network are."""
    x = list(map(Value, entries))
    name("x", x)
    freeze(*x)
    return x


def sums(columns: Sequence[Sequence[Value]], operands: Sequence[Value]) -> list[Value]:
    found = []
    for first, *rest in columns:
        total = first
        for weight, operand in zip(rest, operands, strict=True):
            total = total + weight * operand
        found.append(total)
    return found


def rnn_loop(rnn: RNN, xs: Sequence[Sequence[float]], named: bool = True) -> tuple[Any, Any, Steps]:
    """What `rnn.unroll(xs)` computes, as a loop over plain Values: π, Q and the steps."""
    columns = list(zip(*rnn.weights, strict=True))
    q = [Value(0.0) for _ in range(rnn.states)]
    pi: list[Value] = []
    if named:
        name("q", q)
    steps = Steps()
    for k, entries in enumerate(xs, 1):
        x = inputs(entries)
        with steps.step(k):
            pi = sums(columns, q + x)
            q = list(map(tanh, pi))
            if named:
                name("π", pi)
                name("q", q)
    return pi, q, steps


def lstm_loop(lstm: LSTM, xs: Sequence[Sequence[float]]) -> tuple[Value, Steps]:
    """The same for an LSTM of one state: a cell with the states h and c, and four gates."""
    h, c = Value(0, "h"), Value(0, "c")
    columns = list(zip(*lstm.weights, strict=True))
    steps = Steps()
    for k, entries in enumerate(xs, 1):
        x = inputs(entries)
        with steps.step(k):
            pi = sums(columns, [h, *x])
            i, f, o = [sigmoid(pi[gate]) for gate in (0, 1, 3)]
            g = tanh(pi[2])
            c = f * c + i * g
            h = o * tanh(c)
            name("π", pi)
            i.name, f.name, g.name, o.name, c.name, h.name = "ifgoch"
    return h, steps


def assert_read_alike(
    loss: Value, run: Any, own: Value, steps: Any, weight: Value, gates: bool = False
) -> None:
    # A network knows its weights as a matrix, too.
    matrix = re.compile(r"  The weights as a matrix.*\n(?:    .*\n)+")
    wanted = matrix.sub("", derive(loss, weight, run=run).text)
    text = derive(own, weight, run=steps).text
    # It writes the gates of a cell in the order of their letters.
    assert text == wanted or (gates and sorted(text.split()) == sorted(wanted.split()))
    assert str(copies(weight, own, steps)) == str(copies(weight, loss, run))
    # The cards of a network show its gates, of which a loop says nothing.
    for detail in ("scalar",) if gates else ("scalar", "step"):
        drawn = [
            draw(output, focus=weight, run=one, detail=detail).dot
            for output, one in ((loss, run), (own, steps))
        ]
        if gates:
            # A loop does not say that h and c are of one neuron, nor which of them comes first.
            drawn = [sorted(re.findall(r"<FONT[^>]*>([^<>]+)<", dot)) for dot in drawn]
        assert drawn[0] == drawn[1]


# --- a loop reads like a network ----------------------------------------------------------------


@pytest.mark.parametrize("states", [1, 2])
@pytest.mark.parametrize("of_state", [False, True])
def test_a_plain_loop_reads_like_the_packaged_network(states: int, of_state: bool) -> None:
    rnn, xs = RNN.random(states, states, seed=3), [[1.0, -1.0][:states], [0.5, 2.0][:states]] * 2
    run, (pi, q, steps) = rnn.unroll(xs), rnn_loop(rnn, xs)
    loss, own = [((p, s)[of_state][0] - 2) ** 2 for p, s in ((run.pi, run.q), (pi, q))]
    for row in rnn.weights:
        assert_read_alike(loss, run, own, steps, row[0])
    loss.backward()
    own.backward()
    assert draw(own, run=steps, detail="scalar").dot == draw(loss, run=run, detail="scalar").dot
    assert play(own, run=steps).html == play(loss, run=run).html


@pytest.mark.parametrize("names", [False, True])
def test_states_need_no_names(names: bool) -> None:
    rnn = RNN.random(1, 1, seed=1)
    run, (pi, _, steps) = rnn.unroll([[1], [2], [3]]), rnn_loop(rnn, [[1], [2], [3]], names)
    assert_read_alike((1 - run.pi[0]) ** 2, run, (1 - pi[0]) ** 2, steps, rnn.weights[1][0])
    assert [value.name for value in (*steps.steps[0].q, *steps.steps[0].pi)] == (
        ["q", "π"] if names else [None, None]
    )


def test_a_cell_of_two_states_reads_like_an_lstm() -> None:
    lstm, xs = LSTM.random(1, 1, seed=3), [[1.0], [0.5], [0.25]]
    for place, weight in enumerate(lstm.parameters(), 1):
        weight.name = f"v_{place}"  # by other names, they are called by their gates
    run, (h, steps) = lstm.unroll(xs), lstm_loop(lstm, xs)
    for weight in lstm.parameters()[4:8]:
        assert_read_alike((run.output - 1) ** 2, run, (h - 1) ** 2, steps, weight, gates=True)
    assert [[q.name for q in step.q] for step in steps.steps] == [["h", "c"]] * 3
    assert [leaf.name for leaf in steps.state] == ["h", "c"]


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(0, 99))
def test_copies_of_a_loop_are_those_of_the_network(n: int, m: int, length: int, seed: int) -> None:
    rnn = RNN.random(n, m, seed=seed)
    xs = [[float((k + i + seed) % 3) for i in range(m)] for k in range(length)]
    run, (_, q, steps) = rnn.unroll(xs), rnn_loop(rnn, xs, named=bool(seed % 2))
    loss, own = [sum([(1 - one) ** 2 for one in states], Value(0)) for states in (run.q, q)]
    for weight in rnn.parameters():
        read = [[(c.name, c.step, c.grad) for c in copies(weight, *of)] for of in
                ((loss, run), (own, steps))]  # fmt: skip
        assert read[0] == read[1]
    assert [len(step.q) for step in steps.steps] == [n] * length
    assert [len(step.pi) for step in steps.steps] == [n] * length
    assert [[x.data for x in step.x] for step in steps.steps] == xs


def test_a_name_shared_by_steps_has_the_accent_of_its_step_and_others_stay() -> None:
    w, gain, total = Value(2, "w"), Value(1, "gain"), Value(0)
    steps = Steps()
    for k in range(1, 7):
        with steps.step(k):
            gain = gain * w
            gain.name = "gain"
            if k == 6:
                total = gain + 1
                total.name = "top"
    names = steps.names
    assert [names[step.q[0]] for step in steps.steps[:2]] == ["gain⁽¹⁾", "gain⁽²⁾"]
    assert total not in names
    assert [step.q[0].name for step in steps.steps] == ["gain"] * 6  # nothing is stored on them
    assert "gain⁽⁵⁾ = w⁽⁵⁾·gain⁽⁴⁾" in derive(total, w, run=steps).text.replace(
        "gain⁽⁴⁾·w⁽⁵⁾", "w⁽⁵⁾·gain⁽⁴⁾"
    )


def test_what_is_made_outside_belongs_to_no_step() -> None:
    w, start = Value(2, "w"), Value(1, "q")
    steps, q = Steps(), start
    for k in (1, 2):
        with steps.step(k):
            q = w * q
        q = q + 1  # between the steps
    loss = w * q
    assert [copy.step for copy in copies(w, loss, steps)] == [1, 2, None]
    assert [len(step.q) for step in steps.steps] == [1, 1]  # the step's own part of the state
    assert steps.state == (start,)


def test_a_running_sum_is_no_state() -> None:
    w, q, loss = Value(0.5, "w"), Value(1, "q"), Value(0, "L")
    steps = Steps()
    for k in (1, 2, 3):
        with steps.step(k):
            q = tanh(w * q)
            q.name = "q"
            loss = loss + (q - 1) ** 2
    assert [[state.name for state in step.q] for step in steps.steps] == [["q"]] * 3
    assert [state.name for state in steps.state] == ["q"]
    assert "a(π) = tanh(π)" in derive(loss, w, run=steps).text
    # Alone it is the state: there is nothing else that one step takes from another.
    total, alone = Value(0, "c"), Steps()
    for k in (1, 2):
        with alone.step(k):
            total = total + w
    assert [len(step.q) for step in alone.steps] == [1, 1]


def test_a_step_may_be_taken_in_parts_and_in_any_order() -> None:
    w, u = Value(0.5, "w"), Value(0.25, "u")
    steps, forward, backward = Steps(), [Value(0)], [Value(0)]
    for k in (1, 2, 3):
        with steps.step(k):
            forward.append(tanh(w * forward[-1] + k))
    for k in (3, 2, 1):
        with steps.step(k):
            backward.append(tanh(u * backward[-1] + k))
    loss = forward[-1] * backward[-1]
    assert [copy.step for copy in copies(w, loss, steps)] == [1, 2, 3]
    assert [copy.step for copy in copies(u, loss, steps)] == [3, 2, 1]
    assert [step.k for step in steps.steps] == [1, 2, 3]
    assert len(steps.steps[1].q) == 2


# --- pictures -----------------------------------------------------------------------------------


def test_a_loop_has_columns_cards_and_boxes_but_no_circles() -> None:
    w, q = Value(0.5, "w"), Value(1, "q")
    steps = Steps()
    for k in (1, 2, 3):
        with steps.step(k):
            q = tanh(w * q + 1)
    picture = draw(q, focus=w, run=steps)
    assert re.findall(r"step \d", picture.dot)
    assert "<Drawing: q⃛" in str(draw(q, run=steps, detail="step"))
    assert "steps=" in str(play(q, run=steps)) or play(q, run=steps).steps > 3
    with pytest.raises(ValueError, match="run has more to a state than one neuron .* of one's own"):
        draw_network(steps)
    assert re.findall(r"step \d", draw(q, focus=w, run=steps, detail="neuron").dot)


def test_a_single_step_and_steps_without_states_can_be_drawn() -> None:
    w, x = Value(0.5, "w"), Value(2, "x")
    one, none = Steps(), Steps()
    with one.step(1):
        y = tanh(w * x)
    parts = []
    for k in (1, 2):
        with none.step(k):
            parts.append(tanh(w * x))
    for output, steps in ((y, one), (parts[0] * parts[1], none)):
        for detail in ("scalar", "step"):
            assert draw(output, focus=w, run=steps, detail=detail).svg()
        assert derive(output, w, run=steps).value == pytest.approx(
            sum([copy.grad for copy in copies(w, output, steps)])
        )
    assert [len(step.q) for step in (*one.steps, *none.steps)] == [1, 0, 0]


@pytest.mark.parametrize(
    "stop", [stop_gradient, lambda q: q.detach()], ids=["stop_gradient", "detach"]
)
def test_a_truncated_loop_has_cuts(stop: Callable[[Value], Value]) -> None:
    w, q = Value(0.5, "w"), Value(1, "q")
    steps = Steps()
    for k in (1, 2, 3, 4):
        with steps.step(k):
            q = tanh(w * (stop(q) if k == 3 else q))
    assert steps.cuts == {3}
    assert [copy.step for copy in copies(w, q, steps) if copy.grad] == [3, 4]


# --- contexts -----------------------------------------------------------------------------------


def test_steps_of_the_same_steps_are_not_nested() -> None:
    steps = Steps()
    with (
        steps.step(1),
        pytest.raises(ValueError, match="step 2 is opened inside step 1 of the same"),
    ):
        steps.step(2).__enter__()
    # An encoder and a decoder have steps of their own.
    other, x = Steps(), Value(2)
    with steps.step(3), other.step(1):
        y = x * x
    assert (steps.step_of, other.step_of) == ({y: 3}, {y: 1})


@pytest.mark.parametrize(("k", "error", "words"), [
    (0, ValueError, "k must be 1 or more, not 0"),
    (-1, ValueError, "k must be 1 or more, not -1"),
    ("1", TypeError, "k must be an int, not str"),
    (True, TypeError, "k must be an int, not bool"),
])  # fmt: skip
def test_a_step_has_a_number_from_one_on(k: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Steps().step(k)


def test_a_step_that_ends_in_an_error_has_made_nothing() -> None:
    steps, x = Steps(), Value(2)
    with steps.step(1):
        y = x * x

    def half_a_step() -> None:
        with steps.step(2):
            raise ZeroDivisionError(y * x)

    with pytest.raises(ZeroDivisionError):
        half_a_step()
    assert len(steps.step_of) == 1
    with steps.step(2):
        z = y + 1
    assert steps.step_of[z] == 2
    assert y in steps.step_of


def test_another_thread_is_outside() -> None:
    steps, x = Steps(), Value(2)
    made: list[Value] = []
    with steps.step(1):
        thread = threading.Thread(target=lambda: made.append(x * x))
        thread.start()
        thread.join()
        here = x + 1
    assert steps.step_of == {here: 1}
    threads = [
        threading.Thread(target=lambda k=k: made.append(_square_in(steps, k, x))) for k in (2, 3)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(steps.step_of.values()) == [1, 2, 3]


def _square_in(steps: Steps, k: int, x: Value) -> Value:
    with steps.step(k):
        return x * x


def test_a_generator_cannot_be_decorated_and_a_function_can() -> None:
    steps, x = Steps(), Value(2)

    @steps.step(4)
    def square() -> Value:
        return x * x

    y = square()
    assert steps.step_of == {y: 4}
    with pytest.raises(TypeError, match="A generator runs in pieces"):

        @steps.step(5)
        def numbers() -> Any:
            yield x * x


@pytest.mark.parametrize("outside", [True, False])
def test_results_of_no_grad_have_no_step(outside: bool) -> None:
    steps, x = Steps(), Value(2)
    part = steps.step(1)
    contexts = (no_grad(), part) if outside else (part, no_grad())
    with contexts[0], contexts[1]:
        y = x * x
    assert y.constant
    assert steps.step_of == {}
    with detect_anomaly(), steps.step(2):
        z = x * 3
    assert steps.step_of == {z: 2}


def test_a_derivative_inside_a_step_is_right() -> None:
    steps, x = Steps(), Value(3)
    with steps.step(1):
        y = grad(lambda t: t * t * x)(2.0)
    assert y == 12.0


def test_reading_an_open_step_sees_what_it_has_made() -> None:
    steps, w = Steps(), Value(3, "w")
    with steps.step(1):
        q = w * w
        assert [copy.step for copy in copies(w, q, steps)] == [1, 1]
        r = q * w
    assert steps.step_of[r] == 1
    assert repr(steps) == "<Steps: 1 step, 2 results>"
    assert repr(Steps()) == "<Steps: 0 steps, 0 results>"


def test_the_lectures_exercise_as_a_loop() -> None:
    w1, w2, q, pi = Value(4, "w_1"), Value(1, "w_2"), Value(0, "q"), Value(0)
    steps = Steps()
    for k, (x,) in enumerate(bits("101"), 1):
        with steps.step(k):
            pi = w1 * q + w2 * x
            q = relu(pi)
    derivation = derive((15 - pi) ** 2, w1, run=steps)
    assert [term.name for term in derivation.terms] == ["ẇ₁", "ẅ₁", "w⃛₁"]
    assert derivation.text.endswith("= −2(15 − 17)(4 + 1·4·1 + 0·4²·1·1) = −2(−2)·8 = 32\n")
