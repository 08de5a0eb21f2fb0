"""A network with finitely many states as a table, which reads genomes fast."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Final

from ..data.encoding import one_hot
from ..networks.rnn import RNN

#: The code of a letter that is not in the alphabet.
UNKNOWN: Final = 255


class Automaton:
    """What a network does at each letter in each of the states that it can reach.

    The table is made by the network itself, which steps once per state and letter.  State 0 is the
    one at the start.

    >>> from autograd_rnn.networks.rnn import counter
    >>> automaton = Automaton(counter(), "ACGT")
    >>> automaton.after("AGGTAACG", 0), automaton.table
    (3, [[0, 0, 1, 0], [1, 1, 2, 1], [2, 2, 3, 2], [3, 3, 3, 3]])
    """

    def __init__(self, network: RNN, alphabet: str) -> None:
        self.alphabet, self.states = alphabet, [(0.0,) * network.states]
        self.table: list[list[int]] = []
        places = {self.states[0]: 0}
        while len(self.table) < len(self.states):
            before, row = self.states[len(self.table)], []
            for letter in alphabet:
                found = tuple([q.data for q in network.unroll(one_hot(letter, alphabet), before).q])
                row.append(places.setdefault(found, len(places)))
                if row[-1] == len(self.states):
                    self.states.append(found)
            self.table.append(row)
        self.moving: list[re.Pattern[str] | None] = []
        for state, row in enumerate(self.table):
            letters = [x for x, after in zip(alphabet, row, strict=True) if after != state]
            pattern = f"[{re.escape(''.join(letters))}]"
            self.moving.append(re.compile(pattern) if letters else None)

    def after(self, letters: str, state: int, start: int = 0, end: int | None = None) -> int:
        """The state after `letters[start:end]`, of which all that leave it as it is are skipped."""
        end = len(letters) if end is None else end
        while (moving := self.moving[state]) and (found := moving.search(letters, start, end)):
            state, start = self.table[state][self.alphabet.index(found[0])], found.end()
        return state

    def after_each(self, columns: Any) -> Any:
        """The state after each of many sequences of one length, from state 0 on.

        `columns` are the first letters of all of them, then the second ones, ..., as `codes`.
        """
        import numpy as np

        # What a state and a letter add up to is where the next state stands.
        table = np.array(self.table, dtype=np.intp).ravel() * len(self.alphabet)
        state = np.zeros(columns.shape[1], dtype=np.intp)
        for column in columns:
            state += column
            state = table.take(state)
        return state // len(self.alphabet)

    def codes(self, letters: str) -> Any:
        """The place of each letter in the alphabet, or UNKNOWN, as an array of bytes."""
        import numpy as np

        return np.frombuffer(letters.encode("ascii").translate(self._codes), dtype=np.uint8)

    @cached_property
    def _codes(self) -> bytes:
        codes = bytearray([UNKNOWN] * 256)
        for place, letter in enumerate(self.alphabet):
            codes[ord(letter)] = place
        return bytes(codes)
