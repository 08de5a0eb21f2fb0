"""∂L/∂W by matrices: checked against `gradients`, the scalar form, and its own NumPy function."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Linear,
    MatrixDerivation,
    Model,
    Stack,
    Steps,
    Value,
    copies,
    derive,
    freeze,
    gradients,
    sigmoid,
    softmax,
    tanh,
)
from autograd_rnn.errors import GraphTooLarge
from autograd_rnn.networks.rnn import activations
from autograd_rnn.program.lines import places

MOST_LINES = 120
MOST_PLACES = 78
MOST_SOURCE_LINES = 30


class Minimal(Model, kind="MinimalForMatrices"):
    """A layer of one's own: a product inside of a sum, and sums that have no name."""

    gates = "fg"

    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
        (h,), (of_f, of_g) = state, weights
        f = [sigmoid(total) for total in self.sums(of_f, h + x)]
        kept = [a * b for a, b in zip(f, h, strict=True)]
        g = [tanh(total) for total in self.sums(of_g, (*kept, *x))]
        h = [(1 - a) * b + a * c for a, b, c in zip(f, h, g, strict=True)]
        return {"f": f, "g": g, "h": h}


class Mixing(Model, kind="MixingForMatrices"):
    """A layer whose states depend on one another element by element: no vectors."""

    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
        return {"h": softmax(self.sums(weights[0], state[0] + x))}


MODELS = {
    "rnn": lambda n, m, seed: RNN.random(n, m, seed=seed),
    "rnn without offset": lambda n, m, seed: RNN(
        [[weight.data for weight in row] for row in RNN.random(n, m, seed=seed).weights[1:]],
        bias=False,
    ),
    "lstm": lambda n, m, seed: LSTM.random(n, m, seed=seed),
    "gru": lambda n, m, seed: GRU.random(n, m, seed=seed),
    "own": lambda n, m, seed: Minimal.random(n, m, seed=seed),
    "stack of rnn": lambda n, m, seed: Stack.random("RNN", n, m, 1, layers=2, seed=seed),
    "stack of lstm": lambda n, m, seed: Stack.random("LSTM", n, m, 2, seed=seed),
    "stack of gru": lambda n, m, seed: Stack.random("GRU", n, m, 1, layers=2, seed=seed),
}  # fmt: skip


def entries(chance: np.random.Generator, length: int, inputs: int) -> list[list[float]]:
    return chance.normal(size=(length, inputs)).tolist()


def loss_of(run: Any, every: bool, direct: bool) -> Value:
    """Squared errors of the last step or of all, and what uses states and weights besides."""
    steps = run.steps if every else run.steps[-1:]
    loss = sum([(y - 0.5 * k) ** 2 for k, step in enumerate(steps) for y in step.entries], Value(0))
    return loss + run.q[0] * run.steps[0].q[-1] if direct else loss


def arrays(result: Any) -> np.ndarray:
    parts = result if isinstance(result, tuple) else (result,)
    return np.concatenate([np.ravel(part) for part in parts])


def ready(kind: str, n: int, m: int, length: int, seed: int, truncate: int | None) -> Any:
    model = MODELS[kind](n, m, seed)
    chance = np.random.default_rng(seed)
    if isinstance(model, GRU):
        for weight in model.parameters():
            weight.data = float(chance.normal())
    return model, model.unroll(entries(chance, length, model.inputs), truncate=truncate)


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
@settings(max_examples=10)
@given(data=st.data())
def test_every_form_has_the_gradient(kind: str, data: st.DataObject) -> None:
    n, m, length = [data.draw(st.integers(1, most)) for most in (3, 2, 5)]
    seed, truncate = data.draw(st.integers(0, 99)), data.draw(st.sampled_from([None, 1, 2]))
    model, run = ready(kind, n, m, length, seed, truncate)
    loss = loss_of(run, data.draw(st.booleans()), data.draw(st.booleans()))
    wanted = np.array(gradients(loss, model.parameters()))
    derivation = derive(loss, model, run=run)
    scale = max(1.0, np.abs(wanted).max())
    assert np.abs(np.array(derivation.value) - wanted).max() <= 1e-12 * scale
    # The terms of the steps are those of the copies.
    terms = derivation.terms
    for layer, own in enumerate(getattr(model, "layers", [model]), 1):
        i, j = data.draw(st.sampled_from([*np.ndindex(np.shape(own.weights))]))
        found = [0.0] * length
        for copy in copies(own.weights[i][j], loss, run):
            found[copy.step - 1] += copy.grad
        mine = [term.grad[i][j] for term in terms if term.layer == layer]
        assert mine == pytest.approx(found, rel=1e-9, abs=1e-12 * scale)
    # So has the NumPy function, which is short.
    source = derivation.numpy("pass_back")
    names: dict[str, Any] = {}
    exec(source, names)
    given_back = names["pass_back"](**derivation.arguments)
    assert np.abs(arrays(given_back) - wanted).max() <= 1e-12 * scale
    for function in source.split("\n\n\n")[1:]:
        assert len(function.splitlines()) <= MOST_SOURCE_LINES
    for line in derivation.text.splitlines():
        assert places(line) <= MOST_PLACES


