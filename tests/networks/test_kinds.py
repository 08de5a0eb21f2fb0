"""A kind of model is a class: one from outside stacks, draws, compiles, trains, and is loaded."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Bidirectional,
    Linear,
    Model,
    Stack,
    Value,
    derive,
    draw,
    draw_cell,
    draw_network,
    draw_weights,
    fit,
    gradients,
    load_model,
    play,
    sigmoid,
    tanh,
    to_torch,
)
from autograd_rnn.backends import Backend
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError
from autograd_rnn.networks.serialise import KINDS


class MinimalGatedUnit(Model):
    """A recurrent layer whose one gate forgets and resets (Zhou and others, 2016)."""

    gates = "fg"

    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
        (h,), (of_f, of_g) = state, weights
        sums = self.sums(of_f, h + x)
        f = [sigmoid(total) for total in sums]
        kept = [f * h for f, h in zip(f, h, strict=True)]
        g = [tanh(total) for total in self.sums(of_g, (*kept, *x))]
        h = [(1.0 - f) * h + f * g for f, h, g in zip(f, h, g, strict=True)]
        return {"pi": sums, "f": f, "g": g, "h": h}


class Decaying(Model):
    """One with a setting, and with parameters beyond its weights."""

    letters, gates, output = "s", "s", "y"

    def __init__(self, weights: Any, rate: float = 0.5, scale: Any = None, *, names: Any = None):
        super().__init__(weights, names=names)
        self.rate = rate
        self.scale = tuple([Value(1.0 if scale is None else s) for s in scale or self.weights[0]])

    def parameters(self) -> list[Value]:
        return [*super().parameters(), *self.scale]

    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
        (s,), (table, scale) = state, weights
        pi = self.sums(table, s + x)
        s = [s + self.rate * (p - s) for s, p in zip(s, pi, strict=True)]
        return {"pi": pi, "s": s, "y": [a * b for a, b in zip(scale, s, strict=True)]}


@pytest.fixture(autouse=True)
def no_other_kinds() -> Iterator[None]:
    before = {name: dict(modules) for name, modules in KINDS.items()}
    yield
    KINDS.clear()
    KINDS.update(before)


def by_hand(unit: MinimalGatedUnit, inputs: Any) -> list[float]:
    """The hidden state after the inputs, over floats."""
    n = unit.states
    W = [[w.data for w in row] for row in unit.weights]  # noqa: N806
    h = [0.0] * n
    for x in inputs:
        column = [1.0, *h, *x]
        f = [
            float(sigmoid(sum(row[j] * c for row, c in zip(W, column, strict=True))))
            for j in range(n)
        ]
        column = [1.0, *[a * b for a, b in zip(f, h, strict=True)], *x]
        g = [
            float(tanh(sum(row[n + j] * c for row, c in zip(W, column, strict=True))))
            for j in range(n)
        ]
        h = [(1 - f[j]) * h[j] + f[j] * g[j] for j in range(n)]
    return h


INPUTS = [[1.0, 0.0], [0.5, -1.0], [0.0, 1.0]]


def test_it_takes_its_steps() -> None:
    unit = MinimalGatedUnit.random(3, 2, seed=4)
    run = unit.unroll(INPUTS)
    assert [h.data for h in run.output] == pytest.approx(by_hand(unit, INPUTS), rel=1e-14)
    assert (unit.states, unit.inputs, unit.outputs, len(unit.parameters())) == (3, 2, 3, 36)
    assert repr(unit) == "<MinimalGatedUnit: 3 states, 2 inputs>"
    step = run.steps[1]
    assert [f.name for f in step.f] == ["f̈₁", "f̈₂", "f̈₃"]
    assert step.q == step.h == step.output
    with pytest.raises(AttributeError, match="the step has no vector 'c'"):
        step.c  # noqa: B018


def test_it_stacks_and_is_loaded(tmp_path: Path) -> None:
    stack = Stack([MinimalGatedUnit.random(3, 2), GRU.random(2, 3), Linear.random(2, 1)])
    drawn = Stack.random("MinimalGatedUnit", 3, 2, 1, layers=2, seed=1)
    assert repr(drawn) == (
        "<Stack: 2 inputs, MinimalGatedUnit of 3, MinimalGatedUnit of 3, Linear of 1>"
    )
    assert drawn.parameters()[-1].name == "w_82"
    for model in (MinimalGatedUnit.random(2, 1), stack, drawn):
        path = model.save(tmp_path / "model.json")
        for loaded in (load_model(path), type(model).load(path)):
            assert type(loaded) is type(model)
            assert loaded.to_dict() == model.to_dict()
    output = drawn.unroll(INPUTS).output.data
    path = drawn.save(tmp_path / "model.json")
    assert load_model(path)(INPUTS).data == output


def test_a_class_of_a_class_and_the_class_in_place_of_its_name(tmp_path: Path) -> None:
    class Doubling(MinimalGatedUnit):
        """A kind derived from one."""

        def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
            vectors = super().advance(state, x, weights)
            return {**vectors, "h": [2.0 * h for h in vectors["h"]]}

    class Named(LSTM, kind="a named one"):
        """A kind with another name."""

    for kind, name in ((Doubling, "Doubling"), (Named, "a named one"), (Decaying, "Decaying")):
        model = Stack.random(kind, 2, 2, 1, seed=4)
        assert model.to_dict() == Stack.random(name, 2, 2, 1, seed=4).to_dict()
        loaded = load_model(model.save(tmp_path / "model.json"))
        assert isinstance(loaded, Stack)
        assert type(loaded.layers[0]) is kind
        assert loaded(INPUTS).data == model(INPUTS).data
        assert type(Bidirectional.random(kind, 2, 2).forward) is kind
    base, doubled = MinimalGatedUnit.random(2, 2, seed=1), Doubling.random(2, 2, seed=1)
    ratio = doubled.unroll(INPUTS[:1]).output[0].data / base.unroll(INPUTS[:1]).output[0].data
    assert ratio == pytest.approx(2.0)
    for junk in (Linear, Stack, int):
        with pytest.raises((ArgumentValueError, ArgumentTypeError), match="kind"):
            Stack.random(junk, 2, 2, 1)


def test_settings_and_further_parameters_are_kept(tmp_path: Path) -> None:
    model = Decaying([[0.5, 0.25]] * 4, rate=0.25, scale=[2.0, -1.0])
    loaded = load_model(model.save(tmp_path / "decaying.json"))
    assert isinstance(loaded, Decaying)
    assert (loaded.rate, [s.data for s in loaded.scale]) == (0.25, [2.0, -1.0])
    (y, _), (other, _) = model.unroll([[1]]).output, loaded.unroll([[1]]).output
    assert y.data == other.data
    assert gradients(y, model.parameters()[-2:]) == (y.data / 2.0, 0.0)

    class Forgetful(Decaying):
        def __init__(self, weights: Any, depth: int):
            super().__init__(weights)

    with pytest.raises(ArgumentTypeError, match="Forgetful cannot be saved: it takes 'depth', but"):
        Forgetful([[1.0]] * 2, 3).to_dict()


def test_it_is_drawn_played_and_derived() -> None:
    model = Stack.random("MinimalGatedUnit", 2, 1, 1, seed=2)
    run = model.unroll([[1], [0.5]])
    loss, weight = (1 - run.output) ** 2, model.parameters()[0]
    (slope,) = gradients(loss, [weight])
    assert derive(loss, weight, run=run).value == pytest.approx(slope, rel=1e-9)
    assert all(name in draw(loss, run=run, detail="scalar").dot for name in ("ḟ₁", "g̈₂", "ḧ₁"))
    assert "step_2" in draw(loss, focus=weight, run=run, detail="step").dot
    assert play(loss, focus=weight, run=run).steps > 3
    alone = MinimalGatedUnit.random(2, 1)
    assert "ₖ" in draw_cell(alone).dot
    with pytest.raises(ArgumentTypeError, match="such as an RNN, not MinimalGatedUnit"):
        draw_weights(alone)
    with pytest.raises(ArgumentTypeError, match="as torch has: MinimalGatedUnit is none"):
        to_torch(alone)
    with pytest.raises(ValueError, match="only an RNN is drawn by its neurons"):
        draw_network(alone.unroll([[1]]))


@pytest.mark.parametrize("backend", Backend.kinds)
@pytest.mark.parametrize("kind", [MinimalGatedUnit, Decaying])
def test_every_backend_gives_the_numbers_of_the_engine(kind: Any, backend: str) -> None:
    for package in Backend.kinds[backend].requires:
        pytest.importorskip(package, reason=f"{package} is not installed")
    model = Stack([kind.random(3, 2, seed=5), Linear.random(3, 1, seed=6)])
    sequences, targets = [INPUTS, INPUTS[:1], INPUTS[1:]], [1.0, 0.0, -1.0]
    losses = [(model(xs) - y) ** 2 for xs, y in zip(sequences, targets, strict=True)]
    loss = (losses[0] + losses[1] + losses[2]) / 3
    found = model.compile("squared_error", backend=backend).loss_and_gradients(sequences, targets)
    assert found[0] == pytest.approx(loss.data, rel=1e-12)
    assert found[1] == pytest.approx(gradients(loss, model.parameters()), rel=1e-10, abs=1e-12)


def test_it_learns() -> None:
    model = Stack.random("MinimalGatedUnit", 3, 2, 1, seed=3)
    data = ([INPUTS, INPUTS[:1], INPUTS[1:]], [1.0, 0.0, -1.0])
    history = fit(
        *(model, data),
        **{"loss": "squared_error", "optimiser": SGD(0.2), "epochs": 60, "batch_size": 3},
        **{"engine": "python", "progress": False},
    )
    assert history.loss[-1] < 0.05 * history.loss[0]


# --- kinds by name -------------------------------------------------------------------------------

CLASS = """
from autograd_rnn import Model
class Sum(Model{more}):
    def advance(self, state, x, weights):
        return {{"h": self.sums(weights[0], state[0] + x)}}
