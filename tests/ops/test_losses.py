"""The losses: their true values, their gradients, the same recorded and compiled."""

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from autograd_rnn import (
    RNN,
    SGD,
    Loss,
    Value,
    binary_cross_entropy,
    check_gradients,
    cross_entropy,
    fit,
    gradients,
    maximum,
    record,
    softmax,
    squared_error,
)
from autograd_rnn.backends import Backend
from autograd_rnn.ops.losses import LOSSES, as_loss, check_target, count_hits, is_hit

logits = st.floats(-1000, 1000)


def vectors(entries: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    """An output of two to five entries, and as many targets from 0 to 1."""
    pairs = st.lists(st.tuples(entries, st.floats(0, 1)), min_size=2, max_size=5)
    return pairs.map(lambda found: tuple(zip(*found, strict=True)))


def test_squared_error() -> None:
    assert squared_error(2.0, 5.0) == 9.0
    assert squared_error((1.0, 2.0), (3.0, 5.0)) == 13.0
    z = Value(2)
    assert gradients(squared_error([z, 1], [5, 1]), [z]) == (-6,)


@given(vectors(logits))
def test_binary_cross_entropy_is_the_true_one(pair: Any) -> None:
    zs, goals = pair
    with mp.workdps(460):
        wanted = mpf(0)
        for z, goal in zip(zs, goals, strict=True):
            one = 1 / (1 + mp.exp(-mpf(z)))
            wanted -= mpf(goal) * mp.log(one) + (1 - mpf(goal)) * mp.log(1 - one)
        assert abs(binary_cross_entropy(zs, goals) - wanted) <= 1e-14 * wanted + 1e-300
    values = [Value(z) for z in zs]
    slopes = gradients(binary_cross_entropy(values, goals), values)
    for slope, z, goal in zip(slopes, zs, goals, strict=True):
        with mp.workdps(40):
            true = 1 / (1 + mp.exp(-mpf(z))) - mpf(goal)
            assert abs(slope - true) <= 4e-16


@given(vectors(logits), st.integers(0, 4))
def test_cross_entropy_is_the_true_one(pair: Any, label: int) -> None:
    zs, weights = pair
    label %= len(zs)
    total = math.fsum(weights)
    shares = [w / total for w in weights] if total > 1e-9 else [1.0, *[0.0] * (len(zs) - 1)]
    sure = [float(place == label) for place in range(len(zs))]
    values = [Value(z) for z in zs]
    for target, goals in ((shares, shares), (label, sure), ([label], sure), (sure, sure)):
        with mp.workdps(60):
            log_of_sum = mp.log(mp.fsum(mp.exp(mpf(z)) for z in zs))
            wanted = log_of_sum - mp.fsum(mpf(g) * mpf(z) for g, z in zip(goals, zs, strict=True))
            assert abs(cross_entropy(zs, target) - wanted) <= 1e-12
        slopes = gradients(cross_entropy(values, target), values)
        for slope, share, goal in zip(slopes, softmax(zs), goals, strict=True):
            assert slope == pytest.approx(share - goal, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("loss", LOSSES.values())
def test_gradients_agree_with_central_differences(loss: Any) -> None:
    checks = check_gradients(
        lambda *zs: loss(zs, [0.25, 0.5, 0.25]), [0.3, -1.2, 2.5], atol=1e-7, rtol=1e-5
    )
    assert all(check.checked for check in checks)


@given(vectors(logits), st.integers(0, 4), st.integers(0, 4))
def test_one_recording_serves_every_output_and_every_class(pair: Any, a: int, b: int) -> None:
    zs, size = pair[0], len(pair[0])
    program = record(lambda *xs: cross_entropy(xs[:-1], xs[-1]), *[0.0] * size, a % size)
    values = [Value(z) for z in zs]
    loss = cross_entropy(values, b % size)
    found = program.gradient()(*zs, float(b % size))
    assert found == (loss.data, *gradients(loss, values), 0.0)


@pytest.mark.parametrize("name", LOSSES)
def test_python_and_native_code_agree(name: str) -> None:
    pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")
    chance = random.Random(5)
    rnn = RNN.random(3, 2, seed=3)
    sequences = [
        [[chance.uniform(-9, 9) for _ in range(2)] for _ in range(chance.randint(1, 4))]
        for _ in range(11)
    ]
    targets: dict[str, list[Any]] = {
        "squared_error": [[1.0, -1.0, 0.5]] * 11,
        "binary_cross_entropy": [[1.0, 0.0, 0.25]] * 11,
        "cross_entropy": [chance.randrange(3) for _ in range(11)],
    }
    python, native = [
        rnn.compile(name, backend=backend).loss_and_gradients(sequences, targets[name])
        for backend in ("python", "native")
    ]
    assert native[0] == pytest.approx(python[0], rel=1e-12)
    assert native[1] == pytest.approx(python[1], rel=1e-10, abs=1e-13)
    total, sums = 0.0, [0.0] * len(rnn.parameters())
    for sequence, target in zip(sequences, targets[name], strict=True):
        loss = LOSSES[name](rnn.unroll(sequence).pi, target)
        total += loss.data
        slopes = gradients(loss, rnn.parameters())
        sums = [s + slope for s, slope in zip(sums, slopes, strict=True)]
    assert python == (total / 11, [s / 11 for s in sums])


def test_hits() -> None:
    assert is_hit(LOSSES["binary_cross_entropy"], 0.5, 1) is True
    assert is_hit(LOSSES["binary_cross_entropy"], 0.0, 1) is False
    assert is_hit(LOSSES["binary_cross_entropy"], [0.5, -2.0], [1.0, 0.1]) is True
    assert is_hit(LOSSES["binary_cross_entropy"], [0.5, -2.0], [1.0, 0.9]) is False
    assert is_hit(LOSSES["cross_entropy"], [0.5, 2.0, 1.0], 1) is True
    assert is_hit(LOSSES["cross_entropy"], [0.5, 2.0, 1.0], [2]) is False
    assert is_hit(LOSSES["cross_entropy"], [0.5, 2.0, 1.0], [0.2, 0.5, 0.3]) is True
    assert is_hit(LOSSES["squared_error"], 1.0, 1.0) is None
    assert is_hit(as_loss(lambda z, t: z), 1.0, 1.0) is None


@given(st.data())
def test_hits_of_arrays_are_those_of_each_output(data: st.DataObject) -> None:
    count, size = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    number = st.sampled_from([-2.0, -0.5, 0.0, 0.25, 0.5, 3.0])

    def rows(width: int, entry: st.SearchStrategy[float]) -> Any:
        row = st.lists(entry, min_size=width, max_size=width)
        return np.array(data.draw(st.lists(row, min_size=count, max_size=count)))

    outputs = rows(size, number)
    for name, loss in LOSSES.items():
        if loss.hit is None:
            continue
        several = [rows(size, st.sampled_from([0.0, 0.5, 0.75, 1.0]))]
        if name == "cross_entropy":
            several.append(rows(1, st.integers(0, size - 1).map(float)))
        for targets in several:
            alone = Loss(name, loss.function, hit=loss.hit)
            found, judged = count_hits(loss, outputs, targets)
            assert (found, judged) == count_hits(alone, outputs, targets)
            assert judged == len(outputs)
            pairs = zip(outputs.tolist(), targets.tolist(), strict=True)
            assert found == sum(bool(is_hit(loss, *pair)) for pair in pairs)


def test_refusals() -> None:
    for error, words, call in [
        (ValueError, "output has 2 entries, but the target 1", lambda: squared_error([1, 2], 3)),
        (
            ValueError,
            "output has 1 entries, but the target 2",
            lambda: binary_cross_entropy(1, [1, 0]),
        ),
        (ValueError, "the output is empty", lambda: squared_error([], [])),
        (
            ValueError,
            "two or more logits.*take binary_cross_entropy",
            lambda: cross_entropy(1.0, 0),
        ),
        (
            ValueError,
            "output has 3 entries, but the target 2",
            lambda: cross_entropy([1, 2, 3], [1, 0]),
        ),
        (TypeError, "target must be a real number, not str", lambda: cross_entropy([1, 2], "1")),
        (
            TypeError,
            "output must be a number or a list of numbers, not dict",
            lambda: squared_error({}, 1),
        ),
        (
            ValueError,
            r"t\[0\] must be from 0 to 1 .*, not 1.5",
            lambda: check_target(LOSSES["binary_cross_entropy"], 1.5, 1, "t[0]"),
        ),
        (
            ValueError,
            r"must be from 0 to 1 .*, not nan",
            lambda: check_target(LOSSES["binary_cross_entropy"], math.nan, 1, "t"),
        ),
        (
            ValueError,
            r"t has 1 entries, but the model has 2 outputs",
            lambda: check_target(LOSSES["squared_error"], 1.5, 2, "t"),
        ),
        (
            ValueError,
            r"class from 0 to 2 for cross_entropy, not 3.0",
            lambda: check_target(LOSSES["cross_entropy"], 3, 3, "t"),
        ),
        (
            ValueError,
            r"class from 0 to 2 for cross_entropy, not 0.5",
            lambda: check_target(LOSSES["cross_entropy"], [0.5], 3, "t"),
        ),
        (
            ValueError,
            r"class from 0 to 2 for cross_entropy, not -1.0",
            lambda: check_target(LOSSES["cross_entropy"], -1, 3, "t"),
        ),
        (
            ValueError,
            r"probabilities that add up to 1",
            lambda: check_target(LOSSES["cross_entropy"], [0.5, 0.4], 2, "t"),
        ),
        (
            ValueError,
            r"probabilities that add up to 1",
            lambda: check_target(LOSSES["cross_entropy"], [1.5, -0.5], 2, "t"),
        ),
    ]:
        with pytest.raises(error, match=words):
            call()
    check_target(LOSSES["cross_entropy"], [0.1] * 10, 10, "t")
    check_target(as_loss(lambda z, t: z), [1.0, 2.0, 3.0], 1, "t")


def hinge(output: Any, target: Any) -> Any:
    return maximum(1.0 - target * output, 0.0)


def check_sign(goals: Any, outputs: int, argument: str) -> None:
    if list(map(abs, goals)) != [1.0] * outputs:
        raise ValueError(f"{argument} must be 1 or -1 for hinge, not {goals}.")


HINGE = Loss("hinge", hinge, check_sign, lambda output, goals: output[0] * goals[0] > 0.0)


def test_a_loss_from_outside_is_one_record(tmp_path: Path) -> None:
    """It compiles and trains, has accuracies, checks targets, and a checkpoint knows its name."""
    data = ([[2], [-1], [2]], [1, 1, -1])
    arguments: dict[str, Any] = {"optimiser": SGD(0.125), "epochs": 1, "batch_size": 3}
    for loss in (HINGE, hinge):
        model = RNN([[0.0], [1.0]], "linear", bias=False)
        for backend in ("eager", "python"):
            found = model.compile(loss, backend=backend).loss_and_gradients(*data)
            assert found == ((0 + 2 + 3) / 3, [0.0, (0 + 1 + 2) / 3])
        history = fit(model, data, loss=loss, engine="python", progress=False, **arguments)
        assert model.parameters()[1].data == 1.0 - 0.125
        assert history.accuracy == ([1 / 3] if loss is HINGE else [])
    model = RNN([[0.0], [1.0]], "linear", bias=False)
    with pytest.raises(ValueError, match=r"data: targets\[1\] must be 1 or -1 for hinge, not \[0"):
        fit(model, ([[1], [1]], [1, 0]), loss=HINGE, **arguments)
    path = tmp_path / "training.json"
    fit(model, data, loss=HINGE, engine="python", checkpoint=path, **arguments)
    with pytest.raises(ValueError, match="of another training: loss: name is hinge, here"):
        fit(model, data, loss="squared_error", engine="python", checkpoint=path, **arguments)


def test_what_is_no_loss() -> None:
    model = RNN.random(1, 1)
    junk: Any
    for junk, words in [
        (lambda: Loss("mine", 3), "function must be a function, not int"),  # type: ignore[arg-type]
        (lambda: Loss(None, hinge), "name must be a str, not NoneType"),  # type: ignore[arg-type]
        (lambda: Loss("mine", hinge, hit=3), "hit must be a function"),  # type: ignore[arg-type]
        (lambda: as_loss("mse"), "loss 'mse' is unknown: choose one of squared_error"),
        (lambda: as_loss(3), "loss must be a function, not int"),  # type: ignore[arg-type]
        (lambda: model.compile(3), "loss must be a function, not int"),  # type: ignore[arg-type]
    ]:
        with pytest.raises((TypeError, ValueError), match=words):
            junk()
    assert as_loss("cross_entropy") is as_loss(cross_entropy) is as_loss(LOSSES["cross_entropy"])
    assert as_loss(hinge) == Loss("hinge", hinge)


@pytest.mark.parametrize("target", [3, -1, -100, 0.5, math.nan, math.inf, [1, 1, 1], [2, -1, 0]])
def test_a_number_that_is_no_class_is_refused(target: Any) -> None:
    for logits in ([1.0, 2.0, 3.0], [Value(1), Value(2), Value(3)]):
        with pytest.raises(ValueError, match="target must be the number of a class"):
            cross_entropy(logits, target)


@pytest.mark.parametrize("target", [2, -0.1, math.nan])
def test_a_number_that_is_no_share_is_refused(target: float) -> None:
    for logit in (1.0, Value(1.0)):
        with pytest.raises(ValueError, match="target must be from 0 to 1"):
            binary_cross_entropy(logit, target)


def test_a_target_that_is_a_value_is_checked() -> None:
    for target in (3.0, -1.0, 0.5, math.nan):
        with pytest.raises(ValueError, match=rf"class from 0 to 2 for cross_entropy, not {target}"):
            cross_entropy([1.0, 2.0, 3.0], Value(target))
    for goals in ([Value(1.0)] * 3, [Value(0.5), 0.5, 0.5], [Value(1.5), Value(-0.5), 0.0]):
        with pytest.raises(ValueError, match="probabilities that add up to 1"):
            cross_entropy([1.0, 2.0, 3.0], goals)
    for wrong in (2.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=rf"0 to 1 for binary_cross_entropy, not {wrong}"):
            binary_cross_entropy([0.0, 1.0], [0, Value(wrong)])
    # Soft targets are differentiated, and checked by differences at the ends of their range.
    check_gradients(lambda z, t: binary_cross_entropy(z, t), [0.5, 1.0])
    check_gradients(lambda z, s, t: cross_entropy([z, 0.0], [s, t]), [0.5, 0.0, 1.0])
    # A recording stands for all targets; one to ignore is none.
    assert record(lambda z, t: binary_cross_entropy(z, t), 0.0, 1.0)(0.0, 0.0) == math.log(2)
    assert Loss.of("cross_entropy", ignore=-1)([0.0, 0.0], Value(-1)) == 0.0


@pytest.mark.parametrize("backend", ["eager", "python", "numpy", "native"])
def test_a_target_of_another_size_is_named_by_its_place(backend: str) -> None:
    if Backend.kinds[backend].explain():
        pytest.skip("llvmlite is not installed")
    compiled = RNN.random(3, 1).compile("squared_error", backend=backend)
    with pytest.raises(
        ValueError, match=r"targets\[0\] has 2 entries, but the model has 3 outputs"
    ):
        compiled.loss_and_gradients([[1], [1]], [[1, 2], [1, 2]])
