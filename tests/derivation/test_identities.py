"""Every printed = holds for all numbers, and every written symbol has one value."""

import random
import re

import pytest

from autograd_rnn import RNN, Steps, Value, bits, copies, derive, exp, gradients, greater, where
from autograd_rnn.derivation import chain_rule
from autograd_rnn.errors import DerivationError
from autograd_rnn.graph.notation import TEXT

from .judge import Judge
from .random_cases import some_derivation

CHUNK = 30


@pytest.mark.parametrize("start", range(0, 180, CHUNK))
def test_random_derivations_hold_for_all_numbers(start: int) -> None:
    judged = 0
    for seed in range(start, start + CHUNK):
        worked = some_derivation(seed)
        if worked is not None:
            judge = Judge(worked)
            assert judge.wrong() == [], seed
            judged += sum([len(sides) for _, sides in judge.equations()])
    assert judged > 10 * CHUNK


def network(
    losses: str = "all", weights: tuple[float, float] = (2, 1)
) -> tuple[Value, RNN, object]:
    """The textbook's case: a loss summed over the steps."""
    rnn = RNN([[weights[0]], [weights[1]]], "relu", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    terms = [(y - step.pi[0]) ** 2 for y, step in zip((5, 7, 9), run.steps, strict=True)]
    return terms[2] if losses == "last" else sum(terms), rnn, run


def test_the_judge_finds_a_wrong_sign_and_a_missing_term() -> None:
    loss, rnn, run = network("last")
    worked = derive(loss, rnn.weights[0][0], run=run)
    assert Judge(worked).wrong() == []
    judge = Judge(worked)
    for wrong in (
        "2(9 − π⃛)(q̈ + q̇·w₁·a′(π̈) + q·w₁²·a′(π̈)·a′(π̇))",
        "−2(9 − π⃛)(q̈ + q̇·w₁·a′(π̈))",  # what is 0 here is missing
        "−2(9 − π⃛)(q̈ + q̇·w₁ + q·w₁²)",
    ):
        assert judge.residue("∂L/∂w₁") != judge.residue(wrong)
    right = "−2(9 − π⃛)(q̈ + q̇·w₁·a′(π̈) + q·w₁²·a′(π̈)·a′(π̇))"
    assert judge.residue("∂L/∂w₁") == judge.residue(right)


def test_losses_of_single_steps_are_named() -> None:
    loss, rnn, run = network()
    text = derive(loss, rnn.weights[0][0], run=run).text
    assert "L₂ = (7 − π̈)²\n    L₃ = (9 − π⃛)²\n    L = L₁ + L₂ + L₃\n" in text
    assert "∂L/∂π̈ = ∂L/∂π⃛·∂π⃛/∂q̈·∂q̈/∂π̈ + ∂L/∂L₂·∂L₂/∂π̈\n" in text
    assert "v₁" not in text
    assert derive(loss, rnn.weights[0][0], run=run).value == gradients(loss, rnn.parameters())[0]


def test_direct_derivatives_are_written_otherwise_and_explained_once() -> None:
    loss, rnn, _ = network()
    text = derive(loss, rnn.weights[0][0]).text
    assert "∂L/∂π̈ = ∂L/∂π⃛·∂π⃛/∂q̈·∂q̈/∂π̈ + ∂⁺L/∂π̈\n" in text
    assert text.count("is the direct derivative") == 1
    first = text.index("∂⁺")
    assert text[first - len("Here ") : first] == "Here "
    x = Value(2, "x")
    y = exp(x)
    y.name = "y"
    assert "∂⁺L/∂y" not in derive(x * y, x).text  # L has y at one place alone


def test_no_symbol_has_two_numbers() -> None:
    for seed in range(180, 210):
        worked = some_derivation(seed)
        if worked is None:
            continue
        numbers: dict[str, set[str]] = {}
        for section in worked.sections:
            for equation in section.equations:
                if equation.sides and len(equation.sides[-1].write(TEXT)) < 12:
                    left, sides = equation.write(TEXT)
                    if re.fullmatch(r"[=≈] −?[\d.]+(×10\S+)?", sides[-1]):
                        numbers.setdefault(left, set()).add(sides[-1])
        assert all(len(found) == 1 for found in numbers.values()), (seed, numbers)


@pytest.mark.parametrize("weights", [(4, -1), (2, 1), (-3, 1)])
def test_the_general_formula_has_terms_that_are_0_here(weights: tuple[float, float]) -> None:
    loss, rnn, run = network("last", weights)
    worked = derive(loss, rnn.weights[0][0], run=run)
    assert "= −2(9 − π⃛)(q̈ + q̇·w₁·a′(π̈) + q·w₁²·a′(π̈)·a′(π̇))" in worked.text
    # and the reason of the zeros stands with the numbers
    assert ("a′(π̇) = 0 since π̇ = −1 ≤ 0" in worked.text) == (weights == (4, -1))
    assert worked.text.count("a′(π) = 1 if π > 0 and 0 if π ≤ 0") == 1


def test_slopes_are_stated_where_they_are_used() -> None:
    rnn = RNN([[0.5], [1]], "tanh", bias=False, names=[["w_1"], ["w_2"]])
    run = rnn.unroll(bits("101"))
    text = derive((1 - run.pi[0]) ** 2, rnn.weights[0][0], run=run).text
    assert "with a(π) = tanh(π), a′(π) = 1 − a(π)², at:" in text
    assert re.search(r"a′\(π̈\) = 1 − q̈² ≈ 0\.\d{6}", text)
    (first, *_) = rnn.unroll(bits("1")).steps
    assert "a(π)" not in derive(first.pi[0] ** 2, rnn.weights[1][0], run=run).text


def test_a_false_equation_is_refused_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    loss, rnn, run = network("last")
    whole = chain_rule.ChainRule._general

    def without_zeros(self: chain_rule.ChainRule) -> object:
        self.back.full = {key: e if e.value else e * 0.0 for key, e in self.back.full.items()}
        return whole(self)

    monkeypatch.setattr(chain_rule.ChainRule, "_general", without_zeros)
    with pytest.raises(DerivationError, match="holds at this point, but not for all numbers"):
        derive(loss, rnn.weights[0][0], run=run)


def test_names_that_clash_are_told_apart() -> None:
    x, y = Value(2, "x"), Value(3, "x")
    worked = derive(x * y + x, x)
    assert "x·x[2] + x" in worked.text
    assert worked.value == 4
    h = x
    for _ in range(3):
        h = h * x
        h.name = "h"
    assert Judge(derive(h, x)).wrong() == []
    named = Value(2, "q"), Value(5, "q̇")  # the first copy of q would be q̇ too
    assert Judge(derive(named[0] * named[1], named[0])).wrong() == []


def test_what_a_condition_does_not_choose_is_in_the_general_formula() -> None:
    x, y = Value(2, "x"), Value(3, "y")
    chosen = where(greater(x, y), x * x, x * y)
    worked = derive(chosen * x, x)
    general = worked.text.split("6. The general formula")[1].split("7.")[0]
    assert "x·(1 unless v₄)·y" in general
    assert "2·x²·(1 when v₄)" in general  # is 0 here
    assert Judge(worked).wrong() == []
    assert worked.value == 12
    assert "since each path from x⁽³⁾ meets a comparison, whose slope is 0." in worked.text
    # A set that only meets what is taken here is said to do so.
    a, b = x * 2, x * 3
    a.name, b.name = "a", "b"
    output = where(greater(x, y), a * a, b * y)
    text = " ".join(derive(output, x, through="minimum").text.split())
    assert "S = {b} separates x" in text
    assert "the formulas are those of the branches that are taken" in text
    assert "branches" not in derive(output, x).text


def test_why_a_derivative_is_0_is_said() -> None:
    rnn = RNN([[2], [1]], "step", bias=False)
    run = rnn.unroll(bits("110"))
    text = derive((3 - run.pi[0]) ** 2, rnn.parameters()[0], run=run).text
    assert "since each path from ẇ₁ meets step, whose slope is 0." in text
    x = Value(2, "x")
    u = x * 3
    u.name = "u"
    output = (u - u) * 5 + x
    text = derive(output, x, through=[u, copies(x, output)[-1]]).text
    assert "∂L/∂u = 0\n  since what it adds cancels." in text


def test_a_running_loss_in_a_loop_of_ones_own_is_a_loss() -> None:
    w, h, total, steps = Value(0.5, "w"), Value(0.25, "h"), Value(0.0), Steps()
    for k in (1, 2):
        with steps.step(k):
            h = (w * h + 1).tanh()
            total = total + (h - k) ** 2
    text = derive(total, w, run=steps).text
    assert "    L₁ = (ḣ − 1)²\n    L₂ = (ḧ − 2)²\n    L = L₁ + L₂\n" in text
    assert "2·(h" not in text  # as people write it: 2(ḧ − 2)


def test_names_that_are_blank_or_read_as_numbers_are_replaced() -> None:
    for name in ("", "2", " ", "1.5"):
        w = Value(3, name)
        worked = derive(w * w * 2, w)
        assert "∂L/∂v₁ = 4·v₁" in worked.text
        assert Judge(worked).wrong() == []


@pytest.mark.nightly
def test_a_hundred_thousand_random_derivations() -> None:
    start = random.SystemRandom().randrange(10**9)
    print(f"from seed {start}")
    judged = refused = 0
    seed = start
    while judged < 100_000:
        seed += 1
        try:
            worked = some_derivation(seed)
        except (ValueError, DerivationError) as error:
            if not re.search("no finite number|too small or too large", str(error)):
                raise
            refused += 1
        else:
            if worked is not None:
                assert Judge(worked).wrong() == [], seed
                judged += 1
    assert refused < judged / 100
