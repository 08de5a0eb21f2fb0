"""Letters drawn one after the other from a character model."""

from __future__ import annotations

import math
import random
from typing import Protocol

from ..arguments import as_float, as_integer, as_text, check_alphabet, check_symbols
from ..backends.compile_step import CompiledStep
from ..errors import ArgumentTypeError, ArgumentValueError
from .encoding import one_hot


class CharacterModel(Protocol):
    """A model with an input and an output per letter; the outputs are logits."""

    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    def compile(self, loss: str, /, *, backend: str) -> CompiledStep: ...


def generate(
    model: CharacterModel,
    prompt: str,
    length: int,
    temperature: float = 1.0,
    seed: int = 0,
    *,
    alphabet: str | None = None,
    backend: str = "auto",
) -> str:
    """So many letters, each drawn by what the model expects after the prompt and those before it.

    The model has an input and an output per letter of the `alphabet`, which is its own
    (`model.alphabet`) unless it is given.  It reads each letter once, its state carried along, on a
    `backend` of `compile_step`.  A letter has the probability softmax(logits / temperature): below
    1 the likely ones become more likely, and at 0 the likeliest, of equal ones the first, is always
    taken.  They are drawn by `random.Random(seed).choices`, so that backends give the same letters,
    unless a draw falls within the rounding of their logits.  After an empty prompt all letters are
    equally likely.

    `SymbolError` (a `ValueError`) for a letter of the prompt outside the alphabet, with its
    position from 1; `ValueError` for a model of other sizes, or whose outputs are not finite.

    >>> from autograd_rnn import Linear
    >>> model = Linear([[0, 8, 0], [0, 0, 8], [8, 0, 0]], bias=False)  # after a comes b, ...
    >>> generate(model, "a", 8, alphabet="abc", backend="python")
    'bcabcabc'
    """
    as_text(prompt, "prompt")
    as_integer(length, "length", least=0)
    heat = as_float(temperature, "temperature")
    if not heat >= 0.0:
        raise ArgumentValueError(f"temperature must be 0 or more, not {heat}.")
    chance = random.Random(as_integer(seed, "seed"))
    letters = _alphabet_of(model, alphabet)
    check_symbols(prompt, letters, "prompt")
    compiled = model.compile("cross_entropy", backend=backend)
    read, found, state = prompt, "", None
    while len(found) < length:
        if read:
            outputs, state = compiled.predict(
                [one_hot(read, letters)], state=state, return_state=True
            )
            weights = _weights(outputs[0], heat, len(prompt) + len(found))
        else:
            weights = [1.0] * len(letters)
        (read,) = chance.choices(letters, weights)
        found += read
    return found


def _alphabet_of(model: CharacterModel, alphabet: str | None) -> str:
    """The alphabet that is given, or the model's; it has a letter per input and output."""
    for name in ("inputs", "outputs", "compile"):
        if not hasattr(model, name):
            raise ArgumentTypeError(
                f"model must have inputs, outputs and compile(), as a Stack has: "
                f"{type(model).__name__} has no {name}."
            )
    letters = getattr(model, "alphabet", None) if alphabet is None else alphabet
    if letters is None:
        raise ArgumentValueError(
            "the model has no alphabet: assign model.alphabet, or give alphabet=, the letters "
            "that it has learnt, in order."
        )
    check_alphabet(letters)
    if not len(letters) == model.inputs == model.outputs or len(letters) == 1:
        raise ArgumentValueError(
            f"a model that writes has an input and an output for each of 2 letters or more: the "
            f"alphabet has {len(letters)}, the model {model.inputs} and {model.outputs}."
        )
    return letters


def _weights(logits: list[float], temperature: float, position: int) -> list[float]:
    """How likely each letter is, the likeliest having 1."""
    top = max(logits)
    if not all(map(math.isfinite, logits)):
        raise ArgumentValueError(
            f"the model's outputs after letter {position} are not finite: {logits[:3]}..."
        )
    if temperature == 0.0:
        return [float(place == logits.index(top)) for place in range(len(logits))]
    return [math.exp((logit - top) / temperature) for logit in logits]
