"""SymPy as a second judge: the general formula is its derivative, and slopes are stated rightly."""

from functools import cache
from typing import Any

import pytest

from autograd_rnn import RNN, Value, bits, derive
from autograd_rnn.derivation.definitions import is_plain, stated
from autograd_rnn.derivation.expressions import Symbol
from autograd_rnn.graph.identities import Slope, residue
from autograd_rnn.graph.notation import TEXT
from autograd_rnn.ops.op import TABLE

from .judge import Judge

sympy = pytest.importorskip("sympy")


class Formula:
    """Printed formulas as SymPy's, by the trees of the judge that reads them."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.written: dict[str, Any] = {}  # what the text says of ∂L/∂π̈ and the like
        for section in judge.worked.sections:
            if section.title == "The general formula":
                for equation in section.equations:
                    left, (side,) = equation.write(TEXT)
                    self.written[left] = judge.parse(side[2:])

    def of(self, tree: Any) -> Any:
        """A tree, all names in it replaced by their definitions."""
        kind, *parts = tree
        if kind == "name":
            found = self.judge.trees.get(parts[0])
            return sympy.Symbol(parts[0]) if found is None else self.of(found)
        if kind == "number":
            half = parts[0] if parts[0] < 10**12 else None
            assert half is not None
            return sympy.Integer(half)
        if kind == "d":
            over, under = (part[1] for part in parts[1:3])
            return self.of(self.written[f"{parts[0]}{over}/∂{under}"])
        if kind == "f":
            return function(parts[0].rstrip("′"), parts[0].count("′"))(self.of(parts[1]))
        x, y = map(self.of, parts)
        return {"+": x + y, "·": x * y, "/": x / y, "^": x**y}[kind]


@cache
def function(name: str, order: int = 0) -> Any:
    """An unknown function whose derivative is the next unknown one."""

    def derivative(self: Any, place: int = 1) -> Any:
        return function(name, order + 1)(self.args[0])

    return type(f"{name}_{order}", (sympy.Function,), {"fdiff": derivative})


@pytest.mark.parametrize("bit_string", ["1", "101", "0101"])
@pytest.mark.parametrize("every", [False, True])
def test_the_general_formula_is_the_derivative(bit_string: str, every: bool) -> None:
    rnn = RNN([[2], [-1]], "relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits(bit_string))
    terms = [(k - step.pi[0]) ** 2 for k, step in enumerate(run.steps, 3)]
    for place, weight in enumerate(rnn.parameters(), 1):
        worked = derive(sum(terms) if every else terms[-1], weight, run=run)
        formula = Formula(Judge(worked))
        loss, w = formula.of(("name", "L")), sympy.Symbol(f"w{'₀₁₂'[place]}")
        general = formula.of(("d", "∂", ("name", "L"), ("name", str(w)), False))
        assert sympy.expand(general - sympy.diff(loss, w)) == 0


OF_SYMPY = {
    **{
        "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
        "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    },
    **{"arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "arcsinh": sympy.asinh},
    **{"arccosh": sympy.acosh, "arctanh": sympy.atanh, "neg": lambda x: -x, "cbrt": sympy.cbrt},
    **{"log2": lambda x: sympy.log(x, 2), "log10": lambda x: sympy.log(x, 10)},
    **{"log1p": lambda x: sympy.log(1 + x), "exp2": lambda x: 2**x},
    "expm1": lambda x: sympy.exp(x) - 1,
}
SMOOTH = [
    name
    for name, op in TABLE.items()
    if op.arity == 1
    and not op.flat
    and (name in OF_SYMPY or hasattr(sympy, name))
    and name != "abs"
]


@pytest.mark.parametrize("name", SMOOTH)
def test_stated_slopes_are_those_of_sympy(name: str) -> None:
    op, at = TABLE[name], 1.75 if name == "arccosh" else 0.625
    x = Symbol.named(Slope(at, residue("x")), "x")
    z = Symbol.named(Slope(op.value(at), residue("z")), "z")
    told = stated(op, 0, [x], z)
    t = sympy.Symbol("t")
    true = sympy.diff(OF_SYMPY.get(name, getattr(sympy, name, None))(t), t)
    assert is_plain(told)
    assert told.value == pytest.approx(float(true.subs(t, at)), rel=1e-12)


def test_graphs_with_reuse() -> None:
    x, y = Value(2, "x"), Value(3, "y")
    u = x * y + x
    u.name = "u"
    v = u * u * x
    v.name = "v"
    for output in (v * u + x, u / (v + 1), (u - v) ** 3 * u.tanh()):
        for source in (x, y):
            worked = derive(output, source)
            formula = Formula(Judge(worked))
            loss, name = formula.of(("name", "L")), str(source.name)
            general = formula.of(("d", "∂", ("name", "L"), ("name", name), False))
            difference = sympy.simplify(general - sympy.diff(loss, sympy.Symbol(name)))
            assert difference == 0
