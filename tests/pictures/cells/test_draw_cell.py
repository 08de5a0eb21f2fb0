"""The cells of layers with gates, as their own step computes them."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from autograd_rnn import GRU, LSTM, RNN, Bidirectional, Linear, Stack, draw_cell, sigmoid
from autograd_rnn.networks.model import Model
from autograd_rnn.pictures.cells.operations import Operations

from ..exercise import texts


class Lagging(Model):
    letters, gates = "h", "zp"

    def advance(self, state: Any, x: Any, weights: Any) -> Mapping[str, Any]:
        (h,), (of_z, of_p) = state, weights
        z = [sigmoid(total) for total in self.sums(of_z, h + x)]
        pi = self.sums(of_p, h + x)
        mixed = [(1 - z) * h + z * p for z, h, p in zip(z, h, pi, strict=True)]
        return {"z": z, "pi": pi, "h": mixed}


class Peephole(LSTM):
    """Its output gate has a way of its own: the state is not squashed before it."""

    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, tuple[Any, ...]]:
        vectors = super().advance(state, x, weights)
        h = tuple([o * c for o, c in zip(vectors["o"], vectors["c"], strict=True)])
        return {**vectors, "h": h}


FORMULAS = {
    LSTM: [
        "iₖ = σ(W_i·[1; hₖ₋₁; xₖ])",
        "fₖ = σ(W_f·[1; hₖ₋₁; xₖ])",
        "gₖ = tanh(W_g·[1; hₖ₋₁; xₖ])",
        "oₖ = σ(W_o·[1; hₖ₋₁; xₖ])",
        "cₖ = fₖ·cₖ₋₁ + iₖ·gₖ",
        "hₖ = oₖ·tanh(cₖ)",
    ],
    GRU: [
        "mₖ = U_n·[1; hₖ₋₁]",
        "rₖ = σ(W_r·[1; hₖ₋₁; xₖ])",
        "zₖ = σ(W_z·[1; hₖ₋₁; xₖ])",
        "nₖ = tanh(W_n·[1; xₖ] + rₖ·mₖ)",
        "hₖ = (1 − zₖ)·nₖ + zₖ·hₖ₋₁",
    ],
    Lagging: ["zₖ = σ(W_z·[1; hₖ₋₁; xₖ])", "πₖ = W_p·[1; hₖ₋₁; xₖ]", "hₖ = (1 − zₖ)·hₖ₋₁ + zₖ·πₖ"],
}


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize(("states", "inputs"), [(1, 1), (3, 2)])
def test_the_formulas_are_those_of_the_step(kind: type[Model], states: int, inputs: int) -> None:
    model = kind.random(states, inputs)
    assert Operations(model).formulas() == FORMULAS[kind]
    read = "".join(texts(draw_cell(model).svg()))
    for formula in FORMULAS[kind]:
        assert formula.split(" = ")[0] in read


def test_a_step_of_ones_own_changes_the_picture() -> None:
    assert Operations(Peephole.random(2, 1)).formulas()[-1] == "hₖ = oₖ·cₖ"
    assert draw_cell(Peephole.random(2, 1)).dot != draw_cell(LSTM.random(2, 1)).dot


@pytest.mark.parametrize("kind", FORMULAS)
def test_no_operation_stands_on_another(kind: type[Model]) -> None:
    dot = draw_cell(kind.random(2, 1)).dot
    at = [
        (float(x), float(y))
        for x, y in re.findall(r'id=o\d+ [^\n]*?pos="([-\d.]+),([-\d.]+)"', dot)
    ]
    assert len(at) >= 5
    for index, (x, y) in enumerate(sorted(set(at))):
        for u, v in sorted(set(at))[:index]:
            assert abs(x - u) > 40 or abs(y - v) > 40


def test_every_sum_reads_what_the_step_reads() -> None:
    titles = draw_cell(GRU.random(2, 1)).titles.values()
    assert "hₖ₋₁ goes into U_n" in titles
    assert "xₖ goes into W_n" in titles
    assert "hₖ₋₁ goes into W_n" not in titles


def test_weights_are_only_read() -> None:
    lstm = LSTM.random(2, 1)
    before = [(weight.data, weight.grad, weight.name) for weight in lstm.parameters()]
    draw_cell(lstm)
    assert [(weight.data, weight.grad, weight.name) for weight in lstm.parameters()] == before


def test_refusals() -> None:
    stack = Stack.random("LSTM", 2, 1, 1)
    with pytest.raises(ValueError, match=r"several layers: .* draw_cell\(rnn.layers\[0\]\)"):
        draw_cell(stack)
    assert draw_cell(stack.layers[0]).summary == "One step of an LSTM: 2 states, 1 input"
    sides = Bidirectional.random("GRU", states=2, inputs=1)
    with pytest.raises(ValueError, match=r"two layers side by side: .* draw_cell\(rnn.forward\)"):
        draw_cell(sides)
    assert draw_cell(sides.forward).summary == "One step of a GRU: 2 states, 1 input"
    with pytest.raises(
        ValueError, match="keeps no state of its own from step to step, .* such as an LSTM"
    ):
        draw_cell(Linear.random(2, 1))
    with pytest.raises(TypeError, match="rnn must be a layer, such as an RNN or an LSTM, not int"):
        draw_cell(3)  # type: ignore[arg-type]
    assert draw_cell(RNN.random(2, 1), title="mine").summary.startswith("mine: ")


@pytest.mark.parametrize("layer", [LSTM, GRU])
def test_a_cell_with_gates_fits_on_a_slide(layer: type[Model]) -> None:
    assert not draw_cell(layer.random(2, 4), width="slide").pages
