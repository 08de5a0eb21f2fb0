"""The base of every model: its weights, its step, its unrolling over inputs, and its file."""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from ..arguments import as_integer, as_list, as_name, many
from ..backends.backend import Devices
from ..backends.compile_step import CompiledStep, compile_step
from ..engine.reverse import zero_grad
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..files import read_json, write_json
from ..ops.losses import Loss, LossFunction
from ..ops.table import stop_gradient
from .run import Unrolled
from .serialise import KINDS, Alphabet, fields_of, freeze_as_saved, frozen_of, labelled, settings_of
from .vectors import (
    Step,
    Table,
    Vector,
    as_inputs,
    as_rows,
    as_table,
    as_vector,
    as_weights,
    glorot,
    name_steps,
    orthogonal,
    state_names,
)

# Every weight is an object: beyond these, memory runs out before patience does.
MOST_STATES: Final = 1000
MOST_INPUTS: Final = 10_000
# The orthogonal rows of 256 states take seconds per gate.
MOST_ORTHOGONAL: Final = 256
IF_ONE_TOO_MANY: Final = "The first row of weights is the offset's, unless bias=False."


class Model:
    """Weights, and a step from a state and an input to the next state and an output.

    A class derived from it is a kind of model: `advance` takes a step, and unrolling, stacking,
    drawing, compiling, training and files follow from it.  `weights` has rows [1; states; inputs]
    (without `bias` no 1), and for each of the `gates` a column per state.  `letters` name the
    vectors of the state.  The next layer reads the first of them; it is the output too, unless
    `output` names another vector.  A file holds the constructor's arguments, each of which has to
    be an attribute, and the kind: the name of the class, or as in `class Mine(Model, kind="my")`.

    >>> from autograd_rnn import sigmoid
    >>> class Leaky(Model):  # H = (1 - z)·H + z·π
    ...     letters, gates = "h", "zp"
    ...     def advance(self, state, x, weights):
    ...         (h,), (of_z, of_p) = state, weights
    ...         z = [sigmoid(total) for total in self.sums(of_z, h + x)]
    ...         pi = self.sums(of_p, h + x)
    ...         mixed = [(1 - z) * h + z * p for z, h, p in zip(z, h, pi)]
    ...         return {"z": z, "pi": pi, "h": mixed}
    >>> Leaky.random(3, 2).unroll([[1, 0], [0, 1]])
    <<Leaky: 3 states, 2 inputs> unrolled over 2 steps>
    """

    kind: ClassVar[str] = "Model"
    letters: ClassVar[Sequence[str]] = "h"
    gates: ClassVar[Sequence[str]] = "h"
    output: ClassVar[str] = ""
    #: The offsets of `random` by gate; the others are 0.
    offsets: ClassVar[Mapping[str, float]] = {}

    bias: bool = True
    weights: tuple[tuple[Value, ...], ...]
    alphabet = Alphabet()

    def __init_subclass__(cls, *, kind: str | None = None, **others: Any) -> None:
        super().__init_subclass__(**others)
        cls.kind = as_name(kind, "kind") or cls.__name__
        KINDS.setdefault(cls.kind, {})[cls.__module__] = cls

    def __init__(self, weights: Table, *, names: Sequence[Sequence[str]] | None = None) -> None:
        if type(self).advance is Model.advance:
            raise ArgumentTypeError(
                f"{type(self).__name__} takes no step: derive a class from Model, and define "
                f"advance(self, state, x, weights)."
            )
        table, count = as_table(weights, "weights"), len(self.gates)
        if not count:
            raise ArgumentValueError("gates must name one gate or more; leave it out for none.")
        size, left = divmod(len(table[0]), count)
        if left:
            raise ArgumentValueError(
                f"weights has {len(table[0])} columns, but needs a multiple of {count}: one per "
                f"state for each of the gates {', '.join(self.gates)}."
            )
        least = self.bias + (size if self.letters else 0)
        if len(table) < least:
            raise ArgumentValueError(
                f"weights has {many(len(table), 'row')} for {many(size, 'state')}, but needs at "
                f"least {least}: {'one for the offset, ' if self.bias else ''}one per state, and "
                f"one per input."
            )
        self.weights = as_weights(table, names)

    @classmethod
    def random(cls, states: int, inputs: int, *, seed: int = 0) -> Self:
        """A layer of random weights: orthogonal over the states, and Glorot's over the inputs.

        The offsets are 0, those of an LSTM's f 1.  The seed decides the weights.

        >>> from autograd_rnn import GRU
        >>> GRU.random(8, 4)
        <GRU: 8 states, 4 inputs>
        """
        as_integer(states, "states", least=1, most=MOST_ORTHOGONAL)
        as_integer(inputs, "inputs", least=0, most=MOST_INPUTS)
        chance = random.Random(as_integer(seed, "seed"))

        def draw(gate: str) -> list[list[float]]:
            offset = [cls.offsets.get(gate, 0.0)] * states
            return [offset, *orthogonal(states, chance), *glorot(inputs, states, chance)]

        tables = map(draw, cls.gates)
        return cls([list(chain(*rows)) for rows in zip(*tables, strict=True)])

    @property
    def states(self) -> int:
        """The number of states that the next layer reads."""
        return self.outputs if self.letters else 0

    @property
    def inputs(self) -> int:
        """The number of inputs per step."""
        return len(self.weights) - self.bias - self.states

    @property
    def outputs(self) -> int:
        """The number of outputs per step."""
        return len(self.weights[0]) // len(self.gates)

    @property
    def both_ways(self) -> bool:
        """Whether a step takes two inputs, one from the start and one from the end."""
        return False

    @property
    def initial(self) -> list[float]:
        """The state that a run starts from, unless another is given: zeros."""
        return [0.0] * (self.states * len(self.letters))

    @property
    def names(self) -> list[list[str | None]]:
        """The names of the weights."""
        return [[weight.name for weight in row] for row in self.weights]

    def parameters(self) -> list[Value]:
        """The weights, flat, row by row."""
        return [weight for row in self.weights for weight in row]

    # --- a step ---------------------------------------------------------------------------------

    def advance(
        self, state: Sequence[Any], x: tuple[Any, ...], weights: Sequence[Any]
    ) -> Mapping[str, Iterable[Any]]:
        """The vectors of the next step by their letters, in the order in which they are named.

        `state` has a vector for each of the `letters`.  `weights` has a table of rows for each of
        the `gates`, and then the parameters of the kind that are not in its `weights`, if any.
        """
        raise NotImplementedError  # the constructor has refused a class that does not define it

    def sums(self, table: Sequence[Sequence[Any]], vector: Sequence[Any]) -> tuple[Any, ...]:
        """Wᵀ [1; vector], or Wᵀ vector without `bias`: a sum per column, from the top down.

        The offset enters as itself, not times 1.

        >>> from autograd_rnn import Linear
        >>> Linear([[0], [0]]).sums([[10.0, 20.0], [1.0, 2.0]], [5.0])
        (15.0, 30.0)
        """
        if len(vector) != len(table) - self.bias:
            raise ArgumentValueError(
                f"vector must have size {len(table) - self.bias}, as many as the rows of table"
                f"{' but the first' if self.bias else ''}, not {len(vector)}."
            )
        bias, operands = self.bias, vector if self.bias else vector[1:]
        sums = []
        for column in zip(*table, strict=True):
            total = column[0] if bias else column[0] * vector[0]
            for weight, operand in zip(column[1:], operands, strict=True):
                total = total + weight * operand
            sums.append(total)
        return tuple(sums)

    def _split(self, parameters: Sequence[Any]) -> Sequence[Any]:
        """The parameters as `advance` takes them."""
        count, columns, size = len(self.weights), len(self.weights[0]), self.outputs
        rows, rest = as_rows(parameters[: count * columns], columns), parameters[count * columns :]
        tables: list[Any] = [*zip(*[as_rows(row, size) for row in rows], strict=True)]
        return [*tables, rest] if rest else tables

    def _advance(self, k: int, state: Any, x: Any, weights: Sequence[Any]) -> Any:
        """Step k, its Values without names."""
        letters, size = self.letters, len(weights[0][0])
        states = [state] if len(letters) == 1 else as_rows(state, size)
        vectors: Any = self.advance(states, x, weights)
        if type(vectors) is not dict or {*map(type, vectors.values())} != {tuple}:
            what = f"advance of {self.kind}"
            if not isinstance(vectors, Mapping):
                raise ArgumentTypeError(
                    f"{what} must give a dict of vectors, not {type(vectors).__name__}."
                )
            given = vectors.items()
            vectors = {one: tuple(as_list(v, f"{one!r} from {what}")) for one, v in given}
        output = self.output or letters[0]
        q = tuple([entry for letter in letters for entry in vectors.get(letter, ())])
        y = vectors.get(output, ())
        if len(y) != size or len(q) != size * len(letters):
            wanted = ", ".join(dict.fromkeys([*letters, output]))
            found = ", ".join([f"{letter} of {len(one)}" for letter, one in vectors.items()])
            raise ArgumentValueError(
                f"advance of {self.kind} must give {wanted} of size {size}: it gives {found}."
            )
        return Step(k, x, vectors, q, y)

    def _arranged(self, xs: Iterable[tuple[Value, ...]]) -> Iterable[tuple[Value, ...]]:
        """The inputs as the steps take them."""
        return xs

    def _passed_on(self, step: Any) -> Sequence[Any]:
        """What the next layer reads of a step: the states, or without them the output."""
        return step.q[: self.states] or step.entries  # type: ignore[no-any-return]

    def _layers(self) -> Sequence[Model]:
        """The models whose states are the state, in order."""
        return [self]

    def _parts(self, step: Any) -> Sequence[Step]:
        """The steps of the layers, whose vectors are named together."""
        return [step]

    def step(
        self, state: tuple[Any, ...], x: tuple[Any, ...], parameters: tuple[Any, ...]
    ) -> tuple[tuple[Any, ...], Any]:
        """The state after one input, and the output: a Value if there is one, else a tuple.

        The parameters are in the order of `parameters()`.  `ValueError` for a wrong size.
        """
        for argument, given, size in (
            ("state", state, len(self.initial)),
            ("x", x, self.inputs * (1 + self.both_ways)),
            ("parameters", parameters, len(self.parameters())),
        ):
            if not isinstance(given, tuple):
                raise ArgumentTypeError(f"{argument} must be a tuple, not {type(given).__name__}.")
            if len(given) != size:
                raise ArgumentValueError(f"{argument} must have size {size}, not {len(given)}.")
        step = self._advance(1, state, x, self._split(parameters))
        return step.q, step.output

    # --- what follows from it -------------------------------------------------------------------

    def zero_grad(self) -> None:
        """Set the `grad` of every weight to 0."""
        zero_grad(*self.parameters())

    def __call__(self, inputs: Iterable[Vector]) -> Any:
        """The output after the inputs: `unroll(inputs).output`."""
        return self.unroll(inputs).output

    def unroll(
        self, inputs: Iterable[Vector], state: Vector | None = None, *, truncate: int | None = None
    ) -> Unrolled:
        """The model over the inputs, one vector per step, with the same weights at every step.

        Numbers in the inputs become constants, those in the initial state, zeros unless given,
        variables.  If the model has two inputs or more, an int k may stand for the one-hot vector
        whose entry k is 1: the inputs are all such symbols, or all vectors.  `ValueError` for a
        vector of the wrong size, or a symbol that no input is for.

        With `truncate`, the steps are cut into windows of that many, and the states pass from one
        window to the next through `stop_gradient`.  The forward numbers stay the same; the gradient
        of a loss at step k is that of its window up to k, started from constant states.

        >>> from autograd_rnn import RNN, bits
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> [step.pi[0].data for step in rnn.unroll(bits("101")).steps]
        [1.0, 4.0, 17.0]
        >>> rnn.unroll(bits("101"), truncate=2).pi[0].backward()
        >>> [weight.grad for weight in rnn.parameters()]  # 8 and 17 with all steps
        [4.0, 1.0]
        >>> [x.data for x in RNN.random(1, 3).unroll([2, 0]).steps[0].x]
        [0.0, 0.0, 1.0]
        """
        given = self.initial if state is None else state
        initial = q = as_vector(given, state_names(self._layers()), "state", Value)
        vectors: object = inputs
        if isinstance(vectors, str) or not isinstance(vectors, Iterable):
            raise ArgumentTypeError(
                f"inputs must be a list of vectors, not {type(vectors).__name__}: "
                f"write one_hot(...) or bits(...) around a string."
            )
        if truncate is not None:
            as_integer(truncate, "truncate", least=1)
        weights, steps, cuts = self._split(tuple(self.parameters())), [], set()
        # Where the constructor takes `bias`, it is an attribute of the instance.
        if_one_too_many = IF_ONE_TOO_MANY if vars(self).get("bias") else ""
        xs = self._arranged(as_inputs(vectors, self.inputs, if_one_too_many))
        for k, x in enumerate(xs, 1):
            if truncate is not None and k > 1 and (k - 1) % truncate == 0:
                q = tuple([stop_gradient(value) for value in q])
                cuts.add(k)
            step = self._advance(k, q, x, weights)
            name_steps(self._parts(step), k)
            q = step.q
            steps.append(step)
        return Unrolled(self, initial, tuple(steps), frozenset(cuts))

    def compile(
        self,
        loss: str | Loss | LossFunction,
        *,
        at: str = "last",
        backend: str = "auto",
        exact: bool = False,
        devices: Devices | None = None,
        truncate: int | None = None,
    ) -> CompiledStep:
        """The model as a function of batches of sequences; see `compile_step`.

        `loss` is the name of one of ours, a function of an output and a target, or a `Loss`;
        `truncate` is that of `unroll`.  Inputs may be symbols, as there.

        >>> from autograd_rnn import RNN
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> compiled = rnn.compile("squared_error", backend="python")
        >>> compiled.loss_and_gradients([[1, 0, 1]], [15])
        (4.0, [32.0, 68.0])
        """
        given = (self.step, loss, self.parameters(), self.initial)
        options: Any = {"exact": exact, "devices": devices, "truncate": truncate}
        options["symbols"] = self.inputs if self.inputs > 1 else None
        options["both_ways"] = self.both_ways
        compiled = compile_step(*given, at=at, backend=backend, **options)
        compiled.inputs = self.inputs
        return compiled

    # --- files ----------------------------------------------------------------------------------

    @classmethod
    def _saved(cls) -> list[str]:
        """The names of the constructor's arguments, which a file holds."""
        return list(inspect.signature(cls).parameters)

    def to_dict(self) -> dict[str, Any]:
        """What `save` writes: the arguments that make the same model, as `from_dict` takes them.

        And the places of the frozen weights among the `parameters`, if there are any.

        >>> from autograd_rnn import RNN
        >>> RNN([[4], [1]], bias=False).to_dict()["weights"]
        [[4.0], [1.0]]
        """
        return labelled(self, settings_of(self, self._saved())) | frozen_of(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The model that `to_dict` described; `ValueError` if anything is missing or wrong."""
        model = cls(**fields_of(content, cls.kind, *cls._saved()))
        freeze_as_saved(model, content)
        model.alphabet = content.get("alphabet")
        return model

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The path of a JSON file, from which `load` makes the same model; written whole."""
        return write_json(path, self.to_dict(), indent=2)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The model in a file that `save` wrote; runs no code.  `ValueError` for any other file.

        >>> import os, tempfile
        >>> from autograd_rnn import RNN
        >>> path = os.path.join(tempfile.mkdtemp(), "rnn.json")
        >>> RNN.load(RNN.random(3, 4).save(path))
        <RNN: 3 states, 4 inputs, tanh>
        """
        return read_json(path, f"a model of the kind {cls.kind} that `save` wrote", cls.from_dict)

    def __repr__(self) -> str:
        states, inputs = many(self.states, "state"), many(self.inputs, "input")
        sizes = (states, inputs) if self.letters else (inputs, many(self.outputs, "output"))
        return f"<{type(self).__name__}: {', '.join(sizes)}>"
