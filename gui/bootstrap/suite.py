"""`python3 tests`: the same set-up, then every test, offscreen; the status is pytest's.

A run counts as passed only if pytest itself reported the end of the session: a process that
is ended from inside (``os._exit(0)`` in a test, say) or aborts on its way out has failed.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

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
DIED = 70


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
    """Run pytest in a process of its own, offscreen, and judge by status *and* by its word."""
    with tempfile.TemporaryDirectory(prefix="paramscope-tests-") as scratch:
        status_file = Path(scratch, "status")
        environ = {**clean_environ(), "QT_QPA_PLATFORM": "offscreen", STATUS_FILE: str(status_file)}
        command = [sys.executable, "-m", "pytest", "--rootdir", str(root)]
        command += [*coverage_options(root, arguments), *with_suite(root, arguments)]
        finished = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, check=False)
        told = status_file.read_text() if status_file.exists() else None
    status, complaint = verdict(finished.returncode, told)
    if complaint:
        say(complaint)
    return status


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


def coverage_options(root: Path, arguments: Sequence[str]) -> list[str]:
    """Report coverage when the whole suite runs and nobody asked for anything else.

    Python 3.12 measures it nearly for free; below, its tracer doubles the time of numeric
    tests, so there it is left to those who ask (``--cov``), and to CI.
    """
    if any(argument.startswith(("--cov", "-p", "--no-cov")) for argument in arguments):
        return []
    is_whole = with_suite(root, arguments) != list(arguments) and "-k" not in arguments
    is_cheap = sys.version_info >= (3, 12)
    if not is_whole or not (is_cheap or os.environ.get("CI")):
        return []
    return [
        "--cov",
        "--cov-config",
        str(root / "pyproject.toml"),
        "--cov-report",
        "term:skip-covered",
    ]
