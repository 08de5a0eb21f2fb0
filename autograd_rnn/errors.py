"""The errors that this package raises, each also the builtin that one would catch for it."""


class AutogradError(Exception):
    """The base of every error that this package raises on purpose.

    >>> from autograd_rnn import bits
    >>> bits("102")
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.SymbolError: bits: '2' at position 3 is not one of '01'.
    """


class ArgumentTypeError(AutogradError, TypeError):
    """An argument has the wrong type; the message names it and says which are right."""


class ArgumentValueError(AutogradError, ValueError):
    """An argument has the right type, but a value that is not allowed."""


class AssignmentError(AutogradError, AttributeError):
    """The attribute belongs to the graph and cannot be assigned, or there is none of that name."""


class StaleGraphError(AutogradError, RuntimeError):
    """A leaf was assigned after the graph was recorded; the message names the result it changed.

    >>> from autograd_rnn import Program, Value
    >>> x = Value(3, "x")
    >>> y = x * x
    >>> x.data = 4.0
    >>> Program.of(y, [x])
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.StaleGraphError: mul(x = 4.0, x = 4.0) = 9.0 is 16.0 now: a leaf was ...
    """


class AnomalyError(AutogradError, ArithmeticError):
    """The first NaN or infinity inside `detect_anomaly`; the message says where it came from.

    >>> from autograd_rnn import Value, detect_anomaly
    >>> with detect_anomaly():
    ...     y = Value(0, "p").log()
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.AnomalyError: log(p = 0.0) = -inf is the first result that is not ...
    """


class GradientError(AutogradError, AssertionError):
    """A gradient differs from the central difference; the message gives the input and both.

    >>> from autograd_rnn import check_gradients, stop_gradient
    >>> check_gradients(lambda x: x * stop_gradient(x), [3])
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.GradientError: inputs[0] = 3.0: the gradient is 3.0, but ... is 6.0; ...
    """


class SymbolError(AutogradError, ValueError):
    """A sequence holds a symbol outside its alphabet; the message gives symbol and position."""


class FastaError(AutogradError, ValueError):
    """A file is not FASTA; the message gives the file and the record or line."""


class FormatError(AutogradError, ValueError):
    """An unknown picture format; the message lists the known ones."""


class FolderNotFound(AutogradError, FileNotFoundError):
    """The folder in which a file is to be written does not exist."""


class FileInUse(AutogradError, BlockingIOError):
    """Another training writes the file; the message names its process."""


class GraphTooLarge(AutogradError, ValueError):
    """A graph has too many nodes to be drawn; the message says what to do instead."""


class UnknownName(AutogradError, ImportError):
    """The package has no such name, as another has; the message says what to write instead."""


class LibraryNotFound(AutogradError, ImportError):
    """A library of an extra is not installed; the message says how to get it."""


class RendererNotFound(AutogradError, RuntimeError):
    """Graphviz is not installed; the message says how to get it."""


class RenderError(AutogradError, RuntimeError):
    """Graphviz could not render the picture; the message is Graphviz's."""


class DerivationError(AutogradError, ArithmeticError):
    """The two sides of an equation differ: its numbers are too small or too large for floats."""


class BranchChanged(AutogradError, RuntimeError):
    """A comparison came out differently from when the program was recorded.

    >>> from autograd_rnn import record
    >>> program = record(lambda x: x if x > 0 else -x, 2.0)
    >>> program(-2.0)
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.BranchChanged: x_1 > 0.0 was True when the program was recorded, and ...
    """


class RecordingError(AutogradError, RuntimeError):
    """A function cannot be recorded as a program; the message says what to write instead.

    >>> from autograd_rnn import Value, record
    >>> w = Value(3, "w")
    >>> record(lambda x: w * x, 2.0)
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.RecordingError: the function uses w = 3.0, a variable that is not ...
    """


class TrainingError(AutogradError, ArithmeticError):
    """A loss, gradient or weight is NaN or infinite; the message says where it came from.

    >>> from autograd_rnn import RNN, SGD, fit
    >>> network = RNN([[1e200], [1e200]], activation="linear", bias=False)
    >>> data, one_epoch = ([[1, 1]], [0]), {"epochs": 1, "batch_size": 1, "progress": False}
    >>> fit(network, data, loss="squared_error", optimiser=SGD(0.1), engine="python", **one_epoch)
    Traceback (most recent call last):
        ...
    autograd_rnn.errors.TrainingError: epoch 1: sequences[0] of data has the loss inf: ...
    """
