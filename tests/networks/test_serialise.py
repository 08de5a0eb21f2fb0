"""Models in files: whole, damaged, and of another kind; and pickled."""

import json
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Linear,
    Model,
    Stack,
    bits,
    counter,
    freeze,
    load_model,
    one_hot,
)
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError
from autograd_rnn.networks.serialise import KINDS

from .models import models, numbers, sizes


@given(sizes)
@settings(max_examples=10)
def test_save_and_load(drawn: tuple[int, int, int, int]) -> None:
    seed, states, inputs, _ = drawn
    for model in models(seed, states, inputs + 1, 2):
        content = json.loads(json.dumps(model.to_dict()))
        loaded = type(model).from_dict(content)
        assert loaded.to_dict() == model.to_dict()
        assert numbers(loaded.parameters()) == numbers(model.parameters())
        assert [w.name for w in loaded.parameters()] == [w.name for w in model.parameters()]
        assert repr(loaded) == repr(model)
        copy = pickle.loads(pickle.dumps(model))
        assert numbers(copy.parameters()) == numbers(model.parameters())


def test_files(tmp_path: Path) -> None:
    for model in models(1, 2, 3):
        path = model.save(tmp_path / "model.json")
        for loaded in (load_model(path), type(model).load(path)):
            assert type(loaded) is type(model)
            assert loaded.to_dict() == model.to_dict()
    stack = Stack.random("GRU", 2, 1, 1)
    path = stack.save(tmp_path / "stack.json")
    with pytest.raises(ArgumentValueError, match=r"stack\.json' does not hold a model of the kind"):
        LSTM.load(path)
    content = json.loads(path.read_text())
    gru = content["layers"][0]
    for damaged, words in [
        ({**content, "layers": 3}, "layers must be a list"),
        ({**content, "layers": []}, "layers must hold one layer or more"),
        ({**content, "layers": [content]}, "its kind is 'Stack', not one of .*GRU"),
        ({**content, "layers": [{"kind": ["GRU"]}]}, "its kind is a list"),
        ({**content, "kind": "stack"}, "its kind is 'stack'"),
        ({**gru, "recurrent_offset": [1]}, "recurrent_offset must have size 2, not 1|as many"),
        ({**gru, "recurrent_names": [1, 2]}, "name must be a str or None"),
        ({**Linear([[1]]).to_dict(), "bias": 1}, "bias must be True or False, not 1"),
        ({**gru, "weights": [[1]]}, "needs a multiple of 3"),
        ({**gru, "names": None, "weights": [[None] * 6] * 3}, r"weights\[0\]\[0\] must be a real"),
        ({key: gru[key] for key in ("kind", "weights")}, "'recurrent_offset' is missing"),
        ([], "its kind is None"),
    ]:
        path.write_text(json.dumps(damaged))
        with pytest.raises(ArgumentValueError, match=f"does not hold a model that.*({words})"):
            load_model(path)


def test_an_rnn_is_saved_and_loaded(tmp_path: Path) -> None:
    rnn = RNN([[0.1, -2], [1e-300, 3], [4, 5]], "tanh", bias=False, names=[["a", "b"]] * 3)
    loaded = RNN.load(rnn.save(tmp_path / "rnn.json"))
    assert [(w.data, w.name) for w in loaded.parameters()] == [
        (w.data, w.name) for w in rnn.parameters()
    ]
    assert (loaded.activation, loaded.bias) == ("tanh", False)
    assert loaded(bits("1"))[1].data == rnn(bits("1"))[1].data


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"kind": "LSTM"}', "\x00", '{"kind": "RNN"}', "[" * 100_000]
)
def test_what_is_no_saved_layer(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(
        ArgumentValueError, match=r"other\.json' does not hold a model of the kind RNN.*: "
    ):
        RNN.load(path)


@pytest.mark.parametrize(
    ("key", "content"),
    [
        *[("weights", weights) for weights in (None, [["4"], ["1"]], [[None], [1]], [[1]], 3)],
        *[("weights", [[10**400], [1]]), ("names", [[1], [2]]), ("names", 0)],
        *[("activation", 3), ("activation", "cosine"), ("bias", "false"), ("kind", "LSTM")],
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, key: str, content: object) -> None:
    path = RNN([[4], [1]], bias=False).save(tmp_path / "rnn.json")
    saved = json.loads(path.read_text())
    path.write_text(json.dumps({**saved, key: content}))
    with pytest.raises(
        ArgumentValueError, match=r"rnn\.json' does not hold a model of the kind RNN.*: "
    ):
        RNN.load(path)


def test_models_can_be_pickled() -> None:
    rnn = pickle.loads(pickle.dumps(counter()))
    assert rnn(one_hot("GGG"))[-1].data == 1


@pytest.mark.parametrize("make", [lambda: GRU.random(2, 1), lambda: Stack.random("LSTM", 2, 1, 1)])
def test_what_is_frozen_is_kept(tmp_path: Path, make: Any) -> None:
    model = make()
    assert "frozen weights" not in json.dumps(model.to_dict())
    chosen = [0, 3, len(model.parameters()) - 1]
    freeze(*[model.parameters()[place] for place in chosen])
    path = model.save(tmp_path / "m.json")
    for loaded in (load_model(path), type(model).from_dict(model.to_dict())):
        frozen = [place for place, w in enumerate(loaded.parameters()) if w.constant]
        assert frozen == chosen
        assert loaded.to_dict() == model.to_dict()
    content = make().to_dict()
    where = content["layers"][0] if "layers" in content else content
    for junk, words in (([10**6], "must be"), (["a"], "must be an int"), (3, "must be a list")):
        where["frozen weights"] = junk
        with pytest.raises((ValueError, TypeError), match="'frozen weights' " + words):
            type(model).from_dict(content)


def test_a_setting_that_json_cannot_hold_is_named(tmp_path: Path) -> None:
    class WithFunction(Model, kind="with a function"):
        def __init__(self, weights: Any, activation: Any = math.tanh, *, names: Any = None) -> None:
            super().__init__(weights, names=names)
            self.activation = activation

        def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
            return {"h": self.sums(weights[0], state[0] + x)}

    words = "WithFunction cannot be saved: it takes 'activation', but JSON cannot hold it"
    with pytest.raises(ArgumentTypeError, match=words):
        WithFunction.random(1, 1).save(tmp_path / "m.json")
    assert not (tmp_path / "m.json").exists()
    KINDS.pop("with a function")
