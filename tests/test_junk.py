"""Junk at every door: only `AutogradError`, `TypeError`, `ValueError` come out, and no harm.

Of every public call there is a correct one below, and junk takes the place of its arguments.  A
name that is new in the package, or a parameter, has to be added there: a test says so.
"""

from __future__ import annotations

import gzip
import inspect
import json
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import autograd_rnn
from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AutogradError,
    Bidirectional,
    Constant,
    Copies,
    Copy,
    CosineDecay,
    CSVLog,
    Dataset,
    Language,
    Linear,
    Loss,
    Model,
    Optimiser,
    Program,
    Stack,
    StepDecay,
    Steps,
    Text,
    Unrolled,
    Value,
    WarmUp,
    adding,
    binary_cross_entropy,
    bits,
    check_gradients,
    compile_step,
    copies,
    counter,
    counting_ones,
    cross_entropy,
    derive,
    detect_anomaly,
    dna_family,
    dot,
    draw,
    draw_cell,
    draw_flow,
    draw_network,
    draw_weights,
    escape,
    evaluate,
    exercises,
    exp,
    explore,
    fit,
    freeze,
    from_torch,
    generate,
    grad,
    grade,
    gradients,
    hessian,
    hvp,
    in_family,
    jacobian,
    jvp,
    load_model,
    logsumexp,
    no_grad,
    one_hot,
    parity,
    play,
    primitive,
    promoters,
    read_fasta,
    record,
    separates,
    separating_set,
    softmax,
    squared_error,
    to_torch,
    tomita,
    topological,
    unfreeze,
    use_renderer,
    value_and_grad,
    vjp,
    where,
    windows,
    zero_grad,
)
from autograd_rnn.engine.shared import WATCH, watchers
from autograd_rnn.engine.value import constant
from autograd_rnn.ops.op import TABLE, Op

# --- junk ---------------------------------------------------------------------------------------


def raising(error: type[Exception]) -> Callable[..., object]:
    def function(*operands: object) -> object:
        raise error("of the function's own")

    return function


@cache
def nested(depth: int) -> list[object]:
    deep: list[object] = []
    for _ in range(depth):
        deep = [deep]
    return deep


def unrolled(steps: int) -> Unrolled:
    return RNN([[1, 2], [3, 4], [5, 6], [7, 8]]).unroll([[1]] * steps)


#: Made anew each time: some of it is used up, and some of it remembers.  No text has a slash, so
#: that no file is written elsewhere.
ZOO: dict[str, Callable[[], object]] = {
    **{repr(thing): lambda thing=thing: thing for thing in (None, True, False, ..., 0, -1, 2, 7)},
    **{f"{x} as a float": lambda x=x: x for x in (-0.0, 2.5, 1e308, math.nan, math.inf, -math.inf)},
    **{"10**400": lambda: 10**400, "-10**5000": lambda: -(10**5000), "1j": lambda: 1j},
    **{f"Fraction {w}": lambda x=x: Fraction(x) for w, x in (("a half", 0.5), ("huge", 10**400))},
    **{f"Decimal {x}": lambda x=x: Decimal(x) for x in ("1.5", "NaN", "sNaN", "-Infinity")},
    **{ascii(x): lambda x=x: x for x in ("", "x", "1", "ACGT", "\0", "\ud800", "π̇₁", "{", "{}")},
    **{ascii(x): lambda x=x: x for x in ("{0.upper}", "{x}", "{:d}", "..", "x.svg", "ß\n\t")},
    **{"a long text": lambda: "x" * 300, "a text of NumPy": lambda: np.str_("x")},
    **{"bytes": lambda: b"x", "bytearray": lambda: bytearray(3), "memory": lambda: memoryview(b"")},
    **{"[]": list, "()": tuple, "{}": dict, "set()": set, "[[]]": lambda: [[]]},
    **{"[None]": lambda: [None], "[1, [2]]": lambda: [1, [2]], "[[1], [2]]": lambda: [[1], [2]]},
    **{"['x']": lambda: ["x"], "[['x'], ['y']]": lambda: [["x"], ["y"]], "[1.5]": lambda: [1.5]},
    **{"a dict": lambda: {"a": 1}, "a set": lambda: {1}, "a range": lambda: range(3)},
    **{"3000 lists in a list": lambda: nested(3_000), "[10**400]": lambda: [10**400]},
    **{"a generator": lambda: (x for x in (1, 2)), "no more": lambda: iter(())},
    **{"lambda: 1.0": lambda: lambda: 1.0, "lambda *x: None": lambda: lambda *x: None},
    **{"lambda *x: 'x'": lambda: lambda *x: "x", "lambda *x: [*x]": lambda: lambda *x: [*x]},
    **{"lambda *x: x[0]": lambda: lambda *x: x[0], "lambda: NaN": lambda: lambda *x: Value("nan")},
    **{error.__name__: lambda error=error: raising(error) for error in (TypeError, ValueError)},
    **{f"the type {x.__name__}": lambda x=x: x for x in (int, str, Value, RNN, Unrolled, Op)},
    **{"len": lambda: len, "exp": lambda: exp, "a module": lambda: math, "a slice": lambda: slice},
    **{"an object": object, "an error": lambda: ValueError("x"), "a path": lambda: Path("x")},
    **{f"{x!r}": lambda x=x: x for x in (np.float64(2), np.float32("nan"), np.int64(3))},
    **{f"{x!r}": lambda x=x: x for x in (np.bool_(True), np.longdouble(1), np.complex64(1j))},
    **{f"{x!r}": lambda x=x: x for x in (np.datetime64("2020-01-01"), np.timedelta64(3, "s"))},
    "an array": lambda: np.array([1.0, 2.0]),
    "a column": lambda: np.array([[4.0], [1.0]]),
    "an array without axes": lambda: np.array(3.0),
    "an empty array": lambda: np.array([]),
    "an array of text": lambda: np.array(["x", "y"]),
    "an array of Values": lambda: np.array([Value(1), Value(2)]),
    "a variable": lambda: Value(1.0),
    "NaN as a Value": lambda: Value(math.nan, "n"),
    "a constant": lambda: constant(2.0, "c"),
    "a result": lambda: Value(2.0) * Value(3.0),
    "a list of Values": lambda: [Value(1.0), Value(2.0)],
    "a network": counter,
    "another run": lambda: unrolled(4),
    "a run of no steps": lambda: unrolled(0),
    "another weight": lambda: unrolled(1).rnn.weights[0][0],
    "a drawing": lambda: draw(Value(1.0)),
    "another model": lambda: Stack([LSTM.random(1, 1), Linear.random(1, 1)]),
    "a data set": lambda: Dataset([[1], [0]], [1, 0]),
    "a language": lambda: tomita(4),
    "copies": lambda: copies(x := Value(2.0), x * x),
    "a copy": lambda: copies(x := Value(2.0), x * x)[0],
    "a context": no_grad,
}

