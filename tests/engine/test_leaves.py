"""The numbers of many leaves at once, in NumPy's arrays and Python's."""

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_rnn import Value
from autograd_rnn.engine.leaves import assign_numbers, first_result, read_gradients, read_numbers

from ..strategies import any_numbers


@given(st.lists(st.tuples(any_numbers, any_numbers)), st.booleans())
def test_numbers_go_both_ways(pairs: list[tuple[float, float]], numpy: bool) -> None:
    leaves = [Value(data) for data, _ in pairs]
    for leaf, (_, grad) in zip(leaves, pairs, strict=True):
        leaf.grad = grad
    numbers, gradients = (
        np.empty(len(pairs)) if numpy else array("d", bytes(8 * len(pairs))) for _ in range(2)
    )
    read_numbers(leaves, numbers)
    read_gradients(leaves, gradients)
    assert repr(list(zip(numbers.tolist(), gradients.tolist(), strict=True))) == repr(pairs)
    assign_numbers(leaves, gradients)
    # Floats of Python, whatever the array has.
    assert repr([leaf.data for leaf in leaves]) == repr([grad for _, grad in pairs])
    assert repr([leaf.grad for leaf in leaves]) == repr([grad for _, grad in pairs])


def test_results_are_found_among_leaves() -> None:
    x, y = Value(1), Value(2)
    assert first_result([]) == first_result([x, y, (x * 2).parents[1]]) == -1
    assert first_result([x, x * y, x + y]) == 1


def test_an_array_of_another_length_is_an_error() -> None:
    for function in (read_numbers, read_gradients, assign_numbers):
        with pytest.raises(IndexError):
            function([Value(1), Value(2)], np.empty(1))
