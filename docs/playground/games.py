"""The four games: what an answer is worth, and which slip leads to it."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape as escaped
from typing import Any

from exercise import Exercise

from autograd_rnn import Copy, derive, separates, separating_set
from autograd_rnn.arguments import as_integer, many
from autograd_rnn.derivation.exercises.grading import close, judge, read_number
from autograd_rnn.derivation.exercises.kinds import by_copies
from autograd_rnn.derivation.exercises.network import FACTOR, ONLY_LAST, SIGN, Network
from autograd_rnn.derivation.exercises.question import Field, Mistake
from autograd_rnn.errors import ArgumentValueError, AutogradError
from autograd_rnn.graph.marks import mark_of
from autograd_rnn.graph.notation import number
from autograd_rnn.graph.separating import escape
from autograd_rnn.pictures.play.film import Film

MOST_STEPS = 60

# --- predict first -------------------------------------------------------------------------------


def predict(spec: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, Any]:
    """What is asked for, and of each answer whether it counts and which slip leads to it."""
    one = Exercise(spec)
    uses, earlier, marks, asked = one.copies(), {}, [], []
    for field, member in zip(_fields(one, uses), [*uses, one.weight], strict=True):
        step = member.step if isinstance(member, Copy) else None
        name = f"∂L/∂{one.name if step is None else member.name}"
        id = mark_of(member, one.marks)
        asked.append({"key": field.key, "name": name, "id": id, "step": step})
        marks.append(_mark(field, name, answers.get(field.key, ""), earlier))
    return {"asked": asked, "marks": marks, "done": all(m["how"] == "right" for m in marks)}


def _mark(field: Field, name: str, text: str, earlier: dict[str, float]) -> dict[str, str]:
    if not text.strip():
        return {"how": "", "words": ""}
    try:
        given = read_number(text, name)
    except ArgumentValueError as error:
        return {"how": "unread", "words": str(error)}
    counts, words = judge(field, given, earlier)
    earlier[field.key] = given
    if counts:
        return {"how": "follows" if words else "right", "words": words or "Right."}
    return {"how": "wrong", "words": f"Not {text.strip()}: {words}." if words else "Not yet."}


def _fields(one: Exercise, uses: Any) -> list[Field]:
    """A field for each copy and one for their sum, with the slips that they invite."""
    if one.net in ("one", "two"):
        asked = Network(
            one.rows,
            [x.data for step in one.run.steps for x in step.x],
            {len(one.run.steps): one.y},
            one.spec["a"],
            one.start,
        )
        row, column = divmod(one.place, asked.states)
        question = by_copies("copies", "", 1, asked, row, column)
        return [field for field in question.fields if field.key[0] == "t"]
    fields = [Field(use.name, use.grad, _slips(use.grad, {}), f"t{use.index}") for use in uses]
    forgotten = {
        f"the copy {use.name} is forgotten": uses.total - use.grad for use in uses if len(uses) > 1
    }
    wrong = {**forgotten, ONLY_LAST: uses[-1].grad}
    return [*fields, Field("sum", uses.total, _slips(uses.total, wrong), "total")]


def _slips(right: float, more: Mapping[str, float]) -> list[Mistake]:
    """The mistakes of a square's derivative, and some more."""
    wrong = {FACTOR: right / 2, SIGN: -right, **more}
    return [Mistake(value, words) for words, value in wrong.items() if not close(value, right)]


# --- separate it ---------------------------------------------------------------------------------