@pytest.mark.parametrize("activation", sorted({*activations()} - {"stop_gradient"}))
def test_every_activation(activation: str) -> None:
    weights = [[0.6, 0.5], [0.05, -0.02], [0.02, 0.05], [0.3, 0.15]]
    model = RNN(weights, activation)
    run = model.unroll([[0.3], [0.2], [0.4]])
    loss = (run.pi[0] - 1) ** 2 + run.pi[1]
    wanted = gradients(loss, model.parameters())
    if not all(np.isfinite(wanted)):
        refused("no finite number or no finite slope", ValueError, loss, model, run=run)
        return
    derivation = derive(loss, model, run=run)
    assert derivation.value == pytest.approx(list(wanted), rel=1e-12, abs=1e-15)
    names: dict[str, Any] = {}
    exec(derivation.numpy(), names)
    found = arrays(names["backward"](**derivation.arguments))
    assert found.tolist() == pytest.approx(list(wanted), rel=1e-11, abs=1e-14)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_the_scalar_form_agrees(kind: str) -> None:
    model, run = ready(kind, 1, 1, 3, 4, None)
    loss = loss_of(run, False, False)
    by_matrices = derive(loss, model, run=run).value
    alone = [derive(loss, weight, run=run).value for weight in model.parameters()]
    assert by_matrices == pytest.approx(alone, rel=1e-12, abs=1e-15)


def test_the_lectures_exercise() -> None:
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    run = rnn.unroll([[1], [0], [1]])
    derivation = derive((15 - run.pi[0]) ** 2, rnn, run=run)
    assert derivation.value == [32.0, 68.0]
    assert [term.name for term in derivation.terms] == ["Ẇ", "Ẅ", "W⃛"]
    assert "δ⁽ᵏ⁾ = a′(π⁽ᵏ⁾) ∘ (W_Q δ⁽ᵏ⁺¹⁾) + ∂⁺L/∂π⁽ᵏ⁾" in derivation.text
    assert "∂L/∂W⁽ᵏ⁾ = [Q⁽ᵏ⁻¹⁾; X⁽ᵏ⁾] δ⁽ᵏ⁾ᵀ" in derivation.text
    assert "a′(π) = 0 if π ≤ 0, 1 if π > 0" in derivation.text
    assert repr(derivation) == "<MatrixDerivation: ∂L/∂W, 2 numbers>"


def test_a_loss_that_uses_weights_and_states_directly() -> None:
    rnn = RNN.random(2, 1, seed=2)
    run = rnn.unroll([[1], [-1]])
    decay = sum([weight * weight for weight in rnn.parameters()], Value(0))
    loss = (run.q[0] - 1) ** 2 + 0.1 * decay
    derivation = derive(loss, rnn, run=run)
    assert derivation.value == pytest.approx(gradients(loss, rnn.parameters()), rel=1e-12)
    assert "(W_Q δ⁽ᵏ⁺¹⁾ + ∂⁺L/∂Q⁽ᵏ⁾)" in derivation.text
    assert "∂⁺L/∂W" in derivation.text
    names: dict[str, Any] = {}
    exec(derivation.numpy(), names)
    found = arrays(names["backward"](**derivation.arguments))
    assert found == pytest.approx(np.array(derivation.value))


