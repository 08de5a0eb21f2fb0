"""Backpropagation through time by vectors: a record for pictures and derivations."""

import numpy as np
import pytest

from autograd_rnn import LSTM, RNN, Bidirectional, Stack, Value, copies, freeze, gradients
from autograd_rnn.graph.sweep import adjoints
from autograd_rnn.networks.bptt import backpropagate


def test_a_vector_has_its_numbers_its_delta_and_what_the_loss_reads_of_it() -> None:
    lstm = LSTM.random(2, 1, seed=3)
    run = lstm.unroll([[0.3], [-0.6], [0.9]])
    loss = (run.steps[-1].h[0] - 1) ** 2 + run.steps[0].h[1]
    (layer,) = backpropagate(loss, lstm, run)
    known = adjoints(loss)
    for letter in "ifgoch":
        vectors = [step.vectors[letter] for step in run.steps]
        assert layer.values[letter].tolist() == pytest.approx(
            np.array([[entry.data for entry in vector] for vector in vectors])
        )
        swept = np.array([[known.get(entry, 0.0) for entry in vector] for vector in vectors])
        assert layer.delta[letter] == pytest.approx(swept)
    assert layer.delta["pi_o"][:, 0] == pytest.approx(
        [known.get(step.pi[6], 0.0) for step in run.steps]
    )
    read = layer.direct["h"].tolist()
    assert read == [[0.0, 1.0], [0.0, 0.0], [2 * (run.steps[-1].h[0].data - 1), 0.0]]
    assert not layer.direct["c"].any()
    assert layer.slopes["pi_f"] == pytest.approx(layer.values["f"] * (1 - layer.values["f"]))
    assert layer.row_names() == ["1", "H₁", "H₂", "X"]
    assert layer.column_names() == ["i₁", "i₂", "f₁", "f₂", "g₁", "g₂", "o₁", "o₂"]


def test_a_term_is_a_column_times_a_row_and_they_add_up() -> None:
    rnn = RNN.random(3, 2, seed=1)
    run = rnn.unroll([[1, 0], [0, 1], [1, 1]])
    loss = (run.pi[0] - 1) ** 2
    (layer,) = backpropagate(loss, rnn, run)
    for column, row, term in zip(layer.operands(), layer.delta["pi"], layer.terms, strict=True):
        assert term == pytest.approx(np.outer(column, row))
    assert layer.terms.sum(0) == pytest.approx(layer.gradient)
    for i, j in np.ndindex(6, 3):
        per_step = [0.0, 0.0, 0.0]
        for copy in copies(rnn.weights[i][j], loss, run):
            per_step[(copy.step or 0) - 1] += copy.grad
        assert layer.terms[:, i, j] == pytest.approx(per_step)


def test_a_stack_has_a_layer_for_each_and_what_comes_from_above() -> None:
    model = Stack.random("GRU", 2, 1, 1, seed=4)
    run = model.unroll([[1.0], [0.5]], truncate=1)
    loss = sum([step.output**2 for step in run.steps], Value(0))
    gru, linear = backpropagate(loss, model, run)
    assert gru.cuts == {2}
    assert gru.above["h"] == pytest.approx(linear.delta["y"] @ np.array(
        [[w.data for w in row] for row in linear.model.weights[1:]]).T)  # fmt: skip
    assert [*gru.flat(), *linear.flat()] == pytest.approx(gradients(loss, model.parameters()))
    # Truncated, nothing comes from the later step: what is above is all.
    assert gru.delta["h"] == pytest.approx(gru.above["h"])


def test_nothing_is_added_to_a_frozen_weight() -> None:
    rnn = RNN.random(2, 1, seed=1)
    frozen = rnn.weights[1][0]
    freeze(frozen)
    run = rnn.unroll([[1], [2], [3]])
    loss = (run.pi[1] - 1) ** 2
    (layer,) = backpropagate(loss, rnn, run)
    assert layer.flat() == pytest.approx(gradients(loss, rnn.parameters()))
    assert not layer.terms[:, 1, 0].any()
    assert layer.terms[:, 1, 1].any()


def test_layers_side_by_side_are_refused() -> None:
    both = Bidirectional.random("RNN", 2, 1)
    run = both.unroll([[1], [2]])
    with pytest.raises(ValueError, match="layers side by side"):
        backpropagate(run.output[0], both, run)
