"""What people bring along from micrograd and torch fails in words that say what to write here."""

from pathlib import Path
from typing import Any

import pytest

import autograd_rnn
from autograd_rnn import Value
from autograd_rnn.errors import ArgumentTypeError, UnknownName
from autograd_rnn.foreign import ATTRIBUTES, NAMES

PAGE = Path(__file__).parents[1] / "docs/howto/micrograd.md"


@pytest.mark.parametrize("name", NAMES)
def test_an_import_of_a_name_that_is_not_here(name: str) -> None:
    with pytest.raises(UnknownName, match=rf"^autograd_rnn has no {name}: \w.*\.$"):
        exec(f"from autograd_rnn import {name}")


def test_the_folder_that_micrograd_has_too() -> None:
    from autograd_rnn import engine

    assert engine.Value is Value
    assert engine.__all__ == ["Value"]


@pytest.mark.parametrize("name", NAMES)
def test_code_that_looks_for_such_a_name_does_not_find_it(name: str) -> None:
    assert not hasattr(autograd_rnn, name)
    with pytest.raises(AttributeError, match=rf"^autograd_rnn has no {name}: \w.*\.$"):
        getattr(autograd_rnn, name)


def test_other_names_are_missing_as_in_any_module() -> None:
    assert not hasattr(autograd_rnn, "anything")
    with pytest.raises(ImportError, match="^cannot import name 'anything' from 'autograd_rnn'"):
        exec("from autograd_rnn import anything")


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_that_a_value_does_not_have(name: str) -> None:
    x = Value(1)
    assert not hasattr(x, name)
    for use in (lambda: getattr(x, name), lambda: setattr(x, name, None)):
        with pytest.raises(AttributeError, match=rf"^a Value has no {name}: \w.*\.$"):
            use()


def test_a_label() -> None:
    wrong: list[dict[str, Any]] = [{"label": "a"}, {"name": "a", "label": "a"}]
    for given in wrong:
        with pytest.raises(ArgumentTypeError, match=r"^label is .* write Value\(2\.0, 'a'\)\.$"):
            Value(2.0, **given)
    assert Value(2.0, "a").name == "a"


@pytest.mark.parametrize("name", [*NAMES, *ATTRIBUTES])
def test_the_page_for_people_from_micrograd_has_a_row_for_each(name: str) -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    assert any(f"{name}`" in row or f"{name}(" in row for row in rows)
