"""Opening a file that does not say what its model is: the question, the answer, what is kept."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QListWidget, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from paramscope.document.run_settings import RunSettings
from paramscope_gui.app import Application
from paramscope_gui.window.model_dialog import ModelDialog

SOURCE = '''import torch
from torch import nn


class Head(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 2)

    def forward(self, x):
        return self.fc(x)


class Net(nn.Module):
    """A layer, and a scale that nobody trains."""

    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(6, width)
        self.scale = torch.ones(width, requires_grad=True)
        self.head = Head(width)

    def forward(self, x):
        return self.head(self.fc(x) * self.scale)
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of a user's with two classes and no ``build``."""
    path = tmp_path / "mine" / "net.py"
    path.parent.mkdir()
    path.write_text(SOURCE, encoding="utf-8")
    return path


def asked(qtbot: QtBot, application: Application, path: Path) -> ModelDialog:
    """Open a file and return the dialog once its guesses are there."""
    application.desktop.documents.open(path)
    dialog = application.desktop.chooser.dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: bool(dialog.settings.input))
    return dialog


def press(qtbot: QtBot, root: QWidget, name: str) -> None:
    """Click a button by its name."""
    found = root.findChild(QPushButton, name)
    assert found is not None
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)


def entry(root: QWidget, name: str) -> QLineEdit:
    """Return a field by its name."""
    found = root.findChild(QLineEdit, name)
    assert found is not None
    return found


def on_gradcore(qtbot: QtBot, dialog: ModelDialog) -> None:
    """Choose the engine that every machine has."""
    radio = dialog.findChild(QWidget, "model_engine_gradcore")
    assert radio is not None
    qtbot.mouseClick(radio, Qt.MouseButton.LeftButton)


def test_the_dialog_offers_the_whole_model_with_guesses(
    qtbot: QtBot, application: Application, file: Path
) -> None:
    dialog = asked(qtbot, application, file)
    assert dialog.settings.model == "Net(width=32)"
    assert dialog.settings.input == "randn(4, 6)"
    assert application.live.rows == {}


def test_what_was_chosen_runs_and_is_asked_only_once(
    qtbot: QtBot, application: Application, file: Path
) -> None:
    before = file.read_bytes()
    dialog = asked(qtbot, application, file)
    on_gradcore(qtbot, dialog)
    width = entry(dialog, "model_argument_0")
    width.selectAll()
    qtbot.keyClicks(width, "5")
    qtbot.waitUntil(lambda: dialog.settings.input == "randn(4, 6)")
    press(qtbot, dialog, "model_run")
    live = application.live
    qtbot.waitUntil(lambda: live.step_count == 5, timeout=20_000)
    qtbot.waitUntil(lambda: [one.rule for one in live.findings] == ["REG01"])
    assert live.rows["scale"].shape == (5,)
    assert live.rows["scale"].line == 20
    assert application.selection.scope.graph == "Net"

    application.desktop.new()
    application.desktop.documents.open(file)
    assert application.desktop.chooser.dialog is None
    assert application.workspace.run_settings == RunSettings("Net(width=5)", "randn(4, 6)")
    qtbot.waitUntil(lambda: "scale" in live.rows, timeout=20_000)
    assert file.read_bytes() == before


def test_drawing_only_runs_nothing(qtbot: QtBot, application: Application, file: Path) -> None:
    dialog = asked(qtbot, application, file)
    press(qtbot, dialog, "model_draw")
    assert application.desktop.chooser.dialog is None
    assert not application.live.is_trusted
    assert application.workspace.run_settings == RunSettings()
    qtbot.waitUntil(application.window.isActiveWindow)
    qtbot.keyClick(application.window, Qt.Key.Key_F5)
    assert application.desktop.chooser.dialog is not None


def test_another_class_has_other_questions(
    qtbot: QtBot, application: Application, file: Path
) -> None:
    dialog = asked(qtbot, application, file)
    listed = dialog.findChild(QListWidget, "model_list")
    assert listed is not None
    qtbot.keyClick(listed, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: dialog.settings.input == "randn(4, 32)")
    assert dialog.settings.model == "Head(width=32)"


def test_a_missing_argument_is_named_and_nothing_can_be_run(
    qtbot: QtBot, application: Application, file: Path
) -> None:
    dialog = asked(qtbot, application, file)
    entry(dialog, "model_argument_0").clear()
    assert not dialog.run_button.isEnabled()
    said = dialog.findChild(QWidget, "model_said")
    assert said is not None
    assert said.accessibleName() == "width has no default: say what it is."
    qtbot.keyClicks(entry(dialog, "model_argument_0"), "8 +")
    assert not dialog.run_button.isEnabled()


def test_forty_classes_are_filtered(qtbot: QtBot, application: Application, tmp_path: Path) -> None:
    head = "import torch\nfrom torch import nn\n"
    one = "\n\nclass Net{n}(nn.Module):\n    def forward(self, x):\n        return x * {n}\n"
    path = tmp_path / "many.py"
    path.write_text(head + "".join(one.format(n=n) for n in range(40)), encoding="utf-8")
    application.desktop.documents.open(path)
    dialog = application.desktop.chooser.dialog
    assert dialog is not None
    assert dialog.filter.isVisible()
    qtbot.keyClicks(dialog.filter, "net37")
    assert dialog.settings.model == "Net37()"


def test_a_wrong_input_is_said_and_can_be_changed(
    qtbot: QtBot, application: Application, file: Path
) -> None:
    dialog = asked(qtbot, application, file)
    on_gradcore(qtbot, dialog)
    given = entry(dialog, "model_input_0")
    given.selectAll()
    qtbot.keyClicks(given, "randn(4, 7)")
    press(qtbot, dialog, "model_run")
    notices = application.window.notices
    qtbot.waitUntil(lambda: notices.text_of("failure") is not None, timeout=20_000)
    press(qtbot, notices, "notice_failure_0")
    again = application.desktop.chooser.dialog
    assert again is not None
    qtbot.waitUntil(lambda: again.settings.input == "randn(4, 7)")


def test_a_document_with_build_is_not_asked_about(application: Application, tmp_path: Path) -> None:
    path = tmp_path / "whole.py"
    path.write_text(SOURCE + "\n\ndef build():\n    return Net(4)\n", encoding="utf-8")
    application.desktop.documents.open(path)
    assert application.desktop.chooser.dialog is None


def test_a_model_without_data_is_given_a_sample_input(
    qtbot: QtBot, application: Application, tmp_path: Path
) -> None:
    path = tmp_path / "whole.py"
    path.write_text(SOURCE + "\n\ndef build():\n    return Net(4)\n", encoding="utf-8")
    application.settings.trust(path)
    application.desktop.documents.open(path)
    application.live.play()
    notices = application.window.notices
    qtbot.waitUntil(lambda: notices.text_of("failure") is not None, timeout=20_000)
    press(qtbot, notices, "notice_failure_0")
    dialog = application.desktop.chooser.dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog.settings == RunSettings("", "randn(4, 6)"))
    press(qtbot, dialog, "model_run")
    qtbot.waitUntil(lambda: application.live.step_count == 5, timeout=20_000)
    assert [one.rule for one in application.live.findings] == ["REG01"]
