"""Where everything lies: rows in tiles, and weights where they are or copied."""

import pytest

from autograd_rnn import Stack, compile_step
from autograd_rnn.backends.llvm.layout import NARROWEST, Layout, tiles
from autograd_rnn.backends.traced import trace_step

from .matrices import matrix


def test_tiles_cover_all_rows_in_order() -> None:
    for count in range(1, 40):
        found = tiles(count, 8)
        assert [start for start, _ in found] == [0, *[a + b for a, b in found][:-1]]
        assert sum(width for _, width in found) == count
        assert all(NARROWEST <= width < 8 + NARROWEST for _, width in found if count >= NARROWEST)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_no_weight_of_a_layer_is_copied(kind: str) -> None:
    model = Stack.random(kind, states=3, inputs=4, outputs=2, seed=1)
    compiled = model.compile("cross_entropy", backend="eager")
    for symbols in (False, True):
        traced = trace_step(compiled.objective, [0.0] * 4, [0.0], symbols=symbols)
        layout = Layout(traced, traced.groups, lanes=4, exact=False)
        assert (layout.copied, layout.direct) == ([], [])


def test_weights_by_rows_are_copied() -> None:
    step, weights = matrix(3, 5, by_rows=True)
    compiled = compile_step(step, "squared_error", weights, [0.0] * 3, backend="eager")
    traced = trace_step(compiled.objective, [0.0] * 2, [0.0] * 3)
    layout = Layout(traced, traced.groups, lanes=4, exact=False)
    assert [layout.copied[k] for k in range(3)] == [0, 5, 10]
