"""A derivative through a loop of one's own as the source of a function with two loops."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ...engine.value import Value
from ...graph.notation import ACCENTS, NUMBERED
from ...graph.quantities import called, names_of
from ...graph.sweep import adjoints_by, recorded_slopes
from ...graph.walk import Node, Run, downstream, operation, topological
from ...ops.ieee import same_bits
from ..definitions import Definitions
from ..expressions import Expression, total
from .lines import INDENT, Lines, length
from .straight import Straight

LONGEST_LINE: Final = 80
MARKS: Final = re.compile(f"[{''.join(ACCENTS)}]|{NUMBERED.pattern}")

#: Where an operand of a step comes from: a result of the same step or of the one before, by its
#: place; a number that all steps use, by that of the first; or a number of each step's own.
Source: TypeAlias = tuple[Literal["own", "before", "shared", "given"], Any]


class Alike(NamedTuple):
    """Steps that are made alike: the results of each, and where their operands come from.

    `starts` are the nodes where the first step has no result before it, by its place, and `cuts`
    the steps that take that result as a constant, counted from 1.  `given` are the columns of
    numbers that differ from step to step.
    `direct` has ∂⁺L/∂result for the results that are read after the loop, by place, a number per
    step; `extra` is that of the parameter itself.
    """

    made: Sequence[Sequence[Node]]
    sources: Sequence[Sequence[Source]]
    starts: dict[int, Node]
    given: list[list[Node]]
    direct: dict[int, list[float]]
    extra: float
    cuts: dict[int, frozenset[int]]


def as_loops(
    straight: Straight, run: Run | None, name: str, most: int
) -> tuple[str, dict[str, Any]] | None:
    """The source and the arguments; None where the steps are not made alike.

    What slopes are computed from has a name, unless the function would have more lines than that.
    """
    alike = _alike(straight.output, straight.parameter, run)
    if alike is None:
        return None
    found = None
    for named in (False, True):
        # A slope that loses digits at one of the steps is written as the table has it.
        made = _of_all_steps(straight, alike, name, False, named) or _of_all_steps(
            straight, alike, name, True, named
        )
        if made is not None and (found is None or length(made[0]) <= most):
            found = made
    return found


def _of_all_steps(
    straight: Straight, alike: Alike, name: str, exact: bool, named: bool
) -> tuple[str, dict[str, Any]] | None:
    """The source, if it is the same at the numbers of each step, and the arguments."""
    bodies = [_Body(straight, alike, t, exact, named) for t in range(len(alike.made))]
    sources = {body.source(name) for body in bodies}
    return (sources.pop(), bodies[-1].arguments()) if len(sources) == 1 else None


def _alike(output: Node, parameter: Node, run: Run | None) -> Alike | None:
    """What the steps have in common, if each result has its like in all of them."""
    step_of = getattr(run, "step_of", {})
    results: dict[int, list[Node]] = {}
    for node, k in step_of.items():
        results.setdefault(k, []).append(node)
    order = topological(output)
    met = set(order)
    last = max([k for node, k in step_of.items() if node in met], default=0)
    steps = [results[k] for k in sorted(results) if k <= last]
    if len(steps) < 2 or len(set(map(len, steps))) > 1:
        return None
    kept = [p for p in range(len(steps[0])) if any(made[p] in met for made in steps)]
    made = [[nodes[p] for p in kept] for nodes in steps]
    if any(len({operation(node) for node in nodes}) > 1 for nodes in zip(*made, strict=True)):
        return None
    behind = downstream(order, [parameter])
    every = {node for nodes in made for node in nodes}
    if parameter in every or behind.isdisjoint(every):  # in the loop, or after it
        return None
    reader = _Reader(made, parameter, behind)
    sources: list[list[Source]] = []
    for nodes in zip(*made, strict=True):
        found = [reader.source(o) for o in zip(*[n.parents for n in nodes], strict=True)]
        if None in found:
            return None
        sources.append([source for source in found if source is not None])
    if len(set(filter(None, reader.cuts.values()))) > 1:
        return None

    def slopes(node: Any) -> Iterator[tuple[int, Any, float]]:
        if node not in reader.place:
            yield from recorded_slopes(node)

    adjoints = adjoints_by(output, 1.0, slopes)
    direct = {
        p: [adjoints.get(node, 0.0) for node in nodes]
        for p, nodes in enumerate(zip(*made, strict=True))
        if any(node in adjoints for node in nodes)
    }
    extra = adjoints.get(parameter, 0.0)
    return Alike(made, sources, reader.starts, reader.given, direct, extra, reader.cuts)


class _Reader:
    """Tells where operands come from, and collects what a loop starts from and is given."""

    def __init__(self, made: Sequence[Sequence[Node]], parameter: Node, behind: set[Node]) -> None:
        self.made, self.parameter, self.behind = made, parameter, behind
        self.place = {n: (t, p) for t, nodes in enumerate(made) for p, n in enumerate(nodes)}
        self.starts: dict[int, Node] = {}
        self.given: list[list[Node]] = []
        self.cuts: dict[int, frozenset[int]] = {}

    def source(self, operands: Sequence[Node]) -> Source | None:
        """Where the operands at one place of all steps come from; None if from several."""
        spots = [self.place.get(operand) for operand in operands]
        first = operands[0]
        if spots[0] is not None:
            q = spots[0][1]
            return ("own", q) if spots == [(t, q) for t in range(len(spots))] else None
        free = [
            spot is None and self._is_number(o) for spot, o in zip(spots, operands, strict=True)
        ]
        before = [spot for spot in spots if spot is not None]
        if before:
            q = before[0][1]
            linked = [spots[t] == (t - 1, q) for t in range(1, len(operands))]
            same = [
                free[t] and same_bits(operands[t].data, self.made[t - 1][q].data)
                for t in range(1, len(operands))
            ]
            if not all(map(any, zip(linked, same, strict=True))):
                return None
            if first is not self.parameter and not free[0]:
                return None
            start = self.starts.setdefault(q, first)
            if start is not first and not (free[0] and same_bits(first.data, start.data)):
                return None
            cuts = frozenset([k for k, link in enumerate(linked, 2) if not link])
            if self.cuts.setdefault(q, cuts) != cuts:
                return None
            return "before", q
        literal = _is_literal(*operands)
        if all(
            operand is first or (literal and same_bits(operand.data, first.data))
            for operand in operands
        ):
            return ("shared", first) if first is self.parameter or free[0] else None
        if not all(free):
            return None
        for number, column in enumerate(self.given):
            both = zip(column, operands, strict=True)
            if all(a is b or (_is_literal(a, b) and same_bits(a.data, b.data)) for a, b in both):
                return "given", number
        self.given.append(list(operands))
        return "given", len(self.given) - 1

    def _is_number(self, node: Node) -> bool:
        """Whether a node is but a number to the derivative."""
        return node not in self.behind and node not in self.place


class _Body(Lines):
    """A step of the loop, at the numbers of one of them, forward and back."""

    reserved = Lines.reserved | {
        *("X", "cuts", "enumerate", "k", "len", "list", "range", "reversed", "steps")
    }

    def __init__(self, straight: Straight, alike: Alike, t: int, exact: bool, named: bool) -> None:
        self.straight, self.alike = straight, alike
        self.new: list[Any] = []
        self.before: dict[int, Any] = {}
        self.given: list[Any] = [Value(column[t].data) for column in alike.given]
        self.shared: dict[Node, Any] = {}
        for nodes, sources in zip(alike.made[t], alike.sources, strict=True):
            operands = [self._operand(source, t) for source in sources]
            self.new.append(operation(nodes)(*operands))
        self.parameter = self.shared.get(straight.parameter, straight.parameter)
        ends = [self.new[p] for p in dict.fromkeys([*alike.starts, *alike.direct])]
        keep = {*ends, *self.before.values(), *self.given, *self.shared.values(), self.parameter}
        if named:
            keep.update([one for one in self.new if operation(one).arrays_slope is not None])
        with names_of(SimpleNamespace(names=self._names())):
            whole = Definitions(sum(ends[1:], ends[0]), {}, keep, None)
        super().__init__(whole, exact=exact)
        made = zip(*alike.made, strict=True)
        behind = [not straight.behind.isdisjoint(nodes) for nodes in made]
        self.moved = [q for q in self.before if behind[q]]
        self.passed = [self.symbol(self.own(f"from_{self._state(q)}")) for q in self.moved]
        self.read = {p: self.own(f"d_{self._state(p)}") for p in alike.direct}
        self.asked = straight.name(straight.parameter)
        self.extra = self.own(f"d_{self.asked}") if alike.extra else ""
        self.result: str | None = None

    def _operand(self, source: Source, t: int) -> Any:
        kind, which = source
        if kind == "own":
            return self.new[which]
        if kind == "given":
            return self.given[which]
        if kind == "before":
            node = self.alike.made[t - 1][which] if t else self.alike.starts[which]
            return self.before.setdefault(which, Value(node.data))
        return self.shared.setdefault(which, Value(which.data)) if which.parents else which

    def _names(self) -> dict[Any, str]:
        """What quantities are called in any step: as in the text, without the accents."""
        names: dict[Any, str] = {}
        for p, nodes in enumerate(zip(*self.alike.made, strict=True)):
            own = _own_name(nodes) or (
                "total" if p in self.before or p in self.alike.direct else None
            )
            if own is not None:
                names[self.new[p]] = own
        for q, leaf in self.before.items():
            names[leaf] = f"{names[self.new[q]]}_before"
        several = len(self.given) > 1
        for place, (leaf, column) in enumerate(zip(self.given, self.alike.given, strict=True), 1):
            names[leaf] = _own_name(column) or (f"x_{place}" if several else "x")
        for node in [*self.shared, *topological(*self.new)]:
            if (own := called(node)) is not None:
                names.setdefault(self.shared.get(node, node), own)
        return names

    def _state(self, p: int) -> str:
        return self.name(self.new[p])

    # --- lines ------------------------------------------------------------------------------------

    def source(self, name: str) -> str:
        """The whole function."""
        own = {self.name(node) for node in self.new if node in self.definitions.defined}
        forward = {one: line for one, line in self.forward().items() if one in own}
        ahead, called = set(self.used), set(self.called)
        self.used.clear()
        self.called.clear()
        back = self._back()
        inner = [*map(self.name, [*self.before.values(), *self.given]), *forward]
        stored = [one for one in inner if one in self.used]
        lines: list[str] = []
        if stored:
            self.used |= ahead
            self.called |= called
            lines += self._ahead(stored, forward)
        lines += [self._zeros(), *self._steps_back(stored, back), f"return {self._result()}"]
        head = f"def {name}({', '.join(self.arguments())}):"
        body = [*self._words(), *lines]
        return "\n".join([*self.imports(), head, *[INDENT + one for one in body]]) + "\n"

    def _ahead(self, stored: Sequence[str], forward: dict[str, str]) -> Iterator[str]:
        """The loop over the steps that keeps what the way back needs."""
        rows = ", ".join(map(self.name, self.given))
        yield "steps = []"
        yield f"for {rows} in X:" if rows else f"for _ in {self._counted()}:"
        taken = [q for q, leaf in self.before.items() if self.name(leaf) in self.used]
        if taken:
            befores = ", ".join([self.name(self.before[q]) for q in taken])
            yield f"{INDENT}{befores} = {', '.join(map(self._state, taken))}"
        yield from [f"{INDENT}{one} = {line}" for one, line in forward.items()]
        yield f"{INDENT}steps.append({_tuple(stored)})"

    def _back(self) -> list[str]:
        """The way back through a step."""
        terms: dict[Node, list[Expression]] = {}
        for q, symbol in zip(self.moved, self.passed, strict=True):
            terms.setdefault(self.new[q], []).append(symbol)
        for p, one in self.read.items():
            terms.setdefault(self.new[p], []).append(self.symbol(f"{one}[k]"))
        leaves = [self.parameter, *[self.before[q] for q in self.moved]]
        lines = list(self.backward(terms, downstream(self.definitions.order, leaves)))
        if self.parameter in terms or self.extra:
            self.result = self.own(f"δ_{self.asked}")
        if self.parameter in terms:
            lines.append(f"{self.result} += {self.code(total(terms[self.parameter]))}")
        if self.moved:
            passed = []
            for q in self.moved:
                line = self.code(total(terms.get(self.before[q], [])))
                passed.append(line + " if k + 1 not in cuts else 0.0" * bool(self.alike.cuts[q]))
            lines += _at_once([one.key for one in self.passed], passed)
        return lines

    def _steps_back(self, stored: Sequence[str], back: Sequence[str]) -> list[str]:
        steps = f"range(len({self._counted()}))"
        each = f"for k in reversed({steps}):"
        if stored:
            each = f"for k, {_tuple(stored)} in reversed(list(enumerate(steps))):"
        return [each, *[INDENT + line for line in back]]

    def _zeros(self) -> str:
        """Where the sums of the way back start."""
        passed = [one.key for one in self.passed]
        if self.result is None:
            return f"{' = '.join(passed)} = 0.0"
        if not self.extra:
            return f"{' = '.join([self.result, *passed])} = 0.0"
        names = ", ".join([self.result, *passed])
        return f"{names} = {', '.join([self.extra, *['0.0'] * len(passed)])}"

    def _result(self) -> str:
        """What the function gives: the sum over the steps, or what comes to where they start."""
        parts = [] if self.result is None else [self.result]
        for q, one in zip(self.moved, self.passed, strict=True):
            if self.alike.starts[q] is self.straight.parameter:
                parts.append(one.key)
        return " + ".join(parts)

    def _counted(self) -> str:
        """An argument that has a number for each step."""
        return next(iter(self.read.values()))

    def _words(self) -> list[str]:
        rows = ", ".join(map(self.name, self.given))
        given = f"X has {rows} of each step; " * bool(rows)
        words = "d_x[k] is ∂L/∂x at step k, but for what goes through others."
        return [
            f'"""{self.straight.asked()}; δ_x is that by x, and x_before is x of the step before.',
            f'{given[:1].upper()}{given[1:]}{words}"""',
        ]

    # --- arguments --------------------------------------------------------------------------------

    def arguments(self) -> dict[str, Any]:
        """What the function takes, by name."""
        import numpy as np

        alike = self.alike
        leaves = [n for n in self.straight.definitions.leaves() if n in self.definitions.symbols]
        known = {self.name(leaf): leaf.data for leaf in [*leaves, *self.shared.values()]}
        found: dict[str, Any] = {one: data for one, data in known.items() if one in self.used}
        for q, leaf in self.before.items():
            if self.name(leaf) in self.used:
                found[self._state(q)] = alike.starts[q].data
        if any(self.name(leaf) in self.used for leaf in self.given):
            rows = np.array([[node.data for node in column] for column in alike.given])
            found["X"] = rows.T if len(rows) > 1 else rows[0]
        found |= {one: np.array(alike.direct[p]) for p, one in self.read.items()}
        if self.extra:
            found[self.extra] = alike.extra
        for q in self.moved:
            if alike.cuts[q]:
                found["cuts"] = alike.cuts[q]
        return found


def _is_literal(*nodes: Node) -> bool:
    """Whether nodes are numbers as they stand in the code."""
    return all(node.constant and not node.parents and called(node) is None for node in nodes)


def _own_name(nodes: Sequence[Node]) -> str | None:
    """The name that the results of steps share, without the accent or the number of a step."""
    for node in reversed(nodes):
        if (own := called(node)) is not None:
            return unicodedata.normalize("NFC", MARKS.sub("", unicodedata.normalize("NFD", own)))
    return None


def _at_once(names: Sequence[str], lines: Sequence[str]) -> list[str]:
    """Assignments of which none may see another: in one line, or in a line each if they can be."""
    together = f"{', '.join(names)} = {', '.join(lines)}"
    sees = any(re.search(rf"\b{name}\b", line) for name in names for line in lines)
    if sees or len(together) <= LONGEST_LINE:
        return [together]
    return [f"{name} = {line}" for name, line in zip(names, lines, strict=True)]


def _tuple(names: Sequence[str]) -> str:
    return f"({', '.join(names)}{',' * (len(names) == 1)})"
