"""Where everything lies: rows in tiles."""

from autograd_rnn.backends.llvm.layout import tiles


def test_tiles_cover_all_rows_in_order() -> None:
    for count in range(1, 40):
        found = tiles(count, 8)
        assert [start for start, _ in found] == [0, *[a + b for a, b in found][:-1]]
        assert sum(width for _, width in found) == count
