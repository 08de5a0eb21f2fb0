"""Letters drawn one after the other from a character model."""

from __future__ import annotations

import math
import random
from typing import Any, Final, Protocol

from ..arguments import as_float, as_integer, as_text, check_alphabet, check_symbols, many
from ..backends.compile_step import CompiledStep
from ..errors import ArgumentTypeError, ArgumentValueError

#: As many take minutes; what follows is another call, with the last letters as the prompt.
MOST_LETTERS: Final = 1_000_000


class CharacterModel(Protocol):
    """A model with an input and an output per letter; the outputs are logits."""

    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    def compile(self, loss: str, /, *, backend: str) -> CompiledStep: ...


def generate(
    model: CharacterModel | CompiledStep,
    prompt: str,
    length: int,
    temperature: float = 1.0,
    seed: int = 0,
    *,
    alphabet: str | None = None,
    backend: str = "auto",
) -> str:
    """So many letters, each drawn by what the model expects after the prompt and those before it.

    The model has an input and an output per letter of the `alphabet`, which is `model.alphabet`
    unless it is given.  It reads each letter once, its state carried along, on a `backend` of
    `compile_step`; what `compile` or `compile_step` returned, with `symbols`, serves as well, and
    is not compiled again in each call.

    A letter has the probability softmax(logits / temperature): below 1 the likely ones become more
    likely, and at 0 the likeliest, of equal ones the first, is always taken.  After an empty prompt
    all are equally likely.  They are drawn by `random.Random(seed).choices`: backends give the same
    letters, unless a draw falls within the rounding of their logits.

    `SymbolError` (a `ValueError`) for a letter of the prompt outside the alphabet, with its
    position from 1; `ValueError` for a model of other sizes, or whose outputs are not finite.

    >>> from autograd_rnn import Linear
    >>> model = Linear([[0, 8, 0], [0, 0, 8], [8, 0, 0]], bias=False)  # after a comes b, ...
    >>> generate(model, "a", 8, alphabet="abc", backend="python")
    'bcabcabc'
    """
    as_text(prompt, "prompt")
    as_integer(length, "length", least=0, most=MOST_LETTERS)
    heat = as_float(temperature, "temperature")
    if not heat >= 0.0:
        raise ArgumentValueError(f"temperature must be 0 or more, not {heat}.")
    chance = random.Random(as_integer(seed, "seed"))
    for name in () if isinstance(model, CompiledStep) else ("inputs", "outputs", "compile"):
        if not hasattr(model, name):
            raise ArgumentTypeError(
                f"model must have inputs, outputs and compile(), as a Stack has: "
                f"{type(model).__name__} has no {name}."
            )
    letters = _alphabet_of(model, alphabet)
    check_symbols(prompt, letters, "prompt")
    compiled = model
    if not isinstance(compiled, CompiledStep):
        compiled = compiled.compile("cross_entropy", backend=backend)
    numbers = {letter: number for number, letter in enumerate(letters)}
    read, state = [numbers[letter] for letter in prompt], None
    found: list[str] = []
    while len(found) < length:
        weights = [1.0] * len(letters)
        if read:
            outputs: Any
            outputs, state = compiled.predict([read], state=state, return_state=True)
            logits = outputs[0][-1] if compiled.objective.every else outputs[0]
            weights = _weights(logits, heat, len(letters), len(prompt) + len(found))
        read = chance.choices(range(len(letters)), weights)
        found.append(letters[read[0]])
    return "".join(found)


def _alphabet_of(model: CharacterModel | CompiledStep, alphabet: str | None) -> str:
    """The alphabet that is given, or else the model's; it has to fit the model."""
    letters = getattr(model, "alphabet", None) if alphabet is None else alphabet
    if letters is None:
        raise ArgumentValueError(
            "the model has no alphabet: give alphabet=, the letters that it has learnt, in order, "
            "or assign them to model.alphabet."
        )
    check_alphabet(letters)
    if isinstance(model, CompiledStep):
        if model.symbols != len(letters):
            raise ArgumentValueError(
                f"the step takes {model.symbols or 'no'} symbols, but the alphabet has "
                f"{many(len(letters), 'letter')}: compile it with symbols={len(letters)}."
            )
        return letters
    if not len(letters) == model.inputs == model.outputs > 1:
        raise ArgumentValueError(
            f"a model that writes has an input and an output for each of two letters or more: the "
            f"alphabet has {many(len(letters), 'letter')}, the model {many(model.inputs, 'input')} "
            f"and {many(model.outputs, 'output')}."
        )
    return letters


def _weights(
    logits: float | list[float], temperature: float, count: int, position: int
) -> list[float]:
    """How likely each of so many letters is, the likeliest having 1."""
    if not isinstance(logits, list) or len(logits) != count:
        size = len(logits) if isinstance(logits, list) else 1
        raise ArgumentValueError(f"the model has {size} outputs, but there are {count} letters.")
    if not all(map(math.isfinite, logits)):
        place = next(k for k, logit in enumerate(logits) if not math.isfinite(logit))
        raise ArgumentValueError(
            f"the model's output {place} after letter {position} is {logits[place]}: its weights "
            f"are not finite, or too large."
        )
    top = max(logits)
    if temperature == 0.0:
        return [float(place == logits.index(top)) for place in range(count)]
    return [math.exp((logit - top) / temperature) for logit in logits]