def test_a_loss_that_uses_the_offset_besides_the_weights_directly() -> None:
    gru = GRU.random(1, 1, seed=3)
    run = gru.unroll([[1], [0]])
    derivation = derive(run.q[0] + 0.5 * gru.parameters()[-1], gru, run=run)
    assert "The loss uses weights directly, too: ∂⁺L/∂W is added." in derivation.text
    rows = [line.split() for line in derivation.text.splitlines() if line.split()[:1] == ["u"]]
    *terms, total = [float(x.replace("−", "-")) for row in rows[1:] for x in row if x != "u"]
    assert 0.5 in terms
    assert sum(terms) == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize("kind", ["lstm", "gru", "stack of gru", "stack of rnn"])
def test_the_numpy_function_takes_direct_and_frozen_weights(kind: str) -> None:
    model, run = ready(kind, 2, 1, 3, 2, None)
    frozen = model.parameters()[1::3]
    freeze(*frozen)
    run = model.unroll([[1.0], [0.5], [-1.0]], truncate=2)
    decay = sum([weight * weight for weight in model.parameters()], Value(0))
    loss = loss_of(run, True, False) + 0.1 * decay
    derivation = derive(loss, model, run=run)
    names: dict[str, Any] = {}
    exec(derivation.numpy(), names)
    found = arrays(names["backward"](**derivation.arguments))
    wanted = np.array(gradients(loss, model.parameters()))
    assert np.abs(found - wanted).max() <= 1e-12 * np.abs(wanted).max()
    assert not found[1::3].any()
    for function in derivation.numpy().split("\n\n\n")[1:]:
        assert len(function.splitlines()) <= MOST_SOURCE_LINES
    assert derivation.value == pytest.approx(wanted.tolist(), rel=1e-12, abs=1e-14)


# --- what is printed ----------------------------------------------------------------------------


def pages() -> dict[str, MatrixDerivation]:
    found = {}
    for kind, n in (("rnn", 3), ("lstm", 2), ("gru", 2)):
        model, run = ready(kind, n, 1, 4, 1, None)
        found[kind] = derive(loss_of(run, False, False), model, run=run)
    return found


PAGES = pages()


@pytest.mark.parametrize("kind", PAGES)
def test_it_fits_on_a_page(kind: str) -> None:
    lines = PAGES[kind].text.splitlines()
    assert len(lines) <= MOST_LINES
    assert max(map(places, lines)) <= MOST_PLACES


def test_the_formulas_of_an_lstm_are_the_textbooks() -> None:
    text = PAGES["lstm"].text
    for line in (
        "π_*⁽ᵏ⁾ = b_* + U_*ᵀ H⁽ᵏ⁻¹⁾ + W_*ᵀ X⁽ᵏ⁾  for * = i, f, g, o",
        "C⁽ᵏ⁾ = f⁽ᵏ⁾ ∘ C⁽ᵏ⁻¹⁾ + i⁽ᵏ⁾ ∘ g⁽ᵏ⁾",
        "δ_C⁽ᵏ⁾ = f⁽ᵏ⁺¹⁾ ∘ δ_C⁽ᵏ⁺¹⁾ + o⁽ᵏ⁾ ∘ tanh′(C⁽ᵏ⁾) ∘ δ_H⁽ᵏ⁾",
        "δ_o⁽ᵏ⁾ = σ′(π_o⁽ᵏ⁾) ∘ tanh(C⁽ᵏ⁾) ∘ δ_H⁽ᵏ⁾",
        "∂L/∂[b_*⁽ᵏ⁾; U_*⁽ᵏ⁾; W_*⁽ᵏ⁾] = [1; H⁽ᵏ⁻¹⁾; X⁽ᵏ⁾] δ_*⁽ᵏ⁾ᵀ",
    ):
        assert line in text


def test_a_loss_is_written_out_as_people_do() -> None:
    rnn = RNN([[0.5], [1]], bias=False)
    run = rnn.unroll([[1], [2]])
    loss = sum([(q - 1) ** 2 for q in (run.steps[0].q[0], run.q[0])], Value(0)) + run.q[0] ** 2
    derivation = derive(loss, rnn, run=run)
    assert "L = (Q⁽¹⁾ − 1)² + (Q⁽²⁾ − 1)² + (Q⁽²⁾)² = " in derivation.text
    assert r" + \left(Q^{(2)}\right)^{2} = " in derivation.latex  # LaTeX refuses Q^{(2)}^{2}


