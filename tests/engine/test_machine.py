"""Random programs: whatever is called in whatever order, Values are what a model says of them.

The model remembers of every node its number and its partials from the time when it was made, which
is what gradients are made of, whatever is assigned to leaves afterwards.  Two machines run it: on
whole numbers, where derivatives are sums over paths, exact in whatever order; and on any floats,
to the bit, where the order of the sums is the contract's.
"""

from __future__ import annotations

import copy
import operator
import pickle
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from autograd_rnn import (
    StaleGraphError,
    Value,
    gradients,
    hessian,
    no_grad,
    ops,
    topological,
    zero_grad,
)
from autograd_rnn.engine.contexts import Context
from autograd_rnn.engine.shared import WATCH
from autograd_rnn.engine.value import constant
from autograd_rnn.errors import AssignmentError

from .. import reference
from ..strategies import WHOLE, Pair, any_numbers, numbers_around_one, whole_pairs

#: Half of the results join two operands, so that graphs are more than chains.
JOINING = ("add", "mul")
MOST_NODES = 60
#: Below it, sums of products of whole numbers are exact in floats, a hundred seeds of them too.
LARGEST = 2.0**40

#: How an op is written without the table, where it can be; the hottest have their rule there.
WRITTEN: dict[str, Callable[..., Value]] = {
    **{
        name: getattr(Value, name)
        for name, op in ops.TABLE.items()
        if op.arity == 1 and hasattr(Value, name)
    },
    **{"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv},
    **{"pow": operator.pow, "neg": operator.neg, "abs": abs},
}


def same(x: float, y: float) -> bool:
    """Whether two floats are the same to the bit, and NaN the same as NaN."""
    return repr(x) == repr(y)


# --- the model ----------------------------------------------------------------------------------


@dataclass(eq=False)
class Twin(reference.Node):
    """A node of the reference, its numbers from the time when it was made, and its Value."""

    partials: tuple[float, ...] = ()
    grad: float = 0.0
    #: No derivative of it by anything is larger.
    steepness: float = 1.0
    value: Value | None = None

    def condition(self) -> float:
        return self.operands[1].data  # from the time when it was made

    def __repr__(self) -> str:
        return f"<{self.op or 'leaf'} = {self.data}>"  # without operands, of which there are many


def compute(op: str, operands: Sequence[Twin]) -> tuple[float, tuple[float, ...]]:
    """The value and the partials of an op, of the numbers that its operands have now."""
    numbers = [operand.data for operand in operands]
    partials = [
        0.0 if operand.constant else rule(*numbers)
        for operand, rule in zip(operands, reference.PARTIALS[op], strict=True)
    ]
    return reference.VALUES[op](*numbers), tuple(partials)


def result_of(op: str, operands: Sequence[Twin]) -> Twin:
    data, partials = compute(op, operands)
    steps = [abs(p) * x.steepness for p, x in zip(partials, operands, strict=True)]
    return Twin(op, tuple(operands), data, partials=partials, steepness=max(1.0, sum(steps)))


def leaves_of(output: Twin) -> list[Twin]:
    return [node for node in reference.topological(output) if node.op is None]


def is_stale(output: Twin) -> bool:
    """Whether anything would come out differently, to the bit, if it were computed now."""
    for node in reference.topological(output):
        if node.op is not None:
            data, partials = compute(node.op, node.operands)
            now, recorded = (data, *partials), (node.data, *node.partials)
            if not all(map(same, now, recorded)):
                return True
    return False


def sweep(output: Twin) -> list[Twin]:
    """The consumers, in the order in which they pass their adjoints on."""
    return [node for node in reversed(reference.swept(output)) if node.op and not node.constant]


def adjoints_in_order(output: Twin, seed: float) -> dict[Twin, float]:
    """One term per use of a node, summed from the last consumer to the first."""
    found = {} if output.constant else {output: seed}
    for consumer in sweep(output):
        for operand, partial in zip(consumer.operands, consumer.partials, strict=True):
            if consumer in found and not operand.constant:
                term = found[consumer] * partial
                found[operand] = found[operand] + term if operand in found else term
    return found


def adjoints_by_paths(output: Twin, seed: float) -> dict[Twin, float]:
    """The sum over the paths to the output of the products of the partials, in integers."""
    found = {}
    order = reference.topological(output)
    for source in order:
        slope = {} if source.constant else {source: 1}
        for node in order:
            terms = [
                int(partial) * slope[operand]
                for operand, partial in zip(node.operands, node.partials, strict=True)
                if operand in slope
            ]
            if terms and not node.constant:
                slope[node] = sum(terms)
        if output in slope:
            found[source] = float(int(seed) * slope[output])
    return found


def curvature(output: Twin, a: Twin, b: Twin, of_partial: Callable[[float], int] = int) -> int:
    """∂²output/∂a∂b in integers: of the ops on whole numbers, only a product bends."""
    by_a, by_b, by_both = Counter({a: 1}), Counter({b: 1}), Counter[Twin]()
    for node in reference.topological(output):
        if node.constant:
            by_a[node] = by_b[node] = 0
            continue
        partials = [*zip(node.operands, map(of_partial, node.partials), strict=True)]
        if node is not b:
            by_b[node] = sum(partial * by_b[x] for x, partial in partials)
        if node is not a:
            by_a[node] = sum(partial * by_a[x] for x, partial in partials)
            by_both[node] = sum(partial * by_both[x] for x, partial in partials)
            if node.op == "mul":
                x, y = node.operands
                by_both[node] += by_a[x] * by_b[y] + by_b[x] * by_a[y]
    return by_both[output]


@given(whole_pairs())
def test_the_model_is_the_reference(pair: Pair) -> None:
    twins: dict[reference.Node, Twin] = {}
    for node in pair.nodes:
        twins[node] = (
            Twin(data=node.data, constant=node.constant)
            if node.op is None
            else result_of(node.op, [twins[operand] for operand in node.operands])
        )
    output = pair.nodes[-1]
    in_order, by_paths = adjoints_in_order(twins[output], 2), adjoints_by_paths(twins[output], 2)
    for node, twin in twins.items():
        assert twin.data == reference.value(node)
        wanted = reference.adjoint(node, output, 2)
        assert in_order.get(twin, 0) == by_paths.get(twin, 0) == wanted
        assert (twin in in_order) == (twin in by_paths)


# --- the machines -------------------------------------------------------------------------------


#: An op, its operands, and whether it is written without the table.
Recipe = tuple[str, list[float | int], bool]


def through_pickle(leaf: Value) -> Value:
    return pickle.loads(pickle.dumps(leaf))


def of_the_machine(attribute: str) -> st.SearchStrategy:
    """The strategy that the machine has under this name."""
    return st.runner().flatmap(lambda machine: getattr(machine, attribute))


def interrupt(call: Callable[[float], None], seed: float, lines: int) -> None:
    """Ctrl-C after so many lines of the call; a compiled one is not interrupted."""
    left = lines

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., object]:
        nonlocal left
        left -= event == "line"
        if left < 0:
            raise KeyboardInterrupt
        return trace

    tracing = sys.gettrace()
    sys.settrace(trace)
    try:
        call(seed)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(tracing)


