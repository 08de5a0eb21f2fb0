"""What the package gives is pickled and copied, before and after it has run, or says why not."""

import copy
import itertools
import pickle
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import autograd_rnn
from autograd_rnn import (
    GRU,
    LSTM,
    RNN,
    Adam,
    Bidirectional,
    Constant,
    CosineDecay,
    CSVLog,
    Dataset,
    Linear,
    Loss,
    Report,
    Sheet,
    Stack,
    StepDecay,
    Steps,
    Text,
    Value,
    WarmUp,
    bits,
    compile_step,
    copies,
    counter,
    derive,
    detect_anomaly,
    draw,
    evaluate,
    exercises,
    fit,
    grade,
    no_grad,
    play,
    primitive,
    record,
    squared_error,
    tanh,
    tomita,
)
from autograd_rnn.backends import Backend
from autograd_rnn.ops.op import TABLE, Op
from autograd_rnn.training.optimisers import Optimiser

SEQUENCES, TARGETS = [[1, 0, 1], [1, 1], [0, 1, 0, 1]], [1, 0, 1]
DATA = Dataset(SEQUENCES, TARGETS)
WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
INSTALLED = [name for name, kind in Backend.kinds.items() if not kind.explain()]


class Thing(NamedTuple):
    """How one is made, and what it says when it is used."""

    make: Callable[[], Any]
    use: Callable[[Any], Any] = repr
    refused: str = ""  # why it is not pickled


def step(state: Any, x: Any, weights: Any) -> Any:
    (h,), (w, u) = state, weights
    h = tanh(w * h + u * x[0])
    return (h,), h


def compiled(name: str, **options: Any) -> Any:
    weights = [Value(0.5), Value(-0.25)]
    return compile_step(step, "squared_error", weights, [0.0], backend=name, **options)


def ran(compiled: Any) -> Any:
    found = compiled.loss_and_gradients(SEQUENCES, TARGETS)
    return found, compiled.predict(SEQUENCES), compiled.gradients_per_step([[1, 0]], [1])


def model(kind: Any) -> Any:
    return kind.random(2, 1, seed=3)


def small(model: Any) -> Any:
    return model.compile("squared_error", backend="python")


def asked(compiled: Any) -> Any:
    return compiled.predict([[[1] * compiled.inputs]])


def moved(optimiser: Any) -> list[float]:
    w = Value(1.0)
    copy.deepcopy(optimiser).step([w], [0.5])
    return [w.data]


def trained(optimiser: Any) -> Any:
    """The history, and where the weights end: it goes on from what the optimiser remembers."""
    rnn = RNN.random(1, 1, seed=1)
    given: Any = {"loss": "squared_error", "optimiser": optimiser, "progress": False}
    history = fit(rnn, DATA, **given, epochs=2, batch_size=2)
    return history, rnn


def loss_of_a_run() -> tuple[Any, Any, Any]:
    rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    return (15 - run.pi[0]) ** 2, rnn.weights[0][0], run


def looped() -> Steps:
    w, q, steps = Value(4, "w"), Value(1, "q"), Steps()
    for k in (1, 2):
        with steps.step(k):
            q = w * q
    return steps


def of_a_run(make: Callable[..., Any]) -> Callable[[], Any]:
    def made() -> Any:
        loss, weight, run = loss_of_a_run()
        return make(loss, weight, run)

    return made


def logged(log: Any) -> str:
    log(Report(1, loss=0.5, learning_rate=0.1, seconds=0.25))
    return str(log.path.read_text())


