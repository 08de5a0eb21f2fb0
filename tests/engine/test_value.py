"""Value and the backward sweep, against the reference."""

import ast
import copy
import gc
import inspect
import math
import pickle
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

import autograd_rnn
from autograd_rnn import Value, copies, gradients, jvp, ops, topological
from autograd_rnn.engine import value as engine
from autograd_rnn.engine.value import constant
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError, AssignmentError
from autograd_rnn.graph.sweep import adjoints

from .. import reference
from ..ops.test_table import equal, same
from ..strategies import Pair, numbers_around_one, pairs, whole_pairs

MILLION = 1_000_000
# Far deeper than Python's recursion; deeper where that takes no time.
DEEP = 100_000 if engine.compiled else 20_000
METHODS = (
    *("exp", "log", "sqrt", "tanh", "sigmoid", "relu", "step"),
    *("sin", "cos", "abs", "softplus"),
)


# --- against the reference ----------------------------------------------------------------------


@given(pairs())
def test_values_and_partials_are_the_reference(pair: Pair) -> None:
    for value, node in zip(pair.values, pair.nodes, strict=True):
        assert same(value.data, reference.value(node))
        assert [pair.node_of(parent) for parent in value.parents] == list(node.operands)
        for position, partial in enumerate(value.partials):
            assert equal(partial, reference.partial(node, position))


@given(whole_pairs())
def test_gradients_of_whole_number_graphs_are_exact(pair: Pair) -> None:
    output = pair.values[-1]
    output.backward()
    found = gradients(output, pair.values)
    for value, node, gradient in zip(pair.values, pair.nodes, found, strict=True):
        wanted = reference.adjoint(node, pair.nodes[-1])
        assert gradient == wanted
        if node.constant or node not in reference.topological(pair.nodes[-1]):
            assert gradient == value.grad == 0
        else:
            assert value.grad == wanted == reference.path_sum(node, pair.nodes[-1])


@given(pairs(), st.sampled_from([1.0, -2.0, 0.5]))
def test_adjoints_are_summed_in_the_order_of_the_contract(pair: Pair, seed: float) -> None:
    output = pair.values[-1]
    output.backward(seed)
    found = adjoints(output, seed)
    reached = reference.topological(pair.nodes[-1])
    for value, node in zip(pair.values, pair.nodes, strict=True):
        if node in reached and not node.constant:
            wanted = reference.adjoint(node, pair.nodes[-1], seed)
            if value in found:
                assert same(found[value], wanted)
            # A leaf's total is added to its grad, 0.0, which takes the sign of a zero.
            assert equal(value.grad, wanted) if value.op is None else same(value.grad, wanted)


@given(whole_pairs(), st.integers(2, 4))
def test_every_further_backward_adds_the_same(pair: Pair, calls: int) -> None:
    output = pair.values[-1]
    output.backward()
    first = [value.grad for value in pair.values]
    for _ in range(calls - 1):
        output.backward()
    for value, grad in zip(pair.values, first, strict=True):
        assert value.grad == (grad * calls if value.op is None else grad)


@given(whole_pairs())
def test_two_outputs_sharing_nodes_do_not_leak_into_each_other(pair: Pair) -> None:
    first, second = pair.values[-1], pair.values[-2]
    first.backward()
    second.backward()
    for value, node in zip(pair.values, pair.nodes, strict=True):
        if value.op is None:
            wanted = [reference.adjoint(node, output) for output in pair.nodes[-2:]]
            assert value.grad == sum(wanted)


def is_smooth(node: reference.Node) -> bool:
    """Whether an op has one slope on both sides of each operand: no jump, no kink, no edge.

    And whether it owns up to it, which stop_gradient does not.
    """
    if node.op == "stop_gradient":
        return False
    operands = [reference.value(operand) for operand in node.operands]
    z, total = reference.value(node), 0.0
    for position, x in enumerate(operands):
        slopes = []
        for h in (1e-6, -1e-6):
            moved = [*operands[:position], x + h, *operands[position + 1 :]]
            slopes.append((reference.VALUES[node.op](*moved) - z) / h)
        if not abs(slopes[0] - slopes[1]) < 1e-2 * max(1.0, *map(abs, slopes)) < 100:
            return False
        total += slopes[0]
    # Where x is chosen by a condition and both are 0, only moving both shows the jump.
    together = (reference.VALUES[node.op](*[x + 1e-6 for x in operands]) - z) / 1e-6
    return abs(together - total) < 1e-2 * max(1.0, abs(total))


