"""The kinds of model by name, and the fields of a model in a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from ..arguments import check_alphabet, many, shown
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError

#: The kinds of model by name, each by the module that defines it: two modules may use one name.
KINDS: Final[dict[str, dict[str, type[Any]]]] = {}


def recurrent_kinds() -> list[str]:
    """The names of the kinds of layer that have a state."""
    return [name for name, found in KINDS.items() if any(one.letters for one in found.values())]


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
