"""Rows of numbers, one for each sequence, put in the lanes of a block, and back."""

from __future__ import annotations

from .builder import Builder
from .layout import chunks
from .products import each_tile


class Rows:
    """The rows of the sequences in the lanes of a block, by their places from 1; 0 is for none."""

    def __init__(self, builder: Builder, places: str) -> None:
        self.w, kind = builder, f"<{builder.lanes} x i64>"
        self.kind, self.places = kind, builder.load(places, kind=kind)
        self.there = builder.let(f"icmp ne {kind} {self.places}, zeroinitializer")

    def enter(self, rows: str, size: int, others: str, target: str) -> None:
        """Put rows of this size in lanes; in those without a sequence the lanes of `others`."""
        w, kind = self.w, self.kind
        first = w.spread(kind, "i64", "1")
        read = w.let(f"select {w.mask} {self.there}, {kind} {self.places}, {kind} {first}")
        starts = self._starts(rows, size, read, 1)

        def chunk(start: str | int, count: int) -> None:
            found = [w.load_some(w.at(place, start, "double"), count) for place in starts]
            other, own = w.at(others, start), w.at(target, start)
            for q, value in enumerate(w.transposed(found)[:count]):
                w.store(w.select(self.there, value, w.load(other, q)), own, q)

        each_tile(w, chunks(size, w.lanes), chunk)

    def leave(self, source: str, size: int, rows: str) -> None:
        """Put so many lanes in rows, of which that at place 0 may get anything."""
        w = self.w
        starts = self._starts(rows, size, self.places, 0)

        def chunk(start: str | int, count: int) -> None:
            own = w.at(source, start)
            found = [w.load(own, q) for q in range(count)]
            found += [w.splat(0.0)] * (w.lanes - count)
            for place, value in zip(starts, w.transposed(found), strict=True):
                w.store_some(value, w.at(place, start, "double"), count)

        each_tile(w, chunks(size, w.lanes), chunk)

    def _starts(self, rows: str, size: int, places: str, first: int) -> list[str]:
        """For each lane where its row of this size begins, of those from this first place on."""
        w, found = self.w, []
        for lane in range(w.lanes):
            place = w.let(f"extractelement {self.kind} {places}, i32 {lane}")
            found.append(w.at(rows, w.times(w.integer("sub", place, first), size), "double"))
        return found
