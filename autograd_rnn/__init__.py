"""The public names, and nothing else."""

import typing

from . import foreign as foreign
from . import loading as loading
from .backends.compile_step import CompiledStep, compile_step
from .data.classics import adding, promoters
from .data.dataset import Dataset
from .data.encoding import bits, one_hot
from .data.fasta import read_fasta, windows
from .data.generate import generate
from .data.languages import Language
from .data.tasks import counting_ones, dna_family, in_family, parity, tomita
from .data.text import Text
from .derivation.derive import Derivation, MatrixDerivation, derive
from .derivation.exercises.grading import Grade, grade
from .derivation.exercises.sheet import Sheet, Sheets, exercises
from .engine.check import check_gradients
from .engine.contexts import Steps, detect_anomaly, no_grad
from .engine.forward import hvp, jvp
from .engine.reverse import (
    freeze,
    grad,
    gradients,
    hessian,
    jacobian,
    unfreeze,
    value_and_grad,
    vjp,
    zero_grad,
)
from .engine.value import Value, compiled
from .errors import (
    AnomalyError,
    AutogradError,
    BranchChanged,
    GradientError,
    RecordingError,
    StaleGraphError,
    TrainingError,
)
from .graph.copies import Copies, Copy, copies
from .graph.separating import escape, separates, separating_set
from .graph.walk import topological
from .networks.bidirectional import Bidirectional
from .networks.gated import GRU, LSTM
from .networks.model import Model
from .networks.rnn import RNN, Linear, counter
from .networks.run import Unrolled
from .networks.stack import Stack, load_model
from .networks.table import RunTable
from .networks.torch.models import from_torch, to_torch
from .ops.custom import primitive
from .ops.functions import dot, logsumexp, softmax, where
from .ops.losses import Loss, binary_cross_entropy, cross_entropy, squared_error
from .ops.table import (
    abs,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cbrt,
    cos,
    cosh,
    equal,
    exp,
    exp2,
    expm1,
    greater,
    hypot,
    log,
    log1p,
    log2,
    log10,
    maximum,
    minimum,
    mod,
    relu,
    sigmoid,
    sin,
    sinh,
    softplus,
    sqrt,
    step,
    stop_gradient,
    tan,
    tanh,
)
from .pictures.cells.draw_cell import draw_cell
from .pictures.draw import draw
from .pictures.drawing import Drawing
from .pictures.network import draw_network, draw_weights
from .pictures.play.explore import explore
from .pictures.play.page import Page, play
from .pictures.rendering.render import use_renderer
from .pictures.unrolled.flow import draw_flow
from .program.program import Program
from .program.recorder import record
from .training.evaluate import Evaluation, evaluate
from .training.fit import fit
from .training.history import History
from .training.optimisers import Optimiser
from .training.progress import CSVLog, Report
from .training.rules import SGD, Adagrad, Adam, AdamW
from .training.schedules import Constant, CosineDecay, StepDecay, WarmUp

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AnomalyError",
    "AutogradError",
    "Bidirectional",
    "BranchChanged",
    "CSVLog",
    "CompiledStep",
    "Constant",
    "Copies",
    "Copy",
    "CosineDecay",
    "Dataset",
    "Derivation",
    "Drawing",
    "Evaluation",
    "Grade",
    "GradientError",
    "History",
    "Language",
    "Linear",
    "Loss",
    "MatrixDerivation",
    "Model",
    "Optimiser",
    "Page",
    "Program",
    "RecordingError",
    "Report",
    "RunTable",
    "Sheet",
    "Sheets",
    "Stack",
    "StaleGraphError",
    "StepDecay",
    "Steps",
    "Text",
    "TrainingError",
    "Unrolled",
    "Value",
    "WarmUp",
    "abs",
    "adding",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "binary_cross_entropy",
    "bits",
    "cbrt",
    "check_gradients",
    "compile_step",
    "compiled",
    "copies",
    "cos",
    "cosh",
    "counter",
    "counting_ones",
    "cross_entropy",
    "derive",
    "detect_anomaly",
    "dna_family",
    "dot",
    "draw",
    "draw_cell",
    "draw_flow",
    "draw_network",
    "draw_weights",
    "equal",
    "escape",
    "evaluate",
    "exercises",
    "exp",
    "exp2",
    "explore",
    "expm1",
    "fit",
    "freeze",
    "from_torch",
    "generate",
    "grad",
    "grade",
    "gradients",
    "greater",
    "hessian",
    "hvp",
    "hypot",
    "in_family",
    "jacobian",
    "jvp",
    "load_model",
    "log",
    "log1p",
    "log2",
    "log10",
    "logsumexp",
    "maximum",
    "minimum",
    "mod",
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
    "sinh",
    "softmax",
    "softplus",
    "sqrt",
    "squared_error",
    "step",
    "stop_gradient",
    "tan",
    "tanh",
    "to_torch",
    "tomita",
    "topological",
    "unfreeze",
    "use_renderer",
    "value_and_grad",
    "vjp",
    "where",
    "windows",
    "zero_grad",
]

if not typing.TYPE_CHECKING:  # where any name would then be taken for one of the package's
    __getattr__ = foreign.missing
