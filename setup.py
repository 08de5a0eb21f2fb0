"""Compile the engine with mypyc where that can be done, else install its source, saying so.

`AUTOGRAD_RNN_COMPILE=0` never compiles, and `=1` takes a failure for an error. An editable install
runs the source.  The description of the package is the README.
"""

import ast
import os
import re
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PACKAGE = Path("autograd_rnn")
#: The engine, and what it calls whenever a node is made.
MODULES = [PACKAGE / f"{name}.py" for name in ("arguments", "ieee", "ops", "engine")]
WISH = os.environ.get("AUTOGRAD_RNN_COMPILE", "")

#: How a node is freed, and then, one after the other, the operands that nothing else refers to:
#: a chain may be as long as it likes.  Those that wait are linked by what was their name.
FREE_NODES = """
    typedef autograd_rnn___engine___ValueObject Node;
    Node *waiting = NULL;
    for (;;) {
        PyObject *operands[] = {self->__x, self->__y};
        Py_XDECREF(self->__name);
        Py_XDECREF(self->__op);
        Py_TYPE(self)->tp_free((PyObject *)self);
        for (int i = 0; i < 2; i++) {
            PyObject *operand = operands[i];
            if (operand != NULL && Py_TYPE(operand) == CPyType_engine___Value
                && Py_REFCNT(operand) == 1) {
                PyObject *name = ((Node *)operand)->__name;
                ((Node *)operand)->__name = (PyObject *)waiting;
                waiting = (Node *)operand;
                Py_XDECREF(name);
            } else
                Py_XDECREF(operand);
        }
        if (waiting == NULL)
            return;
        self = waiting;
        waiting = (Node *)self->__name;
        self->__name = NULL;
    }
"""


class CompileEngine(build_ext):
    """`build_ext` that has the engine's C code written first, and can do without."""

    command_name = "build_ext"

    def run(self) -> None:
        try:
            if self.editable_mode:
                raise RuntimeError("an editable install runs the source. Install without -e.")
            if sysconfig.get_config_var("Py_GIL_DISABLED"):
                raise RuntimeError("nodes are counted under a lock that this Python lacks.")
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
        for suffix in ("so", "pyd"):
            for path in Path(self.build_lib).rglob(f"*.{suffix}"):
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
    options += ["--follow-imports=silent", "--ignore-missing-imports", "--no-site-packages"]
    options += [str(path) for path in MODULES]
    settings = {"opt_level": "2", "debug_level": "0", "group_name": str(PACKAGE)}
    made = mypycify(options, target_dir=str(folder), **settings)
    for extension in made:
        # What a newer C compiler warns of is no reason to do without.
        extension.extra_compile_args = [*extension.extra_compile_args, "-Wno-error"]
    (path,) = folder.rglob(f"__native_{PACKAGE}.c")
    path.write_text(complete(path.read_text("utf-8")), "utf-8")
    return made


def complete(code: str) -> str:
    """The C code, with what mypyc leaves out of it."""

    def insert(text: str, after: str, instead: str = "") -> None:
        """Put the text where the patterns match: behind the first, in place of the second."""
        nonlocal code
        code, times = re.subn(f"({after}){instead}", lambda m: m[1] + text, code, flags=re.M)
        if times == 0:
            raise RuntimeError(f"mypyc wrote other C code than is known here: no {after}")

    def document(node: ast.stmt, name: str) -> None:
        if isinstance(node, ast.ClassDef):
            insert(in_c(node), after=rf"\.tp_doc = PyDoc_STR\(\"{node.name}\(.*--\\n\\n")
            for member in node.body:
                document(member, f"{name}{node.name}_")
        elif isinstance(node, ast.FunctionDef):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if "property" in decorators:
                field = rf"\{{\"{node.name}\",\n *\(getter\){name}get_{node.name},\n? *"
                field += r"(?:\(setter\)\w+|NULL),\n? *"
                insert(f'PyDoc_STR("{in_c(node)}")', after=field, instead="NULL")
            elif f"{node.name}.setter" in decorators:
                # `del` calls it as well, with no value, and would crash.
                words = f"property '{node.name}' of 'Value' object has no deleter"
                refuse = f'PyErr_SetString(PyExc_AttributeError, "{words}"); return -1;'
                start = rf"^ *{name}set_{node.name}\(.*\)\n *\{{\n"
                insert(f"    if (value == NULL) {{ {refuse} }}\n", after=start)
            elif ast.get_docstring(node):
                entry = rf"\(PyCFunction\)CPyPy_{name}_*{node.name},\s.*--\\n\\n"
                insert(in_c(node), after=entry)

    for path in MODULES:
        for node in ast.parse(path.read_text("utf-8")).body:
            document(node, f"{path.stem}___")
    body = r"(?:.*\n)*? *done: ;\n"
    insert(FREE_NODES, after=r"^ *engine___Value_dealloc\(.*\)\n *\{\n", instead=body)
    # What an operator does not know goes back to Python, which asks the other operand.
    insert("goto typefail2;", after=r"    ", instead=r"return CPy_CallReverseOpMethod\(.*\);")
    return code


def in_c(node: ast.AST) -> str:
    """A docstring as the inside of a C string."""
    text = ast.get_docstring(node) or ""
    plain = set(range(32, 127)) - set(b'"?\\')
    return "".join([chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()])


def description() -> str:
    """The README for a package index, which has none of the files that its links lead to."""
    text = Path("README.md").read_text("utf-8")
    text = re.sub(r"!\[([^\]]*)\]\((?!\w+:)[^)]*\)", r"*Picture: \1.*", text)
    text = re.sub(r"\[([^\]]*)\]\((?!\w+:)[^)]*\)", r"\1", text)
    return f"{text}\nThe pages and pictures named here are in the source distribution.\n"


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    cmdclass={"build_ext": CompileEngine},
    ext_modules=[] if WISH == "0" else [Extension("autograd_rnn.engine", [str(MODULES[-1])])],
)
