"""Value: numbers that remember how they were computed, by operators and functions."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from numbers import Real
from typing import Any, Final

try:
    import cython
except ImportError:
    from .. import loading as cython

from ..arguments import as_float, as_name, truth
from ..errors import ArgumentTypeError, AssignmentError
from ..foreign import ATTRIBUTES, Foreign, given_name, refuse_float
from ..graph.walk import depth_first
from ..ops import table as ops
from ..ops.ieee import exponent_slope, ieee_divide, power, power_slope
from ..ops.op import Op
from . import sweep, walks
from .shared import CONSTANT, SWEEPS, VARIABLE, WATCH, detached, passed, refuse_subclass, tell, told

#: Whether this file runs as machine code, or as the Python that it is.
compiled: Final = not __file__.endswith(".py")

ADD, SUB, MUL, DIV, POW = ops.add, ops.sub, ops.mul, ops.div, ops.pow


def _method(op: Op, words: str) -> Callable[[Value], Value]:
    """The method that applies an op of one operand, with these words for its docstring."""

    @cython.binding(True)  # type: ignore[untyped-decorator]  # Cython has no types
    def apply(self: Value) -> Value:
        return _unary(op, self)

    apply.__name__, apply.__doc__ = op.name, words
    return apply  # type: ignore[no-any-return]  # made untyped by the decorator


# Operands are older than their result, so there are no cycles for the collector to look for.
@cython.no_gc
@cython.final
@cython.cclass
class Value:
    """A number that remembers how it was computed.

    `Value(data, name=None)` makes a leaf from a real number; operators and functions make the rest.
    `TypeError` for what is not a real number, `ValueError` for an integer beyond the floats.

    >>> x = Value(3, "x")
    >>> y = x * x
    >>> y.backward()
    >>> y.data, x.grad, y.parents == (x, x), y.partials
    (9.0, 6.0, True, (3.0, 3.0))
    """

    #: What `help` shows: a compiled class has no signature of its own.
    __signature__ = signature(lambda data, name=None: None)
    __slots__ = ("_data", "_dx", "_dy", "_grad", "_mark", "_name", "_op", "_x", "_y")

    _walks = walks if compiled else None
    _data: float
    _grad: float
    _name: str | None
    _op: Op | None
    _x: Value | None
    _dx: float
    _y: Value | None
    _dy: float
    _mark: float

    def __cinit__(self) -> None:  # `__new__` alone calls it too
        self._mark = VARIABLE

    def __init__(self, data: object, name: object = None, *, label: None = None) -> None:
        given = None if name is None and label is None else given_name(name, label)
        self._data, self._name = as_float(data, "data"), given
        self._op = self._x = self._y = None
        self._grad = self._dx = self._dy = 0.0
        self._mark = VARIABLE
        if WATCH.open:
            tell("leaf", self, None)

    @property
    def data(self) -> float:
        """The number.  A leaf's may be assigned: that is how weights learn."""
        return sweep.read(self, "data")._data

    @data.setter
    def data(self, data: object) -> None:
        if self._op is not None:
            raise AssignmentError(
                f"data of a result ({self!r}) cannot be assigned: its graph would no longer say "
                f"how it was computed. Assign to a leaf and compute again."
            )
        sweep.read(self, "assignment")._data = as_float(data, "data")
        SWEEPS.assigned += 1.0

    @data.deleter
    def data(self) -> None:
        raise AttributeError("property 'data' of 'Value' object has no deleter")

    @property
    def grad(self) -> float:
        """∂output/∂this of the `backward` calls so far; assign 0 to clear it."""
        return sweep.read(self, "grad")._grad

    @grad.setter
    def grad(self, grad: object) -> None:
        number = as_float(grad, "grad")
        if self._mark > VARIABLE and number != 0.0:
            raise AssignmentError(f"grad of a constant ({self!r}) stays 0: it is not a variable.")
        self._grad = number

    @grad.deleter
    def grad(self) -> None:
        raise AttributeError("property 'grad' of 'Value' object has no deleter")

    @property
    def name(self) -> str | None:
        """The label in pictures and tables, or None."""
        return self._name

    @name.setter
    def name(self, name: object) -> None:
        self._name = as_name(name)

    @name.deleter
    def name(self) -> None:
        raise AttributeError("property 'name' of 'Value' object has no deleter")

    @property
    def constant(self) -> bool:
        """Whether this is never differentiated: a plain number, a comparison, or frozen."""
        return self._mark > VARIABLE

    @property
    def op(self) -> Op | None:
        """The op that made this result, or None for a leaf."""
        return self._op

    @property
    def parents(self) -> tuple[Value, ...]:
        """The operands, in order: `x * x` has two."""
        if self._x is None:
            return ()
        return (self._x,) if self._y is None else (self._x, self._y)

    @property
    def partials(self) -> tuple[float, ...]:
        """The local derivative with respect to each operand, from the time this result was made."""
        if self._x is None or sweep.read(self, "partials")._x is None:
            return ()
        dx = 0.0 if self._x._mark > VARIABLE else self._dx
        if self._y is None:
            return (dx,)
        return dx, 0.0 if self._y._mark > VARIABLE else self._dy

    _backward, _prev, item, label, requires_grad, shape = map(Foreign, ATTRIBUTES)

    # --- operators: those of the table's hottest entries state their rules here ------------------
    # Any stands for NotImplemented, which a compiled method of type Value could not return.

    def __add__(self, other: object) -> Value | Any:
        y: Value | None = other if isinstance(other, Value) else _operand(other)
        if y is None:
            return NotImplemented
        return _node(ADD, self._data + y._data, self, 1.0, y, 1.0, SWEEPS.latest)

    def __radd__(self, other: object) -> Value | Any:
        x = _operand(other)
        return NotImplemented if x is None else x + self

    def __sub__(self, other: object) -> Value | Any:
        y: Value | None = other if isinstance(other, Value) else _operand(other)
        if y is None:
            return NotImplemented
        return _node(SUB, self._data - y._data, self, 1.0, y, -1.0, SWEEPS.latest)

    def __rsub__(self, other: object) -> Value | Any:
        x = _operand(other)
        return NotImplemented if x is None else x - self

    def __mul__(self, other: object) -> Value | Any:
        y: Value | None = other if isinstance(other, Value) else _operand(truth(other))
        if y is None:
            return NotImplemented
        return _node(MUL, self._data * y._data, self, y._data, y, self._data, SWEEPS.latest)

    def __rmul__(self, other: object) -> Value | Any:
        x = _operand(truth(other))
        return NotImplemented if x is None else x * self

    def __truediv__(self, other: object) -> Value | Any:
        y: Value | None = other if isinstance(other, Value) else _operand(other)
        if y is None:
            return NotImplemented
        try:
            data = self._data / y._data
            dx, dy = 1.0 / y._data, -data / y._data
        except ZeroDivisionError:
            data = ieee_divide(self._data, y._data)
            dx, dy = ieee_divide(1.0, y._data), ieee_divide(-data, y._data)
        return _node(DIV, data, self, dx, y, dy, SWEEPS.latest)

    def __rtruediv__(self, other: object) -> Value | Any:
        x = _operand(other)
        return NotImplemented if x is None else x / self

    def __pow__(self, other: object) -> Value | Any:
        y: Value | None = other if isinstance(other, Value) else _operand(other)
        if y is None:
            return NotImplemented
        data = power(self._data, y._data)
        dx = 0.0 if self._mark == CONSTANT else power_slope(self._data, y._data, data)
        dy = 0.0 if y._mark == CONSTANT else exponent_slope(self._data, y._data, data)
        return _node(POW, data, self, dx, y, dy, SWEEPS.latest)

    def __rpow__(self, other: object) -> Value | Any:
        x = _operand(other)
        return NotImplemented if x is None else x**self

    def __mod__(self, other: object) -> Value | Any:
        y: Value | None = other if isinstance(other, Value) else _operand(other)
        return NotImplemented if y is None else _binary(ops.mod, self, y)

    def __rmod__(self, other: object) -> Value | Any:
        x = _operand(other)
        return NotImplemented if x is None else x % self

    def __neg__(self) -> Value:
        return _unary(ops.neg, self)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return _unary(ops.abs, self)

    exp = _method(ops.exp, "e to the power of this.")
    exp2 = _method(ops.exp2, "2 to the power of this.")
    expm1 = _method(ops.expm1, "exp(x) - 1, without cancellation.")
    log = _method(ops.log, "The natural logarithm: -inf at 0, NaN below.")
    log2 = _method(ops.log2, "The logarithm to base 2: -inf at 0, NaN below.")
    log10 = _method(ops.log10, "The logarithm to base 10: -inf at 0, NaN below.")
    log1p = _method(ops.log1p, "log(1 + x), without loss for small x.")
    sqrt = _method(ops.sqrt, "The square root: NaN below 0; the derivative at 0 is inf.")
    cbrt = _method(ops.cbrt, "The cube root; the derivative at 0 is inf.")
    sin = _method(ops.sin, "The sine, of radians.")
    cos = _method(ops.cos, "The cosine, of radians.")
    tan = _method(ops.tan, "The tangent, of radians.")
    arcsin = _method(ops.arcsin, "The inverse sine: NaN beyond 1 and -1.")
    arccos = _method(ops.arccos, "The inverse cosine: NaN beyond 1 and -1.")
    arctan = _method(ops.arctan, "The inverse tangent.")
    sinh = _method(ops.sinh, "The hyperbolic sine.")
    cosh = _method(ops.cosh, "The hyperbolic cosine.")
    tanh = _method(ops.tanh, "The hyperbolic tangent.")
    arcsinh = _method(ops.arcsinh, "The inverse hyperbolic sine.")
    arccosh = _method(ops.arccosh, "The inverse hyperbolic cosine: NaN below 1.")
    arctanh = _method(ops.arctanh, "The inverse hyperbolic tangent: NaN beyond 1 and -1.")
    abs = _method(ops.abs, "The absolute value; the derivative at 0 is 0.")
    sigmoid = _method(ops.sigmoid, "1 / (1 + exp(-x)), without overflow.")
    softplus = _method(ops.softplus, "log(1 + exp(x)), without overflow.")
    relu = _method(ops.relu, "This where positive, else 0; the derivative at 0 is 0.")
    step = _method(ops.step, "1 where positive, else 0; the derivative is 0 everywhere.")

    def arctan2(self, other: object) -> Value:
        """The angle of the point (other, self)."""
        return Value._apply_op(ops.arctan2, (self, other))

    def hypot(self, other: object) -> Value:
        """The distance of the point (self, other) from (0, 0), without overflow."""
        return Value._apply_op(ops.hypot, (self, other))

    def conjugate(self) -> Value:
        """This Value itself, which is real: NumPy's std and var ask for it."""
        return self

    def detach(self) -> Value:
        """A new leaf with the same number: gradients stop there.

        >>> x = Value(3)
        >>> (x * x.detach()).backward()
        >>> x.grad
        3.0
        """
        return detached(Value(self._data, self._name), self)

    @staticmethod
    def _apply_op(op: Op, operands: tuple[object, ...]) -> Value:
        """What calling an op of the table on Values and numbers does."""
        values = [
            x if isinstance(x, Value) else constant(as_float(x, f"{op.name}'s operand"))
            for x in operands
        ]
        return _unary(op, values[0]) if len(values) == 1 else _binary(op, values[0], values[1])

    # --- comparisons: by data, but for equality with another Value, which is identity -------------

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Value):
            return told("is", self, other, self is other)
        y: Value | None = _operand(other)
        return NotImplemented if y is None else told("==", self, other, self._data == y._data)

    def __ne__(self, other: object) -> bool:
        if isinstance(other, Value):
            return not told("is", self, other, self is other)
        y: Value | None = _operand(other)
        return NotImplemented if y is None else told("!=", self, other, self._data != y._data)

    def __lt__(self, other: object) -> bool:
        y: Value | None = other if isinstance(other, Value) else _operand(other)
        return NotImplemented if y is None else told("<", self, other, self._data < y._data)

    def __le__(self, other: object) -> bool:
        y: Value | None = other if isinstance(other, Value) else _operand(other)
        return NotImplemented if y is None else told("<=", self, other, self._data <= y._data)

    def __gt__(self, other: object) -> bool:
        y: Value | None = other if isinstance(other, Value) else _operand(other)
        return NotImplemented if y is None else told(">", self, other, self._data > y._data)

    def __ge__(self, other: object) -> bool:
        y: Value | None = other if isinstance(other, Value) else _operand(other)
        return NotImplemented if y is None else told(">=", self, other, self._data >= y._data)

    def __hash__(self) -> int:
        return hash_of(self)  # type: ignore[name-defined, no-any-return]  # noqa: F821  # pragma: no cover - in value.pxd

    def __bool__(self) -> bool:
        return told("!=", self, 0.0, self._data != 0.0)

    def __float__(self) -> float:
        return refuse_float()

    def __repr__(self) -> str:
        name = "" if self._name is None else f", name={self._name!r}"
        op = "" if self._op is None else f", op={self._op.name!r}"
        kind = ", constant" if self._mark > VARIABLE else ""
        return f"Value({self._data}, grad={self._grad}{name}{op}{kind})"

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else repr(self)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._op is not None:
            raise ArgumentTypeError(
                f"a result ({self!r}) is not pickled, since its graph would have to come along: "
                f"save the network (RNN.save), Drawing or Derivation, or pickle the leaves."
            )
        return _restore_leaf, (self.data, self._name, self._grad, self._mark)

    def __copy__(self) -> Value:
        return self if sweep.is_point(self) else _twin(self, self._x, self._y)

    def __deepcopy__(self, memo: dict[int, Value]) -> Value:
        node: Value
        # What has a copy is not walked again: of a run, each node is asked for one.
        for node in depth_first([self], lambda z: [x for x in z.parents if id(x) not in memo]):
            x, y = memo.get(id(node._x)), memo.get(id(node._y))
            memo[id(node)] = node if sweep.is_point(node) else _twin(node, x, y)
        return memo[id(self)]

    def backward(self, seed: object = 1.0) -> None:
        """Add ∂self/∂leaf, times the seed, to the `grad` of every leaf that this depends on.

        The `grad` of every result is set, and the graph is kept: a second call adds the same again.
        Threads that share leaves need a lock.  After Ctrl-C, clear the leaves' `grad`.

        >>> loss = (w := Value(3)) * w
        >>> loss.backward(), loss.backward(), w.grad
        (None, None, 12.0)
        """
        start = as_float(seed, "seed")
        if sweep.read(self, "backward")._op is not None and self._mark != CONSTANT:
            sweep.sweep_back(self, start)
        elif self._mark == VARIABLE:
            self._grad += start