words = ["neuron", "step", "auto", "dark", "local", "tanh", "linear", "html", "GATTACA", "101"]
texts = st.text(st.characters(exclude_characters="/"), max_size=12) | st.sampled_from(words)
scalars = st.one_of(
    *(st.none(), st.booleans(), st.integers(-10, 10), st.integers(), st.floats(), texts),
    *(st.fractions(), st.decimals(), st.complex_numbers(), st.binary(max_size=4)),
    st.sampled_from([name for name in ZOO if "3000" not in name]).map(lambda name: ZOO[name]()),
)


def containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    lists = st.lists(inner, max_size=3)
    return lists | lists.map(tuple) | lists.map(iter) | st.dictionaries(texts, inner, max_size=2)


junk = st.recursive(scalars, containers, max_leaves=5)


# --- what is made to be derived from -------------------------------------------------------------


class Sums(Model):
    def advance(self, state: Any, x: Any, weights: Any) -> dict[str, Any]:
        return {"h": self.sums(weights[0], state[0] + x)}


class Signs(Optimiser):
    def moves(self, gradients: list[float]) -> tuple[list[float], dict[str, Any]]:
        return [-math.copysign(self.learning_rate, slope) for slope in gradients], {}


# --- correct calls ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A correct call, with an argument for every parameter."""

    function: Callable[..., object]
    args: tuple[object, ...]
    kwargs: dict[str, object]


def call(function: Callable[..., object], *args: object, **kwargs: object) -> Call:
    return Call(function, args, kwargs)


#: Calls that open files: what the system says of those comes out as it is.
OPENS = {
    "Drawing.save",
    "Sheet.save",
    "Sheets.save",
    "Page.save",
    "RNN.load",
    "RNN.save",
    "fit",
    "read_fasta",
}
OPENS |= {
    "CSVLog",
    "Dataset.read",
    "Stack.load",
    "Stack.save",
    "Text.read",
    "load_model",
    "promoters",
}
#: Calls that compute as much as a number says, up to a limit.
SIZED = {
    "Drawing.png",
    "exercises",
    "RNN.random",
    "counter",
    "in_family",
    "adding",
    "counting_ones",
}
SIZED |= {"GRU.random", "LSTM.random", "Linear.random", "Stack.random", "dna_family"}
SIZED |= {"Bidirectional.random", "Language.count", "Language.sample", "fit", "generate"}


@cache
def pictures() -> dict[str, object]:
    """A drawing and a page, made once: nothing changes them."""
    x = Value(2.0, "x")
    return {"Drawing": draw(x * Value(3.0, "y") + x), "Page": play(x * x, max_nodes=0)}


