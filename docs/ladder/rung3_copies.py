"""A copy of a weight is one use of it, and the terms of its copies add up to its gradient."""

from rung1_value import Value
from rung2_sweep import gradients, topological


def copies(weight, output):
    """The term of each copy: ∂output/∂consumer · ∂consumer/∂copy, the first use first."""
    found = gradients(output)
    return [
        found[consumer] * partial
        for consumer in topological(output)
        for operand, partial in zip(consumer.parents, consumer.partials, strict=True)
        if operand is weight
    ]


if __name__ == "__main__":
    w = Value(4.0)
    product = w * w
    print(copies(w, product * w))  # [16.0, 16.0, 16.0]
