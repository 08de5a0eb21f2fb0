"""Generated letters are those of a naive sampler on the engine, on every backend."""

import math
import random
from collections import Counter
from collections.abc import Callable
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_rnn import GRU, LSTM, RNN, Linear, Model, Stack, compile_step, generate, one_hot

BACKENDS = ["eager", "python", "numpy", "native", "jax"]
ALPHABET = "abçde"
FITS = "a model that writes has an input and an output for each of two letters or more: the"


def networks() -> list[Model]:
    size, stack = len(ALPHABET), Stack.random("GRU", 3, len(ALPHABET), len(ALPHABET), seed=4)
    two = Stack.random("LSTM", 2, size, size, layers=2, seed=5)
    return [RNN.random(size, size, seed=3), stack, two]


def naive(model: Model, prompt: str, length: int, temperature: float, seed: int) -> str:
    """The same letters by unrolling the engine over all letters for each letter."""
    chance, text = random.Random(seed), prompt
    for _ in range(length):
        shares = [1.0] * len(ALPHABET)
        if text:
            logits = [z.data for z in model.unroll(one_hot(text, ALPHABET)).output]
            if temperature == 0.0:
                shares = [float(k == logits.index(max(logits))) for k in range(len(logits))]
            else:
                powers = [math.exp(z / temperature) for z in logits]
                shares = [power / sum(powers) for power in powers]
        drawn, upto = chance.random(), accumulate(share / sum(shares) for share in shares)
        text += ALPHABET[next(k for k, end in enumerate(upto) if drawn < end)]
    return text[len(prompt) :]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0, 4.0])
def test_every_backend_writes_what_the_naive_sampler_writes(
    backend: str, temperature: float
) -> None:
    if backend == "jax":
        pytest.importorskip("jax")
    for model in networks():
        model.alphabet = ALPHABET
        for prompt in ("", "b", "dçade"):
            found = generate(model, prompt, 9, temperature, 7, backend=backend)
            assert found == naive(model, prompt, 9, temperature, 7)


@given(st.text(ALPHABET, max_size=4), st.integers(0, 99), st.integers(0, 5), st.integers(1, 5))
@settings(max_examples=30)
def test_letters_go_on_from_letters_before(prompt: str, seed: int, one: int, rest: int) -> None:
    model = networks()[1]
    given: tuple[float, int] = (0.0, seed)
    whole = generate(model, prompt, one + rest, *given, alphabet=ALPHABET, backend="python")
    start = generate(model, prompt, one, *given, alphabet=ALPHABET, backend="python")
    assert whole[:one] == start
    if prompt or one:  # then the rest has no chance in it
        read = prompt + start
        assert whole[one:] == generate(
            model, read, rest, *given, alphabet=ALPHABET, backend="python"
        )


def test_a_compiled_step_writes_too() -> None:
    model = networks()[1]
    expected = generate(model, "a", 8, alphabet=ALPHABET, backend="python")
    for at in ("last", "every"):
        compiled = model.compile("cross_entropy", at=at, backend="python")
        assert generate(compiled, "a", 8, alphabet=ALPHABET) == expected
    step, weights = model.step, model.parameters()
    given = (step, "cross_entropy", weights, model.initial)
    mine = compile_step(*given, backend="python", symbols=len(ALPHABET))
    assert generate(mine, "a", 8, alphabet=ALPHABET) == expected


def test_letters_are_as_frequent_as_the_softmax_says() -> None:
    model = Linear([[0.0, 1.0, 2.0]] * 3, bias=False)
    count = 600
    for temperature in (0.5, 1.0, math.inf):
        often = Counter(generate(model, "a", count, temperature, alphabet="abc", backend="numpy"))
        powers = [math.exp(z / temperature) for z in (0.0, 1.0, 2.0)]
        for letter, power in zip("abc", powers, strict=True):
            share = power / sum(powers)
            spread = math.sqrt(count * share * (1 - share))
            assert abs(often[letter] - count * share) < 4 * spread + 1


def test_a_temperature_close_to_0_is_the_argmax() -> None:
    model = networks()[0]
    for heat in (5e-324, 1e-300, 1e-9):
        assert generate(model, "a", 6, heat, alphabet=ALPHABET) == generate(
            model, "a", 6, 0.0, alphabet=ALPHABET
        )


