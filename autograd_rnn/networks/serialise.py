"""Models as JSON: written whole, and read back without running any code."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..arguments import shown
from ..errors import ArgumentTypeError, ArgumentValueError
from ..files import write_whole

T = TypeVar("T")


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