def instances() -> dict[str, object]:
    """One of each public class that has methods, or properties to assign."""
    x, y = Value(2.0, "x"), Value(3.0, "y")
    z = x * y + x
    rnn = RNN([[4], [1]], activation="relu", bias=False)
    return {
        **{"Value": x, "RNN": rnn, "Unrolled": rnn.unroll(bits("10")), "Copies": copies(x, z)},
        **{"Copy": copies(x, z)[0], **pictures()},
        "CompiledStep": RNN([[4], [1]], "relu", bias=False).compile(
            "squared_error", backend="numpy"
        ),
        **{"Program": Program.of(z, [x, y]), "SGD": SGD(0.1, 0.5), "Adam": Adam()},
        **{"LSTM": LSTM.random(1, 1), "GRU": GRU.random(1, 1), "Linear": Linear([[1], [2]])},
        "Stack": Stack([GRU.random(1, 1), Linear.random(1, 1)]),
        "Bidirectional": Bidirectional.random("RNN", 1, 1),
        "Loss": Loss("mine", squared_error, ignore=-1),
        "Dataset": Dataset([[1], [0], [1, 0]], [1, 0, 1], symbols=["1", "0", "10"]),
        "Language": tomita(4),
        "Steps": Steps(),
        "Text": Text("banana"),
    }


