"""What can go wrong, by name."""

__all__ = [
    "AnomalyError",
    "ArgumentTypeError",
    "ArgumentValueError",
    "AssignmentError",
    "AutogradError",
    "BranchChanged",
    "DerivationError",
    "FastaError",
    "FolderNotFound",
    "FormatError",
    "GradientError",
    "GraphTooLarge",
    "LibraryNotFound",
    "RenderError",
    "RendererNotFound",
    "StaleGraphError",
    "SymbolError",
    "TrainingError",
]


class AutogradError(Exception):
    """The base of every error that this package raises on purpose."""


class ArgumentTypeError(AutogradError, TypeError):
    """An argument is of a kind that does not fit; the message names it and says what fits."""


class ArgumentValueError(AutogradError, ValueError):
    """An argument is of the right kind, but its value does not fit."""


class AssignmentError(AutogradError, AttributeError):
    """The attribute belongs to the graph and cannot be assigned."""


class StaleGraphError(AutogradError, RuntimeError):
    """A leaf was assigned after the graph was recorded; the message names the result it changed."""


class AnomalyError(AutogradError, ArithmeticError):
    """The first NaN or infinity inside `detect_anomaly`; the message says where it came from."""


class GradientError(AutogradError, AssertionError):
    """A gradient differs from the central difference; the message gives the input and both."""


class SymbolError(AutogradError, ValueError):
    """A sequence holds a symbol outside its alphabet; the message gives symbol and position."""


class FastaError(AutogradError, ValueError):
    """A file is not FASTA; the message gives the file and the record or line."""


class FormatError(AutogradError, ValueError):
    """A picture format that does not exist; the message lists those that do."""


class FolderNotFound(AutogradError, FileNotFoundError):
    """The folder of a file to be written is not there."""


class GraphTooLarge(AutogradError, ValueError):
    """A graph with too many nodes to be drawn; the message gives the ways out."""


class LibraryNotFound(AutogradError, ImportError):
    """A library of an extra is not installed; the message says how to get it."""


class RendererNotFound(AutogradError, RuntimeError):
    """No Graphviz to render with; the message says how to get one."""


class RenderError(AutogradError, RuntimeError):
    """Graphviz could not render the picture; the message is what it said."""


class DerivationError(AutogradError, ArithmeticError):
    """Two sides of a written equation that do not agree: floats were too small or too large."""


class BranchChanged(AutogradError, RuntimeError):
    """A comparison came out otherwise than when the program was recorded."""


class TrainingError(AutogradError, ArithmeticError):
    """A loss, gradient or weight that is NaN or infinite; the message says where it came from."""
