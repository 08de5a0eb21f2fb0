"""The DOT language: a directed graph with its attributes, parts, nodes and edges as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

#: What needs no quotes: a word, a number, and HTML in its own brackets.
PLAIN: Final = re.compile(r"[A-Za-z_]\w*|-?(?:\.\d+|\d+(?:\.\d*)?)|<.*>", re.ASCII | re.DOTALL)
KEYWORDS: Final = frozenset({"node", "edge", "graph", "digraph", "subgraph", "strict"})
LONGEST: Final = max(map(len, KEYWORDS))


def quoted(text: str) -> str:
    """A name or a value as DOT reads it.

    >>> quoted("n1"), quoted("-2.50"), quoted("<<B>x</B>>"), quoted("1,2"), quoted("node")
    ('n1', '-2.50', '<<B>x</B>>', '"1,2"', '"node"')
    """
    if PLAIN.fullmatch(text) and (len(text) > LONGEST or text.lower() not in KEYWORDS):
        return text
    return '"' + text.replace('"', r"\"") + '"'


def _attributes(looks: Mapping[str, str], first: str = "") -> str:
    """The attributes by their names, but one before all others."""
    order = sorted(looks, key=lambda name: (name != first, name))
    return " ".join([f"{name}={quoted(looks[name])}" for name in order])


class DotText:
    """A directed graph in the making, in DOT.

    >>> graph = DotText("g", {"rankdir": "LR"})
    >>> graph.node("a", "A")
    >>> with graph.part("cluster_1", {}):
    ...     graph.edge("a", "b", {"color": "red"})
    >>> print(graph)
    digraph g {
        graph [rankdir=LR]
        a [label=A]
        subgraph cluster_1 {
                a -> b [color=red]
        }
    }
    <BLANKLINE>
    """

    def __init__(self, name: str, graph: Mapping[str, str], **defaults: Mapping[str, str]) -> None:
        #: The label of each part by the id that it has in an SVG.
        self.labels: dict[str, str] = {}
        self._clusters = self._depth = 0
        self._lines = [f"digraph {name} {{"]
        self._indent = "\t"
        for kind, looks in {"graph": graph, **defaults}.items():
            self._line(f"{kind} [{_attributes(looks)}]")

    def _line(self, text: str) -> None:
        self._lines.append(self._indent + text)

    def attributes(self, **looks: str) -> None:
        """Set attributes of the graph, or of the part that is open."""
        if not self._depth and "label" in looks:
            self.labels["graph0"] = looks["label"]
        self._line(_attributes(looks))

    def node(self, name: str, label: str | None = None, **looks: str) -> None:
        """Add a node."""
        if label is not None:
            self.labels[looks.get("id", name)] = label
        told = _attributes(looks if label is None else {"label": label, **looks}, "label")
        self._line(f"{quoted(name)} [{told}]" if told else quoted(name))

    def edge(self, tail: str, head: str, looks: Mapping[str, str]) -> None:
        """Add an edge; its ends are names of nodes."""
        if "label" in looks:
            self.labels[looks.get("id", "")] = looks["label"]
        self._line(f"{quoted(tail)} -> {quoted(head)} [{_attributes(looks, 'label')}]")

    @contextmanager
    def part(self, name: str | None, looks: Mapping[str, str]) -> Iterator[None]:
        """A part of the graph, to which all goes that is added meanwhile."""
        if name is not None and name.startswith("cluster"):
            self._clusters += 1  # as Graphviz counts them
            self.labels[f"clust{self._clusters}"] = looks.get("label", "")
        self._line("{" if name is None else f"subgraph {quoted(name)} {{")
        self._indent += "\t"
        self._depth += 1
        if looks:
            self._line(f"graph [{_attributes(looks)}]")
        yield
        self._indent = self._indent[:-1]
        self._depth -= 1
        self._line("}")

    def __str__(self) -> str:
        return "\n".join([*self._lines, "}", ""])
