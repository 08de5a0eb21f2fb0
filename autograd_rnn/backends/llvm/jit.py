"""The compiler of LLVM text to machine code, with a cache on disk."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import llvmlite
import llvmlite.binding as llvm

from ...files import write_whole

#: Where compiled code is kept: a folder, or "off".
CACHE: Final = "AUTOGRAD_RNN_CACHE"
MAGIC: Final = b"autograd_rnn code 1\n"


@cache
def host_lanes() -> int:
    """The number of doubles in a vector of this CPU: 8, 4 or 2."""
    features = llvm.get_host_cpu_features()
    return 8 if features.get("avx512f") else 4 if features.get("avx2") else 2


def compile_text(text: str) -> bytes:
    """The object code of the text, made without LLVM's middle-end passes."""
    machine = _machine()
    module = llvm.parse_assembly(text)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=0)
    builder = llvm.create_pass_builder(machine, tuning)
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


def load(code: bytes) -> Any:
    """The engine that holds the object code; its functions live as long as it does."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
        jit=True,
    )


# --- on disk -------------------------------------------------------------------------------------


def kept_code(text: str) -> bytes:
    """The object code of the text, from the cache or compiled and put there.

    A file of the cache is named by the digest of the text, the CPU and the versions, on which the
    code depends.  It begins with the digest of the code: if they disagree, the text is compiled
    again.  Files are written whole, so that processes may share a folder.
    """
    folder = cache_folder()
    if folder is None:
        return compile_text(text)
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    key = (MAGIC.decode(), llvmlite.__version__, llvm.llvm_version_info, cpu, features, text)
    path = folder / (hashlib.sha256(repr(key).encode()).hexdigest() + ".code")
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    head, code = content[: len(MAGIC) + 32], content[len(MAGIC) + 32 :]
    if head == MAGIC + hashlib.sha256(code).digest():
        return code
    code = compile_text(text)
    with suppress(OSError):  # a full or locked disk does not matter
        write_whole(path, MAGIC + hashlib.sha256(code).digest() + code)
    return code


def cache_folder() -> Path | None:
    """The folder of compiled code, or None for no cache.

    It is `autograd_rnn` in the user's cache folder, or that named by the environment variable
    `AUTOGRAD_RNN_CACHE`, in which "off" means none.  A folder that others may write to is not used,
    since the code read there is run.
    """
    said = os.environ.get(CACHE)
    if said == "off":
        return None
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(said) if said else Path(base, "autograd_rnn")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        return None
    return folder
