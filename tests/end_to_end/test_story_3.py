"""Story 3, optimizer truth: a layer is replaced after the optimizer was made.

The window says which tensors are stepped for nothing and which by nobody; *Rebuild optimizer*
mends it and keeps what the optimizer has gathered for the rest.
"""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from paramscope.census.rows import Stepping
from paramscope_gui.app import Application
from paramscope_gui.bridge.selection import PROGRAM

SOURCE = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(2, 8)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


def build():
    return Net()


def optimizer(model):
    made = torch.optim.Adam(model.parameters(), lr=0.02)
    return made


def batch():
    x = torch.randn(32, 2)
    return x, x[:, :1] * x[:, 1:]


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)
"""
REPLACED = "    model.head = nn.Linear(8, 1)  # a fresh head\n"
MADE = "    made = torch.optim.Adam(model.parameters(), lr=0.02)\n"
SAYS = (
    "2 tensors in the optimizer are not in the model; 2 in the model are stepped by nobody:"
    " `head.weight`, `head.bias`."
)
PATIENCE = 20_000


def press(qtbot: QtBot, root: QWidget, kind: type[QWidget], name: str) -> None:
    """Click the one visible widget of a name."""

    def found() -> list[QWidget]:
        return [one for one in root.findChildren(kind, name) if one.isVisible()]

    qtbot.waitUntil(lambda: len(found()) == 1, timeout=PATIENCE)
    qtbot.mouseClick(found()[0], Qt.MouseButton.LeftButton)


def open_and_train(qtbot: QtBot, application: Application, path: Path) -> None:
    """Open the file, trust it, and let it train for a while."""
    application.desktop.documents.open(path)
    press(qtbot, application.window.notices, QPushButton, "notice_trust_0")
    qtbot.waitUntil(lambda: application.live.step_count > 50, timeout=PATIENCE)
    press(qtbot, application.window, QToolButton, "run_play_button")
    qtbot.waitUntil(lambda: not application.live.is_busy, timeout=PATIENCE)


def replace_the_head(qtbot: QtBot, application: Application) -> None:
    """Type the line that replaces a layer below the one that makes the optimizer."""
    editor = application.window.code.editor
    editor.go_to_line(SOURCE[: SOURCE.index(MADE)].count("\n") + 1)
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_End)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.keyClicks(editor, REPLACED.strip())
    qtbot.waitUntil(lambda: REPLACED in application.workspace.document.source, timeout=PATIENCE)


def see_who_is_stepped(qtbot: QtBot, application: Application) -> None:
    """Take a step: the verdict counts both sides, and the rows say who is stepped."""
    live = application.live
    qtbot.waitUntil(lambda: live.state == "ready", timeout=PATIENCE)
    press(qtbot, application.window, QToolButton, "run_step_button")
    qtbot.waitUntil(lambda: [one.rule for one in live.findings] == ["OPT02"], timeout=PATIENCE)
    assert live.findings[0].message == SAYS
    assert live.rows["head.weight"].stepping is Stepping.NOT_STEPPED
    assert live.rows["body.weight"].stepping is Stepping.IN_OPTIMIZER


def test_the_optimizer_is_rebuilt_and_keeps_the_state_of_the_rest(
    qtbot: QtBot, application: Application, tmp_path: Path
) -> None:
    live, window = application.live, application.window

    def steppings() -> set[Stepping]:
        return {row.stepping for row in live.rows.values()}

    path = tmp_path / "net.py"
    path.write_text(SOURCE, encoding="utf-8")
    open_and_train(qtbot, application, path)
    trained = live.step_count

    replace_the_head(qtbot, application)
    see_who_is_stepped(qtbot, application)
    press(qtbot, window.problems, QWidget, "problem_0")
    assert application.selection.scope == PROGRAM
    assert application.selection.nodes == {"optimizer"}

    press(qtbot, window.problems, QPushButton, "problem_0_edit_rebuild_optimizer")
    qtbot.waitUntil(lambda: window.problems.proof.trial is not None, timeout=PATIENCE)
    trial = window.problems.proof.trial
    assert trial is not None
    assert trial.is_proved
    before = live.rows["body.weight"].value_statistics
    press(qtbot, window.problems, QPushButton, "proof_apply")
    source = application.workspace.document.source
    assert source.index(REPLACED) < source.index(MADE)
    qtbot.waitUntil(lambda: steppings() == {Stepping.IN_OPTIMIZER}, timeout=PATIENCE)
    assert live.step_count > trained
    assert {path for path, row in live.rows.items() if row.has_optimizer_state} == {
        "body.weight",
        "body.bias",
    }
    assert live.rows["body.weight"].value_statistics == before
    press(qtbot, window, QToolButton, "run_step_button")
    qtbot.waitUntil(lambda: all(row.has_optimizer_state for row in live.rows.values()))
    assert not live.findings
    assert path.read_text(encoding="utf-8") == SOURCE
