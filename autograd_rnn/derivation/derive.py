"""A derivative worked out step by step, with its numbers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, overload

from ..arguments import as_flag, as_list, many, shown
from ..errors import ArgumentValueError, DerivationError, FormatError
from ..files import write_whole
from ..graph.copies import Copy, copies
from ..graph.quantities import names_of
from ..graph.separating import Member, escape, key_of, separating_set
from ..graph.walk import Node, Run, check_fresh, check_node, check_size, describe, topological
from ..networks.model import Model
from .backprop import by_recursion
from .chain_rule import ChainRule, Term
from .document import Section, as_text
from .matrices import MatrixRule, StepTerm
from .naming import one_system
from .typeset import INSIDE, as_fragment, as_html, as_latex, as_markdown, as_tex

MOST_DERIVED: Final = 100_000  # nodes of a graph

Through: TypeAlias = Iterable[Member] | Literal["minimum"] | None


#: How a document is written, by the ending of its file.
DOCUMENTS: Final[Mapping[str, Callable[[str, Sequence[Section]], str]]] = {
    "txt": lambda title, sections: as_text(sections),
    "md": lambda title, sections: as_markdown(sections),
    "tex": lambda title, sections: as_tex(sections),
    "html": as_html,
}


def document_of(path: str | os.PathLike[str]) -> Callable[[str, Sequence[Section]], str]:
    """What writes the kind of document that the ending of a path names; `FormatError` if none."""
    ending = Path(path).suffix[1:].lower()
    if ending not in DOCUMENTS:
        what = f"format {ending!r} is unknown" if ending else "the file name has no ending"
        raise FormatError(f"{what}: choose one of {', '.join(DOCUMENTS)}.")
    return DOCUMENTS[ending]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Derivation:
    """A worked derivative: `value`, its `terms`, and the text of it; made by `derive`.

    `sections` are the steps as data, each with its sentences and equations; `latex`, `markdown` and
    `text` are the same in print, `html`, `folded` and `tex` as documents of their own, and `body`
    with `style` a part of another page.

    >>> from autograd_rnn import Value
    >>> w = Value(3, "w")
    >>> derivation = derive(w * w, w)
    >>> derivation.value, [term.grad for term in derivation.terms]
    (6.0, [3.0, 3.0])
    """

    title: str
    value: float
    terms: tuple[Term, ...]
    sections: Sequence[Section]
    rule: ChainRule | MatrixRule

    @property
    def latex(self) -> str:
        """The equations in LaTeX, for a page that loads amsmath."""
        return as_latex(self.sections)

    @property
    def markdown(self) -> str:
        """The derivation in Markdown, with formulas that GitHub and Jupyter render."""
        return as_markdown(self.sections)

    @property
    def text(self) -> str:
        """The derivation in Unicode, for a terminal."""
        return as_text(self.sections)

    @property
    def tex(self) -> str:
        """A complete LaTeX document."""
        return as_tex(self.sections)

    @property
    def body(self) -> str:
        """The derivation in HTML, without a document around it; `style` has the rules for it.

        The MathML of a symbol, and the row of an equation that is about it, have `data-node`, which
        the box of the same Value or copy has in a picture of the output, and its row in a table:
        see `Drawing.ids`.

        >>> from autograd_rnn import Value, draw
        >>> x = Value(3, "x")
        >>> y = x * 2
        >>> f'<mi data-node="{draw(y).ids[x]}">x</mi>' in derive(y, x).body
        True
        """
        return f'<div class="derivation">\n{as_fragment(self.sections)}\n</div>'

    @property
    def style(self) -> str:
        """The rules of CSS for `body`, which hold inside of it alone."""
        return f".derivation{{{INSIDE}}}"

    @property
    def html(self) -> str:
        """A page with the formulas in MathML, which browsers render without a network."""
        return as_html(self.title, self.sections)

    @property
    def folded(self) -> str:
        """The page with its steps closed: a click shows a hint, and another one the step."""
        return as_html(self.title, self.sections, fold=True)

    def save(self, path: str | os.PathLike[str], *, fold: bool = False) -> Path:
        """The path of the file that now holds the derivation: .tex, .md, .html or .txt.

        With `fold`, the steps of an HTML page are closed, each behind a hint.  `FormatError` (a
        `ValueError`) for another ending; an error leaves the path as it was.

        >>> import tempfile
        >>> from autograd_rnn import Value
        >>> w = Value(3, "w")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     derive(w * w, w).save(f"{folder}/square.tex").name
        'square.tex'
        """
        write = document_of(path)
        as_flag(fold, "fold")
        text = self.folded if fold and write is as_html else write(self.title, self.sections)
        return write_whole(path, text.encode("utf-8", "replace"))

    def numpy(self, name: str = "backward") -> str:
        """Source of a NumPy function of that name that goes forward and back: the same pass.

        It is written in the names of the text, δ_i for ∂L/∂i, and its docstring says how its
        arguments are laid out: `arguments` are those of this derivation.  With a model it has two
        loops over the steps, and its result is ∂L/∂W, of several layers a tuple of theirs, of a GRU
        also ∂L/∂u, of its recurrent offset.  For one weight of a network it returns one entry of
        that; for any other graph it has a line for each quantity and each δ.  Where these are more
        than 30, a loop whose steps are made alike is written as two loops, an initial state of a
        network by its matrices, and else quantities that do not need each other are side by side
        if that is enough; steps that are not alike may need more lines.  Arguments d_h
        hold ∂L/∂h as the loss reads h after the steps, at the numbers of this derivation: compute
        them anew for others.
        `ValueError` for a name that is not an identifier.

        >>> from autograd_rnn import RNN, bits
        >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
        >>> run = rnn.unroll(bits("101"))
        >>> derivation = derive((15 - run.pi[0]) ** 2, rnn, run=run)
        >>> known = {}
        >>> exec(derivation.numpy(), known)
        >>> known["backward"](**derivation.arguments).tolist()
        [[32.0], [68.0]]
        """
        given: object = name
        if not (isinstance(given, str) and given.isidentifier() and not iskeyword(given)):
            raise ArgumentValueError(
                f"name must be an identifier, such as 'backward', not {shown(name)}."
            )
        with _within_floats():
            return self.rule.source(name)

    @property
    def arguments(self) -> dict[str, Any]:
        """What the function of `numpy` takes here, numbers or arrays by name."""
        return self.rule.arguments()

    def __repr__(self) -> str:
        return f"<Derivation: {self.title} = {self.value!r}>"

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.markdown

    def _repr_html_(self) -> str:
        """Jupyter shows the formulas as MathML, which needs no network."""
        return self.body


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MatrixDerivation(Derivation):
    """A worked gradient ∂L/∂W of a network, by matrices; made by `derive(loss, model, run=run)`.

    `value` is the gradient, flat, in the order of `model.parameters()`; `terms` are what each step
    adds for each layer, matrices of the shape of its weights.  `rule` has all numbers and formulas.

    >>> from autograd_rnn import RNN, bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False)
    >>> run = rnn.unroll(bits("101"))
    >>> derivation = derive((15 - run.pi[0]) ** 2, rnn, run=run)
    >>> derivation.value, [term.grad for term in derivation.terms]
    ([32.0, 68.0], [((0.0,), (64.0,)), ((16.0,), (0.0,)), ((16.0,), (4.0,))])
    """

    value: list[float]  # type: ignore[assignment]  # a gradient, and not one derivative
    terms: tuple[StepTerm, ...]  # type: ignore[assignment]  # of the steps, and not of copies

    def __repr__(self) -> str:
        return f"<MatrixDerivation: {self.title}, {many(len(self.value), 'number')}>"


@overload
def derive(
    output: Node, parameter: Model, *, through: None = None, run: Run | None
) -> MatrixDerivation: ...
@overload
def derive(
    output: Node, parameter: Node, *, through: Through = None, run: Run | None = None
) -> Derivation: ...
def derive(
    output: Node, parameter: Node | Model, *, through: Through = None, run: Run | None = None
) -> Derivation:
    """The derivative ∂output/∂parameter, worked out step by step with its numbers.

    The steps are those of panels 11-16: forward pass, copies, chain rule through the separating
    set, backpropagation, general formula, substitution.  `through` is the set: a list of Values and
    Copies, or "minimum" for a smallest set of nodes; unless given, the copies of the parameter.
    With `run`, the unrolled network or the `Steps` of a loop, the copies know their steps, and the
    activation is called a.
    Every printed equation has been checked: its sides agree here, and those in symbols for all
    numbers, the activation being any function; and each written symbol has one value.

    With a model instead of a parameter, and its own `run`, it is ∂output/∂W of all weights at once,
    by matrices: the recursion of δ, a table of it, and a column times a row for each step, layer by
    layer; see `MatrixDerivation`.  That fits on a page for any number of states.

    Raises `ValueError` where the output does not depend on the parameter, for a set that does not
    separate them (naming a path that escapes it), and for a NaN or infinity in the graph;
    `DerivationError` where the numbers of an equation are too small or too large for floats;
    `GraphTooLarge` (likewise) for more than can be written out; `StaleGraphError` where a leaf was
    assigned after the output was computed.

    >>> from autograd_rnn import RNN, bits
    >>> rnn = RNN([[4], [1]], activation="relu", bias=False, names=[["w_1"], ["w_2"]])
    >>> run = rnn.unroll(bits("101"))
    >>> derivation = derive((15 - run.pi[0]) ** 2, rnn.weights[0][0], run=run)
    >>> derivation.value, [term.grad for term in derivation.terms]
    (32.0, [0.0, 16.0, 16.0])
    >>> print(derivation.text.splitlines()[-1].strip())
    ∂L/∂w₁ = −2(15 − 17)(4 + 1·4·1 + 0·4²·1·1) = −2(−2)·8 = 32
    """
    check_node(output, "output")
    check_size(
        *(output, MOST_DERIVED, "to be written out"),
        "derive a shorter run; copies() and gradients() read graphs of any size, and draw_flow() "
        "shows how a gradient flows through hundreds of steps",
    )
    if isinstance(parameter, Model):
        return _by_matrices(output, parameter, through, run)
    uses = copies(parameter, output, run)
    order = topological(output)
    if not output.parents:
        raise ArgumentValueError(
            f"output ({describe(output)}) is a leaf, computed from nothing: there is no chain rule."
        )
    if escape([], parameter, output) is None or parameter is output:
        raise ArgumentValueError(
            f"output does not depend on the parameter ({describe(parameter)}): its derivative is 0."
        )
    check_fresh(order)
    _check_finite(order)
    with names_of(run), one_system(output, parameter, len(uses), run):
        uses = copies(parameter, output, run)
        members = _members(output, parameter, through, uses)
        by_copies = {key_of(member) for member in members} == {key_of(use) for use in uses}
        with _within_floats():
            rule = ChainRule(output, parameter, members, by_copies, run)
            value = rule.general.value + 0.0
            sections = rule.sections()
            sections[-2:-2] = by_recursion(output, parameter, run)
        return Derivation(rule.asked.text.text, value, tuple(rule.terms()), sections, rule)


@contextmanager
def _within_floats() -> Iterator[None]:
    """Refuse products of fractions and powers that no float holds, where the sweep's are finite."""
    try:
        yield
    except OverflowError:
        raise DerivationError(
            "an equation has numbers that are too small or too large for floats: choose another "
            "point."
        ) from None