def correct_calls() -> dict[str, Call]:
    made = instances()
    rnn, run, drawing, page = [made[name] for name in ("RNN", "Unrolled", "Drawing", "Page")]
    program, compiled = made["Program"], made["CompiledStep"]
    every = RNN.random(1, 1).compile("squared_error", at="every", backend="numpy")
    language, data, text = made["Language"], made["Dataset"], made["Text"]
    gru, readout, stack = made["GRU"], made["Linear"], made["Stack"]
    w, loss = rnn.weights[0][0], (15 - run.pi[0]) ** 2
    x, y = Value(2.0, "x"), Value(3.0, "y")
    z = x * y + x

    def f(x: Value, y: Value) -> Value:
        return x * y

    calls = {
        "RNN": call(RNN, [[4], [1]], "relu", bias=False, names=[["a"], ["b"]]),
        "RNN.__call__": call(rnn, [[1], [0]]),
        "RNN.compile": call(
            *(rnn.compile, "squared_error"),
            **{"at": "every", "backend": "python", "exact": False, "devices": None, "truncate": 2},
        ),
        "RNN.load": call(RNN.load, "rnn.json"),
        "RNN.random": call(RNN.random, 2, 1, activation="tanh", seed=0),
        "RNN.from_dict": call(RNN.from_dict, rnn.to_dict()),
        "RNN.save": call(rnn.save, "saved.json"),
        "RNN.step": call(rnn.step, (x,), (1.0,), (x, y)),
        "RNN.unroll": call(rnn.unroll, [[1], [0]], [0], truncate=1),
        "Dataset": call(
            *(Dataset, [[1], [0]], [1, -1]),
            **{"symbols": ["1", "0"], "groups": ["a", "b"], "classes": 2, "ignore": -1},
        ),
        "Dataset.read": call(
            *(Dataset.read, "reads.csv"),
            **{"sequence": "sequence", "label": 2, "alphabet": "DNA", "classes": ["a", "b"]},
            **{"targets": "classes", "ambiguous": "skip", "bad_records": "skip"},
            **{"window": 3, "stride": 2},
            reverse_complement=True,
        ),
        "Dataset.split": call(data.split, 1.0, seed=1),
        "Dataset.subset": call(data.subset, [0]),
        "GRU": call(
            *(GRU, [[1, 2, 3]] * 3, [0.5]),
            names=[["a", "b", "c"]] * 3,
            recurrent_names=["d"],
            bias=True,
        ),
        "GRU.from_dict": call(GRU.from_dict, gru.to_dict()),
        "GRU.random": call(GRU.random, 2, 1, seed=0),
        "LSTM": call(LSTM, [[1, 2, 3, 4]] * 3, bias=True, names=[["a", "b", "c", "d"]] * 3),
        "LSTM.from_dict": call(LSTM.from_dict, made["LSTM"].to_dict()),
        "LSTM.random": call(LSTM.random, 2, 1, seed=0),
        "Language": call(Language, "mine", "01", [[0, 1], [1, 0]], [0, 1]),
        "Language.__call__": call(language, "101"),
        "Language.count": call(language.count, 3),
        "Language.encode": call(language.encode, "101"),
        "Language.every": call(language.every, [1, 2]),
        "Language.label": call(language.label, ["101"]),
        "Language.sample": call(language.sample, 4, [3, 4], seed=0),
        "Linear": call(Linear, [[1], [2]], bias=True, names=[["a"], ["b"]]),
        "Linear.from_dict": call(Linear.from_dict, readout.to_dict()),
        "Linear.random": call(Linear.random, 2, 1, seed=0),
        "Loss": call(
            *(Loss, "mine", squared_error, lambda *target: None),
            **{"hit": lambda *pair: True, "classes": lambda *pair: pair},
            **{"probabilities": lambda outputs: outputs, "ignore": -1},
            weighted=lambda output, target, weights: output,
        ),
        "Loss.of": call(Loss.of, "cross_entropy", weights=[1, 2], ignore=-1),
        "Bidirectional": call(Bidirectional, LSTM.random(1, 2), GRU.random(2, 2)),
        "Bidirectional.from_dict": call(
            Bidirectional.from_dict, Bidirectional.random("RNN", 1, 1).to_dict()
        ),
        "Bidirectional.random": call(Bidirectional.random, "GRU", 2, 1, seed=0),
        "Model": call(Sums, [[1], [2]], names=[["a"], ["b"]]),
        "Optimiser": call(Signs, 0.1, clip_norm=1.0, clip_value=2.0),
        "Stack": call(Stack, [readout, readout]),
        "Stack.__call__": call(stack, [[1], [0]]),
        "Stack.compile": call(
            *(stack.compile, "squared_error"),
            **{"at": "every", "backend": "python", "exact": False, "devices": None, "truncate": 2},
        ),
        "Stack.from_dict": call(Stack.from_dict, stack.to_dict()),
        "Stack.load": call(Stack.load, "stack.json"),
        "Stack.random": call(Stack.random, "GRU", 2, 1, 1, layers=1, seed=0),
        "Stack.save": call(stack.save, "saved.json"),
        "Stack.step": call(stack.step, (x,), (1.0,), tuple(stack.parameters())),
        "Stack.unroll": call(stack.unroll, [[1], [0]], [0], truncate=1),
        "Copies": call(Copies, made["Copies"]),
        "Copy": call(Copy, *[getattr(made["Copy"], field.name) for field in fields(Copy)]),
        "Drawing.paths": call(drawing.paths, "picture.dot", "dot"),
        "Drawing.png": call(drawing.png, 72),
        "Drawing.save": call(drawing.save, "picture.dot", "dot"),
        "Page.save": call(page.save, "page.html"),
        "Program.__call__": call(program, 2.0, 3.0),
        "Program.jax": call(program.jax, "f"),
        "Program.numpy": call(program.numpy, "f"),
        "Program.of": call(Program.of, z, [x, y]),
        "Program.python": call(program.python, "f"),
        "Program.select": call(program.select, 0),
        "SGD": call(SGD, 0.1, 0.9, clip_norm=1.0, clip_value=2.0),
        "SGD.step": call(made["SGD"].step, [x], [0.5]),
        **{
            key: made_call
            for name in ("SGD", "Adam")
            for key, made_call in {
                f"{name}.attach": call(made[name].attach, [x]),
                f"{name}.scaled": call(made[name].scaled, 0.5),
            }.items()
        },
        "SGD.updated": call(made["SGD"].updated, np.array([2.0]), np.array([0.5])),
        "Adagrad": call(Adagrad, 0.1, 1e-8, clip_norm=1.0, clip_value=2.0),
        "Adam": call(Adam, 0.1, (0.9, 0.99), 1e-8, clip_norm=1.0, clip_value=2.0),
        "AdamW": call(
            *(AdamW, 0.1, (0.9, 0.99), 1e-8),
            **{"weight_decay": 0.1, "clip_norm": 1.0, "clip_value": 2.0},
        ),
        "Adam.step": call(made["Adam"].step, [x], [0.5]),
        "Adam.updated": call(made["Adam"].updated, np.array([2.0]), np.array([0.5])),
        "Steps": call(Steps),
        "Steps.step": call(Steps().step, 1),
        "Unrolled": call(Unrolled, rnn, run.state, run.steps, run.cuts),
        "Unrolled.table": call(run.table, loss, focus=w),
        "Value": call(Value, 2.0, "x"),
        "Value.__format__": call(x.__format__, ".3f"),
        "Value.backward": call(z.backward, 2.0),
        "adding": call(adding, 2, [3], seed=0),
        "binary_cross_entropy": call(binary_cross_entropy, [x, 1.0], [1.0, 0.0]),
        "bits": call(bits, "101"),
        "check_gradients": call(
            check_gradients, f, [2, 3], eps=1e-5, atol=1e-8, rtol=1e-5, order=1
        ),
        **{
            f"compile_step ({backend})": call(
                *(compile_step, lambda q, x, w: (q, w[0] * x[0]), "squared_error", [y], [0.0]),
                **{"at": "last", "backend": backend, "exact": exact, "devices": None},
                **{"truncate": None if exact else 2, "symbols": 2, "both_ways": False},
            )
            for backend, exact in (("python", False), ("numpy", False), ("native", True))
        },
        "CompiledStep.gradients_per_step": call(compiled.gradients_per_step, [[1]], [2]),
        "CompiledStep.loss_and_gradients": call(
            *(compiled.loss_and_gradients, [[1]], [2]),
            **{"state": [[0]], "return_state": False, "threads": 1},
        ),
        "CompiledStep.predict": call(
            *(compiled.predict, [[1]]),
            **{"state": [[0]], "return_state": False, "threads": 1, "probabilities": False},
        ),
        "CompiledStep.arranged": call(compiled.arranged, compiled.prepare([[1]], [2]), "targets"),
        "CompiledStep.prepare": call(compiled.prepare, [[1]], [2]),
        "CompiledStep.prepare_parts": call(compiled.prepare_parts, compiled.prepare([[1]], [2]), 1),
        "CompiledStep.prepare_windows": call(
            *(every.prepare_windows, every.prepare([[1, 0], [1]], [[2, 1], [1]]), 1),
            **{"whole": True},
        ),
        "CompiledStep.run": call(
            *(compiled.run, compiled.prepare([[1]], [2])),
            **{"numbers": [1.0, 2.0], "outputs": True, "threads": 1},
            **{"state": [[0]], "return_state": True},
        ),
        "copies": call(copies, w, loss, run),
        "counter": call(counter, "G", 2, "ACGT"),
        "cross_entropy": call(cross_entropy, [x, 1.0], 1),
        "counting_ones": call(counting_ones, 3),
        "derive (copies)": call(derive, loss, w, through=None, run=run),
        "derive (a set)": call(derive, loss, w, through=[run.pi[0]], run=run),
        "exercises": call(
            *(exercises, 2),
            **{"kinds": ["vanishing"], "level": 1, "seed": 3, "steps": None, "states": None},
            **{"activation": None, "idle": False, "title": "T", "copies": None, "code": None},
        ),
        "grade": call(grade, exercises(1, kinds=["vanishing"]).code, [0.5]),
        "derive (matrices)": call(derive, loss, rnn, through=None, run=run),
        "detect_anomaly": call(detect_anomaly),
        "dna_family": call(dna_family, "G", 2, "ACGT"),
        "dot": call(dot, [x, 1.0], [y, 2.0]),
        **{
            f"draw ({detail})": call(
                *(draw, loss),
                # With a width, each call lays the picture out.
                **{"focus": w, "precision": 3, "width": 900 if detail == "step" else None},
                **{"run": run, "detail": detail, "edges": "plain", "theme": "light"},
                **{"title": "L", "max_nodes": 100, "subscripts": False, "accents": False},
            )
            for detail in ("scalar", "neuron", "step")
        },
        "draw_cell": call(draw_cell, rnn, theme="light", width=900, title="a cell"),
        "draw_flow": call(
            *(draw_flow, loss),
            **{"run": run, "focus": w, "names": ["a run"]},
            **{"theme": "light", "width": 900, "title": "a flow"},
        ),
        "draw_network": call(
            *(draw_network, run),
            **{"inputs": ["x"], "theme": "light", "width": 900, "title": "a network"},
        ),
        "draw_weights": call(
            *(draw_weights, rnn),
            **{"inputs": ["x"], "theme": "light", "width": 900, "title": "weights"},
        ),
        "escape": call(escape, [run.pi[0]], w, loss),
        "fit": call(
            *(fit, rnn, ([[1, 0], [1]], [2, 3])),
            **{"loss": "squared_error", "optimiser": SGD(1e-9), "epochs": 2, "batch_size": 1},
            **{"validation": ([[1]], [3]), "seed": 0, "engine": "eager", "progress": False},
            **{"at": "last", "patience": 1, "checkpoint": "checkpoint.json", "threads": 1},
            **{"devices": None, "truncate": 2, "streams": False},
            **{"schedule": lambda t: 0.5, "callbacks": [lambda report: None]},
        ),
        "explore": call(explore, rnn, "101", 15.0),
        "evaluate": call(
            *(evaluate, rnn, ([[1, 0], [1]], [2, 3])),
            **{"loss": "squared_error", "at": "last", "engine": "eager", "threads": 1},
            devices=None,
        ),
        "CSVLog": call(CSVLog, "log.csv"),
        "Constant": call(Constant),
        "CosineDecay": call(CosineDecay, 2, 0.5),
        "StepDecay": call(StepDecay, 2, 0.5),
        "WarmUp": call(WarmUp, 1, CosineDecay(2)),
        "from_torch": call(from_torch, {"weight": [[1.0, 2.0]], "bias": [1.0]}, activation="relu"),
        "grad": call(grad, f, argnums=[0, -1], has_aux=False, create_graph=True),
        "gradients": call(gradients, z, [x, y], seed=2.0, create_graph=True),
        "hessian": call(hessian, z, [x, y], argnums=0, has_aux=False, create_graph=True),
        "hessian (at a point)": call(
            hessian, f, [2, 3], argnums=[1], has_aux=False, create_graph=None
        ),
        "hvp": call(hvp, f, [2, 3], [1, 0], create_graph=True),
        "jacobian": call(
            jacobian, lambda x, y: [x * y], [2, 3], argnums=None, has_aux=False, create_graph=None
        ),
        "vjp": call(vjp, f, 2, 3, has_aux=False, create_graph=None),
        "in_family": call(in_family, "GATTACAG", "G", 2),
        "jvp": call(jvp, f, [2, 3], [1, 0], has_aux=False, create_graph=None),
        "load_model": call(load_model, "stack.json"),
        "logsumexp": call(logsumexp, [x, 1.0]),
        "no_grad": call(no_grad),
        "one_hot": call(one_hot, "GA", "ACGT"),
        "play": call(play, loss, focus=w, run=run, title="L", max_nodes=0),
        "primitive": call(
            *(primitive, "mine", lambda x: 2.0 * x, (lambda x, z: 2.0,)),
            **{"symbol": "m", "latex": "m({})", "python": "m({})", "llvm": "m", "text": "m({})"},
            arrays=lambda np, x: x * 2.0,
            binds=6,
        ),
        "parity": call(parity),
        "generate": call(
            *(generate, Linear([[0, 1], [1, 0]], bias=False), "a", 2, 1.0, 0),
            **{"alphabet": "ab", "backend": "python"},
        ),
        "Text": call(Text, "banana", alphabet="abn"),
        "Text.decode": call(text.decode, [0, 1]),
        "Text.encode": call(text.encode, "nab"),
        "Text.entropy": call(text.entropy, before=1, seen=Text("abba", text.alphabet)),
        "Text.read": call(Text.read, "text.txt", alphabet="abn"),
        "Text.split": call(text.split, 1.0),
        "Text.streams": call(text.streams, 2),
        "Text.windows": call(text.windows, 2, stride=1),
        "promoters": call(promoters, "promoters.data"),
        "read_fasta": call(
            *(read_fasta, "two.fa"),
            **{"alphabet": "ACGT", "ambiguous": False, "most_bases": 1000, "refuse": print},
        ),
        "separates": call(separates, [run.pi[0]], w, loss),
        "separating_set": call(separating_set, w, loss),
        "record": call(record, f, 2, 3),
        "softmax": call(softmax, [x, 1.0]),
        "squared_error": call(squared_error, [x, 1.0], [1.0, 0.0]),
        "to_torch": call(to_torch, readout),
        "tomita": call(tomita, 4),
        "topological": call(topological, z, x),
        "freeze": call(freeze, Value(1.0)),
        "unfreeze": call(unfreeze, Value(1.0)),
        "use_renderer": call(use_renderer, None),
        "value_and_grad": call(value_and_grad, f, argnums=0, has_aux=False, create_graph=None),
        "Value.arctan2": call(x.arctan2, y),
        "Value.hypot": call(x.hypot, y),
        "where": call(where, x > y, x, y),
        "windows": call(windows, "GATTACA", 3, 2),
        "zero_grad": call(zero_grad, x, y),
    }
    there = {key.partition(" ")[0] for key in calls}
    for name in PUBLIC:
        owner, _, member = name.partition(".")
        thing = getattr(autograd_rnn, owner)
        if name in there:
            continue
        if isinstance(thing, Op):
            calls[name] = call(thing, *[x, y][: thing.arity])
        elif isinstance(thing, type) and issubclass(thing, Exception):
            calls[name] = call(thing, "what went wrong")
        elif member and not callable(getattr(made[owner], member)):
            value = getattr(made[owner], member)
            calls[name] = call(partial(setattr, made[owner], member), value)
        elif member and takes_nothing(type(made[owner]), member):
            calls[name] = call(getattr(made[owner], member))
    return calls


