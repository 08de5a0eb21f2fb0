"""What continuous integration checks, a session each: `nox`, or `nox --session lint types`.

`.ci/run` runs all of them, the tests by the README's command.
"""

import filecmp
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "venv"

DEV = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]["dev"]
# Builds engines of its own, and tests them.
BUILDS = "tests/engine/test_compiled.py"


def install(session: nox.Session, *extras: str, compiled: bool = False) -> None:
    """Install the package with the extras, its engine compiled or in plain Python."""
    what = f".[{','.join(extras)}]" if extras else "."
    session.install(what, env={"AUTOGRAD_RNN_COMPILE": str(int(compiled))})


@nox.session
def lint(session: nox.Session) -> None:
    """Style."""
    session.install(*[tool for tool in DEV if tool.startswith("ruff")])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types."""
    install(session, "dev")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """The suite on the engine in plain Python; what follows `--` goes to pytest."""
    install(session, "dev")
    session.run("pytest", *session.posargs)


@nox.session
def compiled(session: nox.Session) -> None:
    """The suite on the compiled engine."""
    install(session, "dev", compiled=True)
    session.run("pytest", "--engine=compiled", f"--ignore={BUILDS}", *session.posargs)


@nox.session(default=False)
def nightly(session: nox.Session) -> None:
    """What takes minutes, on the compiled engine: a million random calls, long state machines."""
    install(session, "dev", compiled=True)
    session.run("pytest", "--engine=compiled", "-m=nightly", *session.posargs)


@nox.session
def jax(session: nox.Session) -> None:
    """The tests of the backend that needs JAX, and of the page about it."""
    install(session, "dev", "jax")
    session.run("python", "-c", "import jax")
    files = ("tests/backends/jax", "tests/ops/test_jax.py", "tests/test_documents.py")
    session.run("pytest", *files, "-k=jax")


@nox.session
def browser(session: nox.Session) -> None:
    """The page that plays a sweep, in Chromium; skipped where there is none."""
    install(session, "dev", "browser")
    session.run("pytest", "-m=browser")


@nox.session
def playground(session: nox.Session) -> None:
    """The playground, built with npm, in Chromium and in Node; skipped where they are missing."""
    install(session, "dev", "browser")
    session.run("pytest", "-m=playground", *session.posargs)


@nox.session
def notebooks(session: nox.Session) -> None:
    """The notebooks executed anew."""
    install(session, "notebooks", compiled=True)
    session.run("python", "notebooks/run.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, without a warning."""
    install(session, "docs")
    with tempfile.TemporaryDirectory() as folder:
        session.run("mkdocs", "build", "--strict", f"--site-dir={folder}")


@nox.session
def release(session: nox.Session) -> None:
    """What an index gets: checked, the same at every build, and it draws what the source draws."""
    session.install("build", "check-wheel-contents", "twine", "validate-pyproject")
    session.run("validate-pyproject", "pyproject.toml")
    exercise = ("exercise", "101", "15", "--save")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as again:
        for place in (folder, again):
            build = ("python", "-m", "build", f"--outdir={place}")
            settings = {"AUTOGRAD_RNN_COMPILE": "1", "SOURCE_DATE_EPOCH": "1790000000"}
            session.run(*build, env=settings)
        files = [str(path) for path in Path(folder).iterdir()]
        names = [Path(file).name for file in files]
        same, *others = filecmp.cmpfiles(folder, again, names, shallow=False)
        if set(same) != set(names):
            session.error(f"two builds differ: {others}")
        session.run("twine", "check", "--strict", *files)
        session.run("check-wheel-contents", *[file for file in files if file.endswith(".whl")])
        session.install(*[file for file in files if file.endswith(".whl")])
        source, wheel = Path(folder, "source.svg"), Path(folder, "wheel.svg")
        session.run("python", "-m", "autograd_rnn", *exercise, str(source), silent=True)
        with session.chdir(folder):
            session.run("autograd-rnn", *exercise, str(wheel), silent=True)
            version = session.run("autograd-rnn", "--version", silent=True)
        if "(engine compiled)" not in str(version):
            session.error(f"the wheel says {version}")
        if not filecmp.cmp(source, wheel, shallow=False):
            session.error("the wheel draws another picture than the source")