@given(pairs(numbers=numbers_around_one, constants=False))
def test_gradients_agree_with_central_differences(pair: Pair) -> None:
    """Over the whole table, wherever its ops are smooth."""
    output, leaves = pair.nodes[-1], pair.nodes[: pair.leaves]
    inner = [node for node in reference.topological(output) if node.op]
    assume(all(is_smooth(node) for node in inner))
    for node, gradient in zip(
        leaves, gradients(pair.values[-1], pair.values[: pair.leaves]), strict=True
    ):
        x = node.data
        slopes = []
        for h in (1e-4, 1e-5):
            node.data = x + h
            above = reference.value(output)
            node.data = x - h
            slopes.append((above - reference.value(output)) / (2 * h))
        node.data = x
        steepness = max(1.0, *map(abs, slopes))
        settled = abs(slopes[0] - slopes[1]) < 1e-4 * steepness < 1
        event("compared" if settled else "too curved to compare")
        if settled:
            assert abs(slopes[1] - gradient) < 1e-3 * steepness


@given(pairs())
def test_topological_is_the_reference(pair: Pair) -> None:
    order = topological(*pair.values[-2:])
    wanted = reference.topological(*pair.nodes[-2:])
    assert [pair.node_of(value) for value in order] == wanted


# --- by hand ------------------------------------------------------------------------------------


def test_the_first_sweep_of_a_process() -> None:
    code = "from autograd_rnn import Value as V; x = V(3); (x * x * 1).backward(); print(x.grad)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "6.0\n"


def test_the_sign_of_a_zero_adjoint() -> None:
    x = Value(3)
    h, k = x * 1, x * 2
    (h * -0.0 + -0.0 * k).backward()
    assert math.copysign(1, h.grad) == math.copysign(1, k.grad) == -1


def test_a_square_has_two_parents() -> None:
    x = Value(3)
    y = x * x
    assert y.parents == (x, x)
    y.backward()
    assert x.grad == 6
    assert y.grad == 1


def test_the_example_of_micrograd() -> None:
    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + (b + a).relu()
    d = d + 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g = g + 10.0 / f
    g.backward()
    assert f"{g:.4f} {a.grad:.4f} {b.grad:.4f}" == "24.7041 138.8338 645.5773"


def test_the_second_backward_of_a_hidden_node_used_by_two_losses() -> None:
    a = Value(2)
    h = a * a
    (h * 1).backward()
    (h * 3).backward()
    assert a.grad == 16


def test_reflected_forms_make_constants() -> None:
    x = Value(2)
    for result, wanted, gradient in [
        (1 + x, 3, 1),
        (1 - x, -1, -1),
        (3 * x, 6, 3),
        (1 / x, 0.5, -0.25),
        (2**x, 4, 4 * math.log(2)),
        (x**3, 8, 12),
        (-x, -2, -1),
    ]:
        assert result.data == wanted
        assert gradients(result, [x]) == (gradient,)
        for parent, partial in zip(result.parents, result.partials, strict=True):
            assert parent.constant == (parent is not x)
            assert (partial == 0) == parent.constant


def test_an_exponent_that_is_a_value_is_a_variable() -> None:
    x, y = Value(2), Value(3)
    assert gradients(x**y, [x, y]) == (12, 8 * math.log(2))
    assert not y.constant