"""


def defined(module: str, more: str = "") -> Any:
    """The class, defined in a module of that name."""
    sys.modules.setdefault(module, ModuleType(module))
    vars(sys.modules[module])["__name__"] = module
    exec(CLASS.format(more=more), vars(sys.modules[module]))
    return sys.modules[module].Sum  # type: ignore[attr-defined]


def test_a_class_that_is_defined_again_replaces_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cells", ModuleType("cells"))
    path = defined("cells").random(1, 1).save(tmp_path / "sum.json")
    again = defined("cells")
    assert type(load_model(path)) is again
    assert type(Stack.random("Sum", 1, 1, 1).layers[0]) is again


def test_two_live_modules_with_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("mine", "yours", "theirs"):
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
    mine, yours = defined("mine"), defined("yours")
    path = mine.random(1, 1).save(tmp_path / "sum.json")
    for call in (lambda: load_model(path), lambda: Stack.random("Sum", 1, 1, 1)):
        with pytest.raises(ArgumentValueError, match="'Sum' is defined by mine and by yours: give"):
            call()
    assert type(mine.load(path)) is mine  # who names the class means it
    other = defined("theirs", ", kind='another sum'").random(1, 1)
    assert type(load_model(other.save(tmp_path / "other.json"))).__module__ == "theirs"
    monkeypatch.delitem(sys.modules, "mine")
    assert type(load_model(path)) is yours


def test_refusals() -> None:
    class Silent(Model):
        pass

    def giving(given: Any) -> Any:
        class Wrong(Model):
            def advance(self, state: Any, x: Any, weights: Any) -> Any:
                return given

        return lambda: Wrong([[1, 1]] * 4).unroll([[1]])

    calls: list[tuple[Any, str]] = [
        (lambda: Model([[1], [2]]), "Model takes no step: derive a class from Model, and define"),
        (lambda: Silent([[1], [2]]), "Silent takes no step"),
        (lambda: Stack([Silent]), r"layers\[0\] must be a layer.*, not type"),
        (giving(None), "advance of Wrong must give a dict of vectors, not NoneType"),
        (giving({"h": 3}), "'h' from advance of Wrong must be a list, not int"),
        (
            giving({"h": [Value(1)], "pi": ()}),
            "advance of Wrong must give h of size 2: it gives h of 1, pi of 0",
        ),
        (
            lambda: Stack.random("Nobody", 1, 1, 1),
            "kind 'Nobody' is unknown: choose one of .*RNN, .*MinimalGatedUnit",
        ),
        (lambda: type("Odd", (Model,), {}, kind=3), "kind must be a str or None, not int"),
        (lambda: RNN([[1], [2]], bias="no"), "bias must be True or False, not 'no'"),  # type: ignore[arg-type]
    ]
    for call, words in calls:
        with pytest.raises((TypeError, ValueError), match=words):
            call()


OLD = {
    "RNN": {
        "activation": "relu",
        "bias": False,
        "weights": [[4.0], [1.0]],
        "names": [["w_1"], ["w_2"]],
    },
    "Linear": {"bias": True, "weights": [[1.0], [2.0]], "names": [["a"], ["b"]]},
    "LSTM": {
        "bias": True,
        "weights": [[1.0, 2.0, 3.0, 4.0]] * 2,
        "names": [list("abcd"), list("efgh")],
    },
    "GRU": {
        "bias": True,
        "weights": [[1.0, 2.0, 3.0]] * 2,
        "names": [list("abc"), list("def")],
        "recurrent_offset": [0.5],
        "recurrent_names": ["g"],
    },
}


@pytest.mark.parametrize("kind", OLD)
def test_the_content_of_a_file_is_as_documented(kind: str) -> None:
    content = {"kind": kind, **OLD[kind]}
    (made,) = KINDS[kind].values()
    assert made.from_dict(content).to_dict() == content
    stack = Stack.from_dict({"kind": "Stack", "layers": [content]})
    assert stack.to_dict() == {"kind": "Stack", "layers": [content]}


def test_what_a_step_only_hands_on_keeps_its_name() -> None:
    class Held(Model):
        def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
            return {"w": weights[0][0], "one": [1.0], "h": self.sums(weights[0], state[0] + x)}

    model = Held([[1], [2], [3]])
    run = model.unroll([[1], [2]])
    assert [weight.name for weight in model.parameters()] == ["w_1", "w_2", "w_3"]
    assert [run.steps[0].h[0].name, run.steps[1].h[0].name, run.steps[0].x[0].name] == [*"ḣḧẋ"]


def test_what_a_kind_asks_of_sums_and_gates_is_checked() -> None:
    class Short(Model):
        def advance(self, state: Any, x: Any, weights: Any) -> Any:
            return {"h": self.sums(weights[0], state[0])}

    class Gateless(Model):
        gates = ""

        def advance(self, state: Any, x: Any, weights: Any) -> Any:
            return {"h": state[0]}

    try:
        with pytest.raises(ValueError, match="vector must have size 2, as many as the rows of tab"):
            Short.random(1, 1).unroll([[1.0]])
        with pytest.raises(ValueError, match="gates must name one gate or more"):
            Gateless([[1.0]])
    finally:
        del KINDS["Short"], KINDS["Gateless"]
