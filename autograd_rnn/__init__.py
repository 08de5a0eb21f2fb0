"""The public names, and nothing else."""

from .check import check_gradients
from .contexts import detect_anomaly, no_grad
from .derive import Derivation, derive
from .draw import Drawing, draw, draw_cell, draw_network, draw_weights
from .engine import Value, compiled
from .errors import AnomalyError, AutogradError, BranchChanged, GradientError, StaleGraphError
from .forward import hvp, jvp
from .functions import dot, logsumexp, softmax
from .graph import Copies, Copy, copies, topological
from .ops import (
    abs,
    cos,
    exp,
    log,
    maximum,
    minimum,
    primitive,
    relu,
    sigmoid,
    sin,
    softplus,
    sqrt,
    step,
    tanh,
)
from .play import Page, play
from .replay import Program, record
from .reverse import grad, gradients, hessian, value_and_grad, zero_grad
from .rnn import RNN, Unrolled, bits, counter, one_hot
from .separating import escape, separates, separating_set
from .steps import CompiledStep, compile_step
from .tasks import in_family, read_fasta

__all__ = [
    "RNN",
    "AnomalyError",
    "AutogradError",
    "BranchChanged",
    "CompiledStep",
    "Copies",
    "Copy",
    "Derivation",
    "Drawing",
    "GradientError",
    "Page",
    "Program",
    "StaleGraphError",
    "Unrolled",
    "Value",
    "abs",
    "bits",
    "check_gradients",
    "compile_step",
    "compiled",
    "copies",
    "cos",
    "counter",
    "derive",
    "detect_anomaly",
    "dot",
    "draw",
    "draw_cell",
    "draw_network",
    "draw_weights",
    "escape",
    "exp",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "in_family",
    "jvp",
    "log",
    "logsumexp",
    "maximum",
    "minimum",
    "no_grad",
    "one_hot",
    "play",
    "primitive",
    "read_fasta",
    "record",
    "relu",
    "separates",
    "separating_set",
    "sigmoid",
    "sin",
    "softmax",
    "softplus",
    "sqrt",
    "step",
    "tanh",
    "topological",
    "value_and_grad",
    "zero_grad",
]
