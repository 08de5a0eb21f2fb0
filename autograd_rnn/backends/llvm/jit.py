"""The compiler of LLVM text to machine code, which is kept on disk."""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from .cache import kept


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


def kept_code(text: str) -> bytes:
    """The object code of the text, from the cache on disk or compiled and put there."""
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    key = repr((llvmlite.__version__, llvm.llvm_version_info, cpu, features, text))
    return kept(key, lambda: compile_text(text))