def test_constants_are_never_differentiated() -> None:
    c = constant(2.0, "c")
    x = Value(3)
    y = c * x + c
    y.backward()
    assert (c.grad, x.grad) == (0, 2)
    assert gradients(y, [c]) == (0,)
    c.backward()
    assert c.grad == 0
    # Nor computed: log(0) would make an infinite partial, and 0 · inf a NaN.
    assert (x ** constant(0.0)).partials[1] == 0


def test_backward_on_a_leaf_and_with_a_seed() -> None:
    x = Value(3)
    x.backward()
    x.backward(2)
    assert x.grad == 3
    y = x * x
    y.backward(-0.5)
    assert (y.grad, x.grad) == (-0.5, 0)


def test_gradients_leave_grad_alone_and_take_inner_nodes_and_repeats() -> None:
    x = Value(3)
    h = x * x
    y = h * 2
    y.backward()
    before = (x.grad, h.grad, y.grad)
    other = Value(1)
    assert gradients(y, [h, x, x, other, y], seed=10) == (20, 120, 120, 0, 10)
    assert (x.grad, h.grad, y.grad) == before


def test_data_of_a_leaf_may_be_assigned_and_of_a_result_not() -> None:
    x = Value(3)
    y = x * x
    x.data = 5
    assert x.data == 5.0
    y.backward()
    assert x.grad == 6  # of the forward pass that was recorded
    with pytest.raises(AssignmentError, match=r"data of a result .* cannot be assigned"):
        y.data = 1  # type: ignore[misc]
    assert y.data == 9


def test_data_and_grad_are_floats_whatever_was_given() -> None:
    x = Value(Fraction(1, 2))
    x.grad = 2
    assert type(x.data) is type(x.grad) is float
    x.data = 7
    assert type(x.data) is float
    assert type((x + 10**20).parents[1].data) is float


def test_comparisons_are_by_data_but_for_equality_of_two_values() -> None:
    x, y = Value(2), Value(3)
    assert x < y
    assert x <= 2
    assert x <= 2.5
    assert not x <= 1
    assert y > 2.5
    assert y >= 3
    assert y >= 2
    assert not y >= 4
    assert not x < 2
    assert y >= Fraction(5, 2)
    assert not x > y
    assert x != Value(2)
    assert x == 2.0
    assert Fraction(2) == x
    assert x != 3
    assert (x != 2) is False
    assert x != "2"
    assert Value(math.nan) != math.nan
    assert [1.0, y, x].index(3) == 1
    assert len({x, y, x}) == 2
    assert bool(x)
    assert not Value(0)


@pytest.mark.parametrize("other", [True, "1", None, 1j, Decimal(1), [1]])
def test_operators_refuse_what_is_not_a_real_number(other: object) -> None:
    x = Value(2)
    for operate in (
        lambda: x + other,
        lambda: other - x,
        *([] if other is True else [lambda: x * other]),  # a mask
        lambda: x / other,
        lambda: other / x,
        lambda: x**other,
        lambda: other**x,
        lambda: x < other,
    ):
        with pytest.raises(TypeError):
            operate()


def test_operators_leave_other_types_their_turn() -> None:
    class Other:
        def __radd__(self, left: object) -> str:
            return "radd"

        __rsub__ = __rmul__ = __rtruediv__ = __rpow__ = __add__ = __sub__ = __radd__
        __mul__ = __truediv__ = __pow__ = __lt__ = __gt__ = __radd__

    x, other = Value(2), Other()
    for result in (
        *(x + other, x - other, x * other, x / other, x**other, x < other, x > other),
        *(other + x, other - x, other * x, other / x, other**x, other < x),
    ):
        assert result == "radd"


def test_an_operator_called_by_its_name_leaves_other_types_to_python() -> None:
    x = Value(2)
    for name in ("add", "sub", "mul", "truediv", "pow"):
        for method in (f"__{name}__", f"__r{name}__"):
            assert getattr(x, method)("1") is NotImplemented
            assert getattr(x, method)([1]) is NotImplemented
    for method in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"):
        assert getattr(x, method)("1") is NotImplemented
    with pytest.raises(
        TypeError, match=r"^can't multiply sequence by non-int of type '[\w.]*Value'$"
    ):
        [1] * x  # type: ignore[operator]


