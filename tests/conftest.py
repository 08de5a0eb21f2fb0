"""Which engine is tested, Hypothesis profiles, a cache of its own, and where the real DNA lies."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Few random examples, on CI the same each time; `--hypothesis-profile` asks for more.
CI = bool(os.environ.get("CI"))
# No limits of time: how long an example takes says more of what else the machine does.
settings.register_profile(
    "short",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=25,
    derandomize=CI,
    print_blob=CI,
)
settings.register_profile("long", settings.get_profile("short"), max_examples=100)
settings.register_profile(
    "nightly", settings.get_profile("long"), max_examples=500, derandomize=False, print_blob=True
)
settings.load_profile("short")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=["python", "compiled", "auto"],
        default="python",
        help="the engine to test, also in subprocesses: the source, the compiled one, or whichever "
        "a user would have",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Before anything imports the package.
    engine = config.getoption("engine")
    os.environ["AUTOGRAD_RNN_ENGINE"] = "" if engine == "auto" else engine
    try:
        importlib.import_module("autograd_rnn")
    except ImportError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header() -> str:
    value = importlib.import_module("autograd_rnn.engine.value")
    return f"engine: {'compiled' if value.compiled else 'python'}, {value.__file__}"


OPS: dict[str, object] = {}
KINDS: dict[str, dict[str, object]] = {}


def pytest_collection_finish() -> None:
    OPS.update(importlib.import_module("autograd_rnn.ops").TABLE)
    KINDS.update(kinds())


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    """The ops and kinds of model as they were collected: a test's own go with it."""
    restore()
    yield
    restore()


def kinds() -> dict[str, dict[str, object]]:
    found = importlib.import_module("autograd_rnn.networks.serialise").KINDS
    return {kind: dict(modules) for kind, modules in found.items()}


def restore() -> None:
    ops = importlib.import_module("autograd_rnn.ops").TABLE
    if ops != OPS:
        ops.clear()
        ops.update(OPS)
    if kinds() != KINDS:
        models = importlib.import_module("autograd_rnn.networks.serialise").KINDS
        models.clear()
        models.update({kind: dict(modules) for kind, modules in KINDS.items()})


@pytest.fixture(autouse=True, scope="session")
def code_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder of this run, for all its processes, for compiled code: the user's is left alone."""
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    os.environ["AUTOGRAD_RNN_CACHE"] = str(run / "code")
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        # Else each process that a test starts would compile the package to bytecode.
        os.environ["PYTHONPYCACHEPREFIX"] = str(run / "bytecode")


def real(name: str) -> Path:
    """A file of real DNA, from `AUTOGRAD_RNN_DATA` or `../shared/data`."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("AUTOGRAD_RNN_DATA", beside)) / name
    if not path.is_file():
        pytest.skip(f"no {path}: set AUTOGRAD_RNN_DATA to the folder that holds {name}")
    return path


@pytest.fixture
def mitochondrion() -> Path:
    """The human mitochondrial genome."""
    return real("human_mt.fa")


@pytest.fixture
def coli() -> Path:
    """UCI's promoters of E. coli."""
    return real("promoters.data")
