"""The public names, and nothing else."""

from .cells import GRU, LSTM
from .check import check_gradients
from .contexts import detect_anomaly, no_grad
from .datasets import Dataset
from .derive import Derivation, derive
from .dna import read_fasta, windows
from .draw import draw, draw_cell, draw_network, draw_weights
from .drawing import Drawing
from .engine import Value, compiled
from .errors import (
    AnomalyError,
    AutogradError,
    BranchChanged,
    GradientError,
    StaleGraphError,
    TrainingError,
)
from .exchange import from_torch, to_torch
from .forward import hvp, jvp
from .functions import dot, logsumexp, softmax
from .graph import Copies, Copy, copies, topological
from .history import History
from .languages import Language
from .linear import Linear
from .losses import binary_cross_entropy, cross_entropy, squared_error
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
    stop_gradient,
    tanh,
)
from .optimisers import SGD, Adam
from .play import Page, play
from .replay import Program, record
from .reverse import grad, gradients, hessian, value_and_grad, zero_grad
from .rnn import RNN, Unrolled, bits, counter, one_hot
from .separating import escape, separates, separating_set
from .stack import Stack, load_model
from .steps import CompiledStep, compile_step
from .tasks import adding, counting_ones, dna_family, in_family, parity, promoters, tomita
from .train import fit

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "AnomalyError",
    "AutogradError",
    "BranchChanged",
    "CompiledStep",
    "Copies",
    "Copy",
    "Dataset",
    "Derivation",
    "Drawing",
    "GradientError",
    "History",
    "Language",
    "Linear",
    "Page",
    "Program",
    "Stack",
    "StaleGraphError",
    "TrainingError",
    "Unrolled",
    "Value",
    "abs",
    "adding",
    "binary_cross_entropy",
    "bits",
    "check_gradients",
    "compile_step",
    "compiled",
    "copies",
    "cos",
    "counter",
    "counting_ones",
    "cross_entropy",
    "derive",
    "detect_anomaly",
    "dna_family",
    "dot",
    "draw",
    "draw_cell",
    "draw_network",
    "draw_weights",
    "escape",
    "exp",
    "fit",
    "from_torch",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "in_family",
    "jvp",
    "load_model",
    "log",
    "logsumexp",
    "maximum",
    "minimum",
    "no_grad",
    "one_hot",
    "parity",
    "play",
    "primitive",
    "promoters",
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
    "squared_error",
    "step",
    "stop_gradient",
    "tanh",
    "to_torch",
    "tomita",
    "topological",
    "value_and_grad",
    "windows",
    "zero_grad",
]
