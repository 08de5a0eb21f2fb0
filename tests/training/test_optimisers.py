"""SGD and Adam: worked by hand, and step by step what torch.optim does; and one from outside."""

import copy
import importlib
import inspect
import json
import math
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import (
    RNN,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Optimiser,
    StaleGraphError,
    Value,
    bits,
    fit,
    freeze,
    hvp,
    unfreeze,
)
from autograd_rnn.engine.leaves import assign_numbers
from autograd_rnn.training import rules

from ..strategies import any_numbers


def walk(optimiser: Optimiser, start: list[float], rows: list[list[float]]) -> list[float]:
    parameters = [Value(x) for x in start]
    for row in rows:
        optimiser.step(parameters, row)
    return [parameter.data for parameter in parameters]


def test_gradient_descent_by_hand() -> None:
    assert walk(SGD(0.5), [1, 2], [[4, -2]]) == [-1, 3]
    # v is 4, then 0.5·4 + 2 = 4, then 0.5·4 - 2 = 0.
    optimiser = SGD(0.25, momentum=0.5)
    assert walk(optimiser, [1], [[4], [2], [-2]]) == [-1]
    assert optimiser.state == {"velocity": [0]}


def test_clipping_by_hand() -> None:
    # The norm of (3, 4) is 5, of (0.3, 0.4) a half, which is left as it is.
    found = walk(SGD(1.0, clip_norm=1.0), [0, 0], [[3, 4]])
    assert found == pytest.approx([-3 / 5.000001, -4 / 5.000001], rel=1e-15)
    assert walk(SGD(1.0, clip_norm=1.0), [0, 0], [[0.3, 0.4]]) == [-0.3, -0.4]
    assert walk(SGD(1.0, clip_norm=1.0), [0, 0], [[0, 0]]) == [0, 0]
    (x,) = walk(SGD(1.0, clip_norm=2.0), [0], [[1e300]])
    assert x == pytest.approx(-2, rel=1e-12)


def textbook(
    optimiser: SGD | Adam, start: list[float], gradients: list[list[float]]
) -> tuple[list[float], dict[str, Any]]:
    """The formulas, a number at a time: the weights, and what is kept."""
    weights, zeros = list(start), [0.0] * len(start)
    first, second, count = zeros, zeros, 0
    for row in gradients:
        if optimiser.clip_norm is not None:
            scale = min(1.0, optimiser.clip_norm / (math.hypot(*row) + 1e-6))
            row = [scale * g for g in row]
        count += 1
        if isinstance(optimiser, SGD):
            before = first if optimiser.momentum else zeros
            first = [optimiser.momentum * v + g for v, g in zip(before, row, strict=True)]
            moves = [-optimiser.learning_rate * v for v in first]
        else:
            keep, keep_square = optimiser.betas
            first = [m + (1 - keep) * (g - m) for m, g in zip(first, row, strict=True)]
            second = [
                keep_square * v + (1 - keep_square) * g * g
                for v, g in zip(second, row, strict=True)
            ]
            size = optimiser.learning_rate / (1 - keep**count)
            root = math.sqrt(1 - keep_square**count)
            moves = [
                -size * (m / (math.sqrt(v) / root + optimiser.eps))
                for m, v in zip(first, second, strict=True)
            ]
        weights = [w + move for w, move in zip(weights, moves, strict=True)]
    if isinstance(optimiser, SGD):
        return weights, {"velocity": first} if optimiser.momentum else {}
    return weights, {"steps": count, "means": first, "squares": second}


any_rows = st.integers(0, 5).flatmap(
    lambda n: st.lists(st.lists(any_numbers, min_size=n, max_size=n), min_size=1, max_size=6)
)


