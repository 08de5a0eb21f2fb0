"""A loop over plain nodes, read as an unrolled network: its states, sums, inputs and names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import add
from typing import Final, NamedTuple, TypeAlias

from .notation import accent, is_accented, label, without_digits
from .walk import Node, depth_first, operation

#: The letters of states without a name: the first with which no other name begins is taken.
LETTERS: Final = ("q", "s", "h", "z")
SUM: Final = "π"
#: What a result is in its step: the place of its kind, or itself where it is the only one.
Role: TypeAlias = int | Node


class LoopStep(NamedTuple):
    """One step of a loop: its number `k`, its inputs `x`, its sums `pi` and its states `q`."""

    k: int
    x: tuple[Node, ...]
    pi: tuple[Node, ...]
    q: tuple[Node, ...]


class Loop:
    """What pictures and derivations read of a loop, from the results made in each of its steps.

    A state is a result that another step uses, and in the last step what was made like one; a
    running sum, such as a loss, is none.  An initial state is a leaf where others use a state.  An
    input is a constant that one step alone reads, or a variable with a name that others have too.
    In `cuts` are the steps from which no gradient goes back to another; `detached` has the nodes
    that leaves took their numbers from.  `names` are what nodes are called besides their own names:
    one that several have takes the accent of the step, and states without a name are q,
    activations of π.

    >>> from autograd_rnn import Value
    >>> start, w = Value(1, "q"), Value(3, "w")
    >>> first = w * start
    >>> second = w * first
    >>> loop = Loop({1: [first], 2: [second]})
    >>> loop.step_of[second], loop.steps[0].q == (first,), loop.state == (start,)
    (2, True, True)
    >>> [loop.names[node] for node in (first, second)]
    ['q̇', 'q̈']
    """

    def __init__(
        self, results: Mapping[int, Sequence[Node]], detached: Mapping[Node, Node] | None = None
    ) -> None:
        self._results = {k: results[k] for k in sorted(results)}
        self._detached = detached or {}
        self.step_of: dict[Node, int] = {n: k for k, made in self._results.items() for n in made}
        self._behind = self._find_behind()
        self._role = self._find_roles()
        self._inner = {parent for node in self.step_of for parent in node.parents}
        self._states, self._starts = self._find_states()
        self._readers: dict[Node, set[int]] = {}  # the steps that use each leaf
        for node, k in self.step_of.items():
            for parent in node.parents:
                if not parent.parents:
                    self._readers.setdefault(parent, set()).add(k)
        named = [n for n in (*self.step_of, *self._readers) if n.name is not None]
        self._labels = Counter([label(str(node.name)) for node in named])
        self.steps: tuple[LoopStep, ...] = tuple([self._step(k) for k in self._results])
        first = {role: leaf for leaf, role in reversed(self._starts.items())}
        self.state: tuple[Node, ...] = tuple([first[one] for one in self._states if one in first])
        self.given: tuple[Node, ...] = self._find_given()
        self.cuts: frozenset[int] = frozenset(filter(self._is_cut, self._results))
        self.names: dict[Node, str] = {**self._shared_names(named), **self._new_names()}

    def _find_behind(self) -> dict[Node, set[Node]]:
        """For each operand that was made outside of the steps: the results of steps behind it."""
        used = [parent for node in self.step_of for parent in node.parents]
        behind: dict[Node, set[Node]] = {}
        for node in depth_first(
            [node for node in used if node not in self.step_of],
            lambda node: [parent for parent in node.parents if parent not in self.step_of],
        ):
            parts = [{p} if p in self.step_of else behind[p] for p in node.parents]
            behind[node] = set().union(*parts)
        return behind

    def _carried(self, operand: Node, k: int) -> list[Node]:
        """The results of other steps that an operand in step k is, or is computed from outside."""
        found = {operand} if operand in self.step_of else self._behind[operand]
        return [node for node in found if self.step_of[node] != k]

    def _find_roles(self) -> dict[Node, Role]:
        """What each result is in its step: equal for results that were made alike.

        That is its place, as long as the ops from the first on are those of the second step.
        """
        made = list(self._results.values())
        pattern = [node.op for node in made[min(1, len(made) - 1)]] if made else []
        roles: dict[Node, Role] = {}
        for nodes in made:
            alike = True
            for place, node in enumerate(nodes):
                alike = alike and place < len(pattern) and node.op is pattern[place]
                roles[node] = place if alike else node
        return roles

    def _find_states(self) -> tuple[list[Role], dict[Node, Role]]:
        """The roles of states in the order of use, and the leaves that are initial states."""
        role, uses, sums = (self._role, dict[tuple[Role, int], Role](), dict[Role, None]())
        states: dict[Role, None] = {}
        for node, k in self.step_of.items():
            adds = operation(node).operator is add
            for position, parent in enumerate(node.parents):
                for source in self._carried(parent, k):
                    running = adds and source is parent and role[node] == role[source]
                    (sums if running else states)[role[source]] = None
                    uses[role[node], position] = role[source]
        if len(self._results) == 1:
            states = {role[node]: None for node in self.step_of if node not in self._inner}
        states = states or sums
        self._sums = sums.keys() - states.keys()
        starts = {
            parent: uses[role[node], position]
            for node in self.step_of
            for position, parent in enumerate(node.parents)
            if not parent.parents and uses.get((role[node], position)) in states
        }
        letters = {label(n.name): role[n] for n in role if n.name and role[n] in states}
        for node in self.step_of:
            for parent in node.parents:
                if not parent.parents and parent.name and label(parent.name) in letters:
                    starts.setdefault(parent, letters[label(parent.name)])
        starts = {leaf: one for leaf, one in starts.items() if leaf not in self._detached}
        return list(states), starts

    def _step(self, k: int) -> LoopStep:
        made, role = self._results[k], self._role
        known = {role[node]: node for node in made}
        q = tuple([known[one] for one in self._states if one in known])
        other = self._sums.union(self._states)
        ends = [node for node in made if node not in self._inner and role[node] not in other]
        sources = [node.parents[0] for node in q if len(node.parents) == 1]
        if ends:
            pi = ends
        elif len(sources) == len(q) and all(self.step_of.get(pi) == k for pi in sources):
            pi = sources
        else:
            pi = [node for node in q if operation(node).operator is add]
        read = dict.fromkeys([p for n in made for p in n.parents if self._is_input(p, k)])
        return LoopStep(k, tuple(read), tuple(pi), q)

    def _is_input(self, leaf: Node, k: int) -> bool:
        if leaf.name is None or leaf in self._starts or self._readers.get(leaf) != {k}:
            return False
        return leaf.constant or self._labels[label(leaf.name)] > 1 or is_accented(label(leaf.name))

    def _find_given(self) -> tuple[Node, ...]:
        """The weights, those of one letter by their numbers, then the states and the inputs."""
        inputs = [x for step in self.steps for x in step.x]
        apart = {*inputs, *self._starts}
        weights = [n for n in self._readers if n not in apart and not (n.constant and not n.name)]
        parts = {leaf: without_digits(leaf.name or "") for leaf in weights}
        first: dict[str, int] = {}
        for place, (letter, _) in enumerate(parts.values()):
            first.setdefault(letter, place)
        weights.sort(key=lambda leaf: (first[parts[leaf][0]], parts[leaf][1]))
        return (*weights, *self.state, *inputs)

    def _is_cut(self, k: int) -> bool:
        """Whether all that step k takes from others are constants."""
        uses = [(parent, node) for node in self._results[k] for parent in node.parents]
        taken = [use for use in uses if self._carried(use[0], k)]
        sources = [self._detached[operand] for operand, _ in uses if operand in self._detached]
        if any(not operand.constant and not node.constant for operand, node in taken):
            return False
        return bool(taken) or any(self.step_of.get(source, k) != k for source in sources)

    def _shared_names(self, named: Iterable[Node]) -> dict[Node, str]:
        """The accented names of the results and inputs of steps that share a name with others."""
        inputs = {x: step.k for step in self.steps for x in step.x}
        names = {}
        for node in named:
            name, k = str(node.name), self.step_of.get(node) or inputs.get(node)
            if k is not None and self._labels[label(name)] > 1 and not is_accented(label(name)):
                names[node] = accent(name, k)
        return names

    def _new_names(self) -> dict[Node, str]:
        """Names for states without one, and for the sums that they are activations of.

        A state is called as its initial state is, or by the first letter that nothing else has.
        """
        taken = {written[:1] for written in self._labels}
        letter = next((one for one in LETTERS if one not in taken), None)
        unnamed = [(step, q) for step in self.steps for q in step.q if q.name is None]
        roles = dict.fromkeys([self._role[q] for _, q in unnamed])
        index = {role: f"_{i}" if len(roles) > 1 else "" for i, role in enumerate(roles, 1)}
        given = {role: leaf.name for leaf, role in self._starts.items() if leaf.name is not None}
        called = {role: given.get(role, letter and letter + index[role]) for role in roles}
        names = {}
        for leaf, role in self._starts.items():
            if leaf.name is None and called.get(role):
                names[leaf] = str(called[role])
        for step, q in unnamed:
            role, pi = self._role[q], q.parents[0]
            if called[role]:
                names[q] = accent(str(called[role]), step.k)
            if pi in step.pi and pi.name is None and SUM not in taken:
                names[pi] = accent(SUM + index[role], step.k)
        return names
