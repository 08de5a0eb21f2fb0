"""The lecture's numbers, written out by hand and compared without tolerance."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    Adam,
    Linear,
    Stack,
    Value,
    bits,
    copies,
    counter,
    dna_family,
    fit,
    gradients,
    in_family,
    one_hot,
)

FAMILY = ["AGGTAACG", "GATAGGGATA"]
OTHERS = ["TATACCAGATTA", "GATTACAGATTACA"]


@pytest.fixture
def exercise() -> tuple[RNN, Value]:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    return rnn, (15 - rnn.unroll(bits("101")).pi[0]) ** 2


def test_panels_1_and_3_the_family_and_its_program() -> None:
    assert [in_family(sequence) for sequence in FAMILY] == [True, True]
    assert [in_family(sequence) for sequence in OTHERS] == [False, False]
    assert in_family("GGG")
    assert not in_family("GG")
    assert not in_family("")


PLACES = 12


def in_a_window(sequence: str) -> list[float]:
    """All letters at once, in a layer of so many places; empty ones are zeros."""
    entries = [entry for vector in one_hot(sequence) for entry in vector]
    return entries + [0.0] * (4 * PLACES - len(entries))


@given(st.text("ACGT", min_size=1, max_size=40) | st.text("AG", min_size=1, max_size=40))
@example("GATAGGGATA")
@example("A" * PLACES + "G")
@example("A" * 37 + "GGG")
def test_panel_2_an_input_layer_bounds_the_length_and_a_recurrent_one_does_not(text: str) -> None:
    sums = Linear([[-2.5], *[[float(base == "G")] for _ in range(PLACES) for base in "ACGT"]])
    if len(text) <= PLACES:
        assert (sums([in_a_window(text)]).data > 0) == in_family(text)
    else:
        with pytest.raises(ValueError, match=f"must have size 48, not {4 * len(text)}"):
            sums([in_a_window(text)])
    assert (counter()(one_hot(text))[-1].data > 0) == in_family(text)


def test_panel_2_what_has_learned_to_count_in_a_window_refuses_a_longer_sequence() -> None:
    data = dna_family().sample(300, range(6, PLACES + 1), seed=1)
    inputs = [[in_a_window(text)] for text in data.symbols]
    # An RNN that takes one step is a hidden layer.
    network = Stack.random("RNN", 4, 4 * PLACES, 1, seed=1)
    settings = {"loss": "binary_cross_entropy", "epochs": 8, "batch_size": 10, "engine": "numpy"}
    history = fit(network, (inputs, data.targets), optimiser=Adam(0.03), **settings)
    assert history.accuracy[-1] > 0.99
    assert (network([in_a_window("GATAGGGATA")]).data > 0) == in_family("GATAGGGATA")
    with pytest.raises(ValueError, match="must have size 48, not 80"):
        network([in_a_window("GATTACA" * 2 + "GATAGG")])


def test_panel_4_one_hot_vectors() -> None:
    assert one_hot("AGGTG") == [
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 0],
    ]


def test_panel_6_the_matrix() -> None:
    matrix = [[weight.data for weight in row] for row in counter().weights]
    assert matrix == [
        [0, -1, -1],  # 1
        [1, 1, 0],  # Q₁
        [0, 2, 1],  # Q₂
        [0, 0, 2],  # Q₃
        [0, 0, 0],  # A
        [0, 0, 0],  # C
        [1, 1, 1],  # G
        [0, 0, 0],  # T
    ]


def test_panels_5_and_6_the_network_gives_the_programs_verdicts() -> None:
    rnn = counter()
    for sequence in FAMILY + OTHERS:
        assert (rnn(one_hot(sequence))[-1].data > 0) == in_family(sequence)
    states = [[q.data for q in step.q] for step in rnn.unroll(one_hot("AGGTG")).steps]
    assert states == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1]]


def test_panel_6_needs_step_with_relu_two_gs_are_enough() -> None:
    matrix = [[weight.data for weight in row] for row in counter().weights]
    relu = RNN(matrix, activation="relu")
    assert [q.data for q in relu(one_hot("GG"))] == [2, 1, 0]
    assert [q.data for q in relu(one_hot("GGA"))] == [2, 3, 0]
    # Positive states keep growing: the third turns on without a third G.
    assert [q.data for q in relu(one_hot("GGAA"))] == [2, 7, 2]
    assert not in_family("GGAA")
    assert counter()(one_hot("GGAA"))[-1].data == 0


def test_panels_11_and_15_the_forward_pass(exercise: tuple[RNN, Value]) -> None:
    rnn, loss = exercise
    run = rnn.unroll(bits("101"))
    assert [q.data for q in run.state] == [0]
    assert [step.pi[0].data for step in run.steps] == [1, 4, 17]
    assert [step.q[0].data for step in run.steps[:2]] == [1, 4]
    assert [step.pi[0].name for step in run.steps] == ["π̇", "π̈", "π⃛"]
    assert loss.data == 4


def test_panels_12_to_16_the_copies(exercise: tuple[RNN, Value]) -> None:
    rnn, loss = exercise
    w1, w2 = rnn.parameters()
    first, second = copies(w1, loss), copies(w2, loss)
    assert [copy.name for copy in first] == ["ẇ₁", "ẅ₁", "w⃛₁"]
    assert [copy.grad for copy in first] == [0, 16, 16]
    assert [copy.partial for copy in first] == [0, 1, 4]  # q, q̇, q̈: panel 13
    assert [copy.grad for copy in second] == [64, 0, 4]
    assert [copy.data for copy in first + second] == [4, 4, 4, 1, 1, 1]


def test_panel_16_the_result(exercise: tuple[RNN, Value]) -> None:
    rnn, loss = exercise
    loss.backward()
    assert [weight.grad for weight in rnn.parameters()] == [32, 68]
    assert gradients(loss, rnn.parameters()) == (32, 68)
    # Panel 14, evaluated: -2 (y - π⃛) (q̈ + q̇·w₁ + q·w₁²), every a' being 1.
    assert -2 * (15 - 17) * (4 + 1 * 4 * 1 + 0 * 4**2 * 1 * 1) == 32
