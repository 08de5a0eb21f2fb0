"""A layer that reads both ways, beside two layers that are unrolled apart."""

import copy
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Bidirectional,
    Linear,
    Model,
    Stack,
    copies,
    draw,
    fit,
    gradients,
    load_model,
    play,
    squared_error,
)
from autograd_rnn.backends import Backend

from .models import KINDS, numbers

kinds = st.sampled_from(sorted(KINDS))


def layers(seed: int, first: str, second: str, inputs: int) -> tuple[Model, Model]:
    made = (
        KINDS[first].random(3, inputs, seed=seed),
        KINDS[second].random(2, inputs, seed=seed + 1),
    )
    chance = random.Random(seed)
    for layer in made:
        for weight in layer.parameters():
            weight.data += chance.uniform(-0.3, 0.3)
    return made


def sequences(seed: int, inputs: int, sizes: list[int]) -> list[Any]:
    chance = random.Random(seed)
    return [[[chance.uniform(-2, 2) for _ in range(inputs)] for _ in range(n)] for n in sizes]


def hidden(layer: Model, xs: Any) -> Any:
    """The states that the next layer reads, after a sequence."""
    return layer.unroll(xs).q[: layer.states]


@settings(max_examples=25)
@given(st.integers(0, 999), kinds, kinds, st.integers(1, 2), st.integers(1, 6))
def test_it_is_two_layers_of_which_one_reads_backward(
    seed: int, first: str, second: str, inputs: int, steps: int
) -> None:
    forward, backward = layers(seed, first, second, inputs)
    both, (xs,) = Bidirectional(forward, backward), sequences(seed, inputs, [steps])
    expected = [*hidden(forward, xs), *hidden(backward, xs[::-1])]
    run = both.unroll(xs)
    assert numbers(run.output) == numbers(expected)
    loss, twin = squared_error(run.output, [1.0] * 5), squared_error(expected, [1.0] * 5)
    assert gradients(loss, both.parameters()) == gradients(twin, both.parameters())
    # Before the last step neither has read everything.
    if steps > 1:
        early = [*hidden(forward, xs[:1]), *hidden(backward, xs[-1:])]
        assert numbers(run.steps[0].output) == numbers(early)
    # Each input is one Value, which two steps read.
    assert [*map(id, run.steps[0].x[:inputs])] == [*map(id, run.steps[-1].x[inputs:])]
    weight = backward.parameters()[-1]
    assert len(copies(weight, loss, run)) == steps


@pytest.mark.parametrize("engine", sorted(Backend.kinds))
def test_every_engine_reads_both_ways(engine: str, tmp_path: Path) -> None:
    for package in Backend.kinds[engine].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    for seed, (first, second) in enumerate([("LSTM", "GRU"), ("RNN", "RNN")]):
        forward, backward = layers(seed, first, second, 2)
        readout = Linear.random(5, 2, seed=3)
        model = Stack([Bidirectional(forward, backward), readout]).numbered()
        xs, ys = sequences(seed, 2, [4, 1, 7, 7, 2]), [[1, 0], [0, 1], [1, 1], [0, 0], [2, 1]]
        total = 0.0
        for x, y in zip(xs, ys, strict=True):
            read = (*hidden(forward, x), *hidden(backward, x[::-1]))
            total = squared_error(readout.unroll([read]).output, y) + total
        total = total / 5.0
        compiled = model.compile("squared_error", backend=engine)
        mean, slopes = compiled.loss_and_gradients(xs, ys)
        assert mean == pytest.approx(total.data, rel=1e-12)
        assert slopes == pytest.approx(
            [*gradients(total, model.parameters())], rel=1e-10, abs=1e-12
        )
        found: Any = compiled.predict(xs)
        for x, output in zip(xs, found, strict=True):
            assert output == pytest.approx(numbers(model.unroll(x).output), rel=1e-12)
        terms = compiled.gradients_per_step(xs, ys)
        assert [len(rows) for rows in terms] == [4, 1, 7, 7, 2]
        part = compiled.prepare(xs, ys).take([3, 1])
        expected = compiled.loss_and_gradients([xs[3], xs[1]], [ys[3], ys[1]])
        assert compiled.loss_and_gradients(part) == expected
        cut = model.compile("squared_error", backend=engine, truncate=2)
        run = model.unroll(xs[0], truncate=2)
        one = gradients(squared_error(run.output, ys[0]), model.parameters())
        found = cut.loss_and_gradients(xs[:1], ys[:1])[1]
        assert found == pytest.approx([*one], rel=1e-10, abs=1e-12)


