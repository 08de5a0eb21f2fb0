"""The kinds of model by name, and the fields of a model in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..arguments import as_choice, as_integer, as_list, check_alphabet, many, shown
from ..engine.leaves import is_frozen
from ..engine.reverse import freeze
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError

#: In a file the key of what is frozen; no argument of a constructor can have such a name.
FROZEN: Final = "frozen weights"
#: The kinds of model by name, each by the module that defines it: two modules may use one name.
KINDS: Final[dict[str, dict[str, type[Any]]]] = {}


def recurrent_kinds() -> list[str]:
    """The names of the kinds of layer that have a state."""
    return [name for name, found in KINDS.items() if any(one.letters for one in found.values())]


def recurrent_kind(kind: str | type[Any]) -> type[Any]:
    """The class of a kind of layer that has a state, by its name, or as it is."""
    if isinstance(kind, type) and hasattr(kind, "advance"):
        as_choice(getattr(kind, "kind", None), "kind", recurrent_kinds())
        return kind
    return kind_called(as_choice(kind, "kind", recurrent_kinds()))


class Alphabet:
    """The letters that a model's inputs stand for, in order, or None; its file holds them.

    It is checked when it is assigned: `ValueError` for more or fewer letters than inputs.
    """

    def __get__(self, model: Any, owner: object = None) -> str | None:
        return getattr(model, "_alphabet", None)

    def __set__(self, model: Any, alphabet: str | None) -> None:
        if alphabet is not None:
            check_alphabet(alphabet)
            if len(alphabet) != model.inputs:
                raise ArgumentValueError(
                    f"alphabet has {many(len(alphabet), 'letter')}, but the model has "
                    f"{many(model.inputs, 'input')}."
                )
        model._alphabet = alphabet


def labelled(model: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a model in a file, with its kind, and its alphabet if it has one."""
    letters = {} if model.alphabet is None else {"alphabet": model.alphabet}
    return {"kind": model.kind} | fields | letters


def fields_of(content: object, kind: str, *keys: str) -> dict[str, Any]:
    """The fields of a saved model; `ValueError` if it is of another kind, or one is missing.

    >>> fields_of({"kind": "RNN", "bias": True}, "RNN", "bias")
    {'bias': True}
    """
    if not isinstance(content, Mapping):
        raise ArgumentTypeError(
            f"content must be a dict, as to_dict gives it, not {type(content).__name__}."
        )
    if content.get("kind") != kind:
        raise ArgumentValueError(f"its kind is {shown(content.get('kind'))}, not {kind!r}.")
    for key in keys:
        if key not in content:
            raise ArgumentValueError(f"{key!r} is missing.")
    return {key: content[key] for key in keys}


def as_numbers(content: Any) -> Any:
    """Values as their numbers, in lists as deep as they are; anything else as it is.

    >>> as_numbers(((Value(1), Value(2)), (Value(3),))), as_numbers("tanh")
    ([[1.0, 2.0], [3.0]], 'tanh')
    """
    if isinstance(content, list | tuple):
        return [as_numbers(entry) for entry in content]
    return content.data if isinstance(content, Value) else content


def settings_of(model: Any, names: Sequence[str]) -> dict[str, Any]:
    """What a file holds of a model: its attributes of these names, with numbers for Values.

    `TypeError` naming one that is missing, or that JSON cannot hold.
    """
    found = {}
    for name in names:
        refused = f"{type(model).__name__} cannot be saved: it takes {name!r}, but"
        if not hasattr(model, name):
            raise ArgumentTypeError(f"{refused} does not keep it as an attribute.")
        found[name] = as_numbers(getattr(model, name))
        try:
            json.dumps(found[name])
        except (TypeError, ValueError) as error:
            raise ArgumentTypeError(
                f"{refused} JSON cannot hold it ({error}): take a number, a text, or a list of "
                f"them, such as a name for a function."
            ) from None
    return found


def frozen_of(model: Any) -> dict[str, list[int]]:
    """The places of a model's frozen weights, under their key in a file, if there are any."""
    places = [place for place, weight in enumerate(model.parameters()) if is_frozen(weight)]
    return {FROZEN: places} if places else {}


def freeze_as_saved(model: Any, content: Mapping[str, Any]) -> None:
    """Freeze the weights that were frozen when a model was saved."""
    weights, name = model.parameters(), f"its {FROZEN!r}"
    for place in as_list(content.get(FROZEN, []), name):
        freeze(weights[as_integer(place, name, least=0, most=len(weights) - 1)])


def kind_called(name: str) -> type[Any]:
    """The class of a kind; `ValueError` if two modules define one."""
    found = KINDS[name]
    live = [module for module in found if module in sys.modules] or list(found)[-1:]
    if len(live) > 1:
        raise ArgumentValueError(
            f"the kind {name!r} is defined by {' and by '.join(live)}: give one of them another "
            f"name, as in class {name}(Model, kind='...')."
        )
    return found[live[0]]
