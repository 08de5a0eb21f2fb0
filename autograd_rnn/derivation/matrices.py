"""The gradient ∂L/∂W by matrices: the recursion of δ, its numbers, and a term per step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ..arguments import many
from ..engine.value import Value
from ..errors import GraphTooLarge
from ..graph.notation import accent, label, number, write_number
from ..networks.bptt import Layer, backpropagate
from ..networks.model import Model
from ..networks.run import Unrolled
from ..program.displays import (
    STYLES,
    Beside,
    Grid,
    Lines,
    applied,
    bracketed,
    derivative,
    enclosed,
    equated,
    first_that_fits,
    in_a_line,
    symbol,
    transposed,
    written_out,
)
from ..program.formulas import ANY, Formula, Writer, for_any, primed, slope_in_words
from ..program.numpy_source import Given, backward_source
from ..program.structure import Block
from .document import Inline, Section, Sentence
from .expressions import Expression
from .naming import FROM_THE_LAST, truncated

MOST_ROWS: Final = 400  # of all tables
CHECKED: Final = "each number equals that of a sweep over the whole graph"
LONGEST_LOSS: Final = 60


class StepTerm(NamedTuple):
    """What a step adds to ∂L/∂W of a layer: a matrix of the shape of its weights."""

    name: str
    layer: int
    k: int
    grad: tuple[tuple[float, ...], ...]


class MatrixRule:
    """The sections of ∂L/∂W of a model, layer by layer, with its value and its terms."""

    def __init__(self, output: Value, model: Model, run: Unrolled) -> None:
        self.output, self.run = output, run
        self.layers = backpropagate(output, model, run)
        several = len(self.layers) > 1
        self.writers = [
            Writer(layer.structure, place if several else None)
            for place, layer in enumerate(self.layers, 1)
        ]
        self.ks = [step.k for step in run.steps]
        rows = sum(
            [len(self.ks) * (layer.model.outputs + len(layer.gradient)) for layer in self.layers]
        )
        if rows > MOST_ROWS:
            raise GraphTooLarge(
                f"the derivation would have tables of {rows} rows, more than {MOST_ROWS}: derive a "
                f"shorter run, or a smaller network."
            )
        for place, (writer, layer) in enumerate(zip(self.writers, self.layers, strict=True)):
            writer.read = layer.read.intersection(layer.direct)
            if place + 1 < len(self.layers):
                writer.above = tuple(self.writers[place + 1].into_x())
        self.value = [entry for layer in self.layers for entry in layer.flat()]
        self.title = "∂L/∂W"

    def source(self, name: str, *, starts: bool = False) -> str:
        """The backward pass as the source of a NumPy function, by the initial states if asked."""
        layers = [
            (writer.structure, Given(writer.read, list(self._options(layer))))
            for writer, layer in zip(self.writers, self.layers, strict=True)
        ]
        return backward_source(name, layers, cuts=bool(self.run.cuts), starts=starts)

    @staticmethod
    def _options(layer: Layer) -> dict[str, Any]:
        """What the function takes of a layer that has direct or frozen weights."""
        direct = {"W": layer.direct_weights, "u": layer.direct_extra}
        free = dict(zip(("free_W", "free_u"), layer.free, strict=True))
        return {
            **{f"d_{name}": array for name, array in direct.items() if name in layer.read},
            **{name: array for name, array in free.items() if not array.all()},
        }

    def arguments(self) -> dict[str, Any]:
        """What that function takes for this run, by name."""
        import numpy as np

        found: dict[str, Any] = {"X": self.layers[0].x.copy()}
        for place, (writer, layer) in enumerate(zip(self.writers, self.layers, strict=True), 1):
            end = str(place) if len(self.layers) > 1 else ""
            model = layer.model
            found[f"W{end}"] = np.array([[w.data for w in row] for row in model.weights])
            if layer.extra.size:
                found[f"u{end}"] = np.array(
                    [w.data for w in model.parameters()][-layer.extra.size :]
                )
            found |= {f"{letter}{end}": array[0] for letter, array in layer.before.items()}
            for key in writer.read:
                name = key.replace("pi", "π", 1) if key.startswith("pi") else key
                found[f"d_{name}{end}"] = layer.direct[key]
            found |= {f"{name}{end}": array for name, array in self._options(layer).items()}
        if self.run.cuts:
            found["cuts"] = self.run.cuts
        return found

    def terms(self) -> Iterator[StepTerm]:
        """What each step adds, the first layer first."""
        for place, layer in enumerate(self.layers, 1):
            for k, term in zip(self.ks, layer.terms, strict=True):
                rows = tuple([tuple(row) for row in term.tolist()])
                yield StepTerm(accent("W", k), place, k, rows)

    def sections(self) -> list[Section]:
        """The steps of the derivation; what goes back does so from the last layer down."""
        pairs = list(zip(self.writers, self.layers, strict=True))
        network: list[Any] = []
        forward: list[Any] = []
        for place, (writer, layer) in enumerate(pairs):
            network += [*self._title(place), *self._network(writer, layer, place)]
            forward += [*self._title(place), self._forward(writer, layer)]
        back: list[Any] = []
        tables: list[Any] = []
        added: list[Any] = []
        for place, (writer, layer) in reversed(list(enumerate(pairs))):
            back += [*self._title(place), *self._recursion(writer, layer, place)]
            tables += [*self._title(place), self._deltas(writer, layer)]
        for place, (writer, layer) in enumerate(pairs):
            added += [*self._title(place), *self._added(writer, layer)]
        if len(pairs) == 1:
            both = Sentence(f"Forward from the first step to the last, and back again; {CHECKED}:")
            numbers: list[Any] = [both, Beside(*forward, *tables)]
        else:
            back_words = f"And back, from the last layer down; {CHECKED}:"
            ahead = Sentence("Forward, from the first step to the last:")
            numbers = [ahead, *forward, Sentence(back_words), *tables]
        return [
            Section("The network", network),
            Section("Backpropagation through time", [self._copies(), *back]),
            Section("The numbers", numbers),
            Section("What each step adds, and the gradient", added),
        ]

    def _title(self, place: int) -> list[Any]:
        if len(self.layers) == 1:
            return []
        model = self.layers[place].model
        size = many(model.outputs, "state" if model.states else "output")
        return [Sentence(f"Layer {place + 1}, {type(model).__name__} of {size}:")]

    def _network(self, writer: Writer, layer: Layer, place: int) -> Iterator[Any]:
        lines = writer.definitions()
        if place:
            below = self.writers[place - 1]
            lines.insert(0, (writer.x(), below.named(below.structure.passed_up)))
        weights = [[weight.data for weight in row] for row in layer.model.weights]
        matrix = self._matrix(writer, layer, weights, writer.weights_alone())
        extra = layer.model.parameters()[layer.gradient.size :]
        if extra:
            lines.append((writer.extra(), bracketed([weight.data for weight in extra])))
        loss = [self._loss()] if place + 1 == len(self.layers) else []
        yield Beside(Lines(*lines), matrix, *loss)
        words = "The weights have a row for each entry of "
        told = self._slopes(writer, layer)
        where = ["with ", *_listed(told), ". "] if told else []
        parts: list[str | Expression] = []
        if writer.several:
            kinds = dict.fromkeys([block.rows for block in layer.structure.blocks if block.gate])
            rows = [writer.block(Block(ANY, one)) for one in kinds]
            parts = [f"; those of gate {ANY} are ", *_listed(rows)]
        yield Sentence(*where, words, Inline(writer.column()), *parts, ".")

    @staticmethod
    def _slopes(writer: Writer, layer: Layer) -> list[Formula]:
        """What the activations and their slopes are."""
        ops = dict.fromkeys(
            [s.of.op for s in layer.structure.activations().values()]
            + [f.of.op for t in layer.structure.terms for f in t.factors if hasattr(f, "of")]
        )
        told = []
        pi = Formula("π", r"\pi")
        for op in ops:
            if op.arity != 1:
                continue
            slope = slope_in_words(op, writer)
            if op is writer.a and op is not None:
                told.append(applied(writer.called(op), pi) + " = " + applied(op, pi))
            if slope is not None:
                told.append(primed(writer.called(op)) + enclosed(pi) + " = " + slope)
        return told

    def _matrix(
        self, writer: Writer, layer: Layer, numbers: Any, name: Formula, direct: str | None = None
    ) -> Grid:
        """A matrix of the shape of the weights, a row per operand; of several gates, transposed.

        It has these numbers, and the name, or the derivative by it, in its corner.
        """
        corner = transposed(name) if writer.several else name
        if direct is not None:
            corner = derivative(corner, *(("⁺", "^{+}") if direct else ()))
        if writer.several:
            rows = [
                [name.text, *map(number, row)]
                for name, row in zip(
                    map(symbol, layer.column_names()), zip(*numbers, strict=True), strict=True
                )
            ]
            head = [symbol(name) for name in layer.row_names()]
            return Grid([corner, *head], rows, 1)
        rows = [
            [name, *map(number, row)] for name, row in zip(layer.row_names(), numbers, strict=True)
        ]
        return Grid([corner, *map(symbol, layer.column_names())], rows, 1)

    def _outer(self, writer: Writer, layer: Layer, t: int) -> Grid:
        """What a step adds: the column of operands, the row of δ, and their product."""
        model = layer.model
        rows = [
            [name, number(operand), *map(number, row)]
            for name, operand, row in zip(
                layer.row_names(), layer.operands()[t], layer.terms[t], strict=True
            )
        ]
        source = layer.structure.source_of(model.gates[0])
        if source is not None:
            rows.insert(0, ["δ", "", *map(number, layer.delta[source][t].tolist())])
        corner = derivative(writer.copy(self.ks[t]))
        return Grid([corner, Formula("", ""), *map(symbol, layer.column_names())], rows, 2)

    def _loss(self) -> Lines:
        names: dict[Any, Formula] = {}
        for writer, layer in zip(self.writers, self.layers, strict=True):
            for key, entries in layer.nodes.items():
                for k, vector in zip(self.ks, entries, strict=True):
                    for j, node in enumerate(vector, 1):
                        names[node] = writer.entry(key, j, k)
        text, latex = [written_out(self.output, names, style) for style in STYLES]
        name = Formula("L", "L")
        value = Formula(*[write_number(self.output.data, style).text for style in STYLES])
        if text and len(text) <= LONGEST_LOSS:
            return Lines((name, Formula(text, latex), value))
        return Lines((name, value))

    def _forward(self, writer: Writer, layer: Layer) -> Grid:
        columns = [(writer.named(key, None), layer.values[key]) for key in layer.structure.vectors]
        sums = [key.startswith("pi_") for key in layer.structure.vectors]
        short = [column for column, is_sum in zip(columns, sums, strict=True) if not is_sum]
        return first_that_fits(self._by_step(layer, columns), self._by_step(layer, short))

    def _by_step(
        self, layer: Layer, columns: Sequence[tuple[Formula, Any]], back: bool = False
    ) -> Grid:
        """A row for each step and entry, with the entries of some vectors."""
        size = layer.model.outputs
        fixed = [Formula("k", "k"), *[Formula("j", "j")] * (size > 1)]
        rows = []
        order = list(enumerate(self.ks))
        for t, k in reversed(order) if back else order:
            for j in range(size):
                place = [str(k) if j == 0 else "", *[str(j + 1)] * (size > 1)]
                rows.append([*place, *[number(float(array[t][j])) for _, array in columns]])
        return Grid([*fixed, *[name for name, _ in columns]], rows, len(fixed))

    def _copies(self) -> Sentence:
        copied, sums = [], []
        for writer in self.writers:
            copies = [writer.copy(k) for k in self.ks]
            if len(copies) > 4:
                copies = [*copies[:2], Formula("…", r"\dots"), copies[-1]]
            copied.append(equated(*copies, writer.weights_alone()))
            part = derivative(writer.weights_alone(0))
            total = Formula(f"Σₖ {part.text}", rf"\sum_{{k}} {part.latex}")
            sums.append(derivative(writer.weights_alone()) + " = " + total)
        return Sentence(
            "Every step uses the same weights. Give each a copy of its own, ",
            *_listed(copied),
            ": the copies separate the weights from L, so their derivatives add up, ",
            *_listed(sums),
            ", and each is a column times a row.",
        )

    def _recursion(self, writer: Writer, layer: Layer, place: int) -> Iterator[Any]:
        lines = []
        for key in writer.shown():
            above = writer.above if key == layer.structure.passed_up else ()
            lines.append((writer.delta(key), writer.backward(key, above, key in writer.read)))
        shown = [key for key in writer.shown() if not key.startswith("pi_")]
        if len(shown) < len(writer.shown()):
            shown.append(f"pi_{ANY}")
        deltas = [writer.delta(key) + " = " + derivative(writer.named(key)) for key in shown]
        order = FROM_THE_LAST * bool(layer.model.letters)
        yield Sentence("With ", *_listed(deltas), order, ":")
        yield Beside(Lines(*lines), Lines(*_outer_products(writer)))
        if layer.model.letters:
            yield from truncated(self.run.cuts)
        if writer.above:
            yield Sentence(f"The terms with the weights of layer {place + 2} come down from there.")

    def _deltas(self, writer: Writer, layer: Layer) -> Grid:
        slopes = []
        for key, array in layer.slopes.items():
            name = primed(writer.called(layer.structure.activations()[key].of.op))
            slopes.append((name + enclosed(writer.named(key, None)), array))
        read = [key for key in layer.structure.vectors if key in writer.read]
        direct = [(writer.direct(key, None), layer.direct[key]) for key in read]
        shown = writer.shown()
        deltas = [(writer.delta(key, None), layer.delta[key]) for key in shown]
        others = [one for one, key in zip(deltas, shown, strict=True) if not key.startswith("pi_")]
        candidates = ([*slopes, *direct, *deltas], [*direct, *deltas], [*direct, *others])
        return first_that_fits(*[self._by_step(layer, one, back=True) for one in candidates])

    def _added(self, writer: Writer, layer: Layer) -> Iterator[Any]:
        """A table for each step, and their sum."""
        whole = writer.weights_alone()
        by_step = self._by_gates if writer.several else self._outer
        tables = [by_step(writer, layer, t) for t in range(len(self.ks))]
        if not layer.read.isdisjoint("Wu"):
            direct = layer.direct_weights, layer.direct_extra
            tables.append(self._ledger(writer, layer, direct, whole, "⁺"))
            added = Inline(derivative(whole, "⁺", "^{+}"))
            yield Sentence("The loss uses weights directly, too: ", added, " is added.")
        total = self._ledger(writer, layer, (layer.gradient, layer.extra), whole)
        yield Beside(*tables, total)
        if layer.extra.size and not writer.several:
            yield Lines((derivative(writer.extra()), bracketed(layer.extra.tolist())))

    def _by_gates(self, writer: Writer, layer: Layer, t: int) -> Grid:
        """Of several gates, what a step adds: a row for each column of the weights."""
        added = layer.terms[t], layer.extra_terms[t]
        return self._ledger(writer, layer, added, writer.copy(self.ks[t]))

    def _ledger(
        self, writer: Writer, layer: Layer, parts: Any, name: Formula, direct: str = ""
    ) -> Grid:
        """A part of the gradient; of several gates, with a row for each offset besides W."""
        weights, entries = parts
        table = self._matrix(writer, layer, weights, name, direct)
        if not writer.several:
            return table
        names = [label(f"u_{j}") if len(entries) > 1 else "u" for j in range(1, len(entries) + 1)]
        blank = [""] * (len(table.head) - 2)
        rows = [[name, number(x), *blank] for name, x in zip(names, entries, strict=True)]
        return Grid(table.head, [*table.numbers, *rows], table.fixed)


# --- words and names ------------------------------------------------------------------------------


def _listed(formulas: Sequence[Formula]) -> list[str | Expression]:
    """Formulas with commas between them."""
    parts: list[str | Expression] = []
    for formula in formulas:
        parts += [*([", "] if parts else []), Inline(formula)]
    return parts


def _outer_products(writer: Writer) -> Iterator[tuple[Formula, Formula]]:
    """∂L/∂W⁽ᵏ⁾ = [1; Q⁽ᵏ⁻¹⁾; X⁽ᵏ⁾] δ⁽ᵏ⁾ᵀ, by gates, and by blocks where these have other δ."""
    structure = writer.structure
    sources = {gate: structure.source_of(gate) for gate in structure.model.gates}
    alike = [gate for gate, source in sources.items() if source]
    if alike:
        gate, source, note = alike[0], str(sources[alike[0]]), Formula("", "")
        if writer.several:
            gate, source = ANY, f"pi_{ANY}"
            note = for_any(alike) if len(alike) < len(sources) else note
        delta = transposed(writer.delta(source))
        yield derivative(writer.weights(gate, 0)), writer.column() + " " + delta + note
    for term in structure.terms:
        if term.block is not None and term.block.gate not in alike:
            under, delta = writer.block(term.block, 0), writer.weighted(term)
            if term.target is not None:
                delta = writer.target(term.target) + " " + transposed(delta)
            part = derivative(under)
            yield Formula(part.text, in_a_line(part.latex)), delta