def test_each_letter_is_read_once() -> None:
    model, read = networks()[1], []

    class Spy:
        inputs = outputs = len(ALPHABET)

        def compile(self, *arguments: object, **options: object) -> object:
            compiled = model.compile("cross_entropy", backend="python")
            predict = compiled.predict

            def counted(sequences: list[list[int]], **given: object) -> object:
                read.append(len(sequences[0]))
                return predict(sequences, **given)  # type: ignore[call-overload]

            compiled.predict = counted  # type: ignore[method-assign]
            return compiled

    generate(Spy(), "abcde".replace("c", "ç"), 4, alphabet=ALPHABET)
    assert read == [5, 1, 1, 1]


def scaled(size: float) -> Model:
    return Linear([[0.0, size], [0.0, size]], bias=False)


def offset(size: float) -> Model:
    return Linear([[0.0, size], [0.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (lambda m: generate(m, 5, 1), TypeError, "prompt must be a str, not int."),
        (lambda m: generate(m, "aX", 1), ValueError, "prompt: 'X' at position 2 is not one of"),
        (lambda m: generate(m, "a", -1), ValueError, "length must be 0 or more, not -1."),
        (lambda m: generate(m, "a", 1.5), TypeError, "length must be an int, not float"),
        (lambda m: generate(m, "a", 1, -1), ValueError, "temperature must be 0 or more, not -1.0"),
        (lambda m: generate(m, "a", 1, math.nan), ValueError, "temperature must be 0 or more, not"),
        (lambda m: generate(m, "a", 1, 1, 0.5), TypeError, "seed must be an int, not float (0.5)."),
        (
            lambda m: generate("m", "a", 1),
            TypeError,
            "model must have inputs, outputs and compile(), as a Stack has: str has no inputs.",
        ),
        (
            lambda m: generate(networks()[0], "a", 1),
            ValueError,
            "the model has no alphabet: give alphabet=, the letters that it has learnt, in order,",
        ),
        (
            lambda m: generate(m, "a", 1, alphabet="ab"),
            ValueError,
            f"{FITS} alphabet has 2 letters, the model 5 inputs and 5 outputs.",
        ),
        (
            lambda m: generate(GRU.random(3, 5), "a", 1, alphabet=ALPHABET),
            ValueError,
            f"{FITS} alphabet has 5 letters, the model 5 inputs and 3 outputs.",
        ),
        (
            lambda m: generate(RNN.random(1, 1), "a", 1, alphabet="a"),
            ValueError,
            "a model that writes has an input and an output for each of two letters",
        ),
        (
            lambda m: generate(m.compile("cross_entropy"), "a", 1, alphabet="ab"),
            ValueError,
            "the step takes 5 symbols, but the alphabet has 2 letters: compile it with symbols=2.",
        ),
        (
            lambda m: generate(
                compile_step(m.step, "cross_entropy", m.parameters(), m.initial),
                *("a", 1),
                alphabet="ab",
            ),
            ValueError,
            "the step takes no symbols, but the alphabet has 2 letters: compile it with symbols=2.",
        ),
        (
            lambda m: generate(
                LSTM.random(3, 5).compile("squared_error", backend="python"),
                *("a", 1),
                alphabet=ALPHABET,
            ),
            ValueError,
            "the model has 3 outputs, but there are 5 letters.",
        ),
        (
            lambda m: generate(offset(math.inf), "a", 1, alphabet="ab", backend="python"),
            ValueError,
            "the model's output 1 after letter 1 is inf: its weights are not finite, or too large.",
        ),
        (
            lambda m: generate(scaled(math.nan), "ab", 1, alphabet="ab", backend="python"),
            ValueError,
            "the model's output 1 after letter 2 is nan: its weights",
        ),
    ],
)
def test_what_is_refused(wrong: Callable[[Model], str], kind: type[Exception], words: str) -> None:
    model = networks()[0]
    model.alphabet = ALPHABET
    with pytest.raises(kind) as caught:
        wrong(model)
    assert str(caught.value).startswith(words)


def test_huge_outputs_do_not_overflow() -> None:
    assert generate(scaled(1.7e308), "a", 3, 0.1, alphabet="ab", backend="python") == "bbb"
    assert generate(scaled(-1.7e308), "a", 3, 0.1, alphabet="ab", backend="python") == "aaa"
