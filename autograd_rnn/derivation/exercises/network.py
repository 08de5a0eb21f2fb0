"""A recurrent network to be asked about: its run, its loss, and the solution line by line."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from ...arguments import many
from ...data.encoding import bits as as_bits
from ...engine.reverse import gradients
from ...engine.value import Value, constant
from ...graph.copies import copies
from ...graph.identities import Slope, residue
from ...graph.notation import LATEX, TEXT, Text, accent, write_number
from ...networks.rnn import RNN
from ...networks.run import Unrolled
from ...ops.op import CALL, TABLE
from ..derive import derive
from ..document import Section, Sentence
from ..expressions import Expression, Number, Symbol, product, total
from ..naming import fraction
from .figure import Figure, chain
from .question import Build, Known, Line, Slip, Wishes, Worksheet, quantity

WEIGHTS: Final = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0)
STARTS: Final = (-2.0, -1.0, 1.0, 2.0, 3.0)
LARGEST_ANSWER: Final = 1000.0
LARGEST_SUM: Final = 100.0
LEAST: Final = 0.01
FACTOR = "the factor 2 of the square's derivative is missing"
SIGN = "the sign of the inner derivative of (y − π)² is missing"
SLOPE = "a′ was taken as 1 everywhere"
CHAIN = "the recurrent weight is missing on the way back to an earlier step"
TRANSPOSED = "the recurrent weights were taken transposed"
DIRECT = "only the last loss was sent back, those of earlier steps are missing"
CUT = "the way back was not cut where the run is truncated"
START = "the start state was taken as 0"
OFFSET = "the offset was left out of the forward pass"
LATER = "the state after the step was taken, instead of the one before it"
ONLY_LAST = "only the last copy was counted, as if the weight stood in one place"


def activated(name: str, pi: float) -> tuple[float, float]:
    """The number a(π) and the slope a′(π); a name that is no op stands for a(π) = π."""
    if name not in TABLE:
        return pi, 1.0
    result = TABLE[name](Value(pi))
    return result.data, result.partials[0]


class Network(NamedTuple):
    """The numbers of a question: rows [1; Q; X] of weights, inputs, start, wanted values of π."""

    rows: Sequence[Sequence[float]]
    inputs: Sequence[float]
    targets: Mapping[int, float]
    activation: str = "relu"
    start: Sequence[float] = ()
    bias: bool = False
    truncate: int = 0

    @property
    def states(self) -> int:
        """The number of states."""
        return len(self.rows[0])

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.inputs)

    @property
    def initial(self) -> Sequence[float]:
        """The start state."""
        return self.start or [0.0] * self.states

    @property
    def cuts(self) -> Sequence[int]:
        """The steps that the state enters as a constant."""
        return range(self.truncate + 1, self.steps + 1, self.truncate) if self.truncate else ()

    def facts(self) -> dict[str, Any]:
        """The numbers, by name."""
        return {
            **{"rows": self.rows, "inputs": self.inputs, "targets": self.targets},
            **{"activation": self.activation, "start": self.initial, "bias": self.bias},
            "cuts": list(self.cuts),
        }

    def unroll(self) -> tuple[Unrolled, Value]:
        """The run, and the loss L."""
        size = self.states
        count = len(self.rows)
        names = [
            [f"w_{i * size + j + 1 - (size if self.bias else 0)}" for j in range(size)]
            for i in range(count)
        ]
        if self.bias:
            names[0] = ["b"] if size == 1 else [f"b_{j + 1}" for j in range(size)]
        rnn = RNN(self.rows, self.activation, bias=self.bias, names=names)
        run = rnn.unroll(
            [[x] for x in self.inputs],
            state=list(self.start) or None,
            truncate=self.truncate or None,
        )
        several = len(self.targets) > 1
        terms = [
            (constant(y, accent("y", k) if several else "y") - run.steps[k - 1].pi[0]) ** 2
            for k, y in self.targets.items()
        ]
        loss = terms[0]
        for term in terms[1:]:
            loss = loss + term
        return run, loss


# --- networks that can be worked by hand --------------------------------------------------------


def network(
    chance: random.Random,
    wishes: Wishes,
    *,
    bias: bool = False,
    start: bool = False,
    every: bool = False,
    truncated: bool = False,
    states: int = 1,
) -> Network | None:
    """A random network, or None if a state is idle or its numbers are large."""
    states = wishes.states or states
    least = 4 if truncated else 3 if states > 1 else 2
    steps = wishes.steps or max(wishes.level + 1, least)
    every = every or (truncated and wishes.level > 2)
    activation = wishes.activation or ("linear" if wishes.level == 1 else "relu")
    rows = [[chance.choice(WEIGHTS) for _ in range(states)] for _ in range(bias + states + 1)]
    first = "0" if wishes.idle else chance.choice("01") if bias or start else "1"
    bits = first + "".join([chance.choice("01") for _ in range(steps - 1)])
    if wishes.idle and "1" not in bits:
        return None
    q0 = [chance.choice(STARTS) for _ in range(states)] if start else []
    asked = range(1, steps + 1) if every else [steps]
    blank = Network(
        rows,
        [x for (x,) in as_bits(bits)],
        dict.fromkeys(asked, 0.0),
        activation=activation,
        start=q0,
        bias=bias,
        truncate=2 if truncated else 0,
    )
    run, _ = blank.unroll()
    sums = {step.k: step.pi[0].data for step in run.steps}
    before = [pi.data for step in run.steps[:-1] for pi in step.pi]
    if max(map(abs, [*before, *sums.values()])) > LARGEST_SUM:
        return None
    targets = {k: round(sums[k]) + chance.choice([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]) for k in asked}
    made = blank._replace(targets=targets)
    run, loss = made.unroll()
    slopes = gradients(loss, run.rnn.parameters())
    if not all(LEAST <= abs(slope) <= LARGEST_ANSWER for slope in slopes):
        return None
    if wishes.idle:
        return made
    # A state that stays 0 leaves nothing to do; one step without slope makes a′ matter.
    dead = sum([activated(activation, pi)[1] == 0.0 for pi in before])
    stuck = 0.0 in before or (dead and max(before[:states]) <= 0.0)
    return None if stuck or dead > (states if wishes.level > 1 else 0) else made


def told(net: Network) -> Sentence:
    """What network it is, in words."""
    states = "one state" if net.states == 1 else f"{net.states} states"
    inputs = "".join([f"{x:g}" for x in net.inputs])
    more = (
        f", from the start state {', '.join([write_number(q).text for q in net.start])}"
        if net.start
        else ""
    )
    cut = f"; the run is truncated after every {net.truncate} steps" if net.truncate else ""
    return Sentence(f"A network with {states} reads the bits {inputs}{more}{cut}.")


# --- the solution, line by line ------------------------------------------------------------------


class Lines:
    """The worksheet of ∂L/∂w, of one weight or all: π, q, then ∂L/∂π, then the copies' terms."""

    def __init__(self, network: Network, run: Unrolled, loss: Value) -> None:
        self.network, self.run, self.loss = network, run, loss
        self.lines: list[Line] = []
        self.given: dict[str, Symbol] = {}
        self.output = quantity("L", loss.data)
        self._give()
        self._forward()
        self._backward()

    def _give(self) -> None:
        network = self.network
        for i, row in enumerate(self.run.rnn.weights):
            for j, weight in enumerate(row):
                self.given[f"w{i},{j}"] = quantity(str(weight.name), weight.data)
        for j, value in enumerate(self.run.state):
            self.given[f"q0,{j}"] = quantity(str(value.name), network.initial[j])
        for step in self.run.steps:
            self.given[f"x{step.k}"] = quantity(str(step.x[0].name), step.x[0].data)
        several = len(network.targets) > 1
        for k, y in network.targets.items():
            self.given[f"y{k}"] = quantity(accent("y", k) if several else "y", y)

    def _forward(self) -> None:
        first = int(self.network.bias)
        for step in self.run.steps:
            k = step.k
            for j in range(self.network.states):
                self._add(f"pi{k},{j}", quantity(str(step.pi[j].name), 0.0), self._sum(k, j, first))
                name = str(step.q[j].name)
                if k < self.network.steps:
                    self._add(f"q{k},{j}", quantity(name, 0.0), self._state(k, j))

    def _add(self, key: str, symbol: Symbol, build: Build, slips: Sequence[Slip] = ()) -> None:
        more = list(slips)
        if key.startswith("pi"):
            k, j = map(int, key[2:].split(","))
            if k == 1 and any(self.network.initial):
                more.append(Slip("start", START, self._sum(k, j, int(self.network.bias), True)))
            if self.network.bias:
                more.append(Slip("offset", OFFSET, self._sum(k, j, 0, False, True)))
        self.lines.append(Line(key, symbol, build, more))

    def _sum(
        self, k: int, j: int, first: int, empty: bool = False, no_offset: bool = False
    ) -> Build:
        size, bias = self.network.states, self.network.bias

        def build(known: Known) -> Expression:
            terms: list[Expression] = [known[f"w0,{j}"]] if bias and not no_offset else []
            for i in range(size):
                q = Number(0.0) if empty else known[f"q{k - 1},{i}"]
                terms.append(product([known[f"w{bias + i},{j}"], q]))
            terms.append(product([known[f"w{bias + size},{j}"], known[f"x{k}"]]))
            return total(terms)

        return build

    def _state(self, k: int, j: int) -> Build:
        name = self.network.activation
        return lambda known: called(
            "a", known[f"pi{k},{j}"], activated(name, known[f"pi{k},{j}"].value)[0]
        )

    def _backward(self) -> None:
        network = self.network
        for k in range(network.steps, 0, -1):
            for j in range(network.states):
                pi = quantity(str(self.run.steps[k - 1].pi[j].name), 0.0)
                symbol = fraction(self.output, pi, Slope(0.0, residue("exercise", k, j)))
                build, slips = self._delta(k, j), []
                loss = k in network.targets and j == 0
                later, cut = k < network.steps, k + 1 in network.cuts
                if loss:
                    slips += [
                        Slip("factor", FACTOR, self._delta(k, j, factor=-1.0)),
                        Slip("sign", SIGN, self._delta(k, j, factor=2.0)),
                    ]
                if later and not cut:
                    if network.activation != "linear":
                        slips.append(Slip("slope", SLOPE, self._delta(k, j, slope=False)))
                    slips.append(Slip("chain", CHAIN, self._delta(k, j, weight=False)))
                    if network.states > 1:
                        slips.append(Slip("transposed", TRANSPOSED, self._delta(k, j, turn=True)))
                if later and loss:
                    slips.append(Slip("direct", DIRECT, self._delta(k, j, direct=False)))
                if later and cut:
                    slips.append(Slip("cut", CUT, self._delta(k, j, through=True)))
                self.lines.append(Line(f"d{k},{j}", symbol, build, slips))

    def _delta(
        self,
        k: int,
        j: int,
        *,
        factor: float = -2.0,
        slope: bool = True,
        weight: bool = True,
        turn: bool = False,
        direct: bool = True,
        through: bool = False,
    ) -> Build:
        network = self.network
        bias, linear = network.bias, network.activation == "linear"

        def build(known: Known) -> Expression:
            terms: list[Expression] = []
            pi = known[f"pi{k},{j}"]
            if k in network.targets and j == 0 and direct:
                inner = total([known[f"y{k}"], product([Number(-1.0), pi])])
                terms.append(product([Number(factor), inner]))
            if k < network.steps and (through or k + 1 not in network.cuts):
                back = []
                for i in range(network.states):
                    row, column = (i, j) if turn else (j, i)
                    w = [known[f"w{bias + row},{column}"]] if weight else []
                    back.append(product([known[f"d{k + 1},{i}"], *w]))
                at = (
                    []
                    if linear or not slope
                    else [called("a′", pi, activated(network.activation, pi.value)[1])]
                )
                terms.append(product([total(back), *at]))
            return total(terms)

        return build

    # --- one weight, or all ---------------------------------------------------------------------

    def ask_weight(self, row: int, column: int = 0) -> list[str]:
        """Add the lines of a weight's copies and of their sum; their keys."""
        weight = self.run.rnn.weights[row][column]
        uses = {use.step: use.name for use in copies(weight, self.loss, self.run)}
        keys = []
        for k, name in uses.items():
            symbol = fraction(
                self.output, quantity(name, weight.data), Slope(0.0, residue("copy", k))
            )
            slips = []
            if self._is_state(row) and k is not None and k < self.network.steps:
                slips.append(Slip("later", LATER, self._term(k, row, column, 0)))
            if self._is_state(row) and k == 1 and any(self.network.initial):
                slips.append(Slip("start", START, lambda known: Number(0.0)))
            self.lines.append(Line(f"t{k}", symbol, self._term(k or 0, row, column), slips))
            keys.append(f"t{k}")
        slope = Slope(0.0, residue("total"))
        whole = fraction(self.output, self.given[f"w{row},{column}"], slope)
        slips = [
            Slip(f"without {key}", f"the copy {name} is forgotten", summed(keys, without=key))
            for key, name in zip(keys, uses.values(), strict=True)
        ]
        slips.append(Slip("last", ONLY_LAST, summed(keys[-1:])))
        self.lines.append(Line("total", whole, summed(keys), slips if len(keys) > 1 else []))
        return [*keys, "total"]

    def ask_all(self) -> list[str]:
        """Add a line for each entry of ∂L/∂W; the keys of ∂L/∂π and of the entries."""
        network = self.network
        keys = [line.key for line in self.lines if line.key[0] == "d"]
        for row in range(len(network.rows)):
            for column in range(network.states):
                under = self.given[f"w{row},{column}"]
                symbol = fraction(self.output, under, Slope(0.0, residue("entry", row, column)))
                self.lines.append(self._entry(f"g{row},{column}", symbol, row, column))
                keys.append(f"g{row},{column}")
        return keys

    def _entry(self, key: str, symbol: Symbol, row: int, column: int) -> Line:
        steps = range(1, self.network.steps + 1)

        def over(ks: Sequence[int], later: int = 1) -> Build:
            builds = [self._term(k, row, column, later) for k in ks]
            return lambda known: total([build(known) for build in builds])

        slips = [Slip("last", "only the last step was counted", over(steps[-1:]))]
        slips += [
            Slip(f"without {k}", f"step {k} is forgotten", over([s for s in steps if s != k]))
            for k in steps
        ]
        return Line(key, symbol, over(steps), slips)

    def _is_state(self, row: int) -> bool:
        return self.network.bias <= row < self.network.bias + self.network.states

    def _term(self, k: int, row: int, column: int, before: int = 1) -> Build:
        network = self.network

        def build(known: Known) -> Expression:
            delta = known[f"d{k},{column}"]
            if network.bias and row == 0:
                return delta
            if self._is_state(row):
                return product([delta, known[f"q{k - before},{row - network.bias}"]])
            return product([delta, known[f"x{k}"]])

        return build

    def figure(self) -> Figure:
        """The network, step by step."""
        network = self.network
        one = network.states == 1
        weights = self.run.rnn.names
        recurrent = str(weights[network.bias][0]) if one else ""
        return chain(
            [[str(pi.name) for pi in step.pi] for step in self.run.steps],
            before=[str(q.name) for q in self.run.state] if any(network.initial) else [],
            along=[recurrent] * network.steps if one else [],
            about=f"A network with {many(network.states, 'state')} over "
            f"{many(network.steps, 'step')}",
            below=[f"{x:g}" for x in network.inputs],
            entering=str(weights[-1][0]) if one else "",
            losses=list(network.targets),
        )

    def worksheet(self) -> Worksheet:
        """The lines added so far."""
        return Worksheet(self.given, self.lines)


def derived(
    loss: Value, weight: Value | RNN, run: Unrolled | None, *before: Section
) -> Callable[[], Sequence[Section]]:
    """What works the derivative out as `derive` does, without the problem that is stated."""
    return cache(lambda: [*before, *derive(loss, weight, run=run).sections[1:]])


def summed(keys: Sequence[str], without: str = "") -> Build:
    """The sum of quantities."""
    return lambda known: total([known[key] for key in keys if key != without])


def called(function: str, operand: Symbol, value: float) -> Symbol:
    """a(π), or a′(π), with its value."""
    text = f"{function}({operand.write(TEXT).text})"
    name = function.replace("′", "'")
    latex = rf"{name}\left({operand.write(LATEX).text}\right)"
    slope = Slope(value, residue("exercise", text))
    return Symbol(slope, Text(text, CALL), Text(latex, CALL))
