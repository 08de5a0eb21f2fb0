"""The public names, and nothing else."""

from .draw import Drawing, draw
from .engine import Value, gradients
from .errors import AutogradError
from .graph import Copy, copies, topological
from .ops import exp, log, relu, sigmoid, step, tanh
from .rnn import RNN, Unrolled, bits, counter, one_hot
from .tasks import in_family, read_fasta

__all__ = [
    "RNN",
    "AutogradError",
    "Copy",
    "Drawing",
    "Unrolled",
    "Value",
    "bits",
    "copies",
    "counter",
    "draw",
    "exp",
    "gradients",
    "in_family",
    "log",
    "one_hot",
    "read_fasta",
    "relu",
    "sigmoid",
    "step",
    "tanh",
    "topological",
]
