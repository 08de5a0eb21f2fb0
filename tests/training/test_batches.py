"""The order of the examples."""

from autograd_rnn.training.batches import batches


def test_the_order_is_the_seeds() -> None:
    assert batches(9, 4, 1, 0) == batches(9, 4, 1, 0) != batches(9, 4, 2, 0) != batches(9, 4, 2, 1)
    for count, size in [(9, 4), (8, 4), (1, 5), (5, 1)]:
        found = batches(count, size, 3, 7)
        assert sorted(place for batch in found for place in batch) == list(range(count))
        assert [len(batch) for batch in found[:-1]] == [size] * (len(found) - 1)