def test_it_trains_saves_loads_and_resumes(tmp_path: Path) -> None:
    """The target is the first input, which the layer that reads backward has read last."""
    chance = random.Random(1)
    xs = [[[float(chance.randrange(2))] for _ in range(chance.randint(2, 6))] for _ in range(60)]
    ys = [x[0][0] for x in xs]
    path = tmp_path / "training.json"
    options: dict[str, Any] = {"loss": "squared_error", "batch_size": 10, "engine": "numpy"}

    def made() -> Stack:
        return Stack([Bidirectional.random("GRU", 4, 1, seed=1), Linear.random(8, 1, seed=1)])

    model, halves = made(), made()
    whole = fit(model, (xs, ys), optimiser=SGD(0.3, 0.9), epochs=10, **options)
    assert whole.loss[-1] < 0.3 * whole.loss[0]
    fit(halves, (xs, ys), optimiser=SGD(0.3, 0.9), epochs=4, checkpoint=path, **options)
    again = made()
    fit(again, (xs, ys), optimiser=SGD(0.3, 0.9), epochs=10, checkpoint=path, **options)
    assert numbers(again.parameters()) == numbers(model.parameters())
    for one in (model, model.layers[0]):
        loaded = load_model(one.save(tmp_path / "model.json"))
        assert (type(loaded), loaded.to_dict()) == (type(one), one.to_dict())
        assert numbers(loaded.unroll(xs[0]).steps[-1].q) == numbers(one.unroll(xs[0]).steps[-1].q)


def test_it_is_drawn_by_steps_and_by_values() -> None:
    both = Bidirectional.random("RNN", 2, 1, seed=1)
    run = both.unroll([[1.0], [2.0], [3.0]])
    loss = squared_error(run.output, [1.0] * 4)
    for detail in ("step", "scalar"):
        assert "<svg" in draw(loss, run=run, detail=detail).svg()
    assert [step.x[0].name for step in run.steps] == ["ẋ", "ẍ", "x⃛"]
    assert [step.x[1].name for step in run.steps] == ["x⃛", "ẍ", "ẋ"]
    assert run.steps[0].q[3].name == "q̇₄"
    assert "html" in play(loss, run=run).html


def test_beside_torch() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: no second opinion")
    theirs = torch.nn.GRU(2, 3, bidirectional=True).double()
    from autograd_rnn import from_torch

    weights = {name: tensor.detach() for name, tensor in theirs.state_dict().items()}
    forward = from_torch({n: w for n, w in weights.items() if "reverse" not in n})
    backward = from_torch(
        {n.removesuffix("_reverse"): w for n, w in weights.items() if "reverse" in n}
    )
    (xs,) = sequences(1, 2, [5])
    outputs, last = theirs(torch.tensor(xs, dtype=torch.float64)[:, None])
    found = numbers(Bidirectional(forward, backward).unroll(xs).output)
    assert found == pytest.approx(last.reshape(-1).tolist(), rel=1e-12)
    assert found[:3] == pytest.approx(outputs[-1, 0, :3].tolist(), rel=1e-12)
    assert found[3:] == pytest.approx(outputs[0, 0, 3:].tolist(), rel=1e-12)


def test_refusals() -> None:
    lstm, both = LSTM.random(2, 1), Bidirectional.random("LSTM", 2, 1)
    junk: Any
    for junk, words in [
        (lambda: Bidirectional(lstm, 3), "backward must be a layer with a state, such as an RNN"),
        (lambda: Bidirectional(Linear.random(1, 1), lstm), "forward must be a layer with a state"),
        (lambda: Bidirectional(lstm, both), "must be a layer with a state, .* not Bidirectional"),
        (lambda: Bidirectional(lstm, GRU.random(2, 3)), "forward has 1 and backward 3"),
        (lambda: Bidirectional(lstm, lstm), "forward and backward share weights"),
        (lambda: Bidirectional.random("Linear", 2, 1), "kind 'Linear' is unknown: choose one of"),
        (lambda: Stack([Linear.random(1, 1), both]), r"layers\[1\] cannot be Bidirectional"),
        (lambda: Stack([both, RNN.random(2, 4)]), r"layers\[1\] cannot be RNN: .* have no state"),
        (lambda: both.compile("squared_error", at="every"), "neither part has read the whole"),
        (
            lambda: both.compile("squared_error").predict([[1]], return_state=True),
            "state cannot be carried through a step that reads sequences both ways",
        ),
        (
            lambda: both.compile("squared_error").loss_and_gradients(
                [[1]], [[1] * 4], state=[[0] * 8]
            ),
            "state cannot be carried",
        ),
        (
            lambda: fit(
                *(both, ([[1, 2]], [[[1] * 4] * 2])),
                **{"loss": "squared_error", "optimiser": SGD(1), "epochs": 1, "batch_size": 1},
                **{"at": "every", "truncate": 1, "streams": True},
            ),
            "at='every' cannot be had both ways",
        ),
        (lambda: both.unroll([[1, 2]]), r"inputs\[0\] must have size 1, not 2"),
        (lambda: both.step((0.0,) * 8, (1.0,), (0.0,) * 64), "x must have size 2, not 1"),
        (lambda: both.advance((), (), ()), "forward and backward take the steps"),
        (
            lambda: both.compile("squared_error").predict([[[1, 2]]]),
            "vectors of size 1, as the model has",
        ),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            junk()
    assert Bidirectional(lstm, copy.deepcopy(lstm)).outputs == 4
