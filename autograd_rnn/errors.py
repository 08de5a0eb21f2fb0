"""What can go wrong, by name."""


class AutogradError(Exception):
    """The base of every error that this package raises on purpose.

    >>> from autograd_rnn import bits
    >>> try:
    ...     bits("102")
    ... except AutogradError as error:
    ...     print(error)
    bits: '2' at position 3 is not one of '01'.
    """


class ArgumentTypeError(AutogradError, TypeError):
    """An argument is of a kind that does not fit; the message names it and says what fits."""


class ArgumentValueError(AutogradError, ValueError):
    """An argument is of the right kind, but its value does not fit."""


class AssignmentError(AutogradError, AttributeError):
    """The attribute belongs to the graph and cannot be assigned."""


class StaleGraphError(AutogradError, RuntimeError):
    """A leaf was assigned after the graph was recorded; the message names the result it changed.

    >>> from autograd_rnn import Program, Value
    >>> x = Value(3, "x")
    >>> y = x * x
    >>> x.data = 4.0
    >>> try:
    ...     Program.of(y, [x])
    ... except StaleGraphError as error:
    ...     print(error)
    mul(x = 4.0, x = 4.0) = 9.0 is 16.0 now: a leaf was assigned after ...
    """


class AnomalyError(AutogradError, ArithmeticError):
    """The first NaN or infinity inside `detect_anomaly`; the message says where it came from.

    >>> from autograd_rnn import Value, detect_anomaly
    >>> try:
    ...     with detect_anomaly():
    ...         Value(0, "p").log()
    ... except AnomalyError as error:
    ...     print(error)
    log(p = 0.0) = -inf is the first result that is not finite, computed in ...
    """


class GradientError(AutogradError, AssertionError):
    """A gradient differs from the central difference; the message gives the input and both.

    >>> from autograd_rnn import check_gradients, stop_gradient
    >>> try:
    ...     check_gradients(lambda x: x * stop_gradient(x), [3])
    ... except GradientError as error:
    ...     print(error)
    inputs[0] = 3.0: the gradient is 3.0, but the central difference ... is 6.0; ...
    """


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
    """A comparison came out otherwise than when the program was recorded.

    >>> from autograd_rnn import record
    >>> program = record(lambda x: x if x > 0 else -x, 2.0)
    >>> try:
    ...     program(-2.0)
    ... except BranchChanged as error:
    ...     print(str(error).split(":")[0])
    x_1 > 0.0 was True when the program was recorded, and is not for -2.0 and 0.0
    """


class TrainingError(AutogradError, ArithmeticError):
    """A loss, gradient or weight that is NaN or infinite; the message says where it came from.

    >>> from autograd_rnn import RNN, SGD, fit
    >>> network = RNN([[1e200], [1e200]], activation="linear", bias=False)
    >>> try:
    ...     _ = fit(
    ...         network, ([[1, 1]], [0]), loss="squared_error", optimiser=SGD(0.1),
    ...         epochs=1, batch_size=1, engine="python", progress=False,
    ...     )
    ... except TrainingError as error:
    ...     print(error)
    epoch 1: sequences[0] of data has the loss inf: step 2: mul(w_1 = 1e+200, 1e+200) = inf ...
    """