def copied(node: Twin, **changes: Any) -> Twin:
    """The node again: what it was when it was made, whatever was assigned since."""
    made = replace(node, **changes)
    made.constant = node.constant
    return made


class Log(Context):
    """The nodes that a sweep goes through, in its order."""

    def __init__(self) -> None:
        self.met: list[Value] = []

    def swept(self, node: Value, adjoint: float) -> None:
        self.met.append(node)


class Machine(RuleBasedStateMachine):
    """What both machines do; they differ in their numbers, and in what equal means."""

    nodes = Bundle("nodes")
    results = Bundle("results")
    outputs = results | results | nodes
    places = st.integers(0, 24)
    numbers = of_the_machine("any_number")
    seeds = st.just(1.0) | numbers
    #: An op, and its operands: numbers, or places of nodes, counted back from the newest.
    recipes = st.tuples(
        of_the_machine("any_op"),
        st.lists(st.integers(0, 9) | st.integers(0, 3) | numbers, min_size=2, max_size=2),
        st.booleans(),
    )

    any_number: st.SearchStrategy[float]
    any_op: st.SearchStrategy[str]
    adjoints: Callable[[Twin, float], dict[Twin, float]]
    agree: Callable[[float, float], bool]

    def __init__(self) -> None:
        super().__init__()
        self.twins: dict[Value, Twin] = {}

    def admits(self, twin: Twin) -> bool:
        return True

    def keep(self, twin: Twin, value: Value) -> Twin:
        twin.value = value
        self.twins[value] = twin
        return twin

    # --- making nodes -----------------------------------------------------------------------

    @initialize(
        targets=(nodes, results),
        some=st.lists(numbers, min_size=1, max_size=3),
        recipes=st.lists(recipes, min_size=10, max_size=20),
    )
    def graph(self, some: list[float], recipes: list[Recipe]) -> MultipleResults[Twin]:
        for number in some:
            self.leaf(number, False)
        self.grow(recipes)
        return multiple(*self.twins.values())

    @rule(target=nodes, number=numbers, is_constant=st.booleans())
    def leaf(self, number: float, is_constant: bool) -> Twin:
        value = constant(number) if is_constant else Value(number)
        return self.keep(Twin(data=number, constant=is_constant), value)

    @rule(targets=(nodes, results), recipes=st.lists(recipes, min_size=1, max_size=5))
    def grow(self, recipes: list[Recipe]) -> MultipleResults[Twin]:
        made = []
        for op, chosen, written in recipes:
            nodes = [node for node in self.twins.values() if node.op or not node.constant]
            operands = [
                nodes[-1 - x % len(nodes)] if isinstance(x, int) else Twin(data=x, constant=True)
                for x in chosen[: ops.TABLE[op].arity]
            ]
            if any(x.value is not None for x in operands) and self.admits(
                twin := result_of(op, operands)
            ):
                function = WRITTEN.get(op, ops.TABLE[op]) if written else ops.TABLE[op]
                value = function(*[x.data if x.value is None else x.value for x in operands])
                for operand, parent in zip(operands, value.parents, strict=True):
                    self.keep(operand, parent)
                made.append(self.keep(twin, value))
        return multiple(*made)

    @rule(target=nodes, op=of_the_machine("any_op"), x=nodes, y=nodes)
    def result_in_no_grad(self, op: str, x: Twin, y: Twin) -> Twin | MultipleResults[Twin]:
        operands = (x, y)[: ops.TABLE[op].arity]
        twin = result_of(op, operands)
        if not self.admits(twin):
            return multiple()
        with no_grad():
            value = ops.TABLE[op](*[operand.value for operand in operands])
        return self.keep(Twin(data=twin.data, constant=True), value)

    @rule(target=nodes, node=nodes)
    def detach(self, node: Twin) -> Twin:
        return self.keep(Twin(data=node.data), node.value.detach())

    @rule(target=nodes, node=nodes, how=st.sampled_from([copy.copy, copy.deepcopy, through_pickle]))
    def copy(self, node: Twin, how: Callable[[Value], Value]) -> Twin | MultipleResults[Twin]:
        if how is copy.copy:
            return self.keep(copied(node), how(node.value))
        order = reference.topological(node)
        if len(self.twins) + len(order) > MOST_NODES or (how is through_pickle and node.op):
            return multiple()
        new: dict[Twin, Twin] = {}
        for old, value in zip(order, topological(how(node.value)), strict=True):
            operands = tuple([new[operand] for operand in old.operands])
            new[old] = self.keep(copied(old, operands=operands), value)
        return new[node]

    # --- assigning --------------------------------------------------------------------------

    @rule(result=outputs, place=places, number=numbers | st.none())
    def assign(self, result: Twin, place: int, number: float | None) -> None:
        """A number, or None for the other sign, to a leaf that the result is computed from."""
        leaves = leaves_of(result)
        leaf = leaves[place % len(leaves)]
        leaf.value.data = leaf.data = -leaf.data if number is None else number

    @rule(node=nodes, number=numbers)
    def assign_a_grad(self, node: Twin, number: float) -> None:
        if node.constant and number != 0:
            with pytest.raises(AssignmentError):
                node.value.grad = number
        else:
            node.value.grad = node.grad = number

    @rule(some=st.lists(nodes, max_size=3))
    def clear(self, some: list[Twin]) -> None:
        zero_grad(*[node.value for node in some])
        for node in some:
            node.grad = 0.0

    # --- sweeping ---------------------------------------------------------------------------

    @rule(output=outputs, seed=seeds)
    def backward(self, output: Twin, seed: float) -> None:
        output.value.backward(seed)
        for node, adjoint in self.adjoints(output, seed).items():
            node.grad = adjoint if node.op else node.grad + adjoint

    @rule(output=outputs, seed=seeds)
    def backward_under_watch(self, output: Twin, seed: float) -> None:
        with Log() as log:
            self.backward(output, seed)
        met = [self.twins[value] for value in log.met if value.op is not None]
        reached = self.adjoints(output, seed)
        assert met == [node for node in sweep(output) if node in reached]

    @rule(output=outputs, seed=seeds, lines=st.integers(0, 200))
    def backward_again_after_an_interruption(self, output: Twin, seed: float, lines: int) -> None:
        interrupt(output.value.backward, seed, lines)
        self.clear(leaves_of(output))
        self.backward(output, seed)

    @rule(output=outputs, other=nodes, seed=seeds)
    def gradients(self, output: Twin, other: Twin, seed: float) -> None:
        inputs = [*reference.topological(output), other]
        with Log() as log:
            found = gradients(output.value, [node.value for node in inputs], seed=seed)
        self.compare_gradients(found, output, inputs, seed)
        # A node is met when its first term is found, so this is the order of the sums.
        assert [self.twins[value] for value in log.met] == [*adjoints_in_order(output, seed)]

    @rule(target=nodes, output=outputs, place=places, seed=seeds, assigned=st.none() | numbers)
    def gradient_graph(
        self, output: Twin, place: int, seed: float, assigned: float | None
    ) -> Twin | MultipleResults[Twin]:
        """The gradients by all that is upstream as Values; one of them is kept as a node."""
        if assigned is not None:
            self.assign(output, place, assigned)
        inputs = reference.topological(output)
        values = [node.value for node in inputs]
        if is_stale(output):
            with pytest.raises(StaleGraphError):
                gradients(output.value, values, seed=seed, create_graph=True)
            return multiple()
        found = gradients(output.value, values, seed=seed, create_graph=True)
        self.compare_gradients([value.data for value in found], output, inputs, seed)
        return self.adopt(found[place % len(found)])

    def compare_gradients(
        self, found: Iterable[float], output: Twin, inputs: list[Twin], seed: float
    ) -> None:
        wanted = self.adjoints(output, seed)
        for gradient, node in zip(found, inputs, strict=True):
            assert self.agree(gradient, wanted.get(node, 0.0))

    def adopt(self, output: Value) -> Twin | MultipleResults[Twin]:
        """The twin of a Value that the package has made by itself."""
        twins = dict(self.twins)
        for value in topological(output):
            if value not in twins:
                twins[value] = (
                    Twin(data=value.data, constant=value.constant)
                    if value.op is None
                    else result_of(value.op.name, [twins[x] for x in value.parents])
                )
        if len(twins) > MOST_NODES or not all(map(self.admits, twins.values())):
            return multiple()
        for value, twin in twins.items():
            self.keep(twin, value)
        return twins[output]

    # --- what holds at any time -------------------------------------------------------------

    @rule(roots=st.lists(nodes, max_size=3))
    def walk(self, roots: list[Twin]) -> None:
        found = topological(*[root.value for root in roots])
        assert [self.twins[value] for value in found] == reference.topological(*roots)

    @invariant()
    def everything_is_what_the_model_says(self) -> None:
        for value, twin in self.twins.items():
            assert value.constant == twin.constant
            assert [self.twins[parent] for parent in value.parents] == list(twin.operands)
            found = (value.data, value.grad, *value.partials)
            assert all(map(self.agree, found, (twin.data, twin.grad, *twin.partials)))
        assert WATCH.open == 0