@cache
def takes_nothing(kind: type, member: str) -> bool:
    return parameters(getattr(kind, member)) in ([], ["self"])


def parameters(function: Callable[..., object]) -> list[str]:
    """The names of the public ones; none of what has no signature, such as a compiled method."""
    try:
        found = inspect.signature(function).parameters.values()
        return [one.name for one in found if one.name[0] != "_" and one.kind != one.VAR_KEYWORD]
    except ValueError:
        return []


MORE = {"Language.__call__", "Stack.__call__", "GRU.random", "LSTM.random"}
MORE |= {"GRU.from_dict", "LSTM.from_dict", "Linear.from_dict"}
#: What only a kind of model or an optimiser of one's own defines and calls.
HOOKS = {"advance", "sums", "moves"}


def public_names() -> list[str]:
    """What can be called or assigned: functions, classes, their methods and their properties."""
    names = [name for name in autograd_rnn.__all__ if callable(getattr(autograd_rnn, name))]
    # What a function makes, as its docstring says, is not made by hand.
    names = [name for name in names if "made by `" not in getattr(autograd_rnn, name).__doc__]
    for owner, thing in instances().items():
        kind = type(thing)
        # What all models have, one of them stands for.
        alone = issubclass(kind, Model) and owner not in ("RNN", "Stack")
        for member, found in (vars(kind) if alone else members(kind)).items():
            is_slot = inspect.ismemberdescriptor(found)
            if (
                member[0] != "_"
                and member not in HOOKS
                and not is_slot
                and hasattr(thing, member)
                and (callable(getattr(thing, member)) or is_set(thing, member))
            ):
                names.append(f"{owner}.{member}")
    return sorted({*names, "RNN.__call__", "Program.__call__", "Value.__format__"} | MORE)