GRAPH = "a result .* is not pickled, since its graph would have to come along: save .*, or pickle"
MODELS: dict[str, Any] = {
    **{kind.__name__: lambda kind=kind: model(kind) for kind in (RNN, LSTM, GRU)},
    "Linear": lambda: Linear.random(1, 1, seed=3),
    "Bidirectional": lambda: Bidirectional(model(LSTM), model(LSTM)),
    "Stack": lambda: Stack.random("LSTM", 2, 1, 1, seed=0),
}
RUNS: dict[str, Callable[..., Any]] = {
    "Unrolled": lambda loss, weight, run: run,
    "RunTable": lambda loss, weight, run: run.table(loss, focus=weight),
    "Copies": lambda loss, weight, run: copies(weight, loss),
    "Copy": lambda loss, weight, run: copies(weight, loss)[0],
    "Derivation": lambda loss, weight, run: derive(loss, weight, run=run),
    "MatrixDerivation": lambda loss, weight, run: derive(loss, run.rnn, run=run),
    "Drawing": lambda loss, weight, run: draw(loss, run=run),
}
SCHEDULES = (Constant(), CosineDecay(3), StepDecay(2), WarmUp(3, then=CosineDecay(3)))
THINGS: dict[str, Thing] = {
    **{f"a step for {name}": Thing(lambda n=name: compiled(n), ran) for name in INSTALLED},
    **{
        f"a truncated step for {name}": Thing(lambda n=name: compiled(n, truncate=2), ran)
        for name in INSTALLED
    },
    **{
        f"a compiled {name}": Thing(lambda m=make: small(m()), asked)
        for name, make in MODELS.items()
    },
    **{
        name: Thing(make, lambda m: (m.to_dict(), asked(small(m)))) for name, make in MODELS.items()
    },
    **{
        f"{kind.__name__}, an optimiser": Thing(lambda kind=kind: kind(0.1, clip_norm=1.0), moved)
        for kind in vars(autograd_rnn).values()
        if isinstance(kind, type) and issubclass(kind, Optimiser) and kind is not Optimiser
    },
    **{repr(one): Thing(lambda one=one: one, lambda s: s(2.5)) for one in SCHEDULES},
    "counter": Thing(counter),
    "Program": Thing(
        lambda: record(lambda x, y: x * y + 1 if x > 0 else x, 2, 3),
        lambda p: (p(1, 2), p.gradient()(1, 2), str(p)),
    ),
    "CSVLog": Thing(lambda: CSVLog("log.csv"), logged),
    "Report": Thing(lambda: Report(1, loss=0.5, learning_rate=0.1, seconds=0.25)),
    "History": Thing(lambda: trained(Adam(0.1))[0], lambda history: history.loss),
    "Evaluation": Thing(lambda: evaluate(RNN.random(1, 1, seed=1), DATA, loss="squared_error")),
    "Dataset": Thing(lambda: Dataset(SEQUENCES, TARGETS), lambda d: (d.sequences, d.targets)),
    "Text": Thing(lambda: Text("hello world"), lambda t: (t.letters, t.alphabet)),
    "Language": Thing(lambda: tomita(4), lambda language: language("0001")),
    "Loss": Thing(
        lambda: Loss.of("cross_entropy", weights=[1, 2]), lambda loss: loss.function((1.0, 2.0), 1)
    ),
    "a leaf": Thing(lambda: Value(2.0, "x")),
    "a result": Thing(lambda: Value(2.0) * 3, repr, GRAPH),
    "Op": Thing(lambda: TABLE["tanh"], lambda op: op(0.5)),
    "Sheet": Thing(lambda: exercises(2, seed=7), lambda sheet: (sheet.text, sheet.solved.text)),
    "Sheets": Thing(
        lambda: exercises(2, kinds=["copies"], copies=2), lambda s: [one.text for one in s]
    ),
    "a solved Sheet": Thing(lambda: exercises(2, seed=7).solved, str),
    "Grade": Thing(lambda: grade(typing.cast(Sheet, exercises(1, seed=7)).code, ["1"])),
    "Page": Thing(lambda: play(Value(2.0, "x") * 3), lambda page: page.html),
    "no_grad": Thing(no_grad, type),
    "detect_anomaly": Thing(detect_anomaly, type),
    "Steps": Thing(looped, repr, GRAPH),
    "Steps that none are in": Thing(Steps),
    **{
        name: Thing(
            of_a_run(make), str if name.endswith(("Derivation", "Copies", "Table")) else repr, GRAPH
        )
        for name, make in RUNS.items()
    },
}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", THINGS)
def test_a_copy_is_as_good(name: str, way: str) -> None:
    make, use, refused = THINGS[name]
    expected = use(make())
    thing = make()
    for _ in range(2):
        if refused and way == "pickle":
            with pytest.raises(TypeError, match=refused):
                pickle.dumps(thing)
        else:
            assert use(WAYS[way](thing)) == expected
        use(thing)