class WholeNumbers(Machine):
    any_number = st.sampled_from([1.0, 2.0, 3.0, -1.0, -2.0, 0.0, -0.0])
    any_op = st.sampled_from(JOINING) | st.sampled_from(WHOLE)
    adjoints = staticmethod(adjoints_by_paths)
    agree = staticmethod(operator.eq)

    def admits(self, twin: Twin) -> bool:
        return max(abs(twin.data), twin.steepness) <= LARGEST

    @rule(output=Machine.outputs)
    def second_derivatives(self, output: Twin) -> None:
        inputs = reference.topological(output)[:8]
        pairs = [(a, b) for a in inputs for b in inputs]
        largest = max(curvature(output, a, b, lambda partial: abs(int(partial))) for a, b in pairs)
        if largest < 2**53 and not is_stale(output):
            rows = hessian(output.value, [node.value for node in inputs])
            found = [derivative for row in rows for derivative in row]
            assert found == [curvature(output, a, b) for a, b in pairs]


class Floats(Machine):
    any_number = st.integers(0, 4).flatmap(lambda k: numbers_around_one if k else any_numbers)
    any_op = st.sampled_from(JOINING) | st.sampled_from(list(ops.TABLE))
    adjoints = staticmethod(adjoints_in_order)
    agree = staticmethod(same)


TestWholeNumbers = WholeNumbers.TestCase
TestFloats = Floats.TestCase
TestWholeNumbers.settings = TestFloats.settings = settings(
    stateful_step_count=50, suppress_health_check=[HealthCheck.too_slow]
)


@settings(max_examples=settings().max_examples * 3)
@given(st.integers(0, 2**32))
def test_every_sweep_of_a_tangle_goes_in_one_order(seed: int) -> None:
    """A few numbers, each used by the dozen, and compared: more than a machine comes upon."""
    choose = random.Random(seed)
    machine = Floats()
    machine.leaf(choose.uniform(-1.5, 1.5), False)
    for _ in range(25):
        places = [choose.randint(0, 8), choose.randint(0, 8)]
        machine.grow([(choose.choice(["add", "sub", "mul", "greater"]), places, True)])
    output = [node for node in machine.twins.values() if not node.constant][-1]
    machine.backward_under_watch(output, 1.0)
    machine.gradients(output, output, 1.0)
    machine.gradient_graph(output, 0, 1.0, None)
    machine.everything_is_what_the_model_says()
