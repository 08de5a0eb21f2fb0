# cython: annotation_typing=False
"""Checks of arguments: each returns the argument, or raises an error that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, Final

from .errors import ArgumentTypeError, ArgumentValueError, SymbolError

# `numpy.bool_`, which NumPy 2 calls bool, without an import of NumPy.
NUMPY_BOOL: Final = ("numpy", "bool")


def as_float(number: object, argument: str) -> float:
    """The float of a real number (int, float, Fraction, NumPy scalar).

    Raises `TypeError` for anything else, bool included, and `ValueError` for an integer beyond the
    floats; both name `argument`.

    >>> as_float(3, "data")
    3.0
    """
    if type(number) is float:
        return number
    # The first of these only because it is quickly answered.
    if type(number) is int or (not isinstance(number, bool) and isinstance(number, Real)):
        try:
            return float(number)
        except OverflowError:
            size = f"about 2**{number.bit_length()}" if isinstance(number, int) else "its size"
            raise ArgumentValueError(
                f"{argument} is beyond the floats: {size} is over 1.8e308. Scale it down, or pass "
                f"float('inf')."
            ) from None
    raise ArgumentTypeError(
        f"{argument} must be a real number, not {type(number).__name__}{_way_out(number)}"
    )


def truth(thing: Any) -> Any:
    """1.0 or 0.0 for True or False, of Python or of NumPy; anything else as it is.

    >>> truth(True), truth(0.5)
    (1.0, 0.5)
    """
    kind = type(thing)
    if kind is not float and (kind is bool or (kind.__module__, kind.__name__[:4]) == NUMPY_BOOL):
        return 1.0 if thing else 0.0
    return thing


def _way_out(number: object) -> str:
    """The end of the message of `as_float`: what to write instead."""
    if isinstance(number, bool):
        return f": write {int(number)} for {number}."
    if hasattr(number, "_apply_op"):
        return ": for the number in a Value, pass its .data."
    if isinstance(number, str):
        return f" ({number[:40]!r}): convert it with float() first."
    if hasattr(number, "__len__"):
        return ": pass its elements one by one."
    return ": convert it to an int or a float first."


def as_list(things: object, argument: str, kind: str = "") -> list[Any]:
    """The things as a list; `TypeError` naming `argument` for a text or anything not iterable."""
    # An array without axes has an `__iter__`, which raises an error that names no argument.
    is_one = isinstance(things, str | bytes) or getattr(things, "ndim", None) == 0
    if is_one or not isinstance(things, Iterable):
        of, way_out = (f" of {kind}", ": for one, write [x]") if kind else ("", "")
        raise ArgumentTypeError(
            f"{argument} must be a list{of}, not {type(things).__name__}{way_out}."
        )
    return list(things)


def as_floats(numbers: object, argument: str) -> list[float]:
    """The floats of a list of real numbers; `TypeError` naming `argument` and the place."""
    listed = as_list(numbers, argument, "numbers")
    if set(map(type, listed)) <= {float}:
        return listed  # as optimisers give thousands of them, in every step
    return [as_float(number, f"{argument}[{place}]") for place, number in enumerate(listed)]


def as_integer(
    number: object, argument: str, least: int | None = None, most: int | None = None
) -> int:
    """The int, as it is.

    Raises `TypeError` for anything else, bool included, and `ValueError` for one below `least` or
    above `most`; both name `argument`.
    """
    if not isinstance(number, int) or isinstance(number, bool):
        raise ArgumentTypeError(
            f"{argument} must be an int, not {type(number).__name__} ({shown(number)})."
        )
    if least is not None and number < least:
        raise ArgumentValueError(f"{argument} must be {least} or more, not {shown(number)}.")
    if most is not None and number > most:
        raise ArgumentValueError(f"{argument} must be {most} or less, not {shown(number)}.")
    return number


def as_choice(choice: object, argument: str, choices: Iterable[str]) -> str:
    """The str, as it is, if it is one of the choices; else `ValueError`, or `TypeError`."""
    chosen = as_text(choice, argument)
    if chosen not in choices:
        raise ArgumentValueError(
            f"{argument} {shown(chosen)} is unknown: choose one of {', '.join(choices)}."
        )
    return chosen


def shown(thing: object) -> str:
    """How a thing is shown in a message: a text or number cut short, or the type of the rest.

    >>> shown("x" * 99), shown(10**400), shown([1])
    ("'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'", 'about 2**1329', 'a list')
    """
    if isinstance(thing, str):
        return repr(thing if len(thing) <= 40 else thing[:39] + "…")
    if isinstance(thing, int) and abs(thing) >= 10**20:
        return f"about {'-' if thing < 0 else ''}2**{thing.bit_length()}"
    if thing is None or isinstance(thing, bool | int | float):
        return repr(thing)
    return f"a {type(thing).__name__}"


def visible(text: str) -> str:
    r"""The text with a backslash escape for what a terminal would obey, or could not show.

    Names and paths come from files: they must not move the cursor, nor turn the text around.

    >>> visible("a\x1b[2J\u202e\udc80"), visible("∂L/∂w₁\n")
    ('a\\x1b[2J\\u202e\\udc80', '∂L/∂w₁\n')
    """
    if text.isprintable():
        return text
    return "".join([x if x.isprintable() or x == "\n" else ascii(x)[1:-1] for x in text])


def as_text(text: object, argument: str) -> str:
    """The str, as it is; `TypeError` for anything else."""
    if isinstance(text, str):
        return text
    raise ArgumentTypeError(f"{argument} must be a str, not {type(text).__name__}.")


def as_name(name: object, argument: str = "name") -> str | None:
    """The str or None, as it is; an error for anything else, and for what no file can hold."""
    if name is None:
        return None
    if isinstance(name, str):
        if not name.isascii():
            check_unicode(name, argument)
        return name
    raise ArgumentTypeError(f"{argument} must be a str or None, not {type(name).__name__}.")


def check_unicode(text: str, argument: str) -> None:
    """Refuse a str with half of a surrogate pair, as it comes from bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentValueError(
            f"{argument} has half of a surrogate pair at position {error.start + 1}, which no file "
            f"can hold: {text!r}."
        ) from None


def as_function(function: object, argument: str) -> Callable[..., Any]:
    """The function, or whatever can be called, as it is; `TypeError` for anything else."""
    if callable(function):
        return function
    raise ArgumentTypeError(f"{argument} must be a function, not {type(function).__name__}.")


def as_flag(flag: object, argument: str) -> bool:
    """The bool, as it is; `ValueError` for anything else."""
    if not isinstance(flag, bool):
        raise ArgumentValueError(f"{argument} must be True or False, not {shown(flag)}.")
    return flag


def check_alphabet(alphabet: object) -> None:
    """Refuse an alphabet that is not one or more different symbols."""
    symbols = as_text(alphabet, "alphabet")
    check_unicode(symbols, "alphabet")
    if not symbols or len(set(symbols)) < len(symbols):
        raise ArgumentValueError(
            f"alphabet must be one or more different symbols, not {alphabet!r}."
        )


def check_symbols(sequence: str, alphabet: str, argument: str) -> None:
    """Refuse a sequence with other symbols than the alphabet's, naming the first and its place."""
    others = set(as_text(sequence, argument)) - set(alphabet)
    for position, symbol in enumerate(sequence if others else "", 1):
        if symbol in others:
            raise SymbolError(
                f"{argument}: {symbol!r} at position {position} is not one of {shown(alphabet)}."
            )


def many(count: int, thing: str) -> str:
    """A count with its noun, in the plural where it has to be.

    >>> many(1, "step"), many(3, "step")
    ('1 step', '3 steps')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"
