"""Sliders in a notebook: a small network is changed, and the copies of a weight follow."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from html import escape
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

from ...arguments import as_float, as_list, many, shown
from ...errors import ArgumentTypeError, ArgumentValueError, AutogradError, LibraryNotFound
from ...graph.copies import copies
from ...graph.notation import label, number
from ...networks.model import Model
from ..draw import draw

if TYPE_CHECKING:
    from ipywidgets import VBox

MOST: Final = {"bit": 12, "weight": 20}
LARGEST: Final = 1e6  # of a weight, for a slider whose steps are 0.1
NO_WIDGETS: Final = 'explore needs ipywidgets: pip install "autograd-rnn[notebooks]"'


def explore(model: Model, bits: Iterable[float | str], target: float) -> VBox:
    """Widgets for a notebook: bits to switch, a slider per weight, the copies and their sum.

    The model has one input and one output, and the loss is (target − output)².  `bits` are 1 to 12
    zeros and ones, text or numbers.  What is moved is a copy of the model.  `LibraryNotFound` where
    ipywidgets is not installed, which is in the extra `notebooks`; `ValueError` for other bits,
    for more than 20 weights, for weights beyond a million, and for more inputs or outputs.

    >>> from autograd_rnn import RNN
    >>> explore(RNN([[4], [1]], activation="relu", bias=False), "101", 15)
    <Explorer: L = 4, ∂L/∂w₁ = 0 + 16 + 16 = 32>
    """
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"explore takes a model such as RNN, not {shown(model)}.")
    wanted = as_float(target, "target")
    read = [_bit(bit) for bit in (bits if isinstance(bits, str) else as_list(bits, "bits"))]
    model = copy.deepcopy(model)
    weights = model.parameters()
    for what, count in (("bit", len(read)), ("weight", len(weights))):
        if not 1 <= count <= MOST[what]:
            raise ArgumentValueError(f"explore takes 1 to {MOST[what]} {what}s, not {count}.")
    if not all(abs(weight.data) <= LARGEST for weight in weights):
        raise ArgumentValueError(f"explore takes weights of at most {LARGEST:g} in size.")
    names = [label(weight.name or f"weight {place}") for place, weight in enumerate(weights, 1)]

    def made() -> tuple[Any, Any]:
        """The run as the widgets have it, and its loss."""
        run = model.unroll([[float(bit)] for bit in read])
        outputs = run.output if isinstance(run.output, tuple) else (run.output,)
        if len(outputs) > 1:
            raise ArgumentValueError(
                f"explore takes one output, not {many(len(outputs), 'output')}."
            )
        return run, (wanted - outputs[0]) ** 2

    made()
    try:
        import ipywidgets as widgets
    except ImportError:
        raise LibraryNotFound(NO_WIDGETS) from None

    class Explorer(widgets.VBox):  # type: ignore[misc]  # it has no types
        words = svg = ""

        def __repr__(self) -> str:
            return f"<Explorer: {self.words}>"

        def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
            # The picture is for where no widget can be shown, such as a notebook on the web.
            bundle = super()._repr_mimebundle_(**options)
            still = {"image/svg+xml": self.svg} if self.svg else {}
            return {**bundle, "text/plain": repr(self), **still}

    narrow = widgets.Layout(width="44px")
    switches = [widgets.ToggleButton(bit, description=f"{bit:d}", layout=narrow) for bit in read]
    sliders = []
    for weight, name in zip(weights, names, strict=True):
        # A slider shows its number in whole steps from its left end.
        left, right = [weight.data + end * max(5.0, 2 * abs(weight.data)) for end in (-1, 1)]
        slider = widgets.FloatSlider(weight.data, min=left, max=right, step=0.1, description=name)
        slider.readout_format = ".4g"
        sliders.append(slider)
    choice = widgets.Dropdown(options=[*zip(names, weights, strict=True)], description="∂L/∂")
    picture, total = widgets.HTML(), widgets.HTML()
    wrapped = widgets.Layout(flex_flow="row wrap")
    rows = [widgets.HBox(row, layout=wrapped) for row in ([*switches, choice], sliders)]
    explorer = Explorer([*rows, picture, total])

    def follow(change: object = None) -> None:
        read[:] = [switch.value for switch in switches]
        for switch in switches:
            switch.description = f"{switch.value:d}"
        for weight, slider in zip(weights, sliders, strict=True):
            weight.data = slider.value
        try:
            explorer.words, explorer.svg = told()
        except (AutogradError, ArithmeticError) as error:
            # The widgets would go on showing the numbers of before.
            explorer.words, explorer.svg = f"∂L/∂{choice.label}: {error}", ""
        picture.value, total.value = explorer.svg, escape(explorer.words)

    def told() -> tuple[str, str]:
        """The loss and the sum of the copies in words, and their picture."""
        run, loss = made()
        loss.backward()
        drawing = draw(loss, focus=choice.value, run=run)
        uses = copies(choice.value, loss, run)
        terms = " + ".join([number(use.grad) for use in uses]).replace("+ −", "− ")
        whole = f"{terms} = {number(uses.total)}" if len(uses) > 1 else terms
        words = f"L = {number(loss.data)}, ∂L/∂{choice.label} = {whole}"
        return words, drawing._repr_mimebundle_()["image/svg+xml"]

    follow()
    for control in (*switches, *sliders, choice):
        control.observe(follow, "value")
    return explorer


def _bit(bit: object) -> bool:
    """Whether it is a 1; `ArgumentValueError` for what is neither that nor a 0."""
    real = isinstance(bit, Real) and not isinstance(bit, bool)
    if not (real and bit in (0, 1)) and not (isinstance(bit, str) and bit in ("0", "1")):
        raise ArgumentValueError(f"bits are 0 and 1, not {shown(bit)}.")
    return float(bit) == 1