def test_layers_are_told_apart_and_the_arrow_between_them_is_written() -> None:
    model, run = ready("stack of rnn", 2, 1, 3, 0, None)
    text = derive(loss_of(run, True, False), model, run=run).text
    assert "X²⁽ᵏ⁾ = Q¹⁽ᵏ⁾" in text
    assert "δ¹⁽ᵏ⁾ = a′(π¹⁽ᵏ⁾) ∘ (W¹_Q δ¹⁽ᵏ⁺¹⁾ + W²_X δ²⁽ᵏ⁾)" in text
    assert text.index("Layer 3, Linear", text.index("2. Back")) < text.index(
        "Layer 1, RNN", text.index("2. Back")
    )


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_a_term_that_is_0_here_stays_in_the_formulas(activation: str) -> None:
    rnn = RNN([[0.5], [0.0], [1.0]], activation=activation)
    for steps in (1, 5):
        run = rnn.unroll([[0.5]] * steps)
        # The target is met, and the weights that count are 0.
        loss = (1 - run.pi[0]) ** 2 + rnn.parameters()[1] ** 2 + run.q[0] * 0.0
        worked = derive(loss, rnn, run=run)
        assert worked.value == [0.0] * 3
        assert "+ ∂⁺L/∂π⁽ᵏ⁾" in worked.text
        assert "∂⁺L/∂W is added" in worked.text
        known: dict[str, Any] = {}
        exec(worked.numpy(), known)
        assert not known["backward"](**worked.arguments).any()
        assert {"d_W", "d_π"} <= worked.arguments.keys()
    alone = derive((1 - run.pi[0]) ** 2, rnn.parameters()[2], run=run).text
    assert re.search(r"δ⁽ᵏ⁺¹⁾ \+ ∂⁺L/∂π⁽ᵏ⁾", alone)
    assert "what would come after it is 0" in " ".join(alone.split())


def test_truncation_is_said() -> None:
    model, run = ready("rnn", 2, 1, 4, 0, 2)
    text = " ".join(derive(loss_of(run, True, False), model, run=run).text.split())
    assert "the state that step 3 takes counts as a constant" in text
    model, run = ready("rnn", 2, 1, 4, 0, 1)
    text = " ".join(derive(loss_of(run, True, False), model, run=run).text.split())
    assert "the states that steps 2, 3 and 4 take count as constants" in text


def test_the_numbers_of_the_table_are_those_of_the_layer() -> None:
    derivation = PAGES["rnn"]
    layer = derivation.rule.layers[0]
    shown = derivation.text.split("3. The numbers")[1].split("4. What")[0]
    rows = [line.split() for line in shown.splitlines() if re.search(r"\d\s", line)][-12:]
    numbers = [float(row[-1].replace("−", "-")) for row in rows]
    wanted = [x for step in reversed(layer.delta["pi"].tolist()) for x in step]
    assert numbers == pytest.approx(wanted, rel=1e-3, abs=1e-4)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "own", "stack of lstm"])
