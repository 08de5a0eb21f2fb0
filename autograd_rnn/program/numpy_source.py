"""The backward pass of a network's layers as the source of a NumPy function."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import add
from typing import Any, Final, NamedTuple

from ..graph.notation import Style, Text, write
from ..ops.op import CALL, PRODUCT, SIGN, SUM
from .structure import INPUT, OFFSET, STATE, Block, Result, Slope, Structure, Symbol, Term

INDENT: Final = "    "
PYTHON: Final = Style("python", " * ", "-")


class Given(NamedTuple):
    """What the function of a layer takes besides its weights and inputs.

    `read` are the vectors that L reads, whose ∂⁺L it takes.  `options` are any of `d_W` and `d_u`,
    the parts of the gradient that go through no step, and `free_W` and `free_u`, which are 0 for
    weights that are frozen.
    """

    read: Collection[str]
    options: Sequence[str] = ()


def backward_source(
    name: str,
    layers: Sequence[tuple[Structure, Given]],
    *,
    cuts: bool = False,
    starts: bool = False,
) -> str:
    """Source of a function that gives ∂L/∂W of each layer.

    With `cuts` it takes the steps that no gradient leaves backward; with `starts` it also gives the
    derivatives by the initial states, those of each layer, after all others.  Several layers have a
    function each, and one that calls these.
    """
    if len(layers) == 1:
        source = _Source(*layers[0], cuts, starts)
        body = source.whole(name)
        return "\n".join([*_imports(source.called), *body]) + "\n"
    sources = [_Source(*layer, cuts, starts) for layer in layers]
    called: set[str] = set()
    lines: list[str] = []
    for place, source in enumerate(sources, 1):
        lines += [*source.chained(f"layer_{place}"), "", ""]
        called |= source.called
    return "\n".join([*_imports(called), *lines, *_driver(name, sources)]) + "\n"


def _imports(called: Collection[str]) -> list[str]:
    ours = sorted(called)
    lines = ["import numpy as np"]
    if ours:
        lines.append(f"from autograd_rnn.ops.numpy import {', '.join(ours)}")
    return [*lines, "", ""]


def _driver(name: str, sources: Sequence[_Source]) -> list[str]:
    numbered = list(enumerate(sources, 1))
    given = [f"W{i}{f', u{i}' if s.extra else ''}" for i, s in numbered] + ["X"]
    given += [f"{state}{i}" for i, s in numbered for state in s.initial]
    given += [f"{one}{i}" for i, s in numbered for one in (*s.read_names, *s.options)]
    cuts, passed = (["cuts=()"], ["cuts"]) if sources[0].cuts else ([], [])
    lines = [f"def {name}({', '.join([*given, *cuts])}):"]
    lines.append(f'{INDENT}"""∂L/∂W of each layer, in order; arguments as those of the layers."""')
    entry = "X"
    for i, s in numbered:
        own = [f"W{i}", *[f"u{i}"] * s.extra, entry, *[f"{state}{i}" for state in s.initial]]
        lines.append(f"{INDENT}Y{i}, back_{i} = layer_{i}({', '.join(own)})")
        entry = f"Y{i}"
    above = f"np.zeros(np.shape(Y{len(sources)}))"
    for i, s in reversed(numbered):
        own = [above, *[f"{one}{i}" for one in (*s.read_names, *s.options)], *passed]
        found = [f"dW{i}", f"dX{i}", *[f"{state}{i}" for state in s.to_starts]]
        lines.append(f"{INDENT}{', '.join(found)} = back_{i}({', '.join(own)})")
        above = f"dX{i}"
    results = [f"dW{i}" for i, _ in numbered]
    results += [f"{state}{i}" for i, s in numbered for state in s.to_starts]
    return [*lines, f"{INDENT}return {', '.join(results)}"]


class _Source:
    """The lines of one layer's function."""

    def __init__(self, structure: Structure, given: Given, cuts: bool, starts: bool) -> None:
        self.structure, self.model = structure, structure.model
        self.read = [key for key in structure.vectors if key in given.read]
        self.read_names = [f"d_{self.name(key)}" for key in self.read]
        self.called: set[str] = set()
        self.cuts, self.options = cuts, list(given.options)
        self.initial = list(self.model.letters)
        self.to_starts = [f"from_{letter}" for letter in self.initial if starts]
        self.extra = any(block.gate is None for block in structure.blocks)
        #: Whether it goes on to another layer.
        self.chain = False
        self.inside = structure.inside
        taken = {*map(self.name, structure.vectors), *self.model.letters, "x", "u"}
        self.column = next(one for one in "zvyw" if one not in taken)
        self.kept: set[str] = set()  # the names that the way back needs of each step
        self.needed = {node for node in map(self._needed_sum, structure.terms) if node}

    def name(self, key: str) -> str:
        """A vector's name in the source: π_i for pi_i."""
        return key.replace("pi", "π", 1) if key.startswith("pi") else key.replace("'", "_")

    def _needed_sum(self, term: Term) -> str | None:
        """The sum whose number a slope needs, because its result does not tell it."""
        for factor in term.factors:
            if isinstance(factor, Slope) and factor.of.op.arrays_slope is None:
                for operand in factor.of.operands:
                    key = self.structure.keys.get(operand)
                    if key is not None:
                        return key
        return None

    # --- expressions ------------------------------------------------------------------------------

    def _written(self, node: Any, top: bool = False, back: bool = False) -> Text:
        if isinstance(node, float | int):
            return Text(repr(float(node)))
        if isinstance(node, Block):
            return Text(self.block(node), CALL)
        if isinstance(node, Symbol):
            name = "x" if node.letter == "x" else f"{node.letter}_before" if back else node.letter
            if back:
                self.kept.add(name)
            return Text(name)
        if not top and (key := self.structure.keys.get(node)) is not None and not self._inside(key):
            if back:
                self.kept.add(self.name(key))
            return Text(self.name(key))
        if node.dense:
            block, z = node.operands
            left = PYTHON.fit(self._written(z, back=back), CALL)
            return Text(f"{left} @ {self.block(block)}", PRODUCT)
        if node.op.operator is add and (whole := self._whole(node)) is not None:
            return Text(whole, PRODUCT)
        operands = [self._written(operand, back=back) for operand in node.operands]
        if f"{node.op.name}(" in node.op.python:
            self.called.add(node.op.name)
        return write(node.op, *operands, style=PYTHON)

    def _whole(self, node: Result) -> str | None:
        """z @ W_i for the whole sum of a gate."""
        addends: list[Any] = [node]
        while isinstance(addends[0], Result) and addends[0].op.operator is add:
            addends[:1] = addends[0].operands
        gate = None
        for addend in addends:
            block = addend.operands[0] if isinstance(addend, Result) and addend.operands else addend
            if not isinstance(block, Block) or block.gate is None or gate not in (None, block.gate):
                return None
            if isinstance(addend, Result) and not isinstance(addend.operands[1], Symbol):
                return None
            gate = block.gate
        own = [block for block in self.structure.blocks if block.gate == gate]
        return f"{self.column} @ {self.matrix(str(gate))}" if len(own) == len(addends) else None

    def matrix(self, gate: str) -> str:
        """The whole weights of a gate."""
        return "W" if len(self.model.gates) == 1 else f"W_{gate}"

    def block(self, block: Block) -> str:
        """Some rows of a gate's weights."""
        if block.gate is None:
            return "u"
        first = int(self.model.bias)
        last = first + self.model.states
        rows = {OFFSET: "0", STATE: f"{first}:{last}", INPUT: f"{last}:"}[block.rows]
        return f"{self.matrix(block.gate)}[{rows}]"

    def _inside(self, key: str) -> bool:
        """Whether a vector needs no line: a sum that only its activation uses."""
        if not key.startswith("pi") or key in self.needed or key in self.structure.states:
            return False
        return key in self.structure.activations()

    def _slope(self, factor: Any) -> str:
        if isinstance(factor, Slope):
            op, node = factor.of.op, factor.of
            known = op.arrays_slope if op.arity == 1 else None
            rule = op.partials[factor.position]
            factor = rule(*node.operands, node) if known is None else known(node)[0]
        return PYTHON.fit(self._written(factor, back=True), PRODUCT)

    def _term(self, term: Term) -> Text:
        """The factors times δ, by the block if it is a matrix."""
        parts = [self._slope(factor) for factor in term.factors]
        if abs(term.coefficient) != 1.0:
            parts.insert(0, repr(abs(term.coefficient)))
        inner = self._parts_of(term.source) if term.source in self.inside else []
        delta = Text(f"δ_{self.delta(term.source)}")
        if inner:
            delta = Text(_sum(inner), SUM) if len(inner) > 1 else Text(inner[0], PRODUCT)
        parts.append(PYTHON.fit(delta, CALL if "@" in delta.text else PRODUCT))
        written = delta if parts == [delta.text] else Text(" * ".join(parts), PRODUCT)
        if term.block is not None and term.target is not None:
            written = Text(f"{self.block(term.block)} @ {PYTHON.fit(written, CALL)}", PRODUCT)
        if term.coefficient < 0:
            written = Text(f"-{PYTHON.fit(written, PRODUCT)}", SIGN)
        return written

    def delta(self, key: str) -> str:
        """What stands under δ: i for the sums of gate i, else the vector's name."""
        base, _, below = key.partition("_")
        return (below or "π") if base == "pi" else self.name(key)

    # --- lines ------------------------------------------------------------------------------------

    def _head(self) -> list[str]:
        gates = self.model.gates
        if len(gates) == 1:
            return []
        names = ", ".join([self.matrix(gate) for gate in gates])
        return [f"{names} = np.split(W, {len(gates)}, axis=1)"]

    def _column(self) -> str:
        """[1; H; X], what the whole weights multiply."""
        parts = ["[1.0]"] * self.model.bias + list(self.model.letters[:1])
        parts += ["x"] * (self.model.inputs > 0)
        return f"np.concatenate([{', '.join(parts)}])" if len(parts) > 1 else parts[0]

    def _forward(self) -> list[str]:
        """The body of the loop over the steps."""
        lines = []
        renamed = dict(zip(self.structure.states, self.model.letters, strict=True))
        for key, node in self.structure.vectors.items():
            if not self._inside(key):
                lines.append(f"{self.name(key)} = {self._written(node, top=True).text}")
        for key, letter in renamed.items():
            if key != letter:
                lines.append(f"{letter} = {self.name(key)}")
        return lines

    def _parts_of(self, target: str | Symbol) -> list[str]:
        """The terms of δ of a vector, of what goes to the step before, or to the inputs."""
        structure = self.structure
        states = dict(zip(structure.states, self.model.letters, strict=True))
        parts = [f"from_{states[target]}"] if target in states else []
        parts += [self._term(term).text for term in structure.terms if term.target == target]
        if target == structure.passed_up and self.chain:
            parts.append("above[k]")
        if target in self.read:
            parts.append(f"d_{self.name(str(target))}[k]")
        return parts

    def _back(self) -> list[str]:
        """The δ of each vector, the last one first."""
        shown = [key for key in reversed(self.structure.vectors) if key not in self.inside]
        return [f"δ_{self.delta(key)} = {_sum(self._parts_of(key) or ['0.0'])}" for key in shown]

    def _gradients(self) -> list[str]:
        """What a step adds: by the whole weights of gates, or else by blocks."""
        structure, size, lines = self.structure, self.model.outputs, []
        together: list[str] = []
        count = len(self.model.gates)

        def flush(last: int) -> None:
            if together:
                self.kept.add(self.column)
                row = together[0]
                if len(together) > 1:
                    row = f"np.concatenate([{', '.join(together)}])"
                columns = f"[:, {(last - len(together)) * size}:{last * size}]"
                place = "" if len(together) == count else columns
                lines.append(f"dW{place} += np.outer({self.column}, {row})")
                together.clear()

        for number, gate in enumerate(self.model.gates):
            terms = [t for t in structure.terms if t.block is not None and t.block.gate == gate]
            source = structure.source_of(gate)
            if source is not None:
                together.append(f"δ_{self.delta(source)}")
                continue
            flush(number)
            columns = "" if count == 1 else f", {number * size}:{(number + 1) * size}"
            for term in terms:
                assert term.block is not None
                row = self._term(term._replace(block=None)).text
                rows = self.block(term.block).partition("[")[2][:-1]
                if term.target is not None:
                    z = structure.vectors.get(str(term.target), term.target)
                    row = f"np.outer({self._written(z, back=True).text}, {row})"
                lines.append(f"dW[{rows}{columns}] += {row}")
        flush(count)
        extra = [t for t in structure.terms if t.block is not None and t.block.gate is None]
        return [*lines, *[f"du += {self._term(term).text}" for term in extra]]

    def _carried(self) -> list[str]:
        """What goes to the step before, and to the inputs."""
        lines = []
        for letter, state in self.structure.state.items():
            total = _sum(self._parts_of(state) or ["0.0"])
            kept = f"({total}) * (k + 1 not in cuts)"
            lines.append(f"from_{letter} = {kept if self.cuts else total}")
        if self.chain:
            lines.append(f"dX[k] = {_sum(self._parts_of(self.structure.x) or ['0.0'])}")
        return lines

    def _body(self) -> tuple[list[str], list[str]]:
        """The two loops."""
        back = [*self._back(), *self._gradients(), *self._carried()]
        lines = self._forward()
        kept = sorted(self.kept)
        first = [f"{one}_before" for one in self.model.letters if f"{one}_before" in kept]
        values = [one.removesuffix("_before") for one in first]
        if self.column in kept or any(f"{self.column} @" in line for line in lines):
            first.append(self.column)
            values.append(self._column())
        stored = ", ".join(kept) + ("," if len(kept) == 1 else "")
        forward = [f"{', '.join(first)} = {', '.join(values)}"] * bool(first)
        forward += [*lines, f"steps.append(({stored}))"]
        loop = [f"for k, ({stored}) in reversed(list(enumerate(steps))):"]
        loop += [INDENT + line for line in back]
        return ["steps = []", "for x in X:", *[INDENT + line for line in forward]], loop

    def _zeros(self) -> list[str]:
        """Where the sums of the way back start."""
        given = ["W", *["u"] * self.extra, *["X"] * self.chain]
        names = ", ".join([f"d{one}" for one in given])
        starts = [f"d_{one}.copy()" if f"d_{one}" in self.options else "" for one in given]
        if any(starts):
            zeros = [f"np.zeros(np.shape({one}))" for one in given]
            lines = [f"{names} = {', '.join([a or b for a, b in zip(starts, zeros, strict=True)])}"]
        elif given[1:]:
            zero = f"[np.zeros(np.shape(one)) for one in ({', '.join(given)})]"
            lines = [f"{names} = {zero}"]
        else:
            lines = ["dW = np.zeros(W.shape)"]
        states = [f"from_{one}" for one in self.model.letters]
        nothing = [" = ".join(states) + " = 0.0"] * (bool(states) and not self.chain)
        return [*lines, *nothing]

    def _given(self) -> list[str]:
        return ["W", *["u"] * self.extra, "X", *self.initial]

    def _results(self) -> list[str]:
        """The gradients, without what is frozen."""
        return [
            f"d{one} * free_{one}" if f"free_{one}" in self.options else f"d{one}"
            for one in ["W", *["u"] * self.extra]
        ]

    def _words(self) -> list[str]:
        """The docstring: the layout of each argument."""
        rows = ["1"] * self.model.bias + [one.upper() for one in self.model.letters[:1]]
        rows += ["X"] * (self.model.inputs > 0)
        columns = f", gates {', '.join(self.model.gates)}" if len(self.model.gates) > 1 else ""
        of = "∂L/∂W and ∂L/∂u" if self.extra else "∂L/∂W"
        starts = f"start {', '.join(self.initial)}; " if self.initial else ""
        if self.chain:
            return [
                f'"""The outputs Y, and the way back; W has rows [{"; ".join(rows)}]{columns}."""'
            ]
        return [
            f'"""{of}; W has rows [{"; ".join(rows)}]{columns}, a column per state.',
            f'X has a row per step; {starts}d_v[k] is what L has of v directly."""',
        ]

    def whole(self, name: str) -> list[str]:
        """The function of a network of one layer."""
        forward, back = self._body()
        given = [*self._given(), *self.read_names, *self.options, *["cuts=()"] * self.cuts]
        result = f"return {', '.join([*self._results(), *self.to_starts])}"
        body = [*self._words(), *self._head(), *forward, *self._zeros(), *back, result]
        return [f"def {name}({', '.join(given)}):", *[(INDENT + line).rstrip() for line in body]]

    def chained(self, name: str) -> list[str]:
        """The function of a layer of several: its outputs, and a function that goes back."""
        self.chain = True
        forward, back = self._body()
        up = self.name(self.structure.passed_up)
        forward.append(f"{INDENT}Y.append({up})")
        inner = [*self._zeros(), *back]
        (result, *extra) = self._results()
        if extra:
            result = (
                f"np.concatenate([{PYTHON.fit(Text(result, PRODUCT), CALL)}.ravel(), {extra[0]}])"
            )
        states = [f"from_{one}=0.0" for one in self.initial]
        cuts = ["cuts=()"] * self.cuts
        given = ", ".join(["above", *self.read_names, *self.options, *cuts, *states])
        forward[0] = "steps, Y = [], []"
        body = [*self._words(), *self._head(), *forward, f"def back({given}):"]
        results = ", ".join([result, "dX", *self.to_starts])
        body += [INDENT + line for line in (*inner, f"return {results}")]
        body.append("return Y, back")
        head = f"def {name}({', '.join(self._given())}):"
        return [head, *[(INDENT + line).rstrip() for line in body]]


def _sum(parts: Sequence[str]) -> str:
    text = parts[0]
    for part in parts[1:]:
        text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
    return text