def separate(spec: Mapping[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    """The path that escapes the chosen boxes; where there is none, what the set is worth."""
    one = Exercise(spec, named=True)
    view = one.picture().view
    names = {id: box.name for id, box in view.boxes.items()}
    uses = {view.copy_id(use): use for use in one.copies()}
    ends = {view.ids[one.weight], view.ids[one.loss]}
    members = {id: uses.get(id) or view.nodes[id] for id in chosen if id in names}
    listed = ", ".join([names[id] for id in members])
    if ends & members.keys():
        return {
            "set": listed,
            "path": [],
            "words": f"{one.name} and L are what is to be separated: choose boxes between them.",
        }
    path = escape(list(members.values()), one.weight, one.loss)
    if path is not None:
        first = next(
            id for id, use in uses.items() if use.consumer is path[1] and id not in members
        )
        ids = [view.ids[path[0]], first, *[view.ids[node] for node in path[1:]]]
        way = " → ".join([names[id] for id in ids])
        return {"set": listed, "path": ids, "words": f"Not yet: a path escapes, {way}."}
    needless = [
        id
        for id in members
        if separates([m for other, m in members.items() if other != id], one.weight, one.loss)
    ]
    smallest = separating_set(one.weight, one.loss)
    size, least = len(members), len(smallest)
    others = ", ".join([names[view.ids[node]] for node in smallest])
    words = f"It is cut: every path from {one.name} to L meets your set of {size}. "
    if needless:
        words += f"It would still be without {names[needless[0]]}. "
    if size == least:
        words += "No set of nodes is smaller."
    else:
        words += f"A smallest set of nodes has {least}: {others}."
    ids = [view.ids[node] for node in smallest]
    answer = {"set": listed, "path": None, "words": words, "smallest": ids}
    try:
        worked = derive(one.loss, one.weight, through=list(members.values()), run=one.run)
        return {**answer, "html": worked.body}
    except AutogradError as error:
        return {**answer, "html": f"<p>{escaped(str(error))}</p>"}


# --- vanish and explode --------------------------------------------------------------------------


def terms(spec: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """What the copy of each step adds, for so many steps."""
    as_integer(steps, "the number of steps", least=1, most=MOST_STEPS)
    one = Exercise(spec, steps=steps)
    uses = one.copies()
    if not all(map(math.isfinite, [use.grad for use in uses])):
        raise ArgumentValueError(
            f"the terms of {one.name} are beyond the range of floats: take fewer steps, or a "
            f"weight nearer to 1."
        )
    bars = [
        {
            **{"name": use.name, "step": use.step, "term": use.grad, "text": number(use.grad)},
            **{"arrives": use.adjoint, "arrived": number(use.adjoint)},
        }
        for use in uses
    ]
    words = f"∂L/∂{one.name} = {number(uses.total)}, the sum of {many(len(uses), 'term')}. "
    return {"bars": bars, "words": words + _told([use.adjoint for use in uses])}


def _told(arrives: Sequence[float]) -> str:
    """Whether what arrives at the steps vanishes on the way back, or explodes."""
    there = [abs(adjoint) for adjoint in arrives if adjoint]
    if not there:
        return "Nothing comes back."
    if not arrives[0]:
        return "Nothing comes back to step 1."
    if len(there) < 2:
        return ""
    ratio = there[0] / there[-1]
    if 0.5 < ratio < 2.0:
        return "What comes back from L keeps its size."
    if ratio < 1.0:
        how = f"vanishes: at step 1 it is {number(1.0 / ratio)} times smaller than at the last"
    else:
        how = f"explodes: at step 1 it is {number(ratio)} times larger than at the last"
    return f"What comes back from L {how}."


# --- do the sweep --------------------------------------------------------------------------------


def sweep(spec: Mapping[str, Any], attempt: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The marks of an attempt at the backward sweep: boxes in an order of one's own, with numbers.

    What follows rightly from a wrong number before it counts.  A box whose users are still to come
    is refused, and the attempt is read up to there.
    """
    one = Exercise(spec)
    one.loss.backward()  # or the picture would not know the gradients
    view = one.picture().view
    film, slopes = Film(view), _slopes(view)
    given: dict[str, float] = {}
    marks: list[dict[str, Any]] = []
    refused = ""
    for id, text in attempt:
        refused = _refusal(film, id, given)
        if refused:
            break
        name, right = film.derivative(id), film.adjoint[id]
        mark = {"id": id, "name": name, "given": text, "how": "shown", "words": _reason(film, id)}
        value = right
        if text != "?":
            try:
                value = read_number(text, name)
            except ArgumentValueError as error:
                refused = str(error)
                break
            mark |= _judged(value, right, [(given[h], s) for h, s in slopes[id]], mark["words"])
        given[id] = value
        marks.append({**mark, "text": number(value)})
    ready = [id for id in film.adjoint if id not in given and not _refusal(film, id, given)]
    counted = sum([mark["how"] in ("right", "follows") for mark in marks])
    done = not ready
    return {
        "marks": marks,
        "refused": refused,
        "ready": ready,
        "names": {id: film.derivative(id) for id in film.adjoint},
        "score": f"{counted} of {len(film.adjoint)}",
        "done": done,
        "model": [f.say for f in film.frames if f.sweep == "Backward"] if done else [],
    }


def _slopes(view: Any) -> Mapping[Any, list[tuple[str, float]]]:
    """For each box the boxes that use it, each with the local derivative."""
    found: dict[Any, list[tuple[str, float]]] = defaultdict(list)
    for node in view.kept:
        head = view.ids[node]
        for position in range(len(node.parents)):
            use = view.use_at.get((node, position))
            tail = view.tails.get((node, position)) if use is None else view.copy_id(use)
            found[tail].append((head, node.partials[position]))
    for weight, uses in view.uses.items():
        found[view.ids[weight]] += [(view.copy_id(use), 1.0) for use in uses]
    return found


def _refusal(film: Film, id: str, given: Mapping[str, float]) -> str:
    """Why the gradient of a box cannot be next; an empty text where it can."""
    box = film.view.boxes.get(id)
    if box is None or id not in film.adjoint:
        return f"{'This' if box is None else box.name} gets no gradient: it is a constant here."
    if id in given:
        return f"{film.derivative(id)} is there already."
    for user in film.users[id]:
        if user not in given:
            return (
                f"Not yet: {film.view.boxes[user].name} uses {box.name}, and "
                f"{film.derivative(user)} is not there."
            )
    return ""


def _reason(film: Film, id: str) -> str:
    """How the gradient of a box comes about, in one line."""
    told = [film.frames[at] for at in film.told[id] if film.frames[at].sweep == "Backward"]
    if len(told) == 1 and told[0].node == id:
        return told[0].say.partition(", ∂")[0]
    return f"{film.derivative(id)} = {film.grads[id][-1][1]}"


def _judged(
    value: float, right: float, flows: Sequence[tuple[float, float]], reason: str
) -> dict[str, str]:
    """How a number is marked, by what its users had, right or wrong, and their slopes."""
    if close(value, right):
        return {"how": "right", "words": reason}
    if not flows:
        return {"how": "wrong", "words": "It is the output: ∂L/∂L is 1."}
    whole = sum([adjoint * slope for adjoint, slope in flows])
    if close(value, whole):
        return {"how": "follows", "words": "It follows from your numbers before it."}
    for words, slip in _sweep_slips(flows, whole):
        if close(value, slip):
            return {"how": "wrong", "words": words}
    return {"how": "wrong", "words": "It is not the sum of adjoints times local derivatives."}


def _sweep_slips(flows: Sequence[tuple[float, float]], whole: float) -> Iterator[tuple[str, float]]:
    """The slips at one box, and the numbers that they give."""
    yield "The sign is wrong.", -whole
    if len(flows) > 1:
        for adjoint, slope in flows:
            yield "Only one of the boxes that use it was counted.", adjoint * slope
    yield "The local derivative was left out.", sum([adjoint for adjoint, _ in flows])
    yield "The gradient that comes from behind was left out.", sum([slope for _, slope in flows])
    yield "The factor 2 of the square's derivative is missing.", whole / 2
