"""Which results have a name, and which are written inside what uses them."""

from autograd_rnn import Value, no_grad
from autograd_rnn.graph.quantities import (
    LONGEST_INSIDE,
    count_uses,
    is_inside,
    name_of,
    write_inside,
    write_names,
)
from autograd_rnn.graph.walk import topological


def test_uses_are_counted_by_operand_position() -> None:
    x, y = Value(2, "x"), Value(3, "y")
    order = topological(x * x + y)
    uses = count_uses(order)
    assert [uses[node] for node in order] == [2, 1, 1, 0]


def test_a_result_stands_inside_what_uses_it() -> None:
    longest = "x" * LONGEST_INSIDE
    assert is_inside(None, 1, longest)
    assert not is_inside(None, 1, longest + "x")
    assert not is_inside("a", 1, "x")
    assert not is_inside("", 1, "x")
    assert not is_inside(None, 0, "x")
    assert not is_inside(None, 2, "x")
    assert not is_inside(None, 1, "x + y", longest=4)


def test_names() -> None:
    x = Value(2, "x_1")
    assert (name_of(x, 3), name_of(Value(2, ""), 3), name_of(Value(2), 3)) == ("x_1", "", "v_3")
    with no_grad():
        constant = x * 3
    order = topological((x * 2 + constant) * Value(5))
    assert [text.text for text in write_names(order).values()] == [
        *["x₁", "2", "v₃", "6", "v₅", "v₆", "v₇"]
    ]


def test_operands_are_written_by_name_or_as_what_they_are_computed_from() -> None:
    x, y = Value(2, "x"), Value(-3, "y")
    product = x * y
    named = product - 1
    named.name = "d_1"
    order = topological((product + named) ** 2)
    texts = write_inside(order)
    assert texts[product].text == "x·y"
    assert texts[named].text == "d₁"
    assert texts[order[-1]].text == "(x·y + d₁)²"
    short = write_inside(order, longest=3)
    assert [short[node].text for node in (product, order[5], order[-1])] == ["x·y", "v₆", "v₆²"]
