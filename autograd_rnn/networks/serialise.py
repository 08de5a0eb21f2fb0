"""Models as JSON: written whole, and read back, by their kinds, without running any code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from ..arguments import shown
from ..engine.value import Value
from ..errors import ArgumentTypeError, ArgumentValueError
from ..files import write_whole

T = TypeVar("T")

#: The kinds of model by name, each by the module that defines it: two modules may use one name.
KINDS: Final[dict[str, dict[str, type[Any]]]] = {}


def save_json(path: str | os.PathLike[str], content: Mapping[str, Any]) -> Path:
    """The path of a JSON file that holds the content; written whole."""
    return write_whole(path, (json.dumps(content, indent=2) + "\n").encode())


def load_json(path: str | os.PathLike[str], what: str, make: Callable[[Any], T]) -> T:
    """What `make` makes of a file's content; `ValueError` naming the path where that is refused."""
    text = Path(path).read_bytes()
    try:
        return make(json.loads(text))
    except RecursionError:
        reason = "it is nested too deeply"
    except (ValueError, TypeError) as error:
        reason = str(error)
    raise ArgumentValueError(f"{str(path)!r} does not hold {what} that `save` wrote: {reason}")


def fields_of(content: object, kind: str, *keys: str) -> list[Any]:
    """The fields of what was saved, once it is of the kind and has them all.

    >>> fields_of({"kind": "RNN", "bias": True}, "RNN", "bias")
    [True]
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
    return [content[key] for key in keys]


def as_numbers(thing: Any) -> Any:
    """Values as their numbers, in lists as deep as they are; anything else as it is.

    >>> as_numbers(((Value(1), Value(2)), (Value(3),))), as_numbers("tanh")
    ([[1.0, 2.0], [3.0]], 'tanh')
    """
    if isinstance(thing, list | tuple):
        return [as_numbers(entry) for entry in thing]
    return thing.data if isinstance(thing, Value) else thing


def kind_called(name: str) -> type[Any]:
    """The class of a kind; `ValueError` where two modules define one."""
    found = KINDS[name]
    live = [module for module in found if module in sys.modules] or list(found)[-1:]
    if len(live) > 1:
        raise ArgumentValueError(
            f"the kind {name!r} is defined by {' and by '.join(live)}: give one of them another "
            f"name, as in class {name}(Model, kind='...')."
        )
    return found[live[0]]
