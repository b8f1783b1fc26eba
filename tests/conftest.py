"""What every test gets: offscreen Qt, a home of its own, and nothing left alive behind it."""

import gc
import importlib.util
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# A busy machine makes no example slow, and CI tries the same examples each time.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

# Before Qt is imported anywhere; a test that wants a real X window starts a process for it.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
# Native steps join a run when a thread has compiled them; tests of them ask for it.
os.environ.setdefault("GRADCORE_NATIVE", "0")

TESTS = Path(__file__).parent
PROMISE = "test_promise.py"
STATUS_FILE = "PARAMSCOPE_TESTS_STATUS"
PATIENCE = 3.0  # seconds that a thread or process has to end by itself after its test
# Folders of pure computation: nothing there starts threads, processes or widgets.
COMPUTATION = ("core/gradcore/", "test_promise.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the promise first, and skip what this machine or this run is not for."""
    items.sort(key=lambda item: item.path.name != PROMISE)
    for item in items:
        if "long" in item.keywords and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: python3 tests --long"))
        if "torch" in item.keywords and importlib.util.find_spec("torch") is None:
            reason = "PyTorch is not installed: python3 tests --torch"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Tell `python3 tests` that the session was finished, not cut off."""
    if place := os.environ.get(STATUS_FILE):
        Path(place).write_text(str(int(exitstatus)))


@pytest.fixture
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test settings, state and data folders of its own; return the folder of them."""
    home = tmp_path / "state home"
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA"):
        folder = home / name.lower()
        folder.mkdir(parents=True)
        monkeypatch.setenv(name, str(folder))
    if "PySide6.QtCore" in sys.modules:
        settings = sys.modules["PySide6.QtCore"].QSettings
        for kind in (settings.Format.NativeFormat, settings.Format.IniFormat):
            settings.setPath(kind, settings.Scope.UserScope, str(home / "xdg_config_home"))
    return home


@pytest.fixture
def application(qapp: Any, qtbot: Any, tmp_path: Path) -> Iterator[Any]:
    """The whole window offscreen with a real worker, loaded, on the welcome page."""
    from paramscope_gui.app import Application  # Qt, for the tests that want a window

    made = Application(qapp, tmp_path / "state")
    made.themes.set_scheme("light")
    with qtbot.waitSignal(made.loaded, timeout=10_000):
        made.open_when_ready()
    made.window.activateWindow()
    qtbot.waitUntil(made.window.isActiveWindow)
    yield made
    made.window.may_close = lambda: True
    made.window.close()
    made.window.deleteLater()
    made.deleteLater()


@pytest.fixture(autouse=True)
def _own_state(request: pytest.FixtureRequest) -> None:
    """See that no test, whether it asks or not, touches the settings of the user who runs it."""
    if not is_computation(request.path):
        request.getfixturevalue("state_home")


@pytest.fixture(autouse=True)
def _nothing_stays_alive(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread, a process, a widget, a running QTimer or a QThread."""
    if is_computation(request.path):
        yield
        return
    uses_qt = "qapp" in request.fixturenames
    if uses_qt:
        # What is there before a test is none of its doing: looking through it takes seconds.
        gc.freeze()
    threads, processes = set(threading.enumerate()), child_processes()
    qt_objects = living_qt_objects() if uses_qt else {}
    yield
    left = [f"thread {name}" for name in threads_left(threads)]
    left += [f"process {pid}: {name}" for pid, name in processes_left(processes).items()]
    if uses_qt:
        left += qt_objects_left(qt_objects)
    if left:
        pytest.fail("left alive: " + "; ".join(left), pytrace=False)


def is_computation(path: Path) -> bool:
    """Tell whether the test file at ``path`` only computes."""
    place = path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else ""
    return place.startswith(COMPUTATION)


def threads_left(before: set[threading.Thread]) -> list[str]:
    """Return the names of threads that are new and don't end in time."""
    new = [thread for thread in threading.enumerate() if thread not in before]
    deadline = time.monotonic() + PATIENCE
    for thread in new:
        if not isinstance(thread, threading._DummyThread):  # such a one cannot be joined
            thread.join(max(0.0, deadline - time.monotonic()))
    return [thread.name for thread in new if thread.is_alive()]


def child_processes() -> dict[int, str]:
    """Return this process's living children, number -> command line; {} where there is no /proc."""
    children: dict[int, str] = {}
    for listing in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, _read(listing).split()):
            state = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[:1]
            words = _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip()
            # Z is one that has ended; the resource tracker is Python's own and stays.
            if state not in ([], ["Z"]) and "resource_tracker" not in words:
                children[pid] = words or "(just started)"
    return children


def processes_left(before: dict[int, str]) -> dict[int, str]:
    """Return the children that are new and don't end in time."""
    new = {pid: words for pid, words in child_processes().items() if pid not in before}
    deadline = time.monotonic() + PATIENCE
    for pid in new:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        os.close(descriptor)
    return {pid: words for pid, words in child_processes().items() if pid in new}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it ended while we looked
        return ""


def living_qt_objects() -> dict[int, Any]:
    """Return top-level widgets, active timers and running threads of Qt, by their id."""
    core, widgets = sys.modules["PySide6.QtCore"], sys.modules.get("PySide6.QtWidgets")
    is_valid = sys.modules["shiboken6"].isValid
    windows = widgets.QApplication.topLevelWidgets() if widgets else []
    # The label of tool tips is Qt's own; it hides, and stays for the next one.
    found = [one for one in windows if one.metaObject().className() != "QTipLabel"]
    for candidate in gc.get_objects():
        # Of all objects there are, some answer `isinstance` with a warning of their own.
        if not issubclass(type(candidate), core.QTimer | core.QThread) or not is_valid(candidate):
            continue
        is_timer = isinstance(candidate, core.QTimer)
        if candidate.isActive() if is_timer else candidate.isRunning():
            found.append(candidate)
    return {id(one): one for one in found}


def qt_objects_left(before: dict[int, Any]) -> list[str]:
    """Return descriptions of Qt objects that are new and survive the deletions on their way."""
    core = sys.modules["PySide6.QtCore"]
    core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete.value)
    gc.collect()
    if not (new := living_qt_objects().keys() - before.keys()):
        return []
    core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete.value)
    living = living_qt_objects()
    return [
        f"{type(one).__name__} {one.objectName() or '(unnamed)'}"
        for number, one in living.items()
        if number in new and number not in before
    ]
