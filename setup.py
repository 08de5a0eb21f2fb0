"""Compile the engine with Cython where that can be done, else install its source, saying so.

`AUTOGRAD_RNN_COMPILE=0` never compiles, and `=1` takes a failure for an error.  The description of
the package is the README.
"""

import os
import re
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

#: What is compiled: the modules beside which a `.pxd` states their types for Cython.
SOURCES = sorted(path.with_suffix(".py") for path in Path("autograd_rnn").rglob("*.pxd"))
WISH = os.environ.get("AUTOGRAD_RNN_COMPILE", "")


class CompileEngine(build_ext):
    """`build_ext` that has the engine's C code written first, and can do without.

    It leaves the extensions beside their sources, too.
    """

    command_name = "build_ext"

    def run(self) -> None:
        try:
            if sysconfig.get_config_var("Py_GIL_DISABLED"):
                raise RuntimeError("free-threaded Python is not supported")
            self.distribution.ext_modules = write_c(self.build_temp)
            editable = self.editable_mode
            self.distribution.reinitialize_command(self)
            self.editable_mode = editable
            self.ensure_finalized()
            super().run()
            if not self.inplace:
                # A Python that is started here imports what is here: let that be compiled too.
                self.copy_extensions_to_source()
        except (Exception, SystemExit) as error:
            if WISH == "1":
                raise
            print(f"autograd_rnn: the engine stays plain Python: {error}", file=sys.stderr)
            self.do_without()

    def do_without(self) -> None:
        """Leave nothing of this or an earlier build: the wheel then serves any machine."""
        for folder in (self.build_lib, "autograd_rnn"):
            for suffix in ("so", "pyd"):
                for path in Path(folder).rglob(f"*.{suffix}"):
                    path.unlink()
        self.extensions = self.distribution.ext_modules = []
        wheel = self.distribution.get_command_obj("bdist_wheel", create=False)
        if wheel is not None:
            wheel.root_is_pure = True


def write_c(folder: str) -> list[Extension]:
    """The modules as C code in the folder, to be compiled."""
    from Cython.Build import cythonize

    # Where processors multiply and add in one, C would by itself, and round once where Python does
    # twice.
    flags = [] if os.name == "nt" else ["-O2", "-g0", "-ffp-contract=off"]
    made = [
        Extension(".".join(path.with_suffix("").parts), [str(path)], extra_compile_args=flags)
        for path in SOURCES
    ]
    # Doctest would find each example twice.  Cython's own functions do not check the 3 in
    # `Value.exp(3)`, and would read it as a Value; functions of C do.
    directives = {"autotestdict": False, "binding": False}
    directives |= {"embedsignature": True, "embedsignature.format": "clinic"}
    return cythonize(made, build_dir=folder, compiler_directives=directives, force=True)


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
    ext_modules=[Extension("autograd_rnn", [])] if WISH != "0" else [],
)