@pytest.mark.parametrize("clip_norm", [None, 0.5])
@given(any_rows, any_numbers)
def test_arrays_give_the_bits_of_the_formulas(
    clip_norm: float | None, gradients: list[list[float]], weight: float
) -> None:
    start = [weight] * len(gradients[0])
    for make in (
        lambda: SGD(0.1, clip_norm=clip_norm),
        lambda: SGD(0.1, 0.9, clip_norm=clip_norm),
        lambda: Adam(0.1, clip_norm=clip_norm),
    ):
        optimiser = make()
        wanted, state = textbook(optimiser, start, gradients)
        assert repr(walk(optimiser, start, gradients)) == repr(wanted)
        assert repr(optimiser.state) == repr(state)
        # Leaves with a `grad` of their own, and arrays without Values.
        optimiser, leaves = make(), [Value(x) for x in start]
        weights, flat = np.array(start), make()
        for row in gradients:
            for leaf, slope in zip(leaves, row, strict=True):
                leaf.grad = slope
            optimiser.step(leaves)
            before, held = weights.copy(), flat.kept
            copies = {part: np.copy(content) for part, content in held.items()}
            after = flat.updated(weights, np.array(row))
            assert repr(weights) == repr(before)
            assert all(np.array_equal(held[part], copies[part], equal_nan=True) for part in held)
            weights = after
        assert repr([leaf.data for leaf in leaves]) == repr(weights.tolist()) == repr(wanted)
        assert repr(optimiser.state) == repr(flat.state) == repr(state)
        assert json.loads(json.dumps(state)).keys() == state.keys()


def test_a_rule_gets_an_array_of_its_own() -> None:
    class Greedy(Optimiser):
        parts = ("last",)

        def moves(self, gradients: Any) -> Any:
            gradients *= -1.0
            return gradients, {"last": gradients}

    given = np.array([1.0, 2.0])
    optimiser = Greedy(0.1)
    assert optimiser.updated([0.5, 0.5], given).tolist() == [-0.5, -1.5]
    assert given.tolist() == [1.0, 2.0]
    given[0] = 7.0
    assert optimiser.state == {"last": [-1.0, -2.0]}


def test_adam_by_hand() -> None:
    # m = 4·(1 - ½) = 2, v = 16·(1 - ¾) = 4; m̂ = 2/½ = 4, v̂ = 4/¼ = 16: a step of 4/(√16 + 1).
    optimiser = Adam(1.0, (0.5, 0.75), eps=1.0)
    w = Value(0)
    optimiser.step([w], [4])
    assert w.data == -0.8
    assert optimiser.state == {"steps": 1, "means": [2], "squares": [4]}
    # m = 1 + ½·(-1) = ½, v = 3 + ¼·1 = 3.25; m̂ = ½/¾ = 2/3, v̂ = 3.25/(7/16) = 52/7.
    w.data = 0
    optimiser.step([w], [-1])
    assert w.data == pytest.approx(-(2 / 3) / (math.sqrt(52 / 7) + 1), rel=1e-15)


rates = st.floats(1e-4, 1.0)
rows = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(st.floats(-50, 50), min_size=n, max_size=n), min_size=1, max_size=6)
)


@settings(max_examples=30)
@given(rows, rates, st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([None, 0.5, 20.0]))
def test_it_is_what_torch_does(
    gradients: list[list[float]], rate: float, momentum: float, clip_norm: float | None
) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: no second opinion")
    size = len(gradients[0])
    start = [0.5 * place - 0.3 for place in range(size)]
    clip: Any = {"clip_norm": clip_norm, "clip_value": None if clip_norm == 0.5 else 2.0}
    adam = {"lr": rate, "betas": (0.8, 0.99), "eps": 1e-6}
    for ours, theirs, options in [
        (SGD(rate, momentum, **clip), torch.optim.SGD, {"lr": rate, "momentum": momentum}),
        (Adam(rate, (0.8, 0.99), 1e-6, **clip), torch.optim.Adam, adam),
        (
            AdamW(rate, (0.8, 0.99), 1e-6, weight_decay=momentum, **clip),
            torch.optim.AdamW,
            adam | {"weight_decay": momentum},
        ),
        (Adagrad(rate, 1e-6, **clip), torch.optim.Adagrad, {"lr": rate, "eps": 1e-6}),
    ]:
        tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in start]
        torch_one = theirs(tensors, **options)
        for row in gradients:
            for tensor, slope in zip(tensors, row, strict=True):
                tensor.grad = torch.tensor(slope, dtype=torch.float64)
            if clip["clip_value"] is not None:
                torch.nn.utils.clip_grad_value_(tensors, clip["clip_value"])
            if clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(tensors, clip_norm)
            torch_one.step()
        wanted = [float(tensor.detach()) for tensor in tensors]
        assert walk(ours, start, gradients) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@given(rows, st.integers(0, 5))
