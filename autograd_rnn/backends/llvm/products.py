"""The matrix products of an affine group as LLVM, in tiles that stay in registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .builder import Builder
from .layout import GRADIENT_ROWS, TILE, Layout, Places, filled, tiles


def find_run(numbers: Sequence[int], run: Sequence[int]) -> int | None:
    """The place at which the run begins in the numbers, or None.

    >>> find_run([5, 1, 2, 3], [1, 2])
    1
    """
    places = range(len(numbers) - len(run) + 1)
    return next((k for k in places if list(numbers[k : k + len(run)]) == list(run)), None)


def multiply(w: Builder, layout: Layout, g: int, vector: str, rows: str) -> None:
    """The rows of a group: its matrix times its vector, and its biases."""
    group = layout.groups[g]
    size, biases, biased = len(group.vector), layout.biases[g], list(group.biased)
    all_biased = len(biased) == len(group.rows)

    def tile(start: str | int, width: int) -> None:
        weights = _weights(w, layout.forward[g], start, size)
        sums = []
        for q in range(width):
            if all_biased:
                sums.append(w.broadcast("%packed", w.integer("add", start, biases + q)))
            elif isinstance(start, int) and start + q in biased:
                sums.append(w.broadcast("%packed", biases + biased.index(start + q)))
            else:
                sums.append(w.splat(-0.0))
        _product(w, weights, vector, size, sums, rows, start)

    _each_tile(w, len(group.rows), TILE, tile, alike=all_biased or not biased)


def multiply_transposed(w: Builder, layout: Layout, g: int, slopes: str, target: str) -> None:
    """∂loss/∂v for the columns of a group that need it: its transpose times ∂loss/∂row."""
    depth = len(layout.groups[g].rows)

    def tile(start: str | int, width: int) -> None:
        weights = _weights(w, layout.backward[g], start, depth)
        _product(w, weights, slopes, depth, [w.splat(-0.0)] * width, target, start)

    _each_tile(w, len(layout.columns[g]), TILE, tile)


def _weights(w: Builder, packed: int, start: str | int, depth: int) -> str:
    """The pointer to the weights of a tile."""
    if isinstance(start, int):
        return w.at("%packed", packed + start * depth, "double")
    at = w.integer("mul", start, depth)
    return w.at(w.at("%packed", packed, "double"), at, "double")


def _product(
    w: Builder,
    weights: str,
    vector: str,
    depth: int,
    sums: Sequence[str],
    target: str,
    start: str | int,
) -> None:
    """The rows of a tile: the sums plus the products of its weights with the vector."""
    width = len(sums)

    def inner(k: str, so_far: list[str]) -> list[str]:
        value = w.load(vector, k)
        at = w.at(weights, w.integer("mul", k, width), "double")
        return [w.multiply_add(w.broadcast(at, q), value, so_far[q]) for q in range(width)]

    for q, result in enumerate(w.loop(0, depth, 1, sums, inner) if depth else sums):
        w.store(result, w.at(target, start), q)


def add_picked(w: Builder, layout: Layout, g: int, symbols: str, rows: str) -> None:
    """Add to the rows of a group what the symbol of each lane picks from its tables."""
    size = filled(len(layout.groups[g].rows))
    for packed, _ in layout.tables[g]:
        entries = _entries(w, w.at("%packed", packed, "double"), symbols, size)

        def chunk(start: str | int, count: int, entries: list[str] = entries) -> None:
            found = [w.load_anywhere(w.at(entry, start, "double")) for entry in entries]
            target = w.at(rows, start)
            for q, term in enumerate(w.transposed(found)[:count]):
                total = w.let(f"fadd {w.vector} {w.load(target, q)}, {term}")
                w.store(total, target, q)

        _each_chunk(w, len(layout.groups[g].rows), chunk)


def add_to_picked(w: Builder, layout: Layout, g: int, inputs: str, low: str, high: str) -> None:
    """Add to the gradients of the tables of a group its ∂loss/∂row over these steps."""
    size = filled(len(layout.groups[g].rows))

    def step(t: str) -> None:
        record = w.at("%tape", w.integer("mul", t, layout.size))
        slopes, symbols = w.at(record, layout.slopes[g]), w.at(inputs, t)
        for _, picked in layout.tables[g]:
            base = w.at(w.at("%gradient", len(layout.direct)), picked, "double")
            entries = _entries(w, base, symbols, size)

            def chunk(start: str | int, count: int, entries: list[str] = entries) -> None:
                own = w.at(slopes, start)
                found = [w.load(own, q) for q in range(count)]
                found += [w.splat(0.0)] * (w.lanes - count)
                # One after the other, since lanes may have one symbol.
                for entry, term in zip(entries, w.transposed(found), strict=True):
                    place = w.at(entry, start, "double")
                    w.store(w.let(f"fadd {w.vector} {w.load(place)}, {term}"), place)

            _each_chunk(w, len(layout.groups[g].rows), chunk)

    if layout.tables[g]:
        w.repeat(low, high, 1, step)


def _entries(w: Builder, base: str, symbols: str, size: int) -> list[str]:
    """For each lane the pointer to what its symbol has in a table of so many rows."""
    found = []
    for lane in range(w.lanes):
        place = w.at(symbols, lane, "i64")
        symbol = w.let(f"load i64, ptr {place}, align 8")
        found.append(w.at(base, w.integer("mul", symbol, size), "double"))
    return found


def _each_chunk(w: Builder, rows: int, chunk: Callable[[str | int, int], None]) -> None:
    """As many rows at once as there are lanes, in a loop; then the rows that are left."""
    whole = rows - rows % w.lanes
    if whole:
        w.repeat(0, whole, w.lanes, lambda start: chunk(start, w.lanes))
    if whole < rows:
        chunk(whole, rows - whole)


def add_outer_products(w: Builder, layout: Layout, g: int, low: str, high: str) -> None:
    """Add to the gradient of a group Σ ∂loss/∂row · v and Σ ∂loss/∂row over these steps."""
    group, bands = layout.groups[g], layout.rows_of_bands(g)
    width, biased = len(group.vector), [*group.biased]
    gradient = w.at(w.at("%gradient", len(layout.direct)), layout.gradients[g], "double")

    def tile(row: str | int, rows: int, column: str | int, columns: int) -> None:
        def inner(t: str, so_far: list[str]) -> list[str]:
            record = w.at("%tape", w.integer("mul", t, layout.size))
            left = w.at(w.at(record, layout.slopes[g]), row)
            right = w.at(w.at(record, layout.vectors[g]), column)
            slopes = [w.load(left, i) for i in range(rows)]
            values = [w.load(right, k) for k in range(columns)]
            pairs = [(slope, value) for slope in slopes for value in values]
            return [w.multiply_add(*pair, so) for pair, so in zip(pairs, so_far, strict=True)]

        sums = w.loop(low, high, 1, [w.splat(0.0)] * (rows * columns), inner)
        place = w.at(gradient, _place(w, bands, row), "double")
        _add_sums(w, sums, w.at(place, _place(w, layout.bands(g, rows), column), "double"))

    def band(row: str | int, rows: int) -> None:
        most = layout.gradient_columns
        _each_tile(w, width, most, lambda column, some: tile(row, rows, column, some))

    _each_tile(w, len(group.rows), GRADIENT_ROWS, band)
    for start in range(0, len(biased), TILE):
        some = biased[start : start + TILE]

        def sums(t: str, so_far: list[str], some: list[int] = some) -> list[str]:
            record = w.at("%tape", w.integer("mul", t, layout.size))
            slopes = [w.load(record, layout.slopes[g] + j) for j in some]
            return [w.let(f"fadd {w.vector} {a}, {b}") for a, b in zip(so_far, slopes, strict=True)]

        found = w.loop(low, high, 1, [w.splat(0.0)] * len(some), sums)
        _add_sums(w, found, w.at(gradient, bands.size + start, "double"))


def _place(w: Builder, places: Places, start: str | int) -> str | int:
    return places[start] if isinstance(start, int) else w.integer("mul", start, places.each)


def _add_sums(w: Builder, vectors: Sequence[str], place: str) -> None:
    """Add the sum over the lanes of each vector to the numbers from a place on."""
    for start in range(0, len(vectors), w.lanes):
        at = w.at(place, start, "double")
        sums = w.sums(vectors[start : start + w.lanes])
        w.store(w.let(f"fadd {w.vector} {w.load(at)}, {sums}"), at)


def _each_tile(
    w: Builder, count: int, most: int, tile: Callable[[str | int, int], None], *, alike: bool = True
) -> None:
    """Full tiles in a loop, if all are alike, and the others one by one."""
    found = tiles(count, most)
    full = [start for start, width in found if width == most]
    if alike and len(full) > 1:
        w.repeat(0, len(full) * most, most, lambda start: tile(start, most))
        found = found[len(full) :]
    for start, width in found:
        tile(start, width)
