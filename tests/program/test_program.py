"""Programs: bit for bit the engine, forward and backward, as numbers and as Python."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    BranchChanged,
    Program,
    Value,
    bits,
    gradients,
    maximum,
    ops,
    primitive,
    record,
)
from autograd_rnn.errors import StaleGraphError
from autograd_rnn.ops.ieee import same_bits

from ..strategies import Pair, any_numbers, numbers_around_one, pairs

NAMESPACE = {name: op.value for name, op in ops.TABLE.items()}


def exercise() -> tuple[Value, list[Value]]:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    loss = (15 - run.pi[0]) ** 2
    loss.name = "L"
    return loss, rnn.parameters()


def run_python(program: Program) -> Any:
    """The function that the source makes, with the ops of primitives besides."""
    names: dict[str, Any] = {}
    exec(program.python(), names)
    return names["program"]


def same(a: Any, b: Any) -> bool:
    a, b = [x if isinstance(x, tuple) else (x,) for x in (a, b)]
    return len(a) == len(b) and all(map(same_bits, a, b))


# --- what it computes ----------------------------------------------------------------------------


@given(pairs(), st.lists(any_numbers, min_size=3, max_size=3))
@settings(max_examples=150)
def test_a_program_is_its_graph(pair: Pair, numbers: list[float]) -> None:
    output = pair.values[-1]
    inputs = [leaf for leaf in pair.values[: pair.leaves] if not leaf.constant]
    program = Program.of(output, inputs)
    point = [leaf.data for leaf in inputs]
    assert same(program(*point), output.data)
    other = numbers[: len(inputs)]
    again = {leaf: Value(x) for leaf, x in zip(inputs, other, strict=True)}
    for value in pair.values[pair.leaves :]:
        again[value] = value.op(*[again.get(parent, parent) for parent in value.parents])
    assert same(program(*other), again.get(output, output).data)
    for same_program in (
        program.simplified(),
        program.folded(),
        program.shared(),
        program.without_dead_lines(),
    ):
        assert same(same_program(*other), program(*other))
        assert len(same_program.lines) <= len(program.lines)
    assert same(run_python(program)(*other), program(*other))
    assert str(program).count("\n") <= len(program.lines) + 1


@given(pairs())
@settings(max_examples=200)
def test_the_gradient_is_the_engines_bit_for_bit(pair: Pair) -> None:
    output = pair.values[-1]
    inputs = [leaf for leaf in pair.values[: pair.leaves] if not leaf.constant]
    point = [leaf.data for leaf in inputs]
    gradient = Program.of(output, inputs).gradient()
    expected = (output.data, *gradients(output, inputs))
    assert same(gradient(*point), expected)
    assert same(gradient.simplified()(*point), expected)
    assert same(run_python(gradient)(*point), expected)


@given(pairs(("add", "mul", "sub", "tanh", "sin", "exp"), st.floats(-1, 1), most_ops=5))
@settings(max_examples=50)
def test_a_gradient_has_a_gradient(pair: Pair) -> None:
    output = pair.values[-1]
    inputs = [leaf for leaf in pair.values[: pair.leaves] if not leaf.constant]
    if not inputs:
        return
    first = Program.of(output, inputs).gradient()
    (slope,) = gradients(output, inputs[:1], create_graph=True)
    second = first.select(1).gradient()
    point = [leaf.data for leaf in inputs]
    expected = (slope.data, *gradients(slope, inputs))
    assert second(*point) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", list(ops.TABLE))
def test_every_op_is_recorded_and_printed(name: str) -> None:
    op = ops.TABLE[name]
    program = record(op, *[1.5, 2.25][: op.arity])
    (line,) = program.lines
    assert line.op is op
    point = [1.5, 2.25][: op.arity]
    assert same(program(*point), op.value(*point))
    assert same(run_python(program.gradient())(*point), program.gradient()(*point))


# --- recording -----------------------------------------------------------------------------------


def test_a_comparison_is_a_guard() -> None:
    def f(x: Value, y: Value) -> Value:
        if x > y:
            return x * 2
        return y * 3 if y else x

    program = record(f, 3, 1)
    assert program(5.0, 4.0) == 10.0
    with pytest.raises(
        BranchChanged, match=r"x_1 > x_2 was True .* x_1 = 1\.0 and x_2 = 2\.0: record"
    ):
        program(1.0, 2.0)
    assert program.gradient()(5.0, 4.0) == (10.0, 2.0, 0.0)
    with pytest.raises(BranchChanged):
        program.simplified().gradient()(1.0, 2.0)
    with pytest.raises(BranchChanged, match="x_1 > x_2"):
        run_python(program)(1.0, 2.0)
    other = record(f, 1, 2)
    assert [(guard.comparison, guard.outcome) for guard in other.guards] == [
        *[(">", False), ("!=", True)]
    ]
    assert other(1.0, 5.0) == 15.0
    with pytest.raises(BranchChanged, match=r"x_2 != 0\.0 was True"):
        other(-1.0, 0.0)
    with pytest.raises(BranchChanged):
        program(math.nan, 1.0)


@pytest.mark.parametrize("compare", ["__lt__", "__le__", "__gt__", "__ge__"])
@given(st.integers(-2, 2), st.integers(-2, 2), st.integers(-2, 2), st.integers(-2, 2))
def test_a_replay_goes_the_way_of_the_recording_or_says_so(
    compare: str, a: int, b: int, c: int, d: int
) -> None:
    def f(x: Any, y: Any) -> Any:
        return x - y if getattr(x, compare)(y) else y + 1.0

    program = record(f, a, b)
    went = getattr(float(a), compare)(float(b)) == getattr(float(c), compare)(float(d))
    if went:
        assert program(c, d) == f(float(c), float(d))
    else:
        with pytest.raises(BranchChanged):
            program(c, d)


def test_a_function_may_give_numbers_and_its_inputs() -> None:
    assert record(lambda x: 7, 1)(5.0) == 7.0
    assert record(lambda x, y: (y, x, x), 1, 2)(3.0, 4.0) == (4.0, 3.0, 3.0)


def test_inner_nodes_may_be_inputs() -> None:
    x = Value(2, "x")
    y = x * 3
    y.name = "y"
    program = Program.of(y * x, [y, x])
    assert program.inputs == ("y", "x")
    assert program(5.0, 7.0) == 35.0
    assert len(program.lines) == 1


# --- the passes ----------------------------------------------------------------------------------


def test_the_passes_do_what_they_say() -> None:
    program = record(lambda x: (x * x + x * x, Value(2) * 3 + x, x.exp()), 1.5)
    assert len(program.lines) == 6
    assert len(program.shared().lines) == 5
    assert len(program.folded().lines) == 5
    assert len(program.select(0).lines) == 3
    assert len(program.select(0).shared().lines) == 2
    assert program.simplified()(2.0) == program(2.0)
    # What would change a zero's sign, or a NaN, stays.
    careful = record(lambda x: (x * 0, x + 0, maximum(x, x)), 1.0).simplified()
    assert len(careful.lines) == 3
    assert same(careful(math.nan), (math.nan, math.nan, math.nan))
    assert same(careful(-0.0), (-0.0, 0.0, -0.0))
    signs = record(lambda x: (x * 0.0, x * -0.0), 1.0).simplified()
    assert len(signs.lines) == 2


# --- what it prints ------------------------------------------------------------------------------


def test_the_exercise_is_readable() -> None:
    loss, parameters = exercise()
    program = Program.of(loss, parameters)
    assert str(program).splitlines() == [
        *["program of w₁, w₂", "  π̇ = w₁·0 + w₂·1", "  q̇ = relu(π̇)", "  π̈ = w₁·q̇ + w₂·0"],
        *["  q̈ = relu(π̈)", "  π⃛ = w₁·q̈ + w₂·1", "  L = (15 − π⃛)²", "  gives L"],
    ]
    guarded = record(lambda x: x * 2 if x > 1 else x, 0)
    assert str(guarded).splitlines()[1:] == ["  as long as not x₁ > 1", "  gives x₁"]
    gradient = program.gradient()
    assert gradient(4.0, 1.0) == (4.0, 32.0, 68.0)
    source = gradient.python("loss_and_gradients")
    assert "\n\n\ndef loss_and_gradients(w_1, w_2):\n" in source
    assert "    dL_dπ̇ = " in source
    names: dict[str, Any] = {}
    exec(source, names)
    assert names["loss_and_gradients"](4.0, 1.0) == (4.0, 32.0, 68.0)
    assert names["loss_and_gradients"](2.0, 3.0) == gradient(2.0, 3.0)


# No steps: of numbers that differ in their last bits they make others.
SMOOTH = ("add", "sub", "mul", "neg", "tanh", "exp", "sigmoid", "softplus", "sin", "cos")


@given(
    pairs(SMOOTH, numbers_around_one, 6, constants=False),
    st.lists(st.lists(numbers_around_one, min_size=2, max_size=2), min_size=3, max_size=3),
)
def test_source_for_arrays_gives_what_the_program_does(pair: Pair, columns: list[Any]) -> None:
    columns = columns[: pair.leaves]
    program = Program.of(pair.values[-1], pair.values[: pair.leaves]).gradient()
    names: dict[str, Any] = {}
    exec(program.numpy("batch"), names)
    with np.errstate(all="ignore"):
        found = names["batch"](*[np.array(column) for column in columns])
    for row in range(2):
        wanted = program(*[column[row] for column in columns])
        scale = max(map(abs, program._values([column[row] for column in columns])))
        for z, w in zip(found, wanted, strict=True):
            mine = float(np.broadcast_to(z, 2)[row])
            assert mine == pytest.approx(w, rel=1e-9, abs=1e-9 * scale) or scale > 1e15


def test_source_for_arrays_has_guards_and_ops_from_outside() -> None:
    cube = primitive("cube_of_array", lambda x: x * x * x, lambda x, z: 3.0 * x * x)
    try:
        program = record(lambda x: cube(x) if x > 1 else -x, 2)
        source = program.numpy()
        assert source.startswith(
            "from numpy import any\n\n"
            "from autograd_rnn import BranchChanged\n"
            "from autograd_rnn.ops import TABLE\n"
            "from autograd_rnn.ops.numpy import on_arrays\n"
        )
        names: dict[str, Any] = {}
        exec(source, names)
        assert list(names["program"](np.array([2.0, 3.0]))) == [8.0, 27.0]
        with pytest.raises(BranchChanged, match="x_1 > 1.0"):
            names["program"](np.array([2.0, 0.0]))
    finally:
        del ops.TABLE["cube_of_array"]


@pytest.mark.parametrize("name", ["class", "x y", "1", "∂", "exp", "π̇", "w₁", "x_1", "\n", "a-b"])
def test_any_name_gives_python_that_runs(name: str) -> None:
    x, y = Value(2, name), Value(3, name)
    z = x * y
    z.name = name
    program = Program.of(z.exp() + z, [x, y])
    assert same(run_python(program)(2.0, 3.0), program(2.0, 3.0))


def test_a_primitive_is_replayed() -> None:
    cube = primitive("cube_replayed", lambda x: x * x * x, lambda x, z: 3.0 * x * x)
    try:
        program = record(lambda x: cube(x) + 1, 2)
        assert program.gradient()(3.0) == (28.0, 27.0)
        assert "cube_replayed(x_1)" in program.python()
    finally:
        del ops.TABLE["cube_replayed"]


# --- refusals ------------------------------------------------------------------------------------


def test_refusals() -> None:
    x = Value(2, "x")
    program = record(lambda a, b: (a, b), 1, 2)
    for error, words, call in [
        (TypeError, r"takes 2 numbers, but got 1", lambda: program(1.0)),
        (TypeError, r"x_2 must be a", lambda: program(1.0, "x")),
        (ValueError, r"has 2 outputs: choose one", lambda: program.gradient()),
        (ValueError, r"places must be", lambda: program.select(2)),
        (ValueError, r"places is empty", lambda: program.select()),
        (TypeError, r"f must be a function", lambda: record(3)),
        (TypeError, r"examples\[0\] must be", lambda: record(lambda x: x, "1")),
        (TypeError, r"the result of f must be", lambda: record(lambda x: "x", 1)),
        (ValueError, r"f gave an empty list", lambda: record(lambda x: [], 1)),
        (ValueError, r"inputs has a Value twice", lambda: Program.of(x * x, [x, x])),
        (TypeError, r"inputs\[0\] must be a Value", lambda: Program.of(x * x, [3])),
        (TypeError, r"outputs must be", lambda: Program.of(3, [x])),
        (ValueError, r"name must be an identifier", lambda: program.python("a b")),
    ]:
        with pytest.raises(error, match=words):
            call()
    stale = x * x
    x.data = 5
    with pytest.raises(StaleGraphError):
        Program.of(stale, [x])


def test_long_programs_need_no_recursion() -> None:
    x = Value(1.0, "x")
    y = x
    for _ in range(5_000):
        y = y * 1.0 + 0.0
    program = Program.of(y, [x])
    assert len(program.lines) == 10_000
    assert program.gradient()(2.0) == (2.0, 1.0)