def test_a_state_goes_on_where_it_was_read(gradients: list[list[float]], after: int) -> None:
    start = [0.5] * len(gradients[0])
    for make in (lambda: SGD(0.1, 0.9), lambda: Adam(0.1), lambda: Adagrad(0.1)):
        whole = walk(make(), start, gradients)
        first, second = make(), make()
        middle = walk(first, start, gradients[:after])
        second.state = first.state
        kept = dict(first.state)
        assert walk(second, middle, gradients[after:]) == whole
        assert first.state == kept


def test_a_step_is_whole_or_none() -> None:
    x, y = Value(1.0), Value(2.0)
    for optimiser in (SGD(0.1, 0.9), Adam()):
        for parameters, gradients, words in [
            ([x, x * y], [1, 1], r"parameters\[1\] is a result"),
            ([x, y], [1], "there are 2 parameters, but 1 gradients"),
            ([x, y], [1, "2"], r"gradients\[1\] must be a real number"),
        ]:
            bad: Any = gradients
            with pytest.raises((ValueError, TypeError), match=words):
                optimiser.step(parameters, bad)
            assert (x.data, y.data, optimiser.state) == (1.0, 2.0, {})
        optimiser.step([x, y], [0, 0])
        with pytest.raises(ValueError, match=r"of which these 1 are some, .* make a new"):
            optimiser.step([x], [1])
        optimiser.state = optimiser.state
        with pytest.raises(ValueError, match=r"of 2 parameters, not 1: make a new"):
            optimiser.step([x], [1])


