"""A step that is one product of a matrix with the states and the inputs."""

from typing import Any

from autograd_rnn import Value, tanh


def matrix(rows: int, columns: int, *, by_rows: bool) -> tuple[Any, list[Value]]:
    """The step with so many states, and its weights by rows or by columns; none has an offset."""
    weights = [Value(((7 * k) % 11 - 5) / 10, f"w_{k}") for k in range(rows * columns)]

    def weight(w: Any, row: int, column: int) -> Any:
        return w[row * columns + column] if by_rows else w[column * rows + row]

    def step(state: Any, x: Any, w: Any) -> Any:
        vector = [*state, *x]
        after = []
        for row in range(rows):
            total = weight(w, row, 0) * vector[0]
            for column in range(1, columns):
                total = total + weight(w, row, column) * vector[column]
            after.append(tanh(total))
        return tuple(after), tuple(after)

    return step, weights