def members(kind: type) -> dict[str, object]:
    """What a class of this package has, and what it has from others of the package."""
    ours = [one for one in kind.__mro__[::-1] if one.__module__.startswith("autograd_rnn.")]
    return {name: found for one in ours for name, found in vars(one).items()}


def is_set(thing: object, member: str) -> bool:
    """Whether a property can be assigned."""
    try:
        setattr(thing, member, getattr(thing, member))
    except AttributeError:
        return False
    return True


PUBLIC = public_names()
CALLS = sorted(correct_calls())


# --- what must hold afterwards ------------------------------------------------------------------


#: What the correct calls read, by the names of the files.
FILES = {
    "rnn.json": json.dumps(RNN([[4], [1]], "relu", bias=False).to_dict()),
    "stack.json": json.dumps(Stack([GRU.random(1, 1), Linear.random(1, 1)]).to_dict()),
    "promoters.data": "+,S10,tactag\n-,867,ggatcc\n",
    "two.fa": ">one\nGAT\ntaca\n>two\nGG\n",
    "text.txt": "banana",
    "reads.csv": "sequence,label\nGATTACA,a\nGGCC,b\n",
}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The files that are read, in a folder in which anything may be written."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).write_text(content)
    yield
    use_renderer(None)  # which junk may have taken the place of


