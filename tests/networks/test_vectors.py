"""How weights start."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn.networks.vectors import glorot, orthogonal


@given(st.integers(1, 12), st.integers(0, 2**32))
@settings(max_examples=25)
def test_orthogonal_rows_are(size: int, seed: int) -> None:
    rows = orthogonal(size, random.Random(seed))
    for i, row in enumerate(rows):
        for j, other in enumerate(rows):
            product = math.fsum(a * b for a, b in zip(row, other, strict=True))
            assert product == pytest.approx(float(i == j), abs=1e-14)


def test_glorot_fills_its_bounds() -> None:
    draws = sorted(w for row in glorot(40, 20, random.Random(1)) for w in row)
    bound = math.sqrt(0.1)
    assert -bound <= draws[0] < -0.98 * bound < 0.98 * bound < draws[-1] <= bound
    assert abs(math.fsum(draws) / 800) < 4 * bound / math.sqrt(3 * 800)
