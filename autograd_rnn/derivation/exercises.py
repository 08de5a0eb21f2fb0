"""Exercises like panel 11, with small whole numbers, and their solutions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from ..arguments import as_choice, as_integer, many
from ..data.encoding import bits
from ..engine.value import Value, constant
from ..errors import ArgumentValueError
from ..networks.model import Unrolled
from ..networks.rnn import RNN
from .chain_rule import problem
from .derive import derive
from .document import Part, Section, Sentence

ACTIVATIONS: Final = ("relu", "tanh", "linear")
WEIGHTS: Final = (-3, -2, -1, 1, 2, 3, 4)
MOST_ATTEMPTS: Final = 20_000
LARGEST_ANSWER: Final = 1000.0
LARGEST_SUM: Final = 100.0
LEAST_DIFFERENCE: Final = 0.01


class Exercise(NamedTuple):
    """A network unrolled over some bits, and the weight whose derivative is asked for."""

    bit_string: str
    y: float
    run: Unrolled
    loss: Value
    weight: Value
    answer: float


def make_exercises(
    count: int, *, seed: int = 0, steps: int = 3, states: int = 1, activation: str = "relu"
) -> list[Exercise]:
    """Exercises that all differ, each asking for ∂L/∂w of L = (y − π)²; a seed gives the same ones.

    Weights and y are small whole numbers.  No answer is 0, no two are equal, and every weight of
    the network matters.  `ValueError` where there are not that many, or too few steps for all
    weights to matter: 2, or with two states 3.

    >>> first, second = make_exercises(2, seed=7)
    >>> first.answer != 0.0, first.answer != second.answer
    (True, True)
    """
    as_integer(count, "count", least=1, most=1000)
    as_integer(seed, "seed")
    as_integer(states, "states", least=1, most=2)
    as_integer(steps, "steps", least=states + 1, most=12)
    as_choice(activation, "activation", ACTIVATIONS)
    chance = random.Random(f"{seed} {steps} {states} {activation}")
    found: list[Exercise] = []
    for _ in range(MOST_ATTEMPTS):
        one = _attempt(chance, steps, states, activation)
        if one is not None and all(_differ(one.answer, other.answer) for other in found):
            found.append(one)
            if len(found) == count:
                return found
    raise ArgumentValueError(
        f"count is {count}, but only {len(found)} different exercises were found: ask for fewer, "
        f"or for more steps."
    )


def _attempt(chance: random.Random, steps: int, states: int, activation: str) -> Exercise | None:
    """A random exercise, or None if a weight plays no part in it or its numbers are large."""
    rows = [[chance.choice(WEIGHTS) for _ in range(states)] for _ in range(states + 1)]
    bit_string = "".join(chance.choice("01") for _ in range(steps))
    rnn = RNN(rows, activation, bias=False)
    run = rnn.unroll(bits(bit_string))
    pi = run.pi[0]
    y = float(round(pi.data) + chance.choice([-3, -2, -1, 1, 2, 3]))
    loss = (constant(y, "y") - pi) ** 2
    loss.backward()
    slopes = [weight.grad for weight in rnn.parameters()]
    weight = chance.choice(rnn.parameters())
    answer = weight.grad
    sums = [abs(pi.data) for step in run.steps for pi in step.pi]
    small = max(sums) <= LARGEST_SUM and LEAST_DIFFERENCE <= abs(answer) <= LARGEST_ANSWER
    if not small or min(map(abs, slopes)) < 1e-6:
        return None
    return Exercise(bit_string, y, run, loss, weight, answer)


def _differ(a: float, b: float) -> bool:
    return abs(a - b) >= LEAST_DIFFERENCE * max(1.0, abs(a), abs(b)) or (
        a != b and a.is_integer() and b.is_integer()
    )


def sheet(exercises: Sequence[Exercise], solutions: bool) -> list[Section]:
    """A section for each exercise and then, if asked for, one for each solution."""
    sections = []
    for one in exercises:
        states = one.run.rnn.states
        asked = problem(one.loss, one.weight, one.run)
        datum = Sentence(f"A network with {many(states, 'state')} reads the bits {one.bit_string}.")
        sections.append(Section("Exercise", [datum, *asked.body]))
    for place, one in enumerate(exercises if solutions else (), 1):
        worked = derive(one.loss, one.weight, run=one.run)
        body: list[Part] = []
        for section in worked.sections[1:]:
            body += [Sentence(f"{section.title}:"), *section.body]
        sections.append(Section(f"Solution of exercise {place}", body))
    return sections