def test_members_cannot_be_deleted_nor_the_graph_be_assigned() -> None:
    x = Value(2, "x")
    y = x * 3
    for value in (x, y):
        for name in ("data", "grad", "name"):
            with pytest.raises(AttributeError, match=f"^property '{name}' of 'Value' object has"):
                delattr(value, name)
        for name in ("op", "parents", "partials", "constant", "backward", "other"):
            with pytest.raises(AttributeError):
                delattr(value, name)
            with pytest.raises(AttributeError):
                setattr(value, name, None)
    assert repr(x) == "Value(2.0, grad=0.0, name='x')"
    assert y.parents[0] is x


def test_members_say_what_they_are_in_the_words_of_the_source() -> None:
    source = Path(engine.__file__).with_name("value.py").read_text("utf-8")
    (tree,) = [node for node in ast.parse(source).body if getattr(node, "name", "") == "Value"]
    assert isinstance(tree, ast.ClassDef)
    assert inspect.getdoc(Value) == ast.get_docstring(tree)
    said = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_":
            said.setdefault(node.name, ast.get_docstring(node))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if isinstance(node.targets[0], ast.Tuple):
                continue  # names that only others have
            (name,) = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if name[0] != "_":
                said[name] = ast.literal_eval(node.value.args[1])
    assert said == {name: inspect.getdoc(getattr(Value, name)) for name in said}
    assert {"data", "grad", "name", "constant", "op", "parents", "backward", "exp"} < set(said)


@pytest.mark.parametrize("data", [True, "1", None, 1j, Decimal(1), [1], Value(1)])
def test_what_a_value_cannot_be_made_of(data: object) -> None:
    with pytest.raises(ArgumentTypeError, match="data must be a real number"):
        Value(data)


def test_integers_beyond_the_floats() -> None:
    with pytest.raises(ArgumentValueError, match="data is beyond the floats"):
        Value(10**400)
    with pytest.raises(ArgumentValueError, match="operand is beyond the floats"):
        Value(1) + 10**400


def test_other_refusals_name_the_argument() -> None:
    x = Value(2, "x")
    with pytest.raises(ArgumentTypeError, match="name must be a str or None, not int"):
        Value(1, 3)
    with pytest.raises(ArgumentTypeError, match="name must be a str or None, not float"):
        x.name = 1.5
    with pytest.raises(TypeError, match=r"__init__\(\) takes .* positional arguments"):
        Value(1, "x", "+")  # type: ignore[call-arg]
    c = constant(2.0)
    c.grad = 0
    for grad in (5, -5):
        with pytest.raises(AssignmentError, match="grad of a constant .* stays 0"):
            c.grad = grad
    with pytest.raises(ArgumentTypeError, match="grad must be a real number, not NoneType"):
        x.grad = None
    with pytest.raises(ArgumentTypeError, match="seed must be a real number, not str"):
        (x * x).backward("1")
    with pytest.raises(ArgumentTypeError, match=r"inputs must be a list of numbers.*write \[x\]"):
        gradients(x * x, x)
    with pytest.raises(ArgumentTypeError, match=r"inputs\[1\] must be a Value, not int"):
        gradients(x * x, [x, 1])
    with pytest.raises(ArgumentTypeError, match="output must be a Value, not float"):
        gradients(1.0, [x])
    assert x.name == "x"


def test_a_value_is_not_silently_a_float() -> None:
    for turn in (float, math.exp):
        with pytest.raises(TypeError, match=r"autograd_rnn\.exp.*\.data"):
            turn(Value(1))


def test_detach_is_a_new_leaf() -> None:
    x = Value(3, "x")
    y = x * x
    leaf = y.detach()
    assert (leaf.data, leaf.op, leaf.parents, leaf.constant, leaf.name) == (
        9,
        None,
        (),
        False,
        None,
    )
    assert x.detach().name == "x"
    z = leaf * x
    z.backward()
    assert (x.grad, leaf.grad, y.grad) == (9, 3, 0)