def test_refusals() -> None:
    for call, words in [
        (lambda: SGD(0.0), "learning_rate must be over 0 and finite, not 0.0"),
        (lambda: SGD(math.inf), "learning_rate must be over 0 and finite, not inf"),
        (lambda: SGD(0.1, 1.0), "momentum must be from 0 to below 1, not 1.0"),
        (lambda: SGD(0.1, clip_norm=0), "clip_norm must be over 0"),
        (lambda: Adam(eps=0), "eps must be over 0"),
        (lambda: Adam(betas=(0.9, 1)), r"betas\[1\] must be from 0 to below 1"),
        (lambda: Adam(betas=(0.9,)), "betas must be two numbers, not 1"),
        (lambda: Adagrad(eps=0), "eps must be over 0"),
        (lambda: SGD(0.1, clip_value=-1), "clip_value must be over 0"),
        (lambda: AdamW(weight_decay=1), "weight_decay must be from 0 to below 1"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
    optimiser = Adam()
    junk: Any
    for junk, words in [
        ({"steps": 1}, "state must have the parts of Adam, steps, means, squares, not steps"),
        ({"steps": 0, "means": [], "squares": []}, "steps'] must be 1 or more"),
        ({"steps": 1, "means": [1], "squares": []}, "differ in length"),
        ([], "state must be a dict, not list"),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            optimiser.state = junk
    assert repr(SGD(0.1, clip_norm=2)) == "SGD(learning_rate=0.1, clip_norm=2.0, momentum=0.0)"


def test_settings_are_checked_when_they_are_assigned() -> None:
    optimiser = AdamW(0.1, clip_norm=1.0)
    junk: Any
    for name, junk, words in [
        ("learning_rate", -1, "learning_rate must be over 0 and finite, not -1.0"),
        ("learning_rate", math.nan, "learning_rate must be over 0 and finite, not nan"),
        ("clip_norm", 0, "clip_norm must be over 0"),
        ("betas", (0.9, 1.5), r"betas\[1\] must be from 0 to below 1"),
        ("weight_decay", 2.0, "weight_decay must be from 0 to below 1"),
        ("eps", "small", "eps must be a real number"),
    ]:
        before = getattr(optimiser, name)
        with pytest.raises((ValueError, TypeError), match=words):
            setattr(optimiser, name, junk)
        assert getattr(optimiser, name) == before
    optimiser.learning_rate, optimiser.clip_norm = 1, None
    assert (optimiser.learning_rate, optimiser.clip_norm) == (1.0, None)


def test_only_settings_can_be_assigned() -> None:
    words = "Adam has no setting 'lr': it has learning_rate, clip_norm, betas, eps, clip_value, "
    for adam in (made := Adam(), pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        with pytest.raises(AttributeError, match=words):
            adam.lr = 3
        with pytest.raises(AttributeError, match="no setting 'momentum'"):
            adam.momentum = 0.5
        adam.eps, adam.clip_value, adam.weight_decay, adam._mine = 0.5, 1, 0.25, "of a rule"
        assert (adam.eps, adam.clip_value, adam.weight_decay) == (0.5, 1.0, 0.25)
    with pytest.raises(AttributeError, match="Signum has no setting 'kept_': it has .* keep"):
        Signum(0.5).kept_ = 1
    assert list(inspect.signature(Signum).parameters) == ["learning_rate", "keep"]


class Signum(Optimiser):
    """The sign of the mean of the gradients (Bernstein and others, 2018), with decaying weights."""

    parts = ("steps", "means")

    def __init__(self, learning_rate: float, keep: float = 0.9) -> None:
        super().__init__(learning_rate)
        self.keep = keep

    def moves(self, gradients: list[float]) -> tuple[list[float], dict[str, Any]]:
        before = self.state.get("means", [0.0] * len(gradients))
        means = [
            self.keep * m + (1.0 - self.keep) * g for m, g in zip(before, gradients, strict=True)
        ]
        steps = self.state.get("steps", 0) + 1
        rate = self.learning_rate / math.sqrt(steps)
        return [-math.copysign(rate, m) for m in means], {"steps": steps, "means": means}


def test_an_optimiser_from_outside_trains_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    assert walk(Signum(0.5, 0.0), [1, 2], [[4, -2]]) == [0.5, 2.5]
    data = ([bits("1"), bits("10"), bits("011"), bits("111")], [1, 1, 2, 3])

    def train(epochs: int, path: Path | None, keep: float = 0.9) -> tuple[Any, ...]:
        model, optimiser = RNN.random(2, 1, seed=1), Signum(0.05, keep)
        loss = lambda z, t: (z[0] - t) ** 2  # noqa: E731
        history = fit(
            *(model, data),
            **{"loss": loss, "optimiser": optimiser, "epochs": epochs, "batch_size": 3},
            **{"engine": "python", "progress": False, "checkpoint": path},
        )
        return [w.data for w in model.parameters()], history.loss, optimiser.state

    path, whole = tmp_path / "training.json", train(7, None)
    assert whole[1][-1] < whole[1][0]
    train(3, path)
    assert json.loads(path.read_text())["moment"]["optimiser"]["steps"] == 6
    assert train(7, path) == whole
    with pytest.raises(ValueError, match=r"optimiser: keep is 0.9, here 0.5"):
        train(9, path, keep=0.5)
    with pytest.raises(ValueError, match="the parts of Signum, steps, means, not velocity"):
        Signum(0.1).state = {"velocity": [1.0]}


@pytest.mark.parametrize(
    ("moves", "state", "words"),
    [
        ([0.5, "a"], {}, r"what Odd.moves gives\[1\] must be a real number, not str"),
        ([0.5], {}, "what Odd.moves gives has 1 moves for 2 parameters"),
        ([0.5, 0.5], {"velocity": [1.0]}, "must have the parts of Odd, none, not velocity"),
    ],
)
def test_what_an_optimiser_gives_is_checked_before_anything_moves(
    moves: Any, state: Any, words: str
) -> None:
    class Odd(Optimiser):
        def moves(self, gradients: list[float]) -> Any:
            return moves, state

    weights = [Value(1.0), Value(2.0)]
    with pytest.raises((TypeError, ValueError), match=words):
        Odd(0.1).step(weights, [1.0, 1.0])
    assert [weight.data for weight in weights] == [1.0, 2.0]


# --- whose state it is ---------------------------------------------------------------------------

KEEPING: list[Callable[[], Optimiser]] = [
    lambda: SGD(0.1, momentum=0.9),
    lambda: Adam(0.1),
    lambda: AdamW(0.1),
    lambda: Adagrad(0.1),
]


@pytest.mark.parametrize("make", KEEPING)
def test_a_state_belongs_to_the_values_it_was_made_for(make: Callable[[], Optimiser]) -> None:
    rows = [[1.0, -2.0], [0.5, 3.0]]
    first, second = [Value(1), Value(2)], [Value(1), Value(2)]
    optimiser = make()
    for row in rows:
        optimiser.step(first, row)
    # Of some of the same, or in another order, it is refused; of others it starts afresh.
    for some in (first[:1], first[::-1], [*first, Value(0)]):
        with pytest.raises(ValueError, match="of which these [123] are some, or in another order"):
            optimiser.step(some, [0.0] * len(some))
    for others in (second, [Value(0)]):
        fresh, copies = make(), [Value(w.data) for w in others]
        slopes = [0.25] * len(others)
        optimiser.step(others, slopes)
        fresh.step(copies, slopes)
        assert [w.data for w in others] == [w.data for w in copies]
        assert optimiser.state == fresh.state
    # Of the same, it goes on.
    optimiser, whole, twins = make(), make(), [Value(1), Value(2)]
    first = [Value(1), Value(2)]
    for row in rows:
        optimiser.step(iter(first), row)
    for row in rows:
        whole.step(twins, row)
    assert optimiser.state == whole.state
    assert [w.data for w in first] == [w.data for w in twins]


def test_a_step_that_is_refused_keeps_the_state() -> None:
    optimiser, ours = SGD(0.1, momentum=0.9), [Value(1), Value(2)]
    optimiser.step(ours, [1.0, 2.0])
    for others, slopes in (([Value(3)], [1.0, 2.0]), ([Value(3)], ["x"])):
        with pytest.raises((ValueError, TypeError)):
            optimiser.step(others, slopes)
    assert optimiser.state == {"velocity": [1.0, 2.0]}
    optimiser.step(ours, [0.0, 0.0])
    assert optimiser.state == {"velocity": [0.9, 1.8]}


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))]
)
def test_a_copy_is_of_the_values_that_come_next(copied: Any) -> None:
    optimiser, ours = SGD(0.1, momentum=0.5), [Value(1)]
    optimiser.step(ours, [1.0])
    twin = copied(optimiser)
    assert twin.state == {"velocity": [1.0]}
    twin.step([Value(1)], [0.0])
    assert twin.state == {"velocity": [0.5]}
    # So is a state that is assigned.
    optimiser.state = {"velocity": [4.0]}
    optimiser.step([Value(1)], [0.0])
    assert optimiser.state == {"velocity": [2.0]}


