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
# The tests of the compiled modules and of what reads graphs; and the examples in docstrings.
ENGINE = (
    *("tests/ops", "tests/graph", "tests/engine", "tests/program"),
    *("tests/test_gradbench.py", "tests/test_junk.py", "tests/test_lecture.py", "autograd_rnn"),
)


def install(session: nox.Session, *extras: str, compiled: bool = False) -> None:
    """Install the package with the extras, its engine compiled or in plain Python."""
    what = f".[{','.join(extras)}]" if extras else "."
    session.install(what, env={"AUTOGRAD_RNN_COMPILE": str(int(compiled))})


def tools(name: str) -> list[str]:
    """What `dev` names so, in the versions that it asks for."""
    return [tool for tool in DEV if tool.startswith(name)]


@nox.session
def lint(session: nox.Session) -> None:
    """Style."""
    session.install(*tools("ruff"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types."""
    install(session, "testing", "plot")
    session.install(*tools("mypy"))
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """The suite on the engine in plain Python; what follows `--` goes to pytest."""
    install(session, "dev")
    session.run("pytest", *session.posargs)


@nox.session
def compiled(session: nox.Session) -> None:
    """The engine's tests on the compiled one; and at length what `pytest` tests in part."""
    install(session, "dev", compiled=True)
    at_length = ("pytest", "--engine=compiled", "--hypothesis-profile=long")
    session.run(*at_length, "-m=not nightly", *ENGINE, *session.posargs)
    others = [f"--ignore={path}" for path in ENGINE]
    session.run(*at_length, "-m=(hypothesis or long) and not nightly", *others, *session.posargs)


@nox.session(default=False)
def nightly(session: nox.Session) -> None:
    """A million random calls, and 500 random examples of what holds for all, on both engines."""
    install(session, "dev", compiled=True)
    marks = "nightly or long or hypothesis"
    for engine in ("python", "compiled"):
        options = (f"--engine={engine}", "--hypothesis-profile=nightly", f"-m={marks}")
        session.run("pytest", *options, *session.posargs)


@nox.session(default=False)
def sanitize(session: nox.Session) -> None:
    """The suite on an engine that gcc watches for wrong addresses and undefined behaviour."""
    install(session, "dev")
    flags = "-fsanitize=address,undefined"
    build = {"CFLAGS": f"{flags} -fno-sanitize-recover=undefined", "LDFLAGS": flags}
    build["AUTOGRAD_RNN_COMPILE"] = "1"
    ask = [("gcc", f"-print-file-name=lib{name}.so") for name in ("asan", "ubsan", "stdc++")]
    libraries = [str(session.run(*one, external=True, silent=True)).strip() for one in ask]
    watch = {
        "LD_PRELOAD": " ".join(libraries),
        # Python keeps some memory until its end.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # Else Python hands out parts of blocks, whose ends nobody watches.
        "PYTHONMALLOC": "malloc",
    }
    # Not here, where the next Python would find the extensions, and could not load them.
    with tempfile.TemporaryDirectory() as folder:
        session.run("git", "clone", "--quiet", ".", folder, external=True)
        with session.chdir(folder):
            session.run("python", "setup.py", "-q", "build_ext", "--inplace", env=build)
            tests = (
                "python",
                "-m",
                "pytest",
                "--engine=compiled",
                "-m=not nightly and not browser and not playground",
            )
            others = ("--ignore=tests/engine/test_compiled.py", *session.posargs)
            # The installed program, which a test runs, has the engine from here, too.
            session.run(*tests, *others, env={**watch, "CI": "true", "PYTHONPATH": folder})


@nox.session
def jax(session: nox.Session) -> None:
    """The tests of the backend that needs JAX, and of the page about it."""
    install(session, "testing", "jax")
    session.install(*tools("pytest"))
    session.run("python", "-c", "import jax")
    files = ("tests/backends/jax", "tests/ops/test_jax.py", "tests/test_documents.py")
    session.run("pytest", *files, "-k=jax")


@nox.session
def browser(session: nox.Session) -> None:
    """Pictures and the page that plays a sweep, in Chromium; skipped where there is none."""
    install(session, "dev", "browser")
    session.run("pytest", "-m=browser", "tests/pictures")


@nox.session
def playground(session: nox.Session) -> None:
    """The playground, built with npm, in Chromium and in Node; skipped where they are missing."""
    install(session, "testing", "browser")
    session.install(*tools("pytest"))
    session.run("pytest", "-m=playground", "tests/pictures/playground", *session.posargs)


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
    session.install("check-manifest", "pyroma", "sp-repo-review[cli]", "zizmor")
    session.run("validate-pyproject", "pyproject.toml")
    session.run("sp-repo-review", ".")
    session.run("zizmor", "--offline", "--quiet", ".github")
    session.run("check-manifest")
    # The tenth point is for an author's address and a home page: the project has neither.
    session.run("pyroma", "--min=9", ".")
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