def test_signs_and_real_parts() -> None:
    x = Value(-3)
    assert +x is x
    assert x.conjugate() is x
    assert (abs(x).data, x.abs().data, (-x).data) == (3, 3, 3)


def test_the_result_of_a_comparison_is_a_constant() -> None:
    x, y = Value(3, "x"), Value(2)
    is_greater = ops.greater(x, y)
    assert (is_greater.data, is_greater.constant, is_greater.parents) == (1, True, (x, y))
    assert is_greater.partials == (0, 0)
    assert repr(is_greater) == "Value(1.0, grad=0.0, op='greater', constant)"
    total = is_greater * x
    total.backward()
    is_greater.backward()
    assert (x.grad, y.grad, is_greater.grad) == (1, 0, 0)
    assert gradients(is_greater, [x, is_greater]) == (0, 0)
    twin = copy.deepcopy(is_greater)
    assert twin.constant
    twin.backward()
    assert twin.grad == 0
    with pytest.raises(
        ValueError, match=r"parameter is the constant greater\(x = 3.0, 2.0\) = 1.0"
    ):
        copies(is_greater, total)
    assert [use.grad for use in copies(x, total)] == [0, 1]


def test_subclassing_is_refused() -> None:
    # The second is what Python says where a class is compiled.
    with pytest.raises(TypeError, match="cannot be subclassed|not an acceptable base type"):
        type("Better", (Value,), {})


def test_how_a_value_is_printed() -> None:
    x = Value(2, "x")
    assert repr(x) == "Value(2.0, grad=0.0, name='x')"
    assert repr(x * 3) == "Value(6.0, grad=0.0, op='mul')"
    assert repr((x * 3).parents[1]) == "Value(3.0, grad=0.0, constant)"
    assert f"{x:.3f}" == "2.000"
    assert f"{x}" == repr(x)


def test_functions_take_numbers_and_values() -> None:
    for name in METHODS:
        function = getattr(autograd_rnn, name)
        assert type(function(0.5)) is float
        x = Value(0.5)
        assert function(x).data == getattr(x, name)().data == function(0.5)
        assert function(x).parents == (x,)


def test_ieee_arithmetic_forward_and_backward() -> None:
    zero, x = Value(0), Value(1000)
    assert x.exp().data == math.inf
    assert (1 / zero).data == math.inf
    assert (-1 / zero).data == -math.inf
    assert math.isnan((zero / zero).data)
    assert zero.log().data == -math.inf
    assert math.isnan(Value(-1).log().data)
    assert math.isnan((Value(-8) ** (1 / 3)).data)
    assert (Value(1e200) ** 2).data == math.inf
    assert (zero**0).data == 1
    assert gradients(zero**0, [zero]) == (0,)
    assert gradients(zero**0.5, [zero]) == (math.inf,)
    assert gradients(1 / zero, [zero]) == (-math.inf,)


def test_kinks() -> None:
    zero = Value(0)
    assert gradients(zero.relu(), [zero]) == (0,)
    assert gradients(zero.step(), [zero]) == (0,)
    nan = Value(math.nan)
    assert math.isnan(nan.relu().data)
    assert math.isnan(gradients(nan.relu(), [nan])[0])


# --- size, interruption, threads ----------------------------------------------------------------


@pytest.fixture
def _collector_off() -> Iterator[None]:
    """No cyclic collection meanwhile, and nothing for it to do afterwards."""
    gc.collect()
    gc.disable()
    blocks = sys.getallocatedblocks()
    yield
    # Freed by reference counting alone: what is left is not of the size of the graph.
    assert sys.getallocatedblocks() - blocks < MILLION / 100
    gc.enable()


@pytest.mark.usefixtures("_collector_off")
def test_a_chain_of_a_million_ops_is_built_differentiated_and_freed() -> None:
    x = Value(1)
    y = x
    for _ in range(MILLION):
        y = y + 1
    assert sys.getrecursionlimit() < MILLION
    y.backward()
    y.backward()
    assert (y.data, x.grad) == (MILLION + 1, 2)