if compiled:
    free_in_a_loop()  # type: ignore[name-defined]  # noqa: F821  # pragma: no cover - in value.pxd
else:
    # Cython takes no `__init_subclass__` in the class; the hash of `object` is the same, and fast.
    Value.__init_subclass__ = classmethod(refuse_subclass)  # type: ignore[arg-type, assignment, method-assign]
    Value.__hash__ = object.__hash__  # type: ignore[method-assign]


def _node(
    op: Op | None, data: float, x: Value | None, dx: float, y: Value | None, dy: float, mark: float
) -> Value:
    """A Value without the checks of `__init__`, for speed; a result as the contexts let it pass."""
    z: Value = Value.__new__(Value)
    z._data = data
    z._grad = 0.0
    z._name = None
    z._op = op
    z._x = x
    z._dx = dx
    z._y = y
    z._dy = dy
    z._mark = mark
    return passed(z) if WATCH.open and op is not None else z


def _twin(value: Value, x: Value | None, y: Value | None) -> Value:
    """A Value like this one, on other operands, which no sweep has met."""
    mark = value._mark if value._mark >= VARIABLE else SWEEPS.latest
    twin = _node(None, value._data, x, value._dx, y, value._dy, mark)
    twin._name, twin._grad, twin._op = value._name, value._grad, value._op
    return twin


