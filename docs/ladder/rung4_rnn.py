"""A recurrent network is a for-loop that uses the same weights at every step."""

from rung1_value import Value
from rung3_copies import copies


def unroll(w1, w2, inputs):
    """π of the last step, where π = w₁·q + w₂·x at each step and q = relu(π) goes to the next."""
    q = Value(0.0)
    for x in inputs:
        pi = w1 * q + w2 * Value(x)
        q = pi.relu()
    return pi


if __name__ == "__main__":
    w1, w2 = Value(4.0), Value(1.0)
    difference = Value(15.0) - unroll(w1, w2, [1.0, 0.0, 1.0])
    loss = difference * difference
    print(copies(w1, loss), sum(copies(w1, loss)))  # [0.0, 16.0, 16.0] 32.0
    print(copies(w2, loss), sum(copies(w2, loss)))  # [64.0, 0.0, 4.0] 68.0
