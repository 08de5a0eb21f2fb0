"""Evaluating a model on data: its loss, and how well it tells classes apart."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ..arguments import as_choice, as_integer, visible
from ..backends.backend import Devices, backend_names
from ..backends.objective import AT
from ..ops.losses import Loss, LossFunction, as_loss, count_hits, counted_by
from .batches import Data, Trainable, as_trainable, at_once, compiled_for, in_turn, parts_of

if TYPE_CHECKING:
    from rich.table import Table

#: The most classes whose confusion a table shows, and the most rows.
MOST_CONFUSED: Final = 5
MOST_ROWS: Final = 20
#: The longest name of a class in a table, and what its other columns leave of a line of 80.
LONGEST_NAME: Final = 16
ROOM: Final = 37


@dataclass(frozen=True)
class Evaluation:
    """A model's mean loss and accuracy, and the rest for each class; made by `evaluate`.

    `count` is the number of outputs that were judged, or for a loss without accuracy that have a
    loss.  `confusion[i][j]` is the number of outputs of class i that were taken for class j; it is
    empty if an output may be of several classes.  For class k, against all others:

    - `support[k]` is the number of outputs that are of the class;
    - `precision[k]`, of those taken for it the share that is right;
    - `recall[k]`, of those that are of it the share that was found;
    - `f1[k]`, 2·precision·recall / (precision + recall);
    - `auc[k]`, the area under the ROC curve: how often an output of the class has a higher score
      than one of another, ties counting ½ (Hanley and McNeil, 1982).

    None stands for 0/0.  The lists are empty if the loss has no classes.  `names` are the names of
    the classes, if the data has them.  Printed it is a table.

    >>> found = Evaluation(loss=0.5, accuracy=0.75, count=4, confusion=[[1, 1], [0, 2]])
    >>> found.confusion[0][1]
    1
    """

    loss: float
    accuracy: float | None
    count: int
    confusion: list[list[int]] = field(default_factory=list)
    support: list[int] = field(default_factory=list)
    precision: list[float | None] = field(default_factory=list)
    recall: list[float | None] = field(default_factory=list)
    f1: list[float | None] = field(default_factory=list)
    auc: list[float | None] = field(default_factory=list)
    names: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The numbers of all outputs, in a line."""
        accuracy = "" if self.accuracy is None else f", accuracy {100 * self.accuracy:.1f} %"
        return f"loss {self.loss:.4g}{accuracy}, {self.count} outputs"

    def __rich__(self) -> Table:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        close: Any = {"collapse_padding": True, "pad_edge": False}
        table = Table(title=self.headline, title_justify="left", box=box.SIMPLE, **close)
        table.add_column("class")
        # As Text, in which square brackets are not markup.
        names = [Text(visible(name)) for name in self.names or map(str, range(len(self.support)))]
        for name in names:
            name.truncate(LONGEST_NAME, overflow="ellipsis")
        longest = max([name.cell_len for name in names], default=0)
        heads = [Text("as ") + name for name in names[: len(self.confusion)]]
        width = longest + sum([2 + head.cell_len for head in heads])
        if len(heads) > MOST_CONFUSED or width > ROOM:
            heads = []
        columns: list[str | Text] = ["outputs", "precision", "recall", "F1", "AUC", *heads]
        for column in columns if self.support else []:
            table.add_column(column, justify="right")
        shares = (self.precision, self.recall, self.f1, self.auc)
        for place, count in enumerate(self.support[:MOST_ROWS]):
            cells = ["–" if one[place] is None else f"{one[place]:.3f}" for one in shares]
            cells += [str(self.confusion[place][k]) for k in range(len(heads))]
            table.add_row(names[place], str(count), *cells)
        if len(self.support) > MOST_ROWS:
            table.add_row(f"and {len(self.support) - MOST_ROWS} more")
        return table

    def __str__(self) -> str:
        """The table as plain text."""
        if not self.support:
            return f"{self.headline}\n"
        from rich.console import Console

        # In a notebook rich would show the table at once, and leave the file empty.
        plain: Any = {"color_system": None, "force_terminal": False, "force_jupyter": False}
        console = Console(file=io.StringIO(), width=80, **plain)
        with console.capture() as captured:
            console.print(self)
        return "".join([f"{line.rstrip()}\n" for line in captured.get().splitlines()])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Jupyter shows the table."""
        printer.text(str(self))


def evaluate(
    model: Trainable,
    data: Data,
    *,
    loss: str | Loss | LossFunction,
    at: str = "last",
    engine: str = "auto",
    threads: int = 1,
    devices: Devices | None = None,
) -> Evaluation:
    """The loss of the model on the data, its accuracy, and its confusion of classes.

    The arguments are those of `fit`; nothing is changed.  Classes have the names that the data
    gives them, as a `Dataset` that was read does.  Weights of classes count in the loss alone, and
    targets to ignore nowhere.  Binary cross entropy of one logit has the classes 0 and 1; of
    several logits, each is a class of its own, which an output may be of or not.  A loss without
    `classes` and `probabilities` has none of what belongs to classes.

    >>> from autograd_rnn import RNN
    >>> model = RNN([[0.0], [1.0]], "linear", bias=False)
    >>> data = ([[2.0], [-1.0], [0.5], [3.0]], [1, 0, 0, 1])
    >>> found = evaluate(model, data, loss="binary_cross_entropy", engine="python")
    >>> found.accuracy, found.confusion, found.auc
    (0.75, [[1, 1], [0, 2]], [1.0, 1.0])
    """
    import numpy as np

    as_trainable(model)
    chosen, when = as_loss(loss), as_choice(at, "at", AT)
    as_choice(engine, "engine", backend_names())
    as_integer(threads, "threads", least=1, most=1024)
    options: dict[str, Any] = {"at": when, "engine": engine, "devices": devices}
    compiled, (batch,) = compiled_for(model, {"data": data}, chosen, **options)
    mean, outputs, aims = 0.0, [], []
    for part in parts_of(compiled, batch, in_turn(len(batch), at_once(batch, 1))):
        ran = compiled.run(part.batch, outputs=True, threads=threads)
        mean += ran.loss * (len(part.places) / len(batch))
        outputs.append(ran.outputs)
        aims.append(part.batch.aims())
    found = judged(chosen, mean, np.concatenate(outputs), np.concatenate(aims))
    names = getattr(data, "names", ())
    return replace(found, names=names) if len(names) == len(found.support) else found


def judged(loss: Loss, mean: float, outputs: Any, targets: Any) -> Evaluation:
    """The evaluation of outputs, an array with a row for each, beside their targets."""
    counted = counted_by(loss, targets)
    outputs, targets = outputs[counted], targets[counted]
    hits, count = count_hits(loss, outputs, targets)
    accuracy = hits / count if count else None
    if loss.classes is None or loss.probabilities is None:
        return Evaluation(mean, accuracy, len(outputs))
    found, right = loss.classes(outputs, targets)
    scores, confusion = loss.probabilities(outputs), []
    if found.ndim == 2 and found.shape[1] == 1:
        # The output orders as its probability does, which two outputs may share by rounding.
        import numpy as np

        found, right = found[:, 0].astype(int), right[:, 0].astype(int)
        scores = np.concatenate([-outputs, outputs], axis=1)
    if found.ndim == 1:
        confusion = confused(found, right, scores.shape[1])
        places = range(scores.shape[1])
        columns = [(found == k, right == k, scores[:, k]) for k in places]
    else:
        columns = [(found[:, k], right[:, k], scores[:, k]) for k in range(scores.shape[1])]
    stats = [_of_a_class(*column) for column in columns]
    support, precision, recall, f1, auc = map(list, zip(*stats, strict=True))
    return Evaluation(mean, accuracy, count, confusion, support, precision, recall, f1, auc)


def confused(found: Sequence[int], right: Sequence[int], classes: int) -> list[list[int]]:
    """How many outputs of each class, a row for each, were found to be of each, a column for each.

    >>> confused([0, 1, 1], [0, 0, 1], 2)
    [[1, 1], [0, 1]]
    """
    import numpy as np

    pairs = np.asarray(right, dtype=int) * classes + np.asarray(found, dtype=int)
    table: list[list[int]] = (
        np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).tolist()
    )
    return table


def _of_a_class(found: Any, right: Any, scores: Any) -> tuple[Any, ...]:
    """Support, precision, recall, F1 and AUC of a class, from arrays of bools and scores."""
    hits, taken, support = [int(one.sum()) for one in (found & right, found, right)]
    precision, recall = _share(hits, taken), _share(hits, support)
    return support, precision, recall, _share(2 * hits, taken + support), auc(scores, right)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def auc(scores: Any, right: Any) -> float | None:
    """The share of pairs of a right and another score in which it is the higher; ties count ½.

    None if there are no pairs.

    >>> import numpy as np
    >>> auc(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    0.875
    """
    import numpy as np

    above = int(right.sum())
    pairs = above * (len(right) - above)
    if not pairs:
        return None
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    # Twice the mean rank of those that are tied, in whole numbers.
    ranks = 2 * np.cumsum(sizes) - sizes + 1
    twice = int(ranks[group][right].sum()) - above * (above + 1)
    return twice / (2 * pairs)
