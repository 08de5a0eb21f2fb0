"""One recorded step, run over batches of sequences."""

from .backend import Backend
from .compile_step import CompiledStep, compile_step
from .eager import Eager
from .jax.backend import JAX
from .llvm.backend import Native
from .numpy.backend import NumPy
from .python import Python

__all__ = ["JAX", "Backend", "CompiledStep", "Eager", "Native", "NumPy", "Python", "compile_step"]