def _restore_leaf(data: float, name: Any, grad: float, mark: float) -> Value:
    leaf: Value = Value(data, name)
    leaf._grad, leaf._mark = grad, max(VARIABLE, min(mark, CONSTANT))  # lower ones are of results
    return leaf


def constant(number: float, name: Any = None) -> Value:
    """A leaf that is drawn and printed, but never differentiated."""
    leaf = _node(None, as_float(number, "data"), None, 0.0, None, 0.0, CONSTANT)
    leaf._name = as_name(name)
    return leaf


def _operand(other: object) -> Value | None:
    """A constant from a plain number, or None where the other operand's type is to be asked."""
    kind = type(other)
    if kind is float or kind is int or (kind is not bool and isinstance(other, Real)):
        return _node(None, as_float(other, "operand"), None, 0.0, None, 0.0, CONSTANT)
    return None


def _unary(op: Op, x: Value) -> Value:
    data = op.value(x._data)
    dx = 0.0 if x._mark == CONSTANT else op.partials[0](x._data, data)
    return _node(op, data, x, dx, None, 0.0, CONSTANT if op.flat else SWEEPS.latest)


def _binary(op: Op, x: Value, y: Value) -> Value:
    data = op.value(x._data, y._data)
    dx = 0.0 if x._mark == CONSTANT else op.partials[0](x._data, y._data, data)
    dy = 0.0 if y._mark == CONSTANT else op.partials[1](x._data, y._data, data)
    # What was not chosen is a constant, so that no sweep goes to what it was computed from.
    flat = op.flat or (op.chooses and op.partials[0](x._data, y._data, data) == 0.0)
    return _node(op, data, x, dx, y, dy, CONSTANT if flat else SWEEPS.latest)