@pytest.mark.parametrize("make", KEEPING)
def test_one_optimiser_for_several_trainings(make: Callable[[], Optimiser]) -> None:
    sequences = [bits("101"), bits("1"), bits("01")]

    def trained(model: RNN, optimiser: Optimiser, epochs: int = 2) -> list[float]:
        options: Any = {"loss": "squared_error", "epochs": epochs, "batch_size": 2}
        options |= {"engine": "python", "progress": False, "optimiser": optimiser}
        fit(model, (sequences, [[k] * model.outputs for k in (1, 0, 1)]), **options)
        return [w.data for w in model.parameters()]

    optimiser = make()
    # Models that are made anew, and another one, are as with an optimiser of their own.
    for states in (2, 2, 1):
        model = RNN.random(states, 1, seed=1)
        assert trained(model, optimiser) == trained(RNN.random(states, 1, seed=1), make())
    # The same model goes on, as one by hand does with the same state.
    state, other = optimiser.state, RNN.random(1, 1, seed=1)
    for weight, own in zip(other.parameters(), model.parameters(), strict=True):
        weight.data = own.data
    second = make()
    second.state = state
    second.attach(other.parameters())
    second.epochs = 2
    assert trained(model, optimiser) == trained(other, second)
    assert optimiser.state == second.state


