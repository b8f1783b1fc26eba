"""What the two commands say on a machine that lacks something: Python, a screen, libraries."""

import ast
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.display import display_problem, x_server_answers
from bootstrap.errors import SetUpError
from bootstrap.libraries import (
    ALWAYS,
    X_WINDOW,
    debian_packages,
    install_line,
    missing_libraries,
    require_libraries,
)
from bootstrap.python import newer_python, refusal
from bootstrap.qt import OFFSCREEN_NOISE, unsound_pair

ROOT = Path(__file__).parents[1]
PARSED_BY_ANY_PYTHON = (
    "gui/__main__.py",
    "tests/__main__.py",
    "gui/bootstrap/__init__.py",
    "gui/bootstrap/python.py",
)


def nothing(*_: object) -> None:
    return None


def test_an_old_python_is_told_which_one_is_needed_and_which_one_runs() -> None:
    assert refusal((3, 10, 2), "/usr/bin/python3", "gui", None) == (
        "Paramscope needs Python 3.11 or newer; this is Python 3.10.\n"
        "  The Python that was started is /usr/bin/python3.\n"
        "  Install a newer one (Debian, Ubuntu: apt-get install python3.11; others: python.org),\n"
        "  then run:  python3.11 gui"
    )


def test_an_old_python_is_told_of_a_newer_one_on_the_path(tmp_path: Path) -> None:
    (tmp_path / "python3.12").touch()
    found = newer_python(f"/nowhere:{tmp_path}")
    assert found == "python3.12"
    assert "Run:  python3.12 tests" in str(refusal((2, 7, 18), "python", "tests", found))


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 14, 1), (4, 0, 0)])
def test_a_supported_python_is_not_refused(version: tuple[int, int, int]) -> None:
    assert refusal(version, "python3", "gui", None) is None


@pytest.mark.parametrize("name", PARSED_BY_ANY_PYTHON)
def test_what_runs_first_uses_only_old_syntax(name: str) -> None:
    new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef)
    nodes = list(ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))))
    assert [node for node in nodes if isinstance(node, new)] == []
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    arguments = [argument for node in functions for argument in node.args.args]
    assert [one for one in [*functions, *arguments] if getattr(one, "annotation", None)] == []
    assert [node for node in functions if node.returns or node.args.kwonlyargs] == []


@pytest.mark.parametrize("command", ["gui", "tests"])
@pytest.mark.parametrize("old", ["python2.7", "python3.6", "python3.8", "python3.10"])
def test_an_old_python_gets_a_sentence_not_a_syntax_error(old: str, command: str) -> None:
    # A launcher of that name may be there without the Python behind it.
    if not shutil.which(old) or subprocess.run([old, "-V"], capture_output=True).returncode:
        pytest.skip(f"{old} is not on this machine")
    finished = subprocess.run([old, ROOT / command], capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith("Paramscope needs Python 3.11 or newer")


def test_no_display_is_said_and_the_demo_offered() -> None:
    problem = display_problem("linux", {})
    assert problem is not None
    assert problem.startswith("There is no display here: neither DISPLAY nor WAYLAND_DISPLAY")
    assert "python3 gui --demo" in problem


def test_a_display_that_nobody_answers_at_is_named() -> None:
    problem = display_problem("linux", {"DISPLAY": ":77"}, answers=lambda display: False)
    assert str(problem).startswith("No X server answers at DISPLAY=:77")


@pytest.mark.parametrize(
    ("platform", "environ"),
    [
        ("win32", {}),
        ("darwin", {}),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}),
        ("linux", {"QT_QPA_PLATFORM": "offscreen"}),
        ("linux", {"DISPLAY": ":0"}),
    ],
)
def test_a_screen_is_recognised(platform: str, environ: dict[str, str]) -> None:
    assert display_problem(platform, environ, answers=lambda display: True) is None


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_x_server_is_found_by_its_socket() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0/tmp/.X11-unix/X4242")
        server.listen()
        assert x_server_answers(":4242")
        assert x_server_answers("unix:4242.0")
    assert not x_server_answers(":4242")
    assert not x_server_answers("nonsense")


def test_libraries_that_do_not_load_are_missing() -> None:
    def load(name: str) -> None:
        if name == "libEGL.so.1":
            raise OSError(name)

    assert missing_libraries(ALWAYS, load) == ["libEGL.so.1"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Qt brings what it needs")
def test_the_libraries_asked_for_are_those_that_are_here() -> None:
    assert missing_libraries(ALWAYS) == []


def test_packages_have_the_names_of_the_release() -> None:
    libraries = ["libglib-2.0.so.0", "libgthread-2.0.so.0", "libEGL.so.1"]
    bookworm = {"libglib2.0-0", "libegl1"}
    trixie = {"libglib2.0-0t64", "libegl1"}
    assert debian_packages(libraries, bookworm.__contains__) == ["libegl1", "libglib2.0-0"]
    assert debian_packages(libraries, trixie.__contains__) == ["libegl1", "libglib2.0-0t64"]


def test_the_line_to_run_is_in_the_words_of_the_system() -> None:
    def only(installer: str) -> object:
        return lambda name: name if name == installer else None

    known = {"libegl1"}.__contains__
    libraries = ["libEGL.so.1"]
    assert install_line(libraries, only("apt-get"), known) == "sudo apt-get install -y libegl1"
    assert install_line(libraries, only("dnf"), known) == "sudo dnf install 'libEGL.so.1()(64bit)'"
    assert "libEGL.so.1" in install_line(libraries, only("pacman"), known)


def test_a_user_is_told_the_one_line_that_installs_libraries() -> None:
    def load(name: str) -> None:
        raise OSError(name)

    with pytest.raises(SetUpError) as caught:
        require_libraries(["libEGL.so.1"], nothing, is_root=False, load=load, which=nothing)
    assert str(caught.value) == (
        "Qt needs shared libraries that this system lacks: libEGL.so.1.\n"
        "  They belong to the system and don't come with Python packages.\n"
        "  Install the packages of your system that bring libEGL.so.1."
    )


def test_every_library_has_a_package() -> None:
    assert all(packages for packages in {**ALWAYS, **X_WINDOW}.values())


@pytest.mark.parametrize(
    ("python", "pyside", "is_refused"),
    [
        ((3, 11), "6.12.0", True),
        ((3, 11), "6.12.1", True),
        ((3, 12), "6.12.0", False),
        ((3, 11), "6.11.3", False),
        ((3, 14), "6.13.0", False),
    ],
)
def test_the_unsound_release_of_qt_for_python_is_refused(
    python: tuple[int, int], pyside: str, is_refused: bool
) -> None:
    problem = unsound_pair(python, pyside)
    assert (problem is not None) == is_refused
    assert problem is None or "Delete the folder .venv" in problem


SAYS = """
import sys
from PySide6 import QtCore
from bootstrap.qt import drop_offscreen_noise
drop_offscreen_noise(QtCore)
for text in sys.argv[1:]:
    QtCore.qWarning(text)
"""


def test_of_what_qt_says_offscreen_only_the_noise_is_dropped() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", SAYS, "before", OFFSCREEN_NOISE, "after"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "gui",
    )
    assert finished.stderr == "before\nafter\n"