def test_latex_compiles_without_overfull_lines(kind: str, tmp_path: Path) -> None:
    model, run = ready(kind, 2, 1, 3, 1, 2)
    derivation = derive(loss_of(run, True, True), model, run=run)
    (tmp_path / "page.tex").write_text(derivation.tex, "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    over = [float(x) for x in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
    assert max(over, default=0.0) <= 5.0


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("kind", ["rnn", "lstm"])
def test_it_has_one_page_of_paper(kind: str, tmp_path: Path) -> None:
    PAGES[kind].save(tmp_path / "page.tex")
    command = ["pdflatex", "-interaction=nonstopmode", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert "page.pdf (1 page," in done.stdout


@pytest.mark.parametrize("kind", PAGES)
def test_html_and_markdown_have_all_sections(kind: str) -> None:
    derivation = PAGES[kind]
    for title in ("The network", "Backpropagation through time", "What each step adds"):
        assert title in derivation.html
        assert title in derivation.markdown
    assert derivation.html.count("<table") >= 6
    assert "<math" in derivation.html
    assert r"\begin{array}" in derivation.latex
    assert derivation._repr_markdown_() == derivation.markdown


# --- one state ----------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "tanh", "linear"])
@pytest.mark.parametrize("of_state", [False, True])
def test_from_five_steps_on_one_state_has_a_recursion(activation: str, of_state: bool) -> None:
    rnn = RNN([[0.1], [0.5], [1.0]], activation)
    run = rnn.unroll([[1], [0], [1], [1], [0], [1]])
    loss = ((run.q if of_state else run.pi)[0] - 2) ** 2
    for weight in rnn.parameters():
        text = derive(loss, weight, run=run).text.split("By recursion")[1]
        lines = text.split("The general formula")[0].rstrip().splitlines()[:-2]
        last = lines[-1].split()
        assert last[0] == "Σ"
        found = float(last[1].replace("−", "-"))
        assert found == pytest.approx(gradients(loss, [weight])[0], rel=1e-3)
        rows = [line.split() for line in lines if line.strip()[:1].isdigit()]
        assert [row[0] for row in rows] == ["6", "5", "4", "3", "2", "1"]
        terms = sum([float(row[-1].replace("−", "-")) for row in rows])
        assert terms == pytest.approx(found, rel=2e-3)
    formula = "δ⁽ᵏ⁾ = w₂·a′(π⁽ᵏ⁾)·δ⁽ᵏ⁺¹⁾ + ∂⁺L/∂π⁽ᵏ⁾"
    assert (formula in text) is (activation != "linear" and not of_state)


def test_others_have_no_recursion() -> None:
    short, wide = RNN.random(1, 1, seed=0), RNN.random(2, 1, seed=0)
    for model, length in ((short, 4), (wide, 5), (LSTM.random(1, 1), 5), (Mixing.random(1, 1), 5)):
        run = model.unroll([[1]] * length)
        loss = run.q[0] ** 2
        weight = next(w for w in model.parameters()[::-1] if copies(w, loss))
        assert "By recursion" not in derive(loss, weight, run=run).text


# --- what is refused ----------------------------------------------------------------------------


def refused(words: str, error: type[Exception], *given_: Any, **named: Any) -> None:
    with pytest.raises(error, match=words):
        derive(*given_, **named)


def test_what_is_refused() -> None:
    rnn, other = RNN.random(2, 1, seed=0), RNN.random(2, 1, seed=1)
    run = rnn.unroll([[1], [2]])
    loss = run.q[0] ** 2
    refused("run must be the model's own", ValueError, loss, rnn)
    refused("run must be the model's own", ValueError, loss, other, run=run)
    refused("run must be the unrolled model", TypeError, loss, rnn, run=Steps())
    refused("run has no steps", ValueError, loss, rnn, run=rnn.unroll([]))
    refused("output depends on no weight of model", ValueError, Value(2) * 3, rnn, run=run)
    refused("output must be a node", TypeError, 3, rnn, run=run)
    refused("through is for one weight", ValueError, loss, rnn, run=run, through=[run.q[0]])
    mixing = Mixing.random(2, 1, seed=0)
    mixed = mixing.unroll([[1], [2]])
    refused("is a Mixing, whose step .* so it is not written in vectors", ValueError,
            mixed.output[0] ** 2, mixing, run=mixed)  # fmt: skip
    long = rnn.unroll([[1]] * 200)
    refused("tables of 1200 rows, more than 400", GraphTooLarge, long.q[0] ** 2, rnn, run=long)
    with pytest.raises(ValueError, match="name must be an identifier"):
        derive(loss, rnn, run=run).numpy("no name")


def test_a_readout_alone() -> None:
    linear = Linear.random(2, 2, seed=0)
    run = linear.unroll([[1, 2], [3, 4]])
    loss = sum([y * y for step in run.steps for y in step.y], Value(0))
    derivation = derive(loss, linear, run=run)
    assert derivation.value == pytest.approx(gradients(loss, linear.parameters()), rel=1e-12)
    assert "δ_Y⁽ᵏ⁾ = ∂⁺L/∂Y⁽ᵏ⁾" in derivation.text


def shapes(rows: Sequence[Sequence[float]]) -> tuple[int, int]:
    return len(rows), len(rows[0])


def test_terms_have_the_shape_of_the_weights() -> None:
    for term in PAGES["lstm"].terms:
        assert shapes(term.grad) == (4, 8)
