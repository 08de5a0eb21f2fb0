"""A derivative as the source of a function without a loop."""

from __future__ import annotations

from typing import Any

from ...graph.walk import Node, Run, downstream
from ..definitions import Definitions
from ..expressions import Expression, Number, total
from .lines import INDENT, Lines


class Straight(Lines):
    """The lines of a function that goes forward and back, a line for each quantity and its δ."""

    def __init__(self, output: Node, parameter: Node, run: Run | None) -> None:
        super().__init__(Definitions(output, {}, {output, parameter}, run))
        self.output, self.parameter = output, parameter
        self.behind = downstream(self.definitions.order, [parameter])

    def arguments(self) -> dict[str, Any]:
        """What the function takes, by name."""
        return {self.name(leaf): leaf.data for leaf in self.definitions.leaves()}

    def asked(self) -> str:
        """∂L/∂w in the text's names."""
        symbols = self.definitions.symbols
        return f"∂{symbols[self.output].key}/∂{symbols[self.parameter].key}"

    def source(self, name: str) -> str:
        """The whole function."""
        forward = self.forward()
        self.used.clear()
        terms: dict[Node, list[Expression]] = {self.output: [Number(1.0)]}
        back = list(self.backward(terms, self.behind))
        result = self.code(total(terms.get(self.parameter, [])))
        last = self.name(self.output)
        words = [
            f'"""{self.asked()}; δ_x is that by x, and x_2 is x at step 2.',
            'Arguments are numbers, or arrays of one shape, taken entry by entry."""',
        ]
        ahead = [
            f"{one} = {line}" for one, line in forward.items() if one != last or last in self.used
        ]
        head = f"def {name}({', '.join(self.arguments())}):"
        body = [*words, *ahead, *back, f"return {result}"]
        return "\n".join([*self.imports(), head, *[INDENT + one for one in body]]) + "\n"
