"""The backward pass of a network's layers as the source of a NumPy function."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import add
from typing import Any, Final

from ..ops.op import TABLE
from .structure import INPUT, OFFSET, STATE, Block, Result, Slope, Structure, Symbol, Term

INDENT: Final = "    "


def backward_source(
    name: str,
    layers: Sequence[tuple[Structure, Collection[str]]],
    *,
    cuts: bool = False,
    weights: bool = False,
) -> str:
    """Source of a function that gives ∂L/∂W of each layer; `layers` say which vectors L reads.

    With `cuts` it takes the steps that no gradient leaves backward, with `weights` the part of the
    gradient that goes through no step.  Several layers have a function each, and one that calls
    these.
    """
    if len(layers) == 1:
        source = _Source(*layers[0], cuts, weights)
        body = source.whole(name)
        return "\n".join([*_imports(source.called), *body]) + "\n"
    sources = [_Source(*layer, cuts, weights) for layer in layers]
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
    given += [f"{one}{i}" for i, s in numbered for one in s.read_names]
    lines = [f"def {name}({', '.join([*given, *sources[0].options])}):"]
    lines.append(f'{INDENT}"""∂L/∂W of each layer, in order; arguments as those of the layers."""')
    entry = "X"
    for i, s in numbered:
        own = [f"W{i}", *[f"u{i}"] * s.extra, entry, *[f"{state}{i}" for state in s.initial]]
        lines.append(f"{INDENT}Y{i}, back_{i} = layer_{i}({', '.join(own)})")
        entry = f"Y{i}"
    above = "0"
    for i, s in reversed(numbered):
        own = [above, *[f"{one}{i}" for one in s.read_names], *[o.split("=")[0] for o in s.options]]
        lines.append(f"{INDENT}dW{i}, dX{i} = back_{i}({', '.join(own)})")
        above = f"dX{i}"
    results = ", ".join([f"dW{i}" for i, _ in numbered])
    return [*lines, f"{INDENT}return {results}"]


class _Source:
    """The lines of one layer's function."""

    def __init__(
        self, structure: Structure, read: Collection[str], cuts: bool, weights: bool
    ) -> None:
        self.structure, self.model = structure, structure.model
        self.read = [key for key in structure.vectors if key in read]
        self.read_names = [f"d_{self.name(key)}" for key in self.read]
        self.called: set[str] = set()
        self.options = [*["d_W"] * weights, *["cuts=()"] * cuts]
        self.cuts, self.weights = cuts, weights
        self.initial = list(self.model.letters)
        self.extra = any(block.gate is None for block in structure.blocks)
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

    def _written(self, node: Any, top: bool = False, back: bool = False) -> str:
        if isinstance(node, float | int):
            return repr(float(node))
        if isinstance(node, Block):
            return self.block(node)
        if isinstance(node, Symbol):
            name = "x" if node.letter == "x" else f"{node.letter}_before" if back else node.letter
            if back:
                self.kept.add(name)
            return name
        if not top and (key := self.structure.keys.get(node)) is not None and not self._inside(key):
            if back:
                self.kept.add(self.name(key))
            return self.name(key)
        if node.dense:
            block, z = node.operands
            return f"{self._fit(self._written(z, back=back))} @ {self.block(block)}"
        if node.op.operator is add and (gate := self._whole(node)) is not None:
            return gate
        operands = [self._written(operand, back=back) for operand in node.operands]
        loose = node.op.operator is not None
        written = node.op.python.format(*[self._fit(o) if loose else o for o in operands])
        if f"{node.op.name}(" in node.op.python and TABLE.get(node.op.name) is node.op:
            self.called.add(node.op.name)
        return written

    @staticmethod
    def _fit(written: str) -> str:
        """In parentheses, unless it is a name or a call."""
        closed = written.isidentifier() or (written.endswith(")") and written.count("(") == 1)
        number = written.replace(".", "").isdigit()
        return written if (closed and not written.startswith("(")) or number else f"({written})"

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
        return f"z @ {self.matrix(str(gate))}" if len(own) == len(addends) else None

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
        if not isinstance(factor, Slope):
            return self._fit(self._written(factor, back=True))
        op, node = factor.of.op, factor.of
        if op.arrays_slope is not None and op.arity == 1:
            return self._fit(self._written(op.arrays_slope(node)[0], back=True))
        return self._fit(
            self._written(op.partials[factor.position](*node.operands, node), back=True)
        )

    def _term(self, term: Term) -> str:
        """The factors times δ, without the block."""
        parts = [self._slope(factor) for factor in term.factors]
        parts.append(f"δ_{self.delta(term.source)}")
        sign = "-" if term.coefficient < 0 else ""
        if abs(term.coefficient) != 1.0:
            parts.insert(0, repr(abs(term.coefficient)))
        return sign + " * ".join(parts)

    def delta(self, key: str) -> str:
        """What stands under δ: i for the sums of gate i, else the vector's name."""
        base, _, below = key.partition("_")
        inside = {slope_key for slope_key in self.structure.activations()}
        if base == "pi":
            return below or "π"
        used = {k.partition("_")[2] for k in inside if k.startswith("pi_")}
        return f"{key}_" if key in used else key.replace("'", "_")

    # --- lines ------------------------------------------------------------------------------------

    def _head(self) -> list[str]:
        gates = self.model.gates
        if len(gates) == 1:
            return []
        names = ", ".join([self.matrix(gate) for gate in gates])
        return [f"{names} = np.split(W, {len(gates)}, axis=1)"]

    def _column(self) -> str:
        parts = ["[1.0]"] * self.model.bias + list(self.model.letters[:1])
        parts += ["x"] * (self.model.inputs > 0)
        return f"z = np.concatenate([{', '.join(parts)}])" if len(parts) > 1 else f"z = {parts[0]}"

    def _forward(self) -> list[str]:
        """The body of the loop over the steps."""
        lines = []
        renamed = dict(zip(self.structure.states, self.model.letters, strict=True))
        for key, node in self.structure.vectors.items():
            if not self._inside(key):
                lines.append(f"{self.name(key)} = {self._written(node, top=True)}")
        for key, letter in renamed.items():
            if key != letter:
                lines.append(f"{letter} = {self.name(key)}")
        return lines

    def _back(self) -> list[str]:
        """The body of the loop back."""
        structure, lines = self.structure, []
        states = dict(zip(structure.states, self.model.letters, strict=True))
        for key in reversed(structure.vectors):
            parts = [f"from_{states[key]}"] if key in states else []
            for term in structure.terms:
                if term.target == key:
                    inner = self._term(term)
                    if term.block is not None:
                        inner = f"{self.block(term.block)} @ {self._fit(inner)}"
                    parts.append(inner)
            if key == structure.passed_up and self.above:
                parts.append("above[k]")
            if key in self.read:
                parts.append(f"d_{self.name(key)}[k]")
            lines.append(f"δ_{self.delta(key)} = {_sum(parts or ['0.0'])}")
        return lines

    above = False

    def _gradients(self) -> list[str]:
        """What a step adds."""
        structure, lines = self.structure, []
        sources = []
        for gate in self.model.gates:
            terms = [t for t in structure.terms if t.block is not None and t.block.gate == gate]
            plain = all(not t.factors and t.coefficient == 1.0 for t in terms)
            inner = any(isinstance(t.target, str) for t in terms)
            if len({t.source for t in terms}) != 1 or not plain or inner:
                break
            sources.append(f"δ_{self.delta(terms[0].source)}")
        else:
            self.kept.add("z")
            row = sources[0] if len(sources) == 1 else f"np.concatenate([{', '.join(sources)}])"
            return [f"dW += np.outer(z, {row})"]
        size = self.model.outputs
        for term in structure.terms:
            if term.block is None:
                continue
            row = self._term(term)
            if term.block.gate is None:
                lines.append(f"du += {row}")
                continue
            place = list(self.model.gates).index(term.block.gate)
            rows = self.block(term.block).partition("[")[2][:-1]
            target = f"dW[{rows}, {place * size}:{(place + 1) * size}]"
            if term.target is None:
                lines.append(f"{target} += {row}")
            else:
                z = structure.vectors.get(str(term.target), term.target)
                name = self._written(z, back=True)
                lines.append(f"{target} += np.outer({name}, {row})")
        return lines

    def _carried(self) -> list[str]:
        """What goes to the step before, and to the inputs."""
        lines = []
        for letter, state in self.structure.state.items():
            parts = self._parts_of(state)
            lines.append(f"from_{letter} = {_sum(parts or ['0.0'])}")
        if self.cuts and self.model.letters:
            lines.append("if k + 1 in cuts:")
            lines.append(
                INDENT + " = ".join([f"from_{one}" for one in self.model.letters]) + " = 0.0"
            )
        if self.above_inputs:
            lines.append(f"dX[k] = {_sum(self._parts_of(self.structure.x) or ['0.0'])}")
        return lines

    above_inputs = False

    def _parts_of(self, target: Symbol) -> list[str]:
        parts = []
        for term in self.structure.terms:
            if term.target is target:
                inner = self._term(term)
                if term.block is not None:
                    inner = f"{self.block(term.block)} @ {self._fit(inner)}"
                parts.append(inner)
        return parts

    def _body(self) -> tuple[list[str], list[str]]:
        """The two loops."""
        back = [*self._back(), *self._gradients(), *self._carried()]
        kept = sorted(self.kept)
        before = [one for one in self.model.letters if f"{one}_before" in kept]
        forward = [
            f"{', '.join([f'{one}_before' for one in before])} = {', '.join(before)}"
        ] * bool(before)
        if "z" in kept or any("z @" in line for line in self._forward()):
            forward.append(self._column())
        stored = ", ".join(kept) + ("," if len(kept) == 1 else "")
        forward += [*self._forward(), f"steps.append(({stored}))"]
        unpack = f"{stored} = steps[k]" if kept else ""
        loop = ["for k in reversed(range(len(X))):"]
        loop += [INDENT + line for line in (*([unpack] if unpack else []), *back)]
        return ["steps = []", "for x in X:", *[INDENT + line for line in forward]], loop

    def _zeros(self) -> list[str]:
        states = [f"from_{one}" for one in self.model.letters]
        first = "dW = np.array(d_W, dtype=float)" if self.weights else "dW = np.zeros(W.shape)"
        lines = [first, *["du = np.zeros(u.shape)"] * self.extra]
        return [*lines, *[" = ".join(states) + " = 0.0"] * bool(states)]

    def _given(self) -> list[str]:
        return ["W", *["u"] * self.extra, "X", *self.initial]

    def words(self, given: Sequence[str]) -> list[str]:
        """The docstring: the layout of each argument."""
        rows = ["1"] * self.model.bias + [one.upper() for one in self.model.letters[:1]]
        rows += ["X"] * (self.model.inputs > 0)
        columns = f", gates {', '.join(self.model.gates)}" if len(self.model.gates) > 1 else ""
        lines = [
            f'"""∂L/∂W{" and ∂L/∂u" if self.extra else ""}.  W has rows [{"; ".join(rows)}]{columns}.'
        ]
        starts = f"; {', '.join(self.initial)} start" if self.initial else ""
        lines += ["", f"X has a row per step{starts}; d_v[k] is ∂⁺L/∂v in step k.", '"""']
        return lines

    def whole(self, name: str) -> list[str]:
        """The function of a network of one layer."""
        forward, back = self._body()
        given = [*self._given(), *self.read_names, *self.options]
        result = "return dW, du" if self.extra else "return dW"
        body = [*self.words(given), *self._head(), *forward, *self._zeros(), *back, result]
        return [f"def {name}({', '.join(given)}):", *[(INDENT + line).rstrip() for line in body]]

    def chained(self, name: str) -> list[str]:
        """The function of a layer of several: its outputs, and a function that goes back."""
        self.above = self.above_inputs = True
        forward, back = self._body()
        up = self.name(self.structure.passed_up)
        forward.append(f"{INDENT}Y.append({up})")
        inner = [*self._zeros(), "dX = np.zeros(np.shape(X))", *back]
        result = "np.concatenate([dW.ravel(), du])" if self.extra else "dW"
        given = ", ".join(["above", *self.read_names, *self.options])
        if self.above:
            inner.insert(0, "above = np.broadcast_to(above, np.shape(Y))")
        body = [*self.words([]), *self._head(), "Y = []", *forward, f"def back({given}):"]
        body += [INDENT + line for line in (*inner, f"return {result}, dX")]
        body.append("return Y, back")
        head = f"def {name}({', '.join(self._given())}):"
        return [head, *[(INDENT + line).rstrip() for line in body]]


def _sum(parts: Sequence[str]) -> str:
    text = parts[0]
    for part in parts[1:]:
        text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
    return text
