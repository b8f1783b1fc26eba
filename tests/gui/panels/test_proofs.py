"""Proving an edit in the window: it runs on a copy, shows before and after, and is then offered."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from paramscope.document.document import Document
from paramscope.engine.protocol import Phase, Snapshot
from paramscope.rules.finding import Finding, OfferedEdit
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels.problems import ProblemsPanel
from paramscope_gui.panels.proof import edit_text
from paramscope_gui.theme import ThemeModel

REGISTER = OfferedEdit("Register as Parameter", "register", "Net", "scale", 9)
FORGOTTEN = Finding(
    "REG01", "scale", "E", "`scale` never learns.", "A plain tensor.", 9, (REGISTER,)
)
MENDED = "self.scale = nn.Parameter(torch.ones(8))"
PATIENCE = 30_000


@pytest.fixture
def panel(
    qtbot: QtBot,
    themes: ThemeModel,
    workspace: Workspace,
    selection: Selection,
    live: Live,
    tmp_path: Path,
) -> ProblemsPanel:
    """The list with one problem of a file of the user's."""
    path = tmp_path / "net.py"
    path.write_text(workspace.document.source, encoding="utf-8")
    workspace.open_file(path)
    made = ProblemsPanel(themes, workspace, selection, live)
    qtbot.addWidget(made, before_close_func=lambda one: one.close_timers())
    made.resize(560, 260)
    made.show()
    report(qtbot, made, live)
    return made


def report(qtbot: QtBot, panel: ProblemsPanel, live: Live) -> None:
    """Let the worker report the forgotten tensor."""
    with qtbot.waitSignal(panel.count_changed):
        live.receive(Snapshot(revision=1, step=1, phase=Phase.IDLE, findings=(FORGOTTEN,)))


def press(qtbot: QtBot, panel: QWidget, name: str) -> None:
    """Click a button by its name."""

    def found() -> list[QPushButton]:
        return [one for one in panel.findChildren(QPushButton, name) if one.isVisible()]

    qtbot.waitUntil(lambda: len(found()) == 1)
    qtbot.mouseClick(found()[0], Qt.MouseButton.LeftButton)


def shown(panel: ProblemsPanel) -> list[str]:
    """Return what the proof tells, as a screen reader would read it."""
    found = panel.proof.findChild(QWidget, "proof_facts")
    assert found is not None
    return [one.accessibleName() for one in found.findChildren(QWidget) if one.accessibleName()]


def test_a_proved_edit_is_offered_and_taken(
    qtbot: QtBot, panel: ProblemsPanel, workspace: Workspace
) -> None:
    before = workspace.document.source
    press(qtbot, panel, "problem_0_edit_register")
    assert workspace.document.source == before
    qtbot.waitUntil(lambda: panel.proof.trial is not None, timeout=PATIENCE)
    assert "found → gone" in shown(panel)
    assert any("moves by" in one for one in shown(panel))
    assert panel.proof.findChild(QWidget, "proof_losses") is not None
    assert workspace.document.source == before
    press(qtbot, panel, "proof_apply")
    assert MENDED in workspace.document.source
    assert not panel.proof.isVisible()
    assert workspace.path is not None
    assert workspace.path.read_text(encoding="utf-8") == before


def test_the_keyboard_takes_a_proved_edit(
    qtbot: QtBot, panel: ProblemsPanel, workspace: Workspace
) -> None:
    edit = panel.findChild(QPushButton, "problem_0_edit_register")
    assert edit is not None
    qtbot.keyClick(edit, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: panel.proof.trial is not None, timeout=PATIENCE)
    apply = panel.proof.findChild(QPushButton, "proof_apply")
    assert apply is not None
    qtbot.keyClick(apply, Qt.Key.Key_Space)
    assert MENDED in workspace.document.source


def test_an_edit_that_never_ends_is_cancelled_at_once(
    qtbot: QtBot, panel: ProblemsPanel, workspace: Workspace, live: Live
) -> None:
    endless = workspace.document.source.replace(
        "def build():\n", "def build():\n    while True:\n        pass\n"
    )
    workspace.new(Document(endless))
    report(qtbot, panel, live)
    press(qtbot, panel, "problem_0_edit_prove")
    qtbot.waitUntil(lambda: panel.proof.isVisible())
    press(qtbot, panel, "proof_cancel")
    assert not panel.proving.is_running
    assert not panel.proof.isVisible()
    assert workspace.document.source == endless


def test_a_refused_proof_says_why_and_offers_nothing(
    qtbot: QtBot, panel: ProblemsPanel, workspace: Workspace, live: Live
) -> None:
    source = workspace.document.source
    broken = source.replace("    x = torch.randn(16, 2)\n", "    raise ValueError('no data')\n")
    workspace.new(Document(broken))
    report(qtbot, panel, live)
    press(qtbot, panel, "problem_0_edit_prove")
    qtbot.waitUntil(lambda: panel.proof.trial is not None, timeout=PATIENCE)
    trial = panel.proof.trial
    assert trial is not None
    assert "ValueError: no data" in trial.refusal
    apply = panel.proof.findChild(QPushButton, "proof_apply")
    assert apply is not None
    assert not apply.isVisible()
    qtbot.keyClick(panel.proof, Qt.Key.Key_Escape)
    assert not panel.proof.isVisible()
    assert workspace.document.source == broken


def test_a_lessons_edit_is_made_at_once(
    qtbot: QtBot, panel: ProblemsPanel, workspace: Workspace, live: Live
) -> None:
    workspace.new(Document(workspace.document.source))
    report(qtbot, panel, live)
    press(qtbot, panel, "problem_0_edit_register")
    assert MENDED in workspace.document.source


def test_an_edit_is_copied_as_its_new_lines(qtbot: QtBot, panel: ProblemsPanel) -> None:
    press(qtbot, panel, "problem_0_edit_copy")
    assert QGuiApplication.clipboard().text() == f"        {MENDED}\n"


def test_an_edit_in_two_places_is_copied_as_a_difference() -> None:
    text = edit_text("a = 1\nb = 2\nc = 3\n", "a = 0\nb = 2\nc = 0\n")
    assert text.startswith("--- before\n+++ after\n")
    assert "-a = 1\n+a = 0\n" in text


def test_the_button_says_whether_it_proves_or_applies(
    qtbot: QtBot, panel: ProblemsPanel, workspace: Workspace, live: Live
) -> None:
    button = panel.findChild(QPushButton, "problem_0_edit_register")
    assert button is not None
    assert button.text() == "Prove: Register as Parameter"
    assert "copy" in button.toolTip()
    workspace.new(Document(workspace.document.source))
    report(qtbot, panel, live)
    qtbot.waitUntil(lambda: len(panel.findChildren(QPushButton, "problem_0_edit_register")) == 1)
    button = panel.findChild(QPushButton, "problem_0_edit_register")
    assert button is not None
    assert button.text() == "Register as Parameter"
    assert "at once" in button.toolTip()
