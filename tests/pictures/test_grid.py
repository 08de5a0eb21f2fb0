"""The columns of every number of a network: no arrow runs behind a box, or on another arrow."""

import re
from itertools import combinations, pairwise

import pytest

from autograd_rnn import LSTM, RNN, Drawing, Value, draw, freeze
from autograd_rnn.networks.model import Model
from autograd_rnn.pictures.canvas import Point
from autograd_rnn.pictures.html_labels import box_size

Line = tuple[Point, Point]


def boxes(drawing: Drawing) -> dict[str, tuple[Point, Point]]:
    """The corners of the boxes of numbers, by their ids."""
    view, found = drawing.view, {}
    assert view is not None
    for id, box in view.boxes.items():
        node = re.search(rf"\n\t+{id} \[label=.*? pos=\"([^\"]+)\"", drawing.dot, re.DOTALL)
        assert node
        x, y = map(float, node[1].split(","))
        wide, high = box_size(box)
        found[id] = ((x - wide / 2, y - high / 2), (x + wide / 2, y + high / 2))
    return found


def arrows(drawing: Drawing) -> list[tuple[str, str, list[Line]]]:
    """The ends of the arrows, and their straight parts."""
    found = []
    arrow = re.compile(r'\n\t+(\w+) -> (\w+) \[.*?pos="e,([^"]+)"', re.DOTALL)
    for tail, head, path in arrow.findall(drawing.dot):
        _, *curve = [tuple(map(float, point.split(","))) for point in path.split()]
        corners = curve[::3]
        lines = [
            (a, b) for a, b in pairwise(corners) if min(abs(a[0] - b[0]), abs(a[1] - b[1])) < 0.01
        ]
        found.append((tail, head, lines))
    return found


def crosses(line: Line, low: Point, high: Point) -> bool:
    (x0, x1), (y0, y1) = [sorted(pair) for pair in zip(*line, strict=True)]
    return x1 > low[0] + 1 and x0 < high[0] - 1 and y1 > low[1] + 1 and y0 < high[1] - 1


def overlap(one: Line, other: Line) -> float:
    """How far two lines lie on each other."""
    for axis in (0, 1):
        level = [point[axis] for point in (*one, *other)]
        if max(level) - min(level) < 1.0:
            (low, high), (from_, to) = [sorted(p[1 - axis] for p in line) for line in (one, other)]
            return min(high, to) - max(low, from_)
    return 0.0


@pytest.mark.parametrize("edges", ["plain", "local"])
@pytest.mark.parametrize("apart", [0, 1, 2])
@pytest.mark.parametrize("model", [RNN.random(2, 1, seed=1), LSTM.random(1, 1, seed=1)])
def test_arrows_run_around_boxes_and_side_by_side(model: Model, apart: int, edges: str) -> None:
    run = model.unroll([[0.5], [1.0]])
    loss = sum([(1 - step.q[0]) ** 2 for step in run.steps], Value(0.0))
    loss.backward()
    focus = [model.parameters()[place] for place in (1, -1)][:apart]
    drawing = draw(loss, run=run, focus=focus or None, detail="scalar", edges=edges)
    there, ways = boxes(drawing), arrows(drawing)
    assert len(ways) > 10
    for tail, head, lines in ways:
        for id, corners in there.items():
            if id not in (tail, head):
                assert not any(crosses(line, *corners) for line in lines), (tail, head, id)
    for (tail, head, lines), (start, end, others) in combinations(ways, 2):
        if tail != start and head != end:
            worst = max([overlap(one, other) for one in lines for other in others], default=0.0)
            assert worst < 12.0, (tail, head, start, end)


def test_a_step_of_which_only_a_constant_is_there_is_drawn() -> None:
    run = LSTM.random(1, 1, seed=1).unroll([[1], [0], [1]])
    loss = (1 - run.q[0]) ** 2
    drawing = draw(loss, run=run, focus=run.steps[0].q[0], detail="scalar")
    assert drawing.view is not None
    assert all(f'id="{id}"' in drawing.svg() for id in drawing.view.boxes)


def test_a_frozen_focus_says_how_it_is_made_a_variable() -> None:
    frozen = Value(2.0, "w")
    freeze(frozen)
    with pytest.raises(ValueError, match=r"focus is the constant w = 2.0, .*unfreeze\(\) does"):
        draw(frozen * Value(3.0), focus=frozen)


def test_a_sum_is_drawn_without_the_zero_that_it_starts_from() -> None:
    terms = [Value(1.0, "a"), Value(2.0, "b")]
    assert repr(draw(sum(terms))) == "<Drawing: a + b = 3, 3 boxes>"
    assert "0 + " not in draw(sum(terms) * 2).svg()