@pytest.fixture
def correct(name: str) -> Call:
    return correct_calls()[name]


class World:
    """A graph, the contexts and the table from before a call, which must be the same after it."""

    def __init__(self) -> None:
        self.leaves = [Value(2.0), Value(3.0), constant(5.0)]
        x, y, c = self.leaves
        self.output = (x * y + c * x) * y.relu()
        self.table = dict(TABLE)

    def check(self, may_register: bool = False) -> None:
        self.check_state(may_register)
        zero_grad(*self.leaves)
        self.output.backward()
        grads = tuple([leaf.grad for leaf in self.leaves])
        assert gradients(self.output, self.leaves) == grads == (24.0, 22.0, 0.0)

    def check_state(self, may_register: bool = False) -> None:
        if may_register:
            for name in set(TABLE) - set(self.table):
                del TABLE[name]
        assert self.table == TABLE
        assert WATCH.open == 0
        assert not watchers()


def attempt(name: str, call: Call) -> None:
    """Make a call, and use what it gives; only the errors that a caller expects may come out."""
    try:
        use(call.function(*call.args, **call.kwargs))
    except (AutogradError, TypeError, ValueError) as error:
        if not str(error).strip():
            raise AssertionError("an error without words") from error
    except OSError:
        if name not in OPENS:
            raise


def use(made: object) -> None:
    """What is made of junk, if anything, is as sound as anything."""
    if isinstance(made, Value):
        assert type(made.data) is type(made.grad) is float
        assert len(made.parents) == len(made.partials) == (made.op.arity if made.op else 0)
        made.backward()
        assert repr(made)
    elif isinstance(made, Op):
        operands = [Value(2.0), Value(3.0)][: made.arity]
        use(draw(made(*operands), max_nodes=9).dot and made(*operands))
    elif isinstance(made, RNN):
        use(draw_cell(made).dot and made.unroll([[0.5] * made.inputs]).q)
    elif isinstance(made, Model):
        use(made.unroll([[0.5] * made.inputs]).output)
    elif isinstance(made, Language):
        use(made.every([1]))
    elif isinstance(made, Dataset):
        assert repr(made.split(1))
    elif inspect.isfunction(made):
        made(2.0, 3.0)
    elif isinstance(made, list | tuple):
        for thing in made:
            if isinstance(thing, Value):
                use(thing)


def is_slow(name: str, thing: object) -> bool:
    """Whether a number is not junk to the call, but asks for much."""
    number = isinstance(thing, int | float | Fraction | np.number)
    number = number and not isinstance(thing, np.timedelta64)  # NumPy counts it as a number
    return name in SIZED and number and 100 < abs(thing) <= 10_000


# --- the tests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLIC)
def test_there_is_a_correct_call_of_everything(name: str) -> None:
    keys = [key for key in CALLS if key.partition(" ")[0] == name]
    assert keys, f"{name} is new: add a correct call of it to correct_calls"
    for key in keys:
        world, correct = World(), correct_calls()[key]
        if name == "to_torch":
            pytest.importorskip("torch")
        arguments = len(correct.args) + len(correct.kwargs)
        assert arguments >= len(parameters(correct.function)), f"{name}: add its new parameter"
        use(correct.function(*correct.args, **correct.kwargs))
        world.check(may_register=name == "primitive")


def test_there_is_no_call_of_anything_else() -> None:
    assert {key.partition(" ")[0] for key in CALLS} == set(PUBLIC)


def with_junk(correct: Call, place: int | str, thing: object) -> Call:
    """The call with one argument replaced, in `args` or in `kwargs`."""
    if isinstance(place, str):
        return Call(correct.function, correct.args, {**correct.kwargs, place: thing})
    args = (*correct.args[:place], thing, *correct.args[place + 1 :])
    return Call(correct.function, args, correct.kwargs)


