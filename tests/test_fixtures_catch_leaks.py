"""The fixtures of conftest.py are themselves tested: each kind of leak fails its test."""

import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

LEAKS = {
    "thread": """
        import threading
        def test_leaves_a_thread():
            threading.Thread(target=threading.Event().wait, name="loose", daemon=True).start()
    """,
    "process": """
        import subprocess, sys
        KEPT = []
        def test_leaves_a_process():
            KEPT.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
    """,
    "QTimer": """
        from PySide6.QtCore import QTimer
        KEPT = []
        def test_leaves_a_timer(qapp):
            KEPT.append(QTimer())
            KEPT[0].start(1000)
    """,
    "QWidget": """
        from PySide6.QtWidgets import QWidget
        KEPT = []
        def test_leaves_a_window(qapp):
            KEPT.append(QWidget())
            KEPT[0].show()
    """,
    "QThread": """
        from PySide6.QtCore import QThread
        KEPT = []
        def test_leaves_a_qthread(qapp):
            KEPT.append(QThread())
            KEPT[0].start()
    """,
}
"""Kind of leak -> a test that leaves one behind, and would otherwise pass."""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return an empty project with this project's conftest.py and pytest settings."""
    here = Path(__file__).parent
    pytester.makeconftest((here / "conftest.py").read_text() + "\nPATIENCE = 0.2\n")
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\nfilterwarnings = ["error"]\nqt_log_level_fail = "WARNING"\n'
    )
    return pytester


def run(project: pytest.Pytester, source: str) -> pytest.RunResult:
    """Run ``source`` as a test file in a process of its own."""
    project.makepyfile(textwrap.dedent(source))
    return project.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:cov")


@pytest.mark.parametrize("kind", LEAKS)
def test_what_a_test_leaves_alive_fails_it(project: pytest.Pytester, kind: str) -> None:
    result = run(project, LEAKS[kind])
    result.stdout.fnmatch_lines([f"*left alive: {kind}*"])
    assert result.ret != pytest.ExitCode.OK  # Qt aborts the process over a living QThread


def test_a_qt_warning_fails_its_test(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        from PySide6.QtCore import qWarning
        def test_warns(qapp):
            qWarning("something is off")
        """,
    )
    result.assert_outcomes(failed=1)


def test_an_exception_in_a_slot_fails_its_test(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        from PySide6.QtCore import QTimer
        def test_raises_in_a_slot(qtbot):
            called = []
            def slot():
                called.append(True)
                raise ValueError("in a slot")
            QTimer.singleShot(0, slot)
            qtbot.waitUntil(lambda: bool(called))
        """,
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*ValueError: in a slot*"])


def test_a_clean_window_passes(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        import threading
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QMainWindow
        def test_opens_and_closes(qtbot):
            window = QMainWindow()
            qtbot.addWidget(window)
            timer = QTimer(window)
            timer.start(1000)
            window.show()
            thread = threading.Thread(target=lambda: None)
            thread.start()
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_test_has_a_state_home_of_its_own(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        import os
        def test_one(state_home):
            assert str(state_home) in os.environ["XDG_STATE_HOME"]
        def test_two(tmp_path):
            assert str(tmp_path) in os.environ["XDG_CONFIG_HOME"]
        """,
    )
    result.assert_outcomes(passed=2)