def test_every_public_class_is_here() -> None:
    public = [vars(autograd_rnn)[name] for name in autograd_rnn.__all__]
    kinds = {kind for kind in public if isinstance(kind, type) and not issubclass(kind, Exception)}
    made = {type(thing.make()) for thing in THINGS.values()}
    assert kinds - made == {autograd_rnn.Model, Optimiser}  # which are made by others


def test_another_process_runs_steps_that_have_run() -> None:
    stack = Stack.random("LSTM", 2, 1, 1, seed=0)
    steps = [stack.compile("squared_error", backend=name) for name in INSTALLED]
    expected = [step.loss_and_gradients(SEQUENCES, TARGETS) for step in steps]
    code = (
        "import pickle, sys; steps = pickle.load(sys.stdin.buffer);"
        f"print([step.loss_and_gradients({SEQUENCES}, {TARGETS}) for step in steps])"
    )
    given: Any = {"input": pickle.dumps(steps), "capture_output": True, "check": True}
    assert eval(subprocess.run([sys.executable, "-c", code], **given).stdout) == expected


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", INSTALLED)
def test_a_batch_is_packed_again_where_it_is_run(name: str, way: str) -> None:
    made = compiled(name)
    batch = made.prepare(SEQUENCES, TARGETS)
    expected = made.loss_and_gradients(batch)
    assert made.loss_and_gradients(WAYS[way](batch)) == expected
    # And with its step, as another process takes both.
    step, both = WAYS[way]((made, batch)) if way != "copy" else (copy.copy(made), copy.copy(batch))
    assert step.loss_and_gradients(both) == expected


@pytest.mark.parametrize("name", INSTALLED)
def test_a_copy_learns_by_itself(name: str) -> None:
    made = compiled(name)
    made.loss_and_gradients(SEQUENCES, TARGETS)
    twin = copy.deepcopy(made)
    before = twin.loss_and_gradients(SEQUENCES, TARGETS)
    made.parameters[0].data = 3.0
    assert twin.loss_and_gradients(SEQUENCES, TARGETS) == before
    twin.parameters[0].data = 3.0
    assert twin.loss_and_gradients(SEQUENCES, TARGETS) == made.loss_and_gradients(
        SEQUENCES, TARGETS
    )


@pytest.mark.parametrize("name", INSTALLED)
def test_a_backend_that_has_run(name: str) -> None:
    made = compiled(name)
    made.loss_and_gradients(SEQUENCES, TARGETS)
    (backend,) = made._made.values()
    twin = pickle.loads(pickle.dumps(backend))
    batch = copy.copy(made.prepare(SEQUENCES, TARGETS))
    found = [one.run(one.pack(batch), made.objective.numbers).loss for one in (backend, twin)]
    assert found[0] == found[1]


@pytest.mark.skipif(autograd_rnn.compiled, reason="compiled, a memo is an exact dict")
def test_a_graph_is_walked_once_for_all_its_nodes() -> None:
    class Counting(dict[int, Any]):
        asked = 0

        def __contains__(self, key: object) -> bool:
            self.asked += 1
            return super().__contains__(key)

    nodes = [Value(1.5, "x")]
    for _ in range(500):
        nodes.append(nodes[-1] * nodes[0])
    memo = Counting()
    twins = copy.deepcopy(nodes, memo)
    assert memo.asked < 10 * len(nodes)
    assert [twin.data for twin in twins] == [node.data for node in nodes]
    assert all(twin.parents == (below, twins[0]) for below, twin in itertools.pairwise(twins))


def test_an_op_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    swish = primitive("passing", lambda x: x, lambda x, z: 1.0)
    pickled = pickle.dumps(swish)
    monkeypatch.delitem(TABLE, "passing")
    with pytest.raises(ValueError, match=r"there is no op 'passing' here: define it by primitive"):
        pickle.loads(pickled)
    with pytest.raises(TypeError, match="<op passing> is not pickled"):
        pickle.dumps(swish)
    assert copy.copy(swish) is copy.deepcopy(swish) is swish
    assert isinstance(swish, Op)


def test_a_loss_of_ones_own_is_named_where_it_cannot_be_pickled() -> None:
    made = RNN.random(1, 1).compile(squared_error, backend="python")
    assert pickle.loads(pickle.dumps(made)).loss.name == "squared_error"
    local = RNN.random(1, 1).compile(lambda y, t: (y - t) ** 2, backend="python")
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(local)