@pytest.mark.usefixtures("_collector_off")
def test_nodes_are_freed_wherever_they_are_held() -> None:
    for make in (Value, lambda: Value(True), lambda: Value(1, 2), lambda: Value(1, op=2)):
        with pytest.raises(TypeError):
            make()  # type: ignore[call-arg]
    held: object = Value(1) * 2
    for _ in range(DEEP):
        held = [held]
    del held
    wide = [Value(1)]
    for _ in range(20):
        wide = [x * y + x for x in wide for y in (wide[0], wide[-1])]
        wide = wide[-500:]
    twice = wide[0]
    for _ in range(DEEP):
        twice = twice * twice
    del wide, twice


def test_a_graph_that_is_freed_is_gone() -> None:
    """By the memory that it held: a Value takes no weak references."""

    def graph() -> Value:
        x = y = Value(1)
        for i in range(2000):
            x, y = x * y + (y if i % 3 else 1), x.tanh()
        x.backward()
        return x

    graph()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(5):
        graph()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 20_000


def test_names_and_ops_are_freed_with_their_nodes() -> None:
    """Each once, also where a name, as it goes, makes Values, frees some and keeps one."""
    gone: list[str] = []
    kept: list[Value] = []

    class Name(str):
        def __del__(self) -> None:
            y = x = Value(len(gone), f"x{len(gone)}")
            gone.append(str(self))
            for _ in range(50):
                y = ops.tanh(y) * x
            kept.append(x * x)

    before = sys.getrefcount(ops.tanh)
    x = y = Value(0.5, Name("x"))
    for i in range(100):
        other = Value(i, Name(f"other {i}"))
        other = ops.tanh(other) if i % 2 else other
        # The same operand twice, two that go along, and one that others refer to as well.
        y = (y * y, y - other, other * y, ops.tanh(y) + x)[i % 4]
        y.name = Name(f"y {i}")
    names = ["x", *(f"{name} {i}" for i in range(100) for name in ("other", "y"))]
    del other
    left = gone.copy()
    assert sorted(left) == sorted(f"other {i}" for i in range(100) if i % 4 in (0, 3))
    del x, y
    assert sorted(gone) == sorted(names)
    assert sorted(value.data for value in kept) == [i * i for i in range(len(names))]
    assert all(value.parents[0].name == f"x{value.parents[0].data:.0f}" for value in kept)
    kept.clear()
    after = sys.getrefcount(ops.tanh)
    assert after == before


def test_a_weight_used_many_times() -> None:
    w = Value(2)
    total = w
    for _ in range(2 * DEEP):
        total = total + w
    total.backward()
    assert w.grad == 2 * DEEP + 1


@pytest.mark.usefixtures("_collector_off")
def test_every_reader_of_a_deep_chain() -> None:
    x = Value(1)
    y = x
    for _ in range(DEEP):
        y = y * 1.0
    assert gradients(y, [x]) == (1,)
    assert len(topological(y)) == 2 * DEEP + 1
    (slope,) = gradients(y, [x], create_graph=True)
    slope.backward()
    assert (slope.data, x.grad) == (1, 0)
    assert len(copies(x, y)) == 1
    again = copy.deepcopy(y)
    assert again.data == 1

    def chain(x: Value) -> Value:
        for _ in range(DEEP):
            x = x + 1
        return x

    assert jvp(chain, [1], [3]) == (DEEP + 1, 3)


@given(whole_pairs(), st.integers(0, 400))
def test_an_interrupted_sweep_leaves_nothing_behind(pair: Pair, lines: int) -> None:
    """Ctrl-C after any number of lines of the sweep; a compiled sweep is not interrupted."""
    output, leaves = pair.values[-1], pair.values[: pair.leaves]
    left = lines

    def interrupt(frame: FrameType, event: str, argument: object) -> Callable[..., object] | None:
        nonlocal left
        if "autograd_rnn" not in frame.f_code.co_filename:
            return None  # a callback of the collector, say, whose errors nobody catches
        left -= event == "line"
        if left < 0:
            raise KeyboardInterrupt
        return interrupt

    tracing = sys.gettrace()
    sys.settrace(interrupt)
    try:
        output.backward()
    except KeyboardInterrupt:
        event("interrupted")
    finally:
        sys.settrace(tracing)
    for leaf in leaves:
        leaf.grad = 0
    output.backward()
    for leaf, node in zip(leaves, pair.nodes, strict=False):
        assert leaf.grad == reference.adjoint(node, pair.nodes[-1])