def _by_matrices(output: Any, model: Model, through: Through, run: Any) -> MatrixDerivation:
    if through is not None:
        raise ArgumentValueError(
            "through is for one weight: by matrices, the set is that of the copies of all weights. "
            "Leave it out, or derive one of model.parameters()."
        )
    check_node(output, "output")
    _check_finite(topological(output))
    rule = MatrixRule(output, model, run)
    return MatrixDerivation(rule.title, rule.value, tuple(rule.terms()), rule.sections(), rule)


def _members(output: Node, parameter: Node, through: Through, uses: Sequence[Copy]) -> list[Member]:
    if through is None:
        return list(uses)
    if isinstance(through, str):
        if through != "minimum":
            raise ArgumentValueError(
                f"through must be 'minimum', or a list of Values and Copies, not {through!r}."
            )
        return list(separating_set(parameter, output))
    members: list[Member] = as_list(through, "through", "Values and Copies")
    if not members:
        raise ArgumentValueError("through is empty: a set has one member or more.")
    path = escape(members, parameter, output)
    if path is not None:
        raise ArgumentValueError(
            f"through does not separate the parameter from the output: {path} meets none of it."
        )
    return members


def _check_finite(order: Sequence[Node]) -> None:
    for node in order:
        if not all(map(math.isfinite, (node.data, *node.partials))):
            raise ArgumentValueError(
                f"{describe(node)} has no finite number or no finite slope, so no equation of it "
                f"can be checked: choose another point."
            )
