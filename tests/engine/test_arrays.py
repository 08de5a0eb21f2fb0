"""NumPy arrays of Values, and NumPy scalars on either side of one."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import (
    Value,
    copies,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    maximum,
    no_grad,
    ops,
    value_and_grad,
    vjp,
    where,
)
from autograd_rnn.errors import ArgumentTypeError, ArgumentValueError

#: NumPy's functions of one number that are ops: all that have a method by their name.
FUNCTIONS = [
    name
    for name, op in ops.TABLE.items()
    if op.arity == 1 and isinstance(getattr(np, name, None), np.ufunc) and name != "abs"
]


@pytest.fixture
def array() -> np.ndarray:
    return np.array([[Value(1, "a"), Value(2, "b")], [Value(3, "c"), Value(4, "d")]])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_numpy_work_elementwise(array: np.ndarray, name: str) -> None:
    results = getattr(np, name)(array)
    assert results.shape == (2, 2)
    for x, y in zip(array.flat, results.flat, strict=True):
        assert y.op.name == name
        assert y.parents == (x,)


def test_all_elementary_functions_are_found() -> None:
    assert {"exp", "exp2", "log1p", "cbrt", "arccosh", "tan"} < set(FUNCTIONS)
    assert len(FUNCTIONS) == 21


@pytest.mark.parametrize("name", ["arctan2", "hypot", "mod"])
def test_functions_of_two_arrays(array: np.ndarray, name: str) -> None:
    flipped = np.array([[3.0, 4.0], [1.0, 2.0]])
    for other, number in ((array[::-1], flipped), (Value(2.5), 2.5), (2.5, 2.5)):
        results = getattr(np, name)(array, other)
        numbers = getattr(np, name)(flipped[::-1], number)
        assert [y.data for y in results.flat] == pytest.approx(numbers.ravel().tolist(), rel=1e-15)
        assert all(y.op.name == name for y in results.flat)
    assert [y.data for y in np.mod(2.5, array).flat] == [0.5, 0.5, 2.5, 2.5]


@pytest.mark.parametrize("true", [True, np.True_])
@pytest.mark.parametrize("false", [False, np.False_])
def test_a_value_times_a_bool(true: object, false: object) -> None:
    x = Value(3.0)
    for kept, dropped in ((x * true, x * false), (true * x, false * x)):
        assert (kept.data, dropped.data) == (3.0, 0.0)
        assert gradients(kept + dropped, [x]) == (1.0,)
    with pytest.raises(TypeError):
        x + true
    with pytest.raises(TypeError):
        x / true


def test_masks(array: np.ndarray) -> None:
    mask = np.array([[True, False], [False, True]])
    for results in (array * mask, mask * array):
        assert [y.data for y in results.flat] == [1, 0, 0, 4]
        assert gradients(results.sum(), list(array.flat)) == (1, 0, 0, 1)
    x = Value(2.0)
    for results in (x * mask, mask * x):
        assert [y.data for y in results.flat] == [2, 0, 0, 2]
        assert gradients(results.sum(), [x]) == (2,)
    chosen = np.where(mask, array, 0.0)
    assert gradients(chosen.sum(), list(array.flat)) == (1, 0, 0, 1)


def test_operators_of_arrays(array: np.ndarray) -> None:
    a, b, c, d = array.flat
    for results, wanted in [
        (array + 1, [2, 3, 4, 5]),
        (1 - array, [0, -1, -2, -3]),
        (array * array, [1, 4, 9, 16]),
        (array / 2, [0.5, 1, 1.5, 2]),
        (array**2, [1, 4, 9, 16]),
        (-array, [-1, -2, -3, -4]),
        (+array, [1, 2, 3, 4]),
        (abs(-array), [1, 2, 3, 4]),
        (np.abs(-array), [1, 2, 3, 4]),
        (np.square(array), [1, 4, 9, 16]),
        (array @ array, [7, 10, 15, 22]),
        (np.dot(array, [1, 2]), [5, 11]),
        (array @ np.eye(2), [1, 2, 3, 4]),
        (array > 2, [False, False, True, True]),
    ]:
        assert [y.data if isinstance(y, Value) else y for y in results.flat] == wanted
    assert gradients((array @ array)[0, 1], [a, b, c, d]) == (2, 5, 0, 2)


def test_sums_means_and_deviations(array: np.ndarray) -> None:
    leaves = list(array.flat)
    assert array.sum().data == 10
    assert gradients(array.sum(), leaves) == (1, 1, 1, 1)
    assert array.mean().data == 2.5
    assert gradients(array.mean(), leaves) == (0.25, 0.25, 0.25, 0.25)
    assert array.var().data == 1.25
    assert gradients(array.var(), leaves) == (-0.75, -0.25, 0.25, 0.75)
    assert array.std().data == math.sqrt(1.25)
    assert array.prod().data == 24
    assert [y.data for y in array.cumsum()] == [1, 3, 6, 10]
    assert np.trace(array).data == 5
    assert array.max() is leaves[3]


def test_an_array_times_a_value_both_ways(array: np.ndarray) -> None:
    x = Value(2, "x")
    for results in (array * x, x * array):
        assert results.dtype == object
        assert [y.data for y in results.flat] == [2, 4, 6, 8]
        assert gradients(results.sum(), [x]) == (10,)
    numbers = np.array([1.0, 2.0])
    for results in (numbers * x, x * numbers, numbers + x - numbers * 0, x / (1 / numbers)):
        assert all(isinstance(y, Value) for y in results)
    assert [y.data for y in x**numbers] == [2, 4]
    assert [y.data for y in numbers**x] == [1, 4]
    assert [y.data for y in numbers - x] == [-1, 0]


@pytest.mark.parametrize(
    "scalar", [np.float64(2), np.float32(2), np.float16(2), np.longdouble(2), np.int64(2)]
)
def test_scalars_of_numpy_on_either_side(scalar: np.generic) -> None:
    x = Value(3)
    for y, wanted in [
        (x + scalar, 5),
        (scalar + x, 5),
        (x - scalar, 1),
        (scalar - x, -1),
        (x * scalar, 6),
        (scalar * x, 6),
        (x / scalar, 1.5),
        (scalar / x, 2 / 3),
        (x**scalar, 9),
        (scalar**x, 8),
    ]:
        assert isinstance(y, Value)
        assert y.data == wanted
        assert len([parent for parent in y.parents if parent.constant]) == 1
    assert Value(scalar).data == 2
    assert type(Value(scalar).data) is float
    assert x > scalar
    assert scalar < x
    x.data = scalar
    x.grad = scalar
    assert type(x.data) is type(x.grad) is float


def test_what_numpy_cannot_do_silently(array: np.ndarray) -> None:
    with pytest.raises(TypeError, match=r"real number, not ndarray: pass its elements one by one"):
        Value(np.array([1.0]))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"real number, not bool"):
        Value(np.bool_(True))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"dropped? its gradient|drop its gradient"):
        np.array(array, dtype=float)
    # np.maximum picks an operand by comparison; the package's function is an op.
    x, y = Value(1), Value(2)
    assert np.maximum(np.array([x]), np.array([y]))[0] is y
    assert maximum(x, y).op.name == "maximum"


def test_copies_through_a_matrix_product(array: np.ndarray) -> None:
    a = array[0, 0]
    total = (array @ array).sum()
    assert sum(copy.grad for copy in copies(a, total)) == gradients(total, [a])[0]


# --- arrays as arguments of functions that are differentiated ------------------------------------

#: A function of an array, a number and an array, and the same of single numbers.
SHAPES: list[tuple[int, ...]] = [(2, 2), (), (3,)]


def of_arrays(a: Any, b: Any, c: Any) -> Any:
    assert (a.shape, c.shape) == ((2, 2), (3,))
    return (a @ a).sum() * b + (a[0] * c[:2]).sum() * c[2] ** 2


def of_numbers(*entries: Any) -> Any:
    # As an array of one row would be, so that it works for Values and floats alike.
    return of_arrays(*arranged(entries))


def arranged(entries: Sequence[Any]) -> list[Any]:
    """The entries in the shapes of the arguments."""
    parts = [entries[:4], entries[4:5], entries[5:]]
    return [
        np.array(part, object).reshape(shape) if shape else part[0]
        for part, shape in zip(parts, SHAPES, strict=True)
    ]


points = st.lists(st.integers(-4, 4).map(float), min_size=8, max_size=8)


def as_arguments(entries: Sequence[float], kind: type) -> list[Any]:
    return [x.astype(kind) if isinstance(x, np.ndarray) else x for x in arranged(entries)]


@given(points, points, st.sampled_from([float, int, np.float32, object]))
def test_arrays_as_arguments_are_their_entries(
    entries: list[float], moves: list[float], kind: type
) -> None:
    given_, direction = as_arguments(entries, kind), as_arguments(moves, kind)

    def same(found: Sequence[Any], wanted: Sequence[float]) -> None:
        for part, shape in zip(found, SHAPES, strict=True):
            assert (part.shape, part.dtype) == (shape, float) if shape else type(part) is float
        assert [x for part in found for x in np.ravel(part)] == list(wanted)

    value, slopes = value_and_grad(of_arrays)(*given_)
    assert value == of_numbers(*entries)
    same(slopes, grad(of_numbers)(*entries))
    same(grad(of_arrays)(*given_), grad(of_numbers)(*entries))
    same(vjp(of_arrays, *given_)[1](2.0), vjp(of_numbers, *entries)[1](2.0))
    same(hvp(of_arrays, given_, direction), hvp(of_numbers, entries, moves))
    assert jvp(of_arrays, given_, direction) == jvp(of_numbers, entries, moves)
    one = grad(of_arrays, argnums=-1)(*given_)
    assert list(one) == list(slopes[2])
    last, first = grad(of_arrays, argnums=[2, 0])(*given_)
    assert (list(last), first.tolist()) == (list(slopes[2]), slopes[0].tolist())
    rows = hessian(of_arrays, given_)
    for row, above in zip(rows, SHAPES, strict=True):
        assert [np.shape(block) for block in row] == [above + beside for beside in SHAPES]
    sizes = (4, 1, 3)
    flat = [
        [np.reshape(block, (n, -1)) for block in row] for row, n in zip(rows, sizes, strict=True)
    ]
    assert np.block(flat).tolist() == [list(row) for row in hessian(of_numbers, entries)]


def test_jacobians_of_arrays() -> None:
    a, b = np.array([1.0, 2.0]), 3.0
    by_a, by_b = jacobian(lambda a, b: np.outer(a, a) * b, [a, b])
    assert (by_a.shape, by_b.shape) == ((2, 2, 2), (2, 2))
    assert by_a[0].tolist() == [[6, 0], [6, 3]]
    assert by_b.tolist() == [[1, 2], [2, 4]]
    first, second = jacobian(lambda a, b: [a[0] * b, a[1] * a[1]], [a, b])
    assert (first[0].tolist(), first[1]) == ([3, 0], 1)
    assert (second[0].tolist(), second[1]) == ([0, 4], 0)
    assert jacobian(lambda a, b: np.array([a * b, a + b]), [2, 5])[0].tolist() == [5, 1]
    (empty,) = jacobian(lambda a: a, [np.zeros((0, 2))])
    assert empty.shape == (0, 2, 0, 2)


def test_arrays_of_values_give_arrays_of_values() -> None:
    w = Value(3.0)
    given_ = np.array([w, 2.0], object)
    slopes: Any = grad(lambda a: (a * a * a).sum())(given_)
    assert all(isinstance(slope, Value) for slope in slopes)
    assert gradients(slopes.sum(), [w]) == (18,)
    # And so do arrays of numbers, inside of a function that is differentiated.
    assert grad(lambda x: grad(lambda a: (a * a).sum() * x)(np.array([1.0, 2.0]))[1])(3.0) == 4
    with no_grad():
        constants: Any = grad(lambda a: (a * a).sum())(given_)
    assert [(slope.data, slope.constant) for slope in constants] == [(6, True), (4, True)]


def test_refused_arrays() -> None:
    a = np.array([1.0, 2.0])
    for wrong, said in [
        (np.array([True]), r"inputs\[0\] must be a real number, not bool"),
        (np.array(["a"]), r"inputs\[0\] must be a real number, not str_"),
        (np.array([1j]), r"inputs\[0\] must be a real number, not complex128"),
        (np.array([None]), r"inputs\[0\] must be a real number, not NoneType"),
    ]:
        with pytest.raises(TypeError, match=said):
            grad(lambda a: a.sum())(wrong)
    with pytest.raises(ValueError, match=r"tangents\[0\] must have the shape of primals\[0\]"):
        jvp(lambda a: a.sum(), [a], [1.0])
    with pytest.raises(ValueError, match=r"vector\[0\] .* point\[0\], \(2,\), not \(1, 2\)"):
        hvp(lambda a: a.sum(), [a], [a.reshape(1, 2)])
    with pytest.raises(TypeError, match="the result of f must be a real number, not ndarray"):
        grad(lambda a: a)(a)


def test_functions_of_several_outputs() -> None:
    def f(x: Any, y: Any) -> list[Any]:
        return [x * y, x + y]

    value, pull_back = vjp(f, 2.0, 5.0)
    assert value == [10.0, 7.0]
    assert pull_back([1.0, 10.0]) == (15.0, 12.0)
    assert jvp(f, [2.0, 5.0], [1.0, 0.0]) == ([10.0, 7.0], [5.0, 1.0])
    assert grad(lambda w: vjp(lambda x: [w * x * x, w * x], 3.0)[1]([1.0, 1.0])[0])(2.0) == 7.0
    assert grad(lambda w: jvp(lambda x: [w * x * x, x], [3.0], [1.0])[1][0])(2.0) == 6.0
    array = np.array([1.0, 2.0, 3.0])
    squares, pull_back = vjp(lambda a: a * a, array)
    assert squares.tolist() == [1.0, 4.0, 9.0]
    assert pull_back(np.array([1.0, 1.0, 2.0]))[0].tolist() == [2.0, 4.0, 12.0]
    with pytest.raises(ArgumentTypeError, match=r"cotangent must be a list of numbers"):
        vjp(f, 2.0, 5.0)[1](1.0)
    with pytest.raises(ArgumentValueError, match=r"cotangent must have the form of the result"):
        vjp(f, 2.0, 5.0)[1]([1.0])
    with pytest.raises(ArgumentValueError, match=r"f gave an empty list"):
        jvp(lambda x: [], [1.0], [1.0])


def test_one_array_is_one_argument() -> None:
    array = np.array([1.0, 2.0])
    assert hessian(lambda a: (a * a * a).sum(), array).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    assert jacobian(lambda a: a * a, array).tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert jacobian(lambda a: [a.sum()], array)[0].tolist() == [1.0, 1.0]
    assert hvp(lambda a: (a**3).sum(), array, array).tolist() == [6.0, 24.0]
    assert gradients(lambda a: (a * a).sum(), array).tolist() == [2.0, 4.0]
    assert grad(lambda x: x * x)(np.array(3.0)) == 6.0
    weights = np.array([Value(1.0), Value(2.0)], dtype=object)
    loss = (weights * weights).sum()
    assert gradients(loss, [weights])[0].tolist() == gradients(loss, weights).tolist() == [2.0, 4.0]


def test_argnums_and_has_aux_everywhere() -> None:
    def f(x: Any, y: Any) -> tuple[Any, str]:
        return x * x * y, "aux"

    assert hessian(f, [2.0, 5.0], argnums=0, has_aux=True) == (10.0, "aux")
    assert hessian(f, [2.0, 5.0], argnums=[1, 0], has_aux=True)[0] == ((0.0, 4.0), (4.0, 10.0))
    assert jacobian(lambda x, y: ([x * y], "aux"), [2.0, 5.0], argnums=1, has_aux=True) == (
        (2.0,),
        "aux",
    )
    assert jvp(f, [2.0, 5.0], [1.0, 0.0], has_aux=True) == (20.0, 20.0, "aux")
    value, pull_back, aux = vjp(f, 2.0, 5.0, has_aux=True)
    assert (value, pull_back(1.0), aux) == (20.0, (20.0, 4.0), "aux")


def test_where_takes_arrays_entry_by_entry() -> None:
    array = np.array([-1.0, 4.0])
    (slopes,) = gradients(lambda a: where(array > 0, a * a, 3.0 * a).sum(), [array])
    assert slopes.tolist() == [3.0, 8.0]


def test_a_generator_is_not_decorated() -> None:
    with pytest.raises(ArgumentTypeError, match=r"A generator runs in pieces: write `with no_grad"):

        @no_grad()
        def pieces() -> Any:
            yield 1


def test_an_array_without_axes_is_no_list() -> None:
    for call in (gradients, hessian):
        with pytest.raises(ArgumentTypeError, match=r"inputs must be a list .* not ndarray: for"):
            call(lambda x: x * x, np.array(2.0))