@pytest.mark.parametrize("name", CALLS)
def test_junk_in_place_of_one_argument(name: str, correct: Call) -> None:
    """With all other arguments, and with none of the optional ones."""
    world, wrong = World(), []
    bare = Call(correct.function, correct.args, {})
    places = [*range(len(correct.args)), *correct.kwargs]
    for base, place in [*product([correct], places), *product([bare], correct.kwargs)]:
        for words, make in ZOO.items():
            thing = make()
            if is_slow(name, thing):
                continue
            try:
                attempt(name, with_junk(base, place, thing))
            except Exception as error:
                wrong.append(f"{words} as argument {place}: {type(error).__name__}: {error}")
            world.check_state(may_register=name == "primitive")
        world.check()
    assert not wrong


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=settings().max_examples // 4, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_junk_in_several_places(name: str, correct: Call, data: st.DataObject) -> None:
    world, changed = World(), correct
    places = [*range(len(changed.args)), *changed.kwargs]
    for place in data.draw(st.lists(st.sampled_from(places), max_size=3)) if places else []:
        thing = data.draw(junk)
        if not is_slow(name, thing):
            changed = with_junk(changed, place, thing)
    how = data.draw(st.sampled_from(["as it is", "fewer", "more", "another keyword"]))
    if how == "fewer":
        kept = {place: thing for place, thing in changed.kwargs.items() if data.draw(st.booleans())}
        changed = Call(changed.function, changed.args[: data.draw(st.integers(-1, 2))], kept)
    elif how == "more":
        more = data.draw(st.lists(junk, min_size=1, max_size=4))
        changed = Call(changed.function, (*changed.args, *more), changed.kwargs)
    elif how == "another keyword":
        changed = with_junk(changed, data.draw(st.sampled_from(["x", "name", "self", "_x"])), None)
    attempt(name, changed)
    world.check(may_register=name == "primitive")


BINARY = ["add", "sub", "mul", "truediv", "pow", "lt", "le", "gt", "ge", "eq", "ne"]
BINARY += ["floordiv", "mod", "matmul", "and_", "or_", "xor", "lshift", "iadd", "imul", "ipow"]


@pytest.mark.parametrize("name", BINARY)
def test_junk_on_either_side_of_an_operator(name: str) -> None:
    world, operate, wrong = World(), getattr(operator, name), []
    for value in (Value(2.0, "x"), constant(2.0), Value(2.0) * 3.0):
        for words, make in ZOO.items():
            for operands in ((value, make()), (make(), value)):
                if isinstance(operands[0], Fraction) and name in ("pow", "ipow"):
                    continue  # its own power turns it into a float before a Value is asked
                try:
                    attempt(name, call(operate, *operands))
                except Exception as error:
                    wrong.append(f"{words}: {type(error).__name__}: {error}")
                world.check()
    assert not wrong


json_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just("tanh"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(json_junk, st.dictionaries(st.sampled_from(["kind", "bias", "weights"]), json_junk))
@settings(suppress_health_check=list(HealthCheck))
def test_a_file_of_junk_is_no_network(whole: object, parts: dict[str, object]) -> None:
    Path("saved.json").write_text(json.dumps(whole))
    attempt("RNN.load", call(RNN.load, "saved.json"))
    content = json.loads(Path("rnn.json").read_text())
    Path("saved.json").write_text(json.dumps({**content, **parts}))
    attempt("RNN.load", call(RNN.load, "saved.json"))
    content = json.loads(Path("stack.json").read_text())
    for broken in (
        {**content, **parts},
        {**content, "layers": [{**content["layers"][0], **parts}]},
    ):
        Path("saved.json").write_text(json.dumps(broken))
        attempt("load_model", call(load_model, "saved.json"))


@given(
    st.binary(max_size=60), st.sampled_from([b"", b">", b">one\nGA", b"{", b'"', b"\x1f\x8b\x08"])
)
@settings(suppress_health_check=list(HealthCheck))
def test_a_file_of_junk_is_no_file_of_ours(content: bytes, start: bytes) -> None:
    for written in (start + content, gzip.compress(start + content)[: len(content) + 20]):
        Path("junk").write_bytes(written)
        for name, read in (
            *(("RNN.load", RNN.load), ("read_fasta", read_fasta)),
            *(("load_model", load_model), ("promoters", promoters)),
        ):
            attempt(name, call(read, "junk"))


@pytest.mark.parametrize("context", [no_grad, detect_anomaly])
def test_a_context_that_is_not_open_cannot_be_closed(context: Callable[[], object]) -> None:
    world = World()
    attempt("__exit__", call(context().__exit__, None, None, None))
    world.check()


def test_numbers_out_of_all_proportion() -> None:
    world, drawing = World(), draw(Value(1.0))
    for words, function, *arguments in (
        ("the resolution", drawing.png, 10**400),
        ("how many", in_family, "GATTACA", "G", 10**400),
        ("the states", RNN.random, 10**400, 1),
        *[
            ("the step", lambda eps: check_gradients(exp, [1], eps=eps), 10.0**-k)
            for k in (20, 320)
        ],
    ):
        attempt(words, call(function, *arguments))
    world.check()
