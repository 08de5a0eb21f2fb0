"""The code that is printed on a sheet, and makes it again."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from ...arguments import as_text, shown
from ...errors import ArgumentValueError
from .kinds import KINDS

#: Letters and digits that are not taken for each other.
SYMBOLS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
READ_AS: Final = str.maketrans("OIL", "011")
#: Raised whenever a seed makes another sheet than before, so that no old code is misread.
EDITION: Final = 1
ACTIVATIONS: Final = ("", "relu", "tanh", "linear")
MOST_COUNT: Final = 1000
MOST_COPIES: Final = 9999
MOST_STEPS: Final = 12


class Recipe(NamedTuple):
    """All that a sheet is made from; `copy` is 0 for a sheet of its own, or the student's."""

    kinds: Sequence[str]
    size: int
    seed: int = 0
    level: int = 0
    steps: int = 0
    states: int = 0
    activation: str = ""
    idle: bool = False
    copy: int = 0

    @property
    def code(self) -> str:
        """The recipe in letters and digits, with a check of two.

        >>> code = Recipe(("copies",), 10, seed=7).code
        >>> read_code(code.lower()).seed
        7
        """
        names = list(KINDS)
        chosen = sum([1 << names.index(kind) for kind in self.kinds])
        number = 2 * self.seed if self.seed >= 0 else -2 * self.seed - 1
        for value, size in (
            (chosen, 1 << len(names)),
            *((self.size, MOST_COUNT + 1), (self.copy, MOST_COPIES + 1)),
            *((self.level, 4), (self.steps, MOST_STEPS + 1), (self.states, 3)),
            *((ACTIVATIONS.index(self.activation), len(ACTIVATIONS)), (int(self.idle), 2)),
            (EDITION, 16),
        ):
            number = number * size + value
        digits = ""
        while number:
            number, digit = divmod(number, len(SYMBOLS))
            digits = SYMBOLS[digit] + digits
        whole = digits + _check(digits)
        return "-".join(re.findall(".{1,4}", whole))


def _check(digits: str) -> str:
    first, second = divmod(zlib.crc32(digits.encode()) % 1024, 32)
    return SYMBOLS[first] + SYMBOLS[second]


def read_code(code: str) -> Recipe:
    """The recipe of a code; `ValueError` for a text that is none."""
    letters = re.sub(r"[\s-]", "", as_text(code, "code")).upper().translate(READ_AS)
    digits, check = letters[:-2], letters[-2:]
    if not digits or set(letters) - set(SYMBOLS) or _check(digits) != check:
        raise ArgumentValueError(
            f"code {shown(code)} is not that of a sheet: copy it from the sheet, letter by letter."
        )
    number = 0
    for digit in digits:
        number = number * len(SYMBOLS) + SYMBOLS.index(digit)
    number, edition = divmod(number, 16)
    if edition != EDITION:
        raise ArgumentValueError(
            f"code {shown(code)} is of edition {edition} of the exercises, this is edition "
            f"{EDITION}: use the version of autograd_rnn that made the sheet."
        )
    read = []
    sizes = (2, len(ACTIVATIONS), 3, MOST_STEPS + 1, 4, MOST_COPIES + 1, MOST_COUNT + 1)
    for size in (*sizes, 1 << len(KINDS)):
        number, value = divmod(number, size)
        read.append(value)
    idle, activation, states, steps, level, copy, count, chosen = read
    kinds = tuple([name for place, name in enumerate(KINDS) if chosen >> place & 1])
    seed = number // 2 if number % 2 == 0 else -(number + 1) // 2
    return Recipe(
        *(kinds, count, seed, level, steps, states, ACTIVATIONS[activation], bool(idle), copy)
    )
