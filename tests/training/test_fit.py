"""Training: what it computes, how it ends, and what it refuses."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autograd_rnn import (
    RNN,
    SGD,
    Adam,
    Dataset,
    History,
    Loss,
    Stack,
    TrainingError,
    Value,
    binary_cross_entropy,
    bits,
    cross_entropy,
    evaluate,
    fit,
    freeze,
    unfreeze,
)
from autograd_rnn.backends import Backend, NumPy
from autograd_rnn.ops.losses import LOSSES
from autograd_rnn.training.batches import batches

from .trainings import loop, network, parity, weights

ENGINES = sorted(Backend.kinds)


@pytest.mark.parametrize("at", ["last", "every"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_numbers_of_a_loop_by_hand(engine: str, loss: str, at: str) -> None:
    for package in Backend.kinds[engine].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    states = 2 if loss == "cross_entropy" else 1
    sequences, targets = parity(7, at=at)
    model, twin = network(states), network(states)
    history = fit(
        *(model, (sequences, targets)),
        **{"loss": loss, "optimiser": SGD(0.3, 0.5), "epochs": 3, "batch_size": 3, "seed": 5},
        **{"engine": engine, "at": at, "validation": (sequences[:2], targets[:2])},
    )
    optimiser, losses, means = SGD(0.3, 0.5), [], []
    for epoch in range(3):
        total = 0.0
        for places in batches(7, 3, seed=5, epoch=epoch):
            value, sums = loop(
                [sequences[p] for p in places], [targets[p] for p in places], loss, at, twin
            )
            total += value * len(places)
            optimiser.step(twin.parameters(), sums)
        losses.append(total / 7)
        means.append(loop(sequences[:2], targets[:2], loss, at, twin)[0])
    if engine in ("eager", "python"):
        assert weights(model) == weights(twin)
        assert (history.loss, history.validation_loss) == (losses, means)
    assert weights(model) == pytest.approx(weights(twin), rel=1e-11)
    assert history.loss == pytest.approx(losses, rel=1e-11)
    assert history.validation_loss == pytest.approx(means, rel=1e-11)
    assert (
        len(history.accuracy) == len(history.validation_accuracy) == 3 * (loss != "squared_error")
    )


def test_accuracies_by_hand() -> None:
    """A linear network of one weight on its input, which is not moved: π = x."""
    still = SGD(5e-324)
    for loss, outputs, inputs, targets, share in [
        (binary_cross_entropy, 1, [2.0, -1.0, 0.5, 0.0], [1, 0, 0, 1], 2 / 4),
        (cross_entropy, 2, [2.0, -1.0, 0.5], [[1, 0], [1, 0], [0.25, 0.75]], 1 / 3),
    ]:
        rows = [[0.0] * outputs for _ in range(outputs)] + [[1.0, -1.0][:outputs]]
        model = RNN(rows, "linear", bias=False)
        history = fit(
            *(model, ([[x] for x in inputs], targets)),
            **{"loss": loss, "optimiser": still, "epochs": 1, "batch_size": 2},
            **{"validation": ([[2.0], [-1.0]], targets[:2]), "engine": "python"},
        )
        assert history.accuracy == [share]
        assert history.validation_accuracy == [1.0 if outputs == 1 else 0.5]
    # Per step: 5 outputs of two sequences, not the mean of two means.
    history = fit(
        *(RNN([[0.0], [1.0]], "linear", bias=False), ([[1, 1, 1, -1], [1]], [[1, 1, 1, 1], [0]])),
        **{"loss": "binary_cross_entropy", "optimiser": still, "epochs": 1, "batch_size": 1},
        **{"at": "every", "engine": "python"},
    )
    assert history.accuracy == [3 / 5]


def test_it_learns_parity_of_two_bits_and_one_sequence_is_enough() -> None:
    strings = ["000", "010", "100", "110"]
    model = network(3, seed=5)
    history = fit(
        *(model, ([bits(s) for s in strings], [0, 1, 1, 0])),
        **{"loss": cross_entropy, "optimiser": Adam(0.05), "epochs": 150, "batch_size": 4},
        engine="python",
    )
    assert history.accuracy[-1] == 1.0
    assert history.loss[-1] < 0.1 < history.loss[0]
    one = fit(
        *(network(), SimpleNamespace(sequences=[bits("1")], targets=[0.5])),
        **{"loss": "squared_error", "optimiser": SGD(0.1), "epochs": 30, "batch_size": 9},
        engine="eager",
    )
    assert one.loss[-1] < 1e-3 * one.loss[0]


def test_a_loss_of_ones_own_and_numpys_arrays() -> None:
    np = pytest.importorskip("numpy")
    sequences, targets = parity(5)
    arguments = {"optimiser": SGD(0.1), "epochs": 2, "batch_size": 2, "engine": "python"}
    models = [network(), network()]

    def half(output: Value, target: Value) -> Value:
        return (output - target) ** 2 / 2

    plain = fit(models[0], (sequences, targets), loss=half, **arguments)
    arrays = ([np.array(s) for s in sequences], np.array(targets))
    assert fit(models[1], arrays, loss=half, **arguments).loss == plain.loss
    assert weights(models[0]) == weights(models[1])
    assert plain.accuracy == []


def test_patience_puts_the_best_weights_back() -> None:
    """Training to 1 from 0 moves away from the validation target, 0.25, once it was passed."""
    data, validation = ([[1]], [1.0]), ([[1]], [0.25])
    model = RNN([[0.0], [0.0]], "linear", bias=False)
    arguments = {"loss": "squared_error", "optimiser": SGD(0.05), "batch_size": 1}
    history = fit(
        model, data, validation=validation, epochs=99, patience=4, engine="python", **arguments
    )
    best = min(range(len(history)), key=history.validation_loss.__getitem__)
    assert len(history) == best + 1 + 4
    compiled = model.compile("squared_error", backend="python")
    assert compiled.loss_and_gradients(*validation)[0] == history.validation_loss[best]
    # Not stopped, because the epochs were over first: the best are put back all the same.
    twin = RNN([[0.0], [0.0]], "linear", bias=False)
    arguments["optimiser"] = SGD(0.05)
    fit(
        twin, data, validation=validation, epochs=best + 2, patience=4, engine="python", **arguments
    )
    assert weights(twin) == weights(model)


def test_refusals() -> None:
    good: dict[str, Any] = {
        "loss": "squared_error",
        "optimiser": SGD(0.1),
        "epochs": 1,
        "batch_size": 1,
    }

    def attempt(
        data: Any = ([[1]], [1]), model: Any = None, **changed: Any
    ) -> Callable[[], History]:
        return lambda: fit(
            model or network(2 if "two" in changed else 1),
            data,
            **{**good, **{k: v for k, v in changed.items() if k != "two"}},
        )

    classes = {"two": True, "loss": "cross_entropy"}
    for words, call in [
        (r"there are 0 and 0", attempt(([], []))),
        (
            r"data must have as many sequences as targets, .* there are 1 and 2",
            attempt(([[1]], [1, 2])),
        ),
        (r"data: sequences\[1\] is empty", attempt(([[1], []], [1, 2]))),
        (
            r"data: sequences\[0\]\[1\] has 2 entries, but the model has 1 input\.",
            attempt(([[1, [1, 2]]], [1])),
        ),
        (r"data: sequences\[0\]\[0\] must be a real number, not str", attempt(([["1"]], [1]))),
        (r"data: sequences\[0\] must be a list, not str", attempt((["101"], [1]))),
        (
            r"data must be a pair \(sequences, targets\), or have both as attributes, not int",
            attempt(7),
        ),
        (
            r"data: targets\[0\] has 2 entries, but the model has 1 output\.",
            attempt(([[1]], [[1, 2]])),
        ),
        (
            r"data: targets\[1\] is not like the targets before: the sizes \[1, 2\] are mixed",
            attempt(([[1], [1]], [1, [1, 0]]), **classes),
        ),
        (r"validation: sequences\[0\] is empty", attempt(validation=([[]], [1]))),
        (
            r"targets\[1\] must be from 0 to 1 .*, not 2.0",
            attempt(([[1], [1]], [1, 2]), loss="binary_cross_entropy"),
        ),
        (
            r"targets\[0\] must be the number of a class from 0 to 1 .*, not 2.0",
            attempt(([[1]], [2]), **classes),
        ),
        (
            r"targets\[0\] must be the number of a class from 0 to 1 .*, not 0.5",
            attempt(([[1]], [0.5]), **classes),
        ),
        (
            r"targets\[0\] has 3 entries, but the model has 2 outputs",
            attempt(([[1]], [[1, 0, 0]]), **classes),
        ),
        (r"targets\[0\] has 1 entries for 2 steps", attempt(([[1, 0]], [[1]]), at="every")),
        (
            r"targets\[0\]\[1\] must be from 0 to 1",
            attempt(([[1, 0]], [[1, 3]]), at="every", loss="binary_cross_entropy"),
        ),
        (r"targets\[0\] must be a list, not int", attempt(at="every")),
        (r"epochs must be 1 or more, not 0", attempt(epochs=0)),
        (r"batch_size must be 1 or more, not 0", attempt(batch_size=0)),
        (r"threads must be 1 or more", attempt(threads=0)),
        (r"patience must be 1 or more", attempt(patience=0)),
        (r"patience needs validation data", attempt(patience=1)),
        (
            r"loss 'mse' is unknown: choose one of squared_error, binary_cross_entropy",
            attempt(loss="mse"),
        ),
        (r"engine 'gpu' is unknown: choose one of auto, eager", attempt(engine="gpu")),
        (r"at 'first' is unknown", attempt(at="first")),
        (r"optimiser must be an Optimiser, such as Adam\(\), not str", attempt(optimiser="adam")),
        (r"model must have inputs, .*: int has no inputs", attempt(model=5)),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            call()
    assert math.isfinite(attempt(([[1]], [1]))().loss[0])


@pytest.mark.parametrize("count", [2, 4])
def test_a_model_that_tells_of_other_weights_than_it_compiles_is_refused(count: int) -> None:
    own = network(1)
    listed = [*own.parameters(), Value(1.0)][:count]
    model = SimpleNamespace(
        inputs=own.inputs, outputs=own.outputs, parameters=lambda: listed, compile=own.compile
    )
    words = rf"gives {count} Values, but model.compile\(\) a step of 3 parameters: give all"
    with pytest.raises(ValueError, match=words):
        trained([[1.0, 0.0]], [[1.0]], model)


@pytest.mark.parametrize("engine", ENGINES)
def test_frozen_weights_stay_and_have_no_gradient(engine: str) -> None:
    """Also for a step that was compiled before, or one for which they are variables again."""
    for package in Backend.kinds[engine].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    sequences, targets = parity(6, at="last")
    model = network(1)
    leaves, places = model.parameters(), [0, 2]
    optimiser = SGD(0.3, 0.9, clip_norm=0.5)
    settings: dict[str, Any] = {"loss": "squared_error", "optimiser": optimiser, "batch_size": 4}
    compiled = model.compile("squared_error", backend=engine)
    first = compiled.loss_and_gradients(sequences, targets)[1]
    fit(model, (sequences, targets), epochs=1, engine=engine, **settings)
    freeze(*[leaves[place] for place in places])
    before = weights(model)
    slopes = compiled.loss_and_gradients(sequences, targets)[1]
    later = model.compile("squared_error", backend=engine)
    assert later.loss_and_gradients(sequences, targets)[1] == slopes
    terms = compiled.gradients_per_step(sequences, targets)
    for place in range(len(leaves)):
        assert (slopes[place] == 0.0) == (place in places)
        assert any(row[place] for rows in terms for row in rows) == (place not in places)
    # The velocity of the epoch before does not move them.
    fit(model, (sequences, targets), epochs=2, engine=engine, **settings)
    optimiser.step(leaves)
    moved = [place for place, number in enumerate(weights(model)) if number != before[place]]
    assert moved == [place for place in range(len(leaves)) if place not in places]
    unfreeze(*[leaves[place] for place in places])
    for one in (compiled, later):
        slopes = one.loss_and_gradients(sequences, targets)[1]
        assert all(slopes)
        assert slopes != first


def test_a_step_leaves_constants_where_they_are() -> None:
    w, v = Value(1.0), Value(2.0)
    freeze(v)
    SGD(0.5).step([w, v], [1.0, 1.0])
    assert (w.data, v.data) == (0.5, 2.0)


# --- numbers that are not finite, and other forms of data ----------------------------------------


def trained(sequences: Any, targets: Any, model: Any = None, **options: Any) -> list[float]:
    given: dict[str, Any] = {"loss": "squared_error", "optimiser": SGD(0.01), "epochs": 2}
    given |= {"batch_size": 2, "engine": "python", "progress": False, **options}
    model = RNN([[0.5]] * 3) if model is None else model
    return fit(model, (sequences, targets), **given).loss


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_named_by_its_place(number: float) -> None:
    wide = RNN([[0.5] * 2] * 5)  # two inputs, two outputs
    cases: list[tuple[Any, Any, Any, str, str]] = [
        (None, [[1, 2], [1, 2, number]], [1, 0], "last", r"sequences\[1\]\[2\]"),
        (
            wide,
            [[[1, 2]], [[1, 2], [3, number]]],
            [[1, 0]] * 2,
            "last",
            r"sequences\[1\]\[1\]\[1\]",
        ),
        (None, [[1, 2], [1, 2]], [1, number], "last", r"targets\[1\]"),
        (wide, [[[1, 2]]] * 2, [[1, 0], [number, 1]], "last", r"targets\[1\]\[0\]"),
        (None, [[1, 2], [1, 2]], [[1, 0], [number, 1]], "every", r"targets\[1\]\[0\]"),
        (wide, [[[1, 2]] * 2], [[[1, 0], [1, number]]], "every", r"targets\[0\]\[1\]\[1\]"),
    ]
    for model, sequences, targets, at, place in cases:
        with pytest.raises(ValueError, match=rf"data: {place} is {number!r}, from which nothing"):
            trained(sequences, targets, model, at=at)
        good = ([[0.5] * len(sequences[0])], [0]) if model is None else ([[[1, 2]]], [[1, 0]])
        if at == "last":
            with pytest.raises(ValueError, match=rf"validation: {place} is {number!r}"):
                trained(*good, model, validation=(sequences, targets))


def test_a_weight_that_is_not_finite_and_numbers_that_are_too_large() -> None:
    with pytest.raises(
        ValueError, match=r"model.parameters\(\)\[1\] \(w_2\) is nan: a training st"
    ):
        trained([[1]], [1], RNN([[0.5], [math.nan], [1.0]]))
    # Before any step the learning rate is not to blame.
    with pytest.raises(TrainingError, match=r"No weight has moved yet: scale the numbers"):
        trained([[1e300]], [1e300])


def test_generators_are_refused() -> None:
    with pytest.raises(TypeError, match=r"data: sequences must be a list, not generator.*list\("):
        trained(([k] for k in range(2)), [1, 0])
    with pytest.raises(TypeError, match="data: targets must be a list, not list_iterator"):
        trained([[1], [2]], iter([1, 0]))
    with pytest.raises(
        TypeError, match=r"sequences\[1\] must be a list, not generator: write list"
    ):
        trained([[1], (k for k in range(2))], [1, 0])


class Tensor:
    """As a tensor of another package: rows, `tolist`, and no way into NumPy."""

    def __init__(self, numbers: Any) -> None:
        self.numbers, self.ndim = numbers, np.ndim(numbers)

    def tolist(self) -> Any:
        return self.numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Any:
        return iter([Tensor(row) for row in self.numbers])

    def __array__(self, *given: Any, **options: Any) -> Any:
        raise RuntimeError("cannot be an array")


@pytest.mark.parametrize("form", [np.array, Tensor])
def test_arrays_and_tensors_are_data(form: Any) -> None:
    sequences, targets = [[[1.0], [0.5]], [[0.25], [2.0]]], [1.0, 0.5]
    wanted = trained(sequences, targets)
    for given in (form(sequences), [form(sequence) for sequence in sequences]):
        for goals in (form(targets), [form(target) for target in targets]):
            assert trained(given, goals) == wanted
            assert Dataset(given, goals).targets == (1.0, 0.5)
        assert Dataset(given, targets).sequences == Dataset(sequences, targets).sequences
    by_step = [[form(vector) for vector in sequence] for sequence in sequences]
    numbers = [[form(vector[0]) for vector in sequence] for sequence in sequences]
    for entries in (by_step, numbers):
        assert Dataset(entries, targets).sequences == Dataset(sequences, targets).sequences
    assert Dataset(sequences, form([[0, 1], [2, 0]]), classes=3).targets == ((0, 1), (2, 0))
    compiled = RNN([[0.5]] * 3).compile("squared_error", backend="python")
    assert compiled.predict(form(sequences)) == compiled.predict(sequences)


def test_torch_tensors_are_data() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    sequences, targets = [[[1.0], [0.5]], [[0.25], [2.0]]], [1.0, 0.5]
    wanted = trained(sequences, targets)
    for options in ({}, {"dtype": torch.bfloat16}, {"requires_grad": True}):
        tensor = torch.tensor(sequences, **options)
        assert trained(tensor, torch.tensor(targets, **options)) == wanted
        assert trained([*tensor], [*torch.tensor(targets, **options)]) == wanted
        assert Dataset(tensor, targets).sequences == Dataset(sequences, targets).sequences


def test_one_sequence_in_place_of_several_says_how_it_is_read() -> None:
    compiled = RNN.random(2, 3).compile("squared_error", backend="python")
    words = (
        r"must be a symbol, .* or a vector of 3 .* For one sequence of 5 steps, write \[sequence"
    )
    one = np.ones((5, 3))
    for given in (one, one.tolist()):
        with pytest.raises(TypeError, match=words):
            compiled.predict(given)
        with pytest.raises(TypeError, match=words):
            compiled.loss_and_gradients(given, [[1, 0]] * 5)
    assert len(compiled.predict([one])) == 1
    with pytest.raises(
        TypeError, match=r"sequences\[0\] must be a list, .*for one sequence, write"
    ):
        compiled.predict(one[0])
    with pytest.raises(ValueError, match="each a vector of size 2.$"):
        compiled.predict([[[1, 2]]])


@pytest.mark.parametrize("streams", [False, True])
def test_validation_runs_over_some_steps_at_a_time(
    streams: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, most = np.random.default_rng(5), 0
    xs = [chance.integers(0, 3, size=size) for size in (7, 12, 5, 12, 1)]
    ys = [chance.integers(-1, 3, size=len(x)) for x in xs]
    ys[4][:] = 0
    run, whole = NumPy.run, Stack.random("LSTM", states=3, inputs=3, outputs=3, seed=2)
    options: dict[str, Any] = {"loss": Loss.of("cross_entropy", ignore=-1), "at": "every"}

    def watched(backend: Any, packed: Any, *given: Any, **named: Any) -> Any:
        nonlocal most
        most = max(most, packed.total)
        return run(backend, packed, *given, **named)

    monkeypatch.setattr(NumPy, "run", watched)
    monkeypatch.setattr("autograd_rnn.training.batches.MOST_STEPS", 24)
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 2, "engine": "numpy"}
    history = fit(
        *(whole, ([[0, 1, 2]], [[1, 2, 0]])),
        **{"validation": (xs, ys), "truncate": 4, "streams": streams, "progress": False},
        **{**options, **settings, "optimiser": SGD(0.1)},
    )
    assert 0 < most <= (8 if streams else 24)
    found = evaluate(whole, (xs, ys), **options, engine="numpy")
    assert most <= 24
    loss, _ = whole.compile(options["loss"], at="every", backend="numpy").loss_and_gradients(xs, ys)
    assert history.validation_loss == pytest.approx([loss], rel=1e-12)
    assert found.loss == pytest.approx(loss, rel=1e-12)
    assert history.validation_accuracy == [found.accuracy]
    assert found.count == sum([int((y >= 0).sum()) for y in ys])
