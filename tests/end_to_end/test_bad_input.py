"""What goes wrong in the user's code is said at its place, and the window lives on."""

import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from paramscope.document.document import Document
from paramscope.engine.protocol import RunState
from paramscope_gui.app import Application

LONGEST_STALL = 0.25  # seconds; two busy cores are no reason to fail, a hang is
MODEL = """import os
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x):
        {statement}
        return self.fc(x)


def build():
    return Net()


def batch():
    return torch.randn(4, 2), torch.randn(4, 1)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)
"""
FAULTY_LINE = 12


@pytest.fixture
def heartbeat(qapp: QApplication) -> Iterator["Heartbeat"]:
    """A heartbeat of the window, stopped after the test."""
    made = Heartbeat()
    yield made
    made.stop()


class Heartbeat:
    """Measures the longest time in which the window could not answer."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.longest = 0.0
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin to measure."""
        self._last = time.monotonic()
        self._timer.start()

    def _beat(self) -> None:
        now = time.monotonic()
        self.longest = max(self.longest, now - self._last)
        self._last = now

    def stop(self) -> float:
        """Return the longest gap."""
        self._timer.stop()
        return self.longest


def show(application: Application, statement: str) -> None:
    """Open a document whose forward holds the statement."""
    application.desktop.documents.new(Document(MODEL.format(statement=statement)), "faulty.py")


def test_a_syntax_error_keeps_the_graph_marks_the_line_and_loses_nothing(
    qtbot: QtBot, application: Application
) -> None:
    show(application, "pass")
    window, workspace = application.window, application.workspace
    nodes = set(window.canvas.scene.nodes_by_id)
    assert "fc" in nodes
    editor = window.code.editor
    editor.setFocus()
    editor.go_to_line(9)
    qtbot.keyClicks(editor, " +* 3")
    qtbot.waitUntil(lambda: workspace.source_error is not None)
    assert set(window.canvas.scene.nodes_by_id) == nodes
    assert "self.fc = nn.Linear(2, 1) +* 3" in workspace.document.source
    assert editor.marks[9].role == "vermilion"
    assert window.problems.problems[0].rule == "SYNTAX"
    for _ in range(5):
        qtbot.keyClick(editor, Qt.Key.Key_Backspace)
    qtbot.waitUntil(lambda: workspace.source_error is None)
    assert 9 not in editor.marks


def test_an_exception_shows_on_the_line_that_raised(qtbot: QtBot, application: Application) -> None:
    show(application, "x = x @ torch.ones(7, 7)")
    application.window.menus.actions["run_step"].trigger()
    qtbot.waitUntil(lambda: application.live.failure is not None, timeout=15_000)
    editor = application.window.code.editor
    assert FAULTY_LINE in editor.marks
    text = application.window.notices.text_of("failure")
    assert text is not None
    assert text.startswith(f"line {FAULTY_LINE}: ")
    assert f"line {FAULTY_LINE}" in application.window.log.text.toPlainText()
    button = application.window.findChild(QPushButton, "notice_failure_0")
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert editor.textCursor().blockNumber() + 1 == FAULTY_LINE


def test_a_failure_that_is_mended_by_typing_goes_away(
    qtbot: QtBot, application: Application
) -> None:
    show(application, "undefined_name")
    live, editor = application.live, application.window.code.editor
    application.window.menus.actions["run_step"].trigger()
    qtbot.waitUntil(lambda: live.failure is not None, timeout=15_000)
    editor.setFocus()
    editor.go_to_line(FAULTY_LINE)
    cursor = editor.textCursor()
    cursor.movePosition(QTextCursor.MoveOperation.StartOfBlock, QTextCursor.MoveMode.KeepAnchor)
    editor.setTextCursor(cursor)
    qtbot.keyClicks(editor, "        pass")
    qtbot.waitUntil(lambda: live.state is RunState.READY and live.failure is None, timeout=15_000)
    application.window.menus.actions["run_step"].trigger()
    qtbot.waitUntil(lambda: live.step_count >= 1, timeout=15_000)
    assert application.window.notices.text_of("failure") is None


@pytest.mark.parametrize(
    "statement",
    ["while True: pass", "import time; time.sleep(3600)"],
    ids=["endless loop", "blocking call"],
)
def test_code_that_never_returns_is_stopped(
    qtbot: QtBot, application: Application, heartbeat: Heartbeat, statement: str
) -> None:
    show(application, statement)
    qtbot.waitUntil(lambda: application.live.state is RunState.READY, timeout=15_000)
    heartbeat.start()
    application.window.menus.actions["run_play"].trigger()
    qtbot.waitUntil(lambda: application.live.state is RunState.RUNNING, timeout=10_000)
    stop = application.window.menus.actions["run_stop"]
    assert stop.isEnabled()
    stop.trigger()
    qtbot.waitUntil(lambda: application.live.state is not RunState.RUNNING, timeout=5_000)
    assert heartbeat.stop() < LONGEST_STALL
    show(application, "pass")
    application.window.menus.actions["run_play"].trigger()
    qtbot.waitUntil(lambda: application.live.step_count > 3, timeout=15_000)


@pytest.mark.parametrize(
    "statement",
    ["os.abort()", "os._exit(3)", "os.kill(os.getpid(), 11)"],
    ids=["abort", "exit", "segmentation fault"],
)
def test_a_crash_of_the_worker_is_told_and_a_restart_offered(
    qtbot: QtBot, application: Application, heartbeat: Heartbeat, statement: str
) -> None:
    show(application, statement)
    qtbot.waitUntil(lambda: application.live.state is RunState.READY, timeout=15_000)
    heartbeat.start()
    source = application.workspace.document.source
    application.window.menus.actions["run_step"].trigger()
    notices = application.window.notices
    qtbot.waitUntil(lambda: notices.text_of("failure") is not None, timeout=10_000)
    qtbot.waitUntil(lambda: application.live.state is RunState.STOPPED)  # told a message later
    assert heartbeat.stop() < LONGEST_STALL
    assert application.workspace.document.source == source
    assert application.live.rows  # the last snapshot stays
    button = application.window.findChild(QPushButton, "notice_failure_0")
    assert button is not None
    assert button.text() == "Start again"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: application.live.state is RunState.READY, timeout=15_000)
    assert notices.text_of("failure") is None


def test_a_flood_of_output_does_not_stop_the_window(
    qtbot: QtBot, application: Application, heartbeat: Heartbeat
) -> None:
    show(application, "print('flood ' * 20000)")
    qtbot.waitUntil(lambda: application.live.state is RunState.READY, timeout=15_000)
    heartbeat.start()
    application.window.menus.actions["run_play"].trigger()
    qtbot.waitUntil(lambda: application.live.step_count > 50, timeout=30_000)
    application.live.pause()
    assert heartbeat.stop() < LONGEST_STALL
    assert "flood" in application.window.log.text.toPlainText()


def test_a_loss_that_is_no_number_pauses_and_says_so(
    qtbot: QtBot, application: Application
) -> None:
    show(application, "x = x * float('nan')")
    qtbot.waitUntil(lambda: application.live.state is RunState.READY, timeout=15_000)
    application.window.menus.actions["run_play"].trigger()
    qtbot.waitUntil(lambda: application.live.failure is not None, timeout=15_000)
    assert application.live.state is not RunState.RUNNING
    assert application.window.notices.text_of("failure") is not None
