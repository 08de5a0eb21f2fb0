"""The matrix products of an affine group as LLVM, in tiles that stay in registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from .builder import Builder
from .layout import TILE, Layout, Weights, chunks, tiles

NUMBERS: Final = "%numbers"


def multiply(w: Builder, layout: Layout, g: int, vector: str, rows: str) -> None:
    """The rows of a group: its matrix times its vector, and its biases."""
    group, (origin, stride), (first, _) = layout.groups[g], layout.weights[g], layout.biases[g]
    biased = list(group.biased)
    all_biased = len(biased) == len(group.rows)

    def tile(start: str | int, width: int) -> None:
        sums = []
        for q in range(width):
            if all_biased:
                sums.append(w.broadcast(w.at(NUMBERS, start, "double"), first + q))
            elif isinstance(start, int) and start + q in biased:
                sums.append(w.broadcast(NUMBERS, first + biased.index(start + q)))
            else:
                sums.append(w.splat(-0.0))
        weights = w.at(w.at(NUMBERS, origin, "double"), start, "double")
        _product(w, (weights, stride, 1), vector, len(group.vector), sums, w.at(rows, start))

    each_tile(w, tiles(len(group.rows), TILE), tile, alike=all_biased or not biased)


def multiply_transposed(w: Builder, layout: Layout, g: int, slopes: str, target: str) -> None:
    """∂loss/∂v for the columns of a group that need it: its transpose times ∂loss/∂row."""
    columns, (origin, stride) = layout.columns[g], layout.weights[g]
    first, depth = (
        w.at(NUMBERS, origin + stride * columns.start, "double"),
        len(layout.groups[g].rows),
    )

    def tile(start: str | int, width: int) -> None:
        weights = w.at(first, w.times(start, stride), "double")
        _product(
            w, (weights, 1, stride), slopes, depth, [w.splat(-0.0)] * width, w.at(target, start)
        )

    each_tile(w, tiles(len(columns), TILE), tile)


def _product(
    w: Builder,
    weights: tuple[str, int, int],
    vector: str,
    depth: int,
    sums: Sequence[str],
    target: str,
) -> None:
    """The rows of a tile: the sums plus the products of its weights with the vector.

    The weights are given by the first one, how far apart columns are, and how far rows.
    """
    first, by_column, by_row = weights

    def inner(k: str, so_far: list[str]) -> list[str]:
        value, at = w.load(vector, k), w.at(first, w.times(k, by_column), "double")
        return [
            w.multiply_add(w.broadcast(at, q * by_row), value, so) for q, so in enumerate(so_far)
        ]

    for q, result in enumerate(w.loop(0, depth, 1, sums, inner) if depth else sums):
        w.store(result, target, q)


def add_picked(w: Builder, layout: Layout, g: int, symbols: str, rows: str) -> None:
    """Add to the rows of a group what the symbol of each lane picks from its tables."""
    for table in layout.tables[g]:
        entries = _entries(w, NUMBERS, table, symbols)

        def chunk(start: str | int, count: int, entries: list[str] = entries) -> None:
            found = [w.load_some(w.at(entry, start, "double"), count) for entry in entries]
            target = w.at(rows, start)
            for q, term in enumerate(w.transposed(found)[:count]):
                total = w.let(f"fadd {w.vector} {w.load(target, q)}, {term}")
                w.store(total, target, q)

        each_tile(w, chunks(len(layout.groups[g].rows), w.lanes), chunk)


def add_to_picked(w: Builder, layout: Layout, g: int, inputs: str, low: str, high: str) -> None:
    """Add to the gradients of the tables of a group its ∂loss/∂row over these steps."""

    def step(t: str) -> None:
        record = w.at("%tape", w.integer("mul", t, layout.size))
        slopes, symbols = w.at(record, layout.rows[g]), w.at(inputs, t)
        for table in layout.tables[g]:
            entries = _entries(w, w.at("%gradient", len(layout.direct)), table, symbols)

            def chunk(start: str | int, count: int, entries: list[str] = entries) -> None:
                own = w.at(slopes, start)
                found = [w.load(own, q) for q in range(count)]
                found += [w.splat(0.0)] * (w.lanes - count)
                # One after the other, since lanes may have one symbol.
                for entry, term in zip(entries, w.transposed(found), strict=True):
                    w.add_to_some(term, w.at(entry, start, "double"), count)

            each_tile(w, chunks(len(layout.groups[g].rows), w.lanes), chunk)

    if layout.tables[g]:
        w.repeat(low, high, 1, step)


def _entries(w: Builder, base: str, table: Weights, symbols: str) -> list[str]:
    """For each lane the pointer to what its symbol has in a table."""
    found, first = [], w.at(base, table.origin, "double")
    for lane in range(w.lanes):
        place = w.at(symbols, lane, "i64")
        symbol = w.let(f"load i64, ptr {place}, align 8")
        found.append(w.at(first, w.times(symbol, table.stride), "double"))
    return found


def add_outer_products(w: Builder, layout: Layout, g: int, low: str, high: str) -> None:
    """Add to the gradient of a group Σ ∂loss/∂row · v and Σ ∂loss/∂row over these steps."""
    group, (origin, stride), biased = (
        layout.groups[g],
        layout.weights[g],
        [*layout.groups[g].biased],
    )
    numbers = w.at("%gradient", len(layout.direct))
    gradient = w.at(numbers, origin, "double")

    def tile(row: str | int, rows: int, column: str | int, columns: int) -> None:
        def inner(t: str, so_far: list[str]) -> list[str]:
            record = w.at("%tape", w.integer("mul", t, layout.size))
            left = w.at(w.at(record, layout.rows[g]), row)
            right = w.at(w.at(record, layout.vectors[g]), column)
            slopes = [w.load(left, i) for i in range(rows)]
            values = [w.load(right, k) for k in range(columns)]
            pairs = [(slope, value) for value in values for slope in slopes]
            return [w.multiply_add(*pair, so) for pair, so in zip(pairs, so_far, strict=True)]

        sums = w.loop(low, high, 1, [w.splat(0.0)] * (rows * columns), inner)
        place = w.at(w.at(gradient, row, "double"), w.times(column, stride), "double")
        for k in range(columns):
            _add_sums(w, sums[k * rows : (k + 1) * rows], w.at(place, k * stride, "double"))

    def band(row: str | int, rows: int) -> None:
        # All sums of a tile have to stay in registers: of these there are 32 if vectors are wide.
        most = max(1, (16 if w.lanes == 8 else 8) // rows)
        columns = chunks(len(group.vector), min(most, TILE))
        each_tile(w, columns, lambda column, some: tile(row, rows, column, some))

    each_tile(w, chunks(len(group.rows), max(w.lanes, 4)), band)
    of_biases = w.at(numbers, layout.biases[g].origin, "double")

    def biases(start: str | int, count: int) -> None:
        def sums(t: str, so_far: list[str]) -> list[str]:
            record = w.at("%tape", w.integer("mul", t, layout.size))
            slopes = w.at(record, layout.rows[g])
            if isinstance(start, int):
                found = [w.load(slopes, j) for j in biased[start : start + count]]
            else:
                found = [w.load(w.at(slopes, start), j) for j in range(count)]
            return [w.let(f"fadd {w.vector} {a}, {b}") for a, b in zip(so_far, found, strict=True)]

        found = w.loop(low, high, 1, [w.splat(0.0)] * count, sums)
        _add_sums(w, found, w.at(of_biases, start, "double"))

    alike = len(biased) == len(group.rows)
    each_tile(w, chunks(len(biased), TILE), biases, alike=alike)


def _add_sums(w: Builder, vectors: Sequence[str], place: str) -> None:
    """Add the sum over the lanes of each vector to the numbers from a place on."""
    for start in range(0, len(vectors), w.lanes):
        some = vectors[start : start + w.lanes]
        w.add_to_some(w.sums(some), w.at(place, start, "double"), len(some))


def each_tile(
    w: Builder,
    found: Sequence[tuple[int, int]],
    tile: Callable[[str | int, int], None],
    *,
    alike: bool = True,
) -> None:
    """The tiles of one width that come first in a loop, if all are alike; the others one by one."""
    full = [start for start, width in found if width == found[0][1]]
    if alike and len(full) > 1:
        most = found[0][1]
        w.repeat(0, len(full) * most, most, lambda start: tile(start, most))
        found = found[len(full) :]
    for start, width in found:
        tile(start, width)