@pytest.mark.parametrize("make", KEEPING)
def test_what_happens_to_leaves_between_steps_counts(make: Callable[[], Optimiser]) -> None:
    going, values = make(), [Value(1.0), Value(2.0)]

    def both(parameters: Any = None) -> None:
        """Step, and be where an optimiser that knows nothing but the state gets to."""
        fresh, copies = make(), [Value(value.data) for value in values]
        fresh.state = going.state
        for value, own in zip(values, copies, strict=True):
            (freeze if value.constant else unfreeze)(own)
        going.step(values if parameters is None else parameters, [0.5, -0.25])
        fresh.step(copies, [0.5, -0.25])
        assert [value.data for value in values] == [own.data for own in copies]

    both()
    both()
    values[0].data = -3.0
    both()
    assign_numbers(values, np.array([0.25, 8.0]))
    both()
    freeze(values[1])
    both()
    assert values[1].data != 8.0
    unfreeze(values[1])
    both(tuple(values))
    both(iter(values))
    with pytest.raises(ValueError, match="in another order"):
        going.step(values[::-1], [0.5, -0.25])
    with pytest.raises(ValueError, match=r"parameters\[1\] is a result"):
        going.attach([values[0], values[0] * 2])
    with pytest.raises(ValueError, match="2 parameters, but 1 gradients"):
        going.step(values, [0.5])
    both()

    def moved(x: Value) -> Value:
        result = x ** values[0]
        going.step(values, [0.5, -0.25])
        return result

    with pytest.raises(StaleGraphError):
        hvp(moved, [2.0], [1.0])


RULES: list[Callable[[], Optimiser]] = [
    lambda: SGD(0.1),
    lambda: SGD(0.1, momentum=0.9, clip_value=0.5),
    Adam,
    lambda: AdamW(0.01, weight_decay=0.1, clip_value=2.0),
    lambda: Adagrad(0.1, clip_value=1.0),
]


@pytest.mark.parametrize("make", RULES)
def test_a_compiled_rule_gives_the_bits_that_arrays_give(
    make: Callable[[], Optimiser], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llvmlite", reason="llvmlite is not installed: no native code to test")
    importlib.import_module(rules.NATIVE)
    chance = np.random.default_rng(3)
    strange = [0.0, -0.0, 5e-324, 1e-200, 1e200, -np.inf, np.inf, np.nan]
    weights = [chance.normal(size=203)] * 2
    ways, known = [make(), make()], rules._compiled.cache_info()
    for _ in range(3):
        slopes = chance.normal(size=len(weights[0]))
        slopes[chance.integers(0, len(slopes), 99)] = chance.choice(strange, 99)
        for k, least in enumerate((len(slopes), len(slopes) + 1)):
            monkeypatch.setattr(rules, "LEAST_COMPILED", least)
            weights[k] = ways[k].updated(weights[k], slopes)
        for mine, other in zip(*[[w.kept.get(p) for p in w.parts] for w in ways], strict=True):
            np.testing.assert_array_equal(mine, other, strict=True)
        np.testing.assert_array_equal(*weights, strict=True)
        assert (np.signbit(weights[0]) == np.signbit(weights[1]))[~np.isnan(weights[0])].all()
    assert sum(rules._compiled.cache_info()[:2]) == sum(known[:2]) + 3


def test_rules_are_compiled_only_where_native_code_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As where another package has loaded llvmlite: an old one, say.
    monkeypatch.setitem(sys.modules, "llvmlite.binding", ModuleType("llvmlite.binding"))
    monkeypatch.delitem(sys.modules, rules.NATIVE, raising=False)
    rules._compiled.cache_clear()
    weights = np.zeros(rules.LEAST_COMPILED)
    assert (SGD(0.5).updated(weights, weights + 1.0) == -0.5).all()
    assert rules._compiled.cache_info().misses == 0
