"""`python3 tests`: the same set-up, then every test, offscreen; the status is pytest's.

A run counts as passed only if pytest itself reported the end of the session: a process that
is ended from inside (``os._exit(0)`` in a test, say) or aborts on its way out has failed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bootstrap.environment import (
    READY,
    clean_environ,
    ensure_environment,
    ensure_torch,
    find_checkout,
    run_in_environment,
)
from bootstrap.errors import SetUpError
from bootstrap.start import INTERRUPTED, SET_UP_FAILED, say

USAGE = """\
usage: python3 tests [--torch] [--long] [pytest arguments]

  --torch   first install PyTorch, so that the tests which compare with it run
  --long    also run the tests that take minutes
  Everything else goes to pytest:  python3 tests tests/core -x -k softmax
"""
# tests/conftest.py writes pytest's status into the file that this names.
STATUS_FILE = "PARAMSCOPE_TESTS_STATUS"
# Folders of pure computation: they run beside the others, which open windows and start processes.
COMPUTATION = ("core/gradcore",)
DIED = 70
NO_TESTS = 5
"""pytest's status where there was none to run."""


def start_tests(folder: Path, arguments: Sequence[str]) -> int:
    """Run the tests of the checkout that ``folder`` (``tests``) lies in; return the status."""
    if "-h" in arguments or "--help" in arguments:
        print(USAGE, end="")
        return 0
    checkout = find_checkout(folder.parent)
    try:
        if os.environ.pop(READY, None) is None:
            ensure_environment(checkout, say)
            if "--torch" in arguments:
                ensure_torch(checkout, say)
            run_in_environment(checkout, [str(folder), *arguments])
        return run_pytest(checkout.root, [a for a in arguments if a != "--torch"])
    except SetUpError as error:
        say(str(error))
        return SET_UP_FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def run_pytest(root: Path, arguments: Sequence[str]) -> int:
    """Run pytest offscreen, the whole suite in two processes side by side; return the status."""
    options = coverage_options(root, arguments)
    has_own_coverage = any(argument.startswith("--cov") for argument in arguments)
    if not is_whole(root, arguments) or has_own_coverage or (os.cpu_count() or 1) < 2:
        with Session(root, [*options, *with_suite(root, arguments)]) as session:
            return session.status()
    beside = [str(root / "tests" / folder) for folder in COMPUTATION]
    rest = [*(f"--ignore={folder}" for folder in beside), str(root / "tests")]
    data = [root / ".coverage" / name for name in ("computation", "rest")]
    with (
        Session(root, [*options, *arguments, *beside], data[0], kept_back=True) as computation,
        Session(root, [*options, *arguments, *rest], data[1]) as other,
    ):
        statuses = [other.status(), computation.status()]
    if options:
        report_coverage(root, data)
    # What is chosen by a mark may lie in one of them alone.
    with_tests = [status for status in statuses if status != NO_TESTS] or [NO_TESTS]
    return next((status for status in with_tests if status), 0)


class Session:
    """One pytest process. Its output comes at once, or when it has ended (``kept_back``)."""

    def __init__(
        self,
        root: Path,
        arguments: Sequence[str],
        coverage_data: Path | None = None,
        *,
        kept_back: bool = False,
    ) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="paramscope-tests-")
        self._told = Path(self._scratch.name, "status")
        output = Path(self._scratch.name, "output")
        self._kept = output.open("w+b") if kept_back else None
        environ = {**clean_environ(), "QT_QPA_PLATFORM": "offscreen", STATUS_FILE: str(self._told)}
        if coverage_data is not None:
            environ["COVERAGE_FILE"] = str(coverage_data)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "--rootdir", str(root), *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=self._kept,
            stderr=self._kept and subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        if self._kept is not None:
            self._kept.close()
        self._scratch.cleanup()

    def status(self) -> int:
        """Wait for the end, print what was kept back, and judge by status *and* by its word."""
        returned = self._process.wait()
        if self._kept is not None:
            self._kept.seek(0)
            sys.stdout.flush()
            shutil.copyfileobj(self._kept, sys.stdout.buffer)
            sys.stdout.flush()
        told = self._told.read_text() if self._told.exists() else None
        status, complaint = verdict(returned, told)
        if complaint:
            say(complaint)
        return status


def report_coverage(root: Path, data: Sequence[Path]) -> None:
    """Print the coverage of several processes as one table."""
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "combine", "-q", *map(str, data)], cwd=root, check=False)
    subprocess.run([*coverage, "report", "--skip-covered"], cwd=root, check=False)


def verdict(returned: int, told: str | None) -> tuple[int, str]:
    """Return the status of the run and what to say, from the process's end and pytest's word."""
    if returned < 0:
        name = signal.Signals(-returned).name
        return 128 - returned, f"FAILED: the test process was ended by {name}."
    if returned == 0 and told != "0":
        return DIED, "FAILED: the test process ended before pytest had finished its session."
    return returned, ""


def with_suite(root: Path, arguments: Sequence[str]) -> list[str]:
    """Return ``arguments``, with the whole suite added when they name no test file or folder."""
    values = [argument for argument in arguments if not argument.startswith("-")]
    names_a_path = any("/" in value or ".py" in value or Path(value).exists() for value in values)
    return list(arguments) if names_a_path else [*arguments, str(root / "tests")]


def is_whole(root: Path, arguments: Sequence[str]) -> bool:
    """Tell whether the whole suite is asked for."""
    return with_suite(root, arguments) != list(arguments) and "-k" not in arguments


def coverage_options(root: Path, arguments: Sequence[str]) -> list[str]:
    """Report coverage when the whole suite runs and nobody asked for anything else.

    Python 3.12 measures it nearly for free; below, its tracer doubles the time of numeric
    tests, so there it is left to those who ask (``--cov``), and to CI.
    """
    if any(argument.startswith(("--cov", "-p", "--no-cov")) for argument in arguments):
        return []
    is_cheap = sys.version_info >= (3, 12)
    if not is_whole(root, arguments) or not (is_cheap or os.environ.get("CI")):
        return []
    report = "--cov-report=" if (os.cpu_count() or 1) > 1 else "--cov-report=term:skip-covered"
    return ["--cov", "--cov-config", str(root / "pyproject.toml"), report]
