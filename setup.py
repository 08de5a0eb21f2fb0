"""Compile the engine with mypyc where that can be done, else install its source, saying so.

`AUTOGRAD_RNN_COMPILE=0` never compiles, and `=1` takes a failure for an error. An editable install
runs the source.
"""

import ast
import os
import re
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ENGINE = "autograd_rnn/engine.py"
WISH = os.environ.get("AUTOGRAD_RNN_COMPILE", "")


class CompileEngine(build_ext):
    """`build_ext` that has the engine's C code written first, and can do without."""

    command_name = "build_ext"

    def run(self) -> None:
        try:
            if self.editable_mode:
                raise RuntimeError("an editable install runs the source. Install without -e.")
            self.distribution.ext_modules = write_c(Path(self.build_temp))
            self.distribution.reinitialize_command(self)
            self.ensure_finalized()
            super().run()
        except (Exception, SystemExit) as error:
            if WISH == "1":
                raise
            why = "mypyc says why" if isinstance(error, SystemExit) else error
            print(f"autograd_rnn: the engine stays plain Python: {why}", file=sys.stderr)
            self.do_without()

    def do_without(self) -> None:
        """Leave nothing of this or an earlier build in the wheel, which then serves any machine."""
        for path in Path(self.build_lib, "autograd_rnn").glob("engine*"):
            if path.suffix != ".py":
                path.unlink()
        self.extensions = self.distribution.ext_modules = []
        wheel = self.distribution.get_command_obj("bdist_wheel", create=False)
        if wheel is not None:
            wheel.root_is_pure = True


def write_c(folder: Path) -> list[Extension]:
    """The engine as C code in the folder, to be compiled."""
    from mypyc.build import mypycify

    # The rest of the package is read for its types, without what it depends on.
    options = ["--config-file=pyproject.toml", f"--cache-dir={folder / 'mypy'}"]
    options += ["--follow-imports=silent", "--ignore-missing-imports"]
    made = mypycify([*options, ENGINE], opt_level="3", debug_level="0", target_dir=str(folder))
    for extension in made:
        # What a newer C compiler warns of is no reason to do without.
        extension.extra_compile_args = [*extension.extra_compile_args, "-Wno-error"]
    (path,) = folder.rglob("__native_engine.c")
    path.write_text(complete(path.read_text("utf-8"), Path(ENGINE).read_text("utf-8")), "utf-8")
    return made


def complete(code: str, source: str) -> str:
    """The C code of `Value`, with what mypyc leaves out of it."""

    def insert(text: str, after: str, instead: str = "") -> None:
        """Put the text where the patterns match: behind the first, in place of the second."""
        nonlocal code
        code, times = re.subn(f"({after}){instead}", lambda m: m[1] + text, code, flags=re.M)
        if times == 0:
            raise RuntimeError(f"mypyc wrote other C code than is known here: no {after}")

    (value,) = [node for node in ast.parse(source).body if getattr(node, "name", "") == "Value"]
    insert(in_c(value), after=r"\.tp_doc = PyDoc_STR\(\"Value\(.*--\\n\\n")
    for node in value.body:
        name = getattr(node, "name", "")
        decorators = [ast.unparse(decorator) for decorator in getattr(node, "decorator_list", [])]
        if "property" in decorators:
            start = rf"\{{\"{name}\",\n *\(getter\)\w+,\n? *(?:\(setter\)\w+|NULL),\n? *"
            insert(f'PyDoc_STR("{in_c(node)}")', after=start, instead="NULL")
        elif f"{name}.setter" in decorators:
            # `del` calls it as well, with no value, and would crash.
            words = f"property '{name}' of 'Value' object has no deleter"
            refuse = f'PyErr_SetString(PyExc_AttributeError, "{words}"); return -1;'
            insert(f"if (value == NULL) {{ {refuse} }}\n", after=rf"^Value_set_{name}\(.*\)\n\{{\n")
        elif isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            insert(in_c(node), after=rf"\(PyCFunction\)CPyPy_Value_+{name},\n.*--\\n\\n")
    # A node that the collector does not see has no room for the trashcan's link, and one that was
    # refused its arguments has no operands that `__del__` could read.
    start, free = r"^Value_dealloc\(.*\)\n\{\n", r"^ *CPyDef_Value_clear\(.*\n.*tp_free.*\n"
    freed = "CPyDef_Value_clear((PyObject *)self); Py_TYPE(self)->tp_free((PyObject *)self);"
    insert(f"    if (self->__x == NULL) {{ {freed} return; }}\n", after=start)
    insert("", after=r"^", instead=r" *CPy_TRASHCAN_BEGIN\(self, Value_dealloc\)\n")
    insert("", after=free, instead=r" *CPy_TRASHCAN_END.*\n")
    # What an operator does not know goes back to Python, which asks the other operand.
    insert("goto typefail2;", after=r"    ", instead=r"return CPy_CallReverseOpMethod\(.*\);")
    return code


def in_c(node: ast.AST) -> str:
    """A docstring as the inside of a C string."""
    text = ast.get_docstring(node) or ""
    plain = set(range(32, 127)) - set(b'"?\\')
    return "".join([chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()])


setup(
    cmdclass={"build_ext": CompileEngine},
    ext_modules=[] if WISH == "0" else [Extension("autograd_rnn.engine", [ENGINE])],
)