def in_threads(*works: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            for _ in range(200):
                work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switching)
    assert failures == []


def test_two_threads_may_read_the_same_weights() -> None:
    w = Value(3)
    shared = w * w

    def work(count: int) -> None:
        y = w
        for _ in range(count):
            y = y + w
        assert gradients(y + shared, [w]) == (count + 1 + 6,)

    in_threads(lambda: work(5), lambda: work(50))
    assert w.grad == shared.grad == 0


def test_two_threads_may_work_on_different_graphs() -> None:
    def work(count: int) -> None:
        x = Value(2)
        y = x
        for _ in range(count):
            y = y + x * x
        y.backward()
        y.backward()
        assert x.grad == 2 * (1 + 4 * count)

    in_threads(lambda: work(5), lambda: work(50))


def test_two_threads_may_add_to_the_same_weights_under_a_lock() -> None:
    w, lock = Value(3), threading.Lock()

    def work() -> None:
        y = w * w + w
        with lock:
            y.backward()

    in_threads(work, work)
    assert w.grad == 400 * 7


def test_leaves_can_be_pickled_and_results_not() -> None:
    leaf = Value(3, "x")
    leaf.grad = 5
    x = pickle.loads(pickle.dumps(leaf))
    assert (x.data, x.name, x.grad, x.constant) == (3, "x", 5, False)
    assert pickle.loads(pickle.dumps(constant(3.0))).constant
    with pytest.raises(TypeError, match=r"a result .* is not pickled.*RNN\.save"):
        pickle.dumps(x * x)


def test_copies_of_a_graph_stand_on_their_own_at_any_depth() -> None:
    x = Value(2, "x")
    y = x * x
    z = y
    for _ in range(DEEP):
        z = z + constant(1.0)
    z.backward()
    again, shared, c = copy.deepcopy([z, y, x.__add__(3).parents[1]])
    (leaf,) = [node for node in topological(again) if node.name == "x"]
    assert (again.data, again.grad, leaf.grad, leaf.op) == (DEEP + 4, 1, 4, None)
    assert shared in topological(again)
    assert shared.op is y.op
    assert c.constant
    again.backward()
    assert (leaf.grad, x.grad) == (8, 4)
    flat = copy.copy(y)
    assert flat is not y
    assert flat.parents == (x, x)
    flat.backward()
    assert x.grad == 8


def test_what_was_copied_already_is_not_copied_again() -> None:
    x = Value(2, "x")
    y = x * x
    first, second = copy.deepcopy([y, y + 1])
    assert second.parents[0] is first


def test_a_copy_is_met_by_the_next_sweep() -> None:
    """What a sweep left on a node must not say, on its copy, that the sweep was there."""
    x = Value(3)
    y = x * x
    for _ in range(50):
        (y * y).backward()
    again = copy.deepcopy(y)
    (leaf, _) = again.parents
    leaf.grad = 0
    (again * again).backward()
    assert leaf.grad == 108


def test_a_result_that_is_initialised_again_in_vain_keeps_its_number() -> None:
    y = Value(2.0) * 3.0
    with pytest.raises(TypeError, match="name must be a str or None"):
        y.__init__(5.0, 3)  # type: ignore[misc]
    assert y.data == 6.0


@pytest.mark.skipif(not engine.compiled, reason="only the compiled class has fields without this")
def test_a_value_without_init_is_a_leaf() -> None:
    x = Value.__new__(Value)
    assert gradients(x * 2.0, [x]) == (2.0,)
