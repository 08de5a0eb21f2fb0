"""Printed source: what it imports is public, and there."""

import ast
import importlib
import importlib.util
from typing import TypeGuard

import pytest

import autograd_rnn
from autograd_rnn import Program, ops, primitive, record

from ..test_project import ROOT

PUBLIC = {"TABLE", "on_arrays", "on_jax", *ops.TABLE}


@pytest.fixture
def program() -> Program:
    """A program with guards, an infinity, ops of the table and one from outside."""
    cube = primitive("cube_printed", lambda x: x * x * x, lambda x, z: 3.0 * x * x)
    try:
        return record(lambda x: cube(x).exp() / x if x < float("inf") else -x, 2).gradient()
    finally:
        del ops.TABLE["cube_printed"]


def is_import(node: ast.stmt) -> TypeGuard[ast.ImportFrom]:
    """Whether it imports names from a module; nothing is imported otherwise."""
    assert not isinstance(node, ast.Import)
    return isinstance(node, ast.ImportFrom)


@pytest.mark.parametrize("kind", ["python", "numpy", "jax"])
def test_source_imports_documented_names_only(program: Program, kind: str) -> None:
    reference = (ROOT / "docs" / "reference" / "programs.md").read_text("utf-8")
    found = [node for node in ast.parse(getattr(program, kind)()).body if is_import(node)]
    ours = [node for node in found if str(node.module).startswith("autograd_rnn")]
    assert len(ours) >= 2
    for node in ours:
        names = {alias.name for alias in node.names}
        if node.module == "autograd_rnn":
            assert names <= set(autograd_rnn.__all__)
            continue
        assert f"`{node.module}`" in reference
        assert names <= PUBLIC
        if node.module != "autograd_rnn.ops.jax" or importlib.util.find_spec("jax"):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, name) for name in names)


@pytest.mark.parametrize("name", ["sigmoid", "inf", "BranchChanged"])
def test_a_name_that_the_source_uses_is_refused(name: str) -> None:
    program = record(lambda x: x.sigmoid(), 1.0)
    with pytest.raises(ValueError, match=f"name '{name}' is used by the source"):
        program.python(name)
