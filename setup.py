"""Compile the engine with Cython where that can be done, else install its source, saying so.

`AUTOGRAD_RNN_COMPILE=0` never compiles, and `=1` takes a failure for an error.  The description of
the package is the README.
"""

import gzip
import os
import re
import sys
import sysconfig
import tarfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

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
            self.parallel = True  # on all cores
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


class SameSource(sdist):
    """`sdist` whose archive depends on the content alone, with `SOURCE_DATE_EPOCH` is set."""

    command_name = "sdist"

    def make_archive(self, base_name: str, *arguments: object, **options: object) -> str:
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None:
            return super().make_archive(base_name, *arguments, **options)

        def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.mtime, member.uid, member.gid = int(epoch), 0, 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        name = f"{base_name}.tar.gz"
        with (
            open(name, "wb") as raw,
            gzip.GzipFile("", "wb", fileobj=raw, mtime=int(epoch)) as packed,
            tarfile.open(mode="w", fileobj=packed, format=tarfile.GNU_FORMAT) as archive,
        ):
            archive.add(os.path.basename(base_name), filter=plain)
        return name


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
    cmdclass={"build_ext": CompileEngine, "sdist": SameSource},
    ext_modules=[Extension("autograd_rnn", [])] if WISH != "0" else [],
)
