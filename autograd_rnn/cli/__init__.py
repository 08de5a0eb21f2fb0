"""The command line, a file per group of commands."""

from importlib import import_module
from pkgutil import iter_modules

# A command registers itself where it is defined; `--help` lists them in the order of the files.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
