"""Running the command line as a user runs it."""

import sys
from collections.abc import Callable

import pytest

from autograd_rnn.cli import app


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self) -> list[list[str]]:
        return [line.split() for line in self.out.splitlines()]


Runner = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Runner:
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["autograd-rnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = capfd.readouterr()
        code = end.value.code
        assert isinstance(code, int | None)
        return Result(code or 0, out, err)

    return run


def complaint(result: Result) -> str:
    """The one line of a refusal."""
    assert result.code == 2
    assert result.out == ""
    (line,) = result.err.splitlines()
    assert line.startswith("autograd-rnn: ")
    return line.removeprefix("autograd-rnn: ")
