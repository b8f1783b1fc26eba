"""Story 2, open my PyTorch file: a dozen planted mistakes, each told with its cause and its fix.

The class is picked, a sample input given; the verdicts stand on tree, canvas and code, and the
file is the same, byte for byte, afterwards.
"""

import importlib.util
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLineEdit, QListWidget, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from paramscope.census.rows import Gradient, Kind
from paramscope_gui.app import Application
from paramscope_gui.panels.problem_card import ProblemCard
from paramscope_gui.panels.tensor_delegate import badge_area
from paramscope_gui.panels.tensor_model import Column

SOURCE = '''"""An attention classifier, as somebody wrote it, with what somebody overlooked."""

import torch
import torch.nn as nn


class Norm:
    def __init__(self, width):
        self.gain = nn.Parameter(torch.ones(width))

    def __call__(self, x):
        return x * self.gain


class Embedded(nn.Module):
    def __init__(self, vocab, width):
        super().__init__()
        self.words = nn.Embedding(vocab, width)
        self.position = torch.randn(8, width, requires_grad=True)

    def forward(self, tokens):
        return self.words(tokens) + self.position


class Classifier(nn.Module):
    def __init__(self, vocab, width=16, classes=4):
        super().__init__()
        self.embed = Embedded(vocab, width)
        self.keys = torch.randn(width, width)
        self.heads = [nn.Linear(width, width) for _ in range(2)]
        self.mix = [nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))]
        self.norm = Norm(width)
        self.gate = nn.Parameter(torch.randn(width)).double().float()
        self.blocks = nn.ModuleList([nn.Linear(width, width)] * 2)
        self.extra = nn.Linear(width, width)
        self.extra.weight.require_grad = False
        self.frozen = nn.Linear(width, width)
        self.frozen.requires_grad = False
        self.temperature = nn.Parameter(torch.ones(1))
        self.unused = nn.Linear(width, width)
        self.register_buffer("shift", torch.zeros(width, requires_grad=True))
        self.out = nn.Linear(width, classes)

    def forward(self, tokens):
        x = self.embed(tokens)
        x = x @ self.keys
        for head in self.heads:
            x = torch.tanh(head(x))
        x = x * self.mix[0] + self.mix[1]
        x = self.norm(x) * (1 + self.gate)
        for block in self.blocks:
            x = torch.relu(block(x))
        x = self.frozen(self.extra(x)) + self.shift
        x = x.mean(1) / self.temperature.item()
        return self.out(x)


if __name__ == "__main__":
    model = Classifier(vocab=50)
'''
MISTAKES = {
    "FRZ01": "extra.weight",
    "FRZ02": "frozen",
    "GRA01": "unused",
    "GRA02": "temperature",
    "REG01": "embed.position",
    "REG02": "keys",
    "REG03": "mix",
    "REG04": "heads",
    "REG05": "gate",
    "REG07": "norm",
    "REG12": "shift",
    "REG13": "blocks",
}
STATES = {
    "embed.position": Kind.FORGOTTEN_TENSOR,
    "keys": Kind.FORGOTTEN_TENSOR,
    "mix.0": Kind.FORGOTTEN_PARAMETER,
    "heads.0": Kind.FORGOTTEN_MODULE,
    "norm.gain": Kind.FORGOTTEN_PARAMETER,
    "gate": Kind.NON_LEAF,
    "shift": Kind.BUFFER,
    "temperature": Kind.PARAMETER,
}
# 2 seconds are promised on an idle machine; the tests share theirs with other work.
PROMISED = 2.0
SLACK = 4.0
has_torch = importlib.util.find_spec("torch") is not None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The user's file."""
    path = tmp_path / "project" / "classifier.py"
    path.parent.mkdir()
    path.write_text(SOURCE, encoding="utf-8")
    return path


def press(qtbot: QtBot, root: QWidget, kind: type[QWidget], name: str) -> None:
    """Click the one visible widget of a name."""

    def found() -> list[QWidget]:
        return [one for one in root.findChildren(kind, name) if one.isVisible()]

    qtbot.waitUntil(lambda: len(found()) == 1)
    qtbot.mouseClick(found()[0], Qt.MouseButton.LeftButton)


def pick_the_class(qtbot: QtBot, application: Application, engine: str) -> None:
    """Answer the dialog: the class with the mouse, the sample input with the keyboard."""
    dialog = application.desktop.chooser.dialog
    assert dialog is not None
    listed = dialog.findChild(QListWidget, "model_list")
    assert listed is not None
    item = next(
        listed.item(place)
        for place in range(listed.count())
        if listed.item(place).text().startswith("Classifier")
    )
    place = listed.visualItemRect(item).center()
    qtbot.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: dialog.settings.input == "randint(0, 50, (4, 8))")
    assert dialog.settings.model == "Classifier(vocab=50)"
    sample = dialog.findChild(QLineEdit, "model_input_0")
    assert sample is not None
    sample.selectAll()
    qtbot.keyClicks(sample, "randint(0, 50, (6, 8))")
    press(qtbot, dialog, QWidget, f"model_engine_{engine}")
    press(qtbot, dialog, QPushButton, "model_run")


def cards(application: Application) -> dict[str, ProblemCard]:
    """Return the cards that are shown, by their rule."""
    found = application.window.problems.findChildren(ProblemCard)
    return {card.problem.rule: card for card in found if card.isVisible()}


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("torch", marks=pytest.mark.skipif(not has_torch, reason="needs PyTorch")),
        "gradcore",
    ],
)
def test_each_tensor_has_its_state_its_cause_and_its_fix(
    qtbot: QtBot, application: Application, file: Path, engine: str
) -> None:
    before = file.read_bytes()
    live, window = application.live, application.window
    application.desktop.documents.open(file)
    pick_the_class(qtbot, application, engine)
    qtbot.waitUntil(lambda: live.engine_name.startswith(engine), timeout=60_000)
    loaded = time.perf_counter()
    qtbot.waitUntil(
        lambda: {one.rule: one.where for one in live.findings} == MISTAKES, timeout=20_000
    )
    assert time.perf_counter() - loaded < PROMISED * SLACK
    assert {path: live.rows[path].kind for path in STATES} == STATES
    assert live.rows["temperature"].gradient is Gradient.DETACHED
    assert live.rows["unused.weight"].gradient is Gradient.UNUSED
    assert all(one.cause and one.line for one in live.findings)
    qtbot.waitUntil(lambda: cards(application).keys() == MISTAKES.keys())

    card = cards(application)["REG01"]
    window.problems.show_problem("REG01", "embed.position")
    press(qtbot, card, QPushButton, f"{card.objectName()}_edit_copy")
    copied = QGuiApplication.clipboard().text()
    assert copied == "        self.position = nn.Parameter(torch.randn(8, width))\n"
    assert file.read_bytes() == before
    assert application.workspace.document.source == SOURCE


@pytest.fixture
def judged(qtbot: QtBot, application: Application, file: Path) -> Application:
    """The file, judged on gradcore, with its cards on the screen."""
    application.desktop.documents.open(file)
    pick_the_class(qtbot, application, "gradcore")
    qtbot.waitUntil(
        lambda: len(application.live.findings) == len(MISTAKES),
        timeout=30_000,
    )
    qtbot.waitUntil(lambda: cards(application).keys() == MISTAKES.keys())
    qtbot.waitUntil(application.window.isActiveWindow)
    return application


def test_a_card_leads_to_its_canvas_row_and_line(qtbot: QtBot, judged: Application) -> None:
    qtbot.mouseClick(cards(judged)["REG01"], Qt.MouseButton.LeftButton, pos=QPoint(60, 12))
    assert judged.selection.scope.graph == "Embedded"
    assert judged.selection.tensor == "embed.position"
    assert judged.selection.nodes == {"position"}
    assert judged.window.code.editor.textCursor().blockNumber() + 1 == 19


@pytest.mark.parametrize(("path", "rule"), [("temperature", "GRA02"), ("heads.1.weight", "REG04")])
def test_the_sign_of_a_row_leads_to_its_card(
    qtbot: QtBot, judged: Application, path: str, rule: str
) -> None:
    tree = judged.window.tree
    cell = tree.model.index_of(path).siblingAtColumn(Column.NAME)
    tree.view.scrollTo(cell)
    place = badge_area(tree.view.visualRect(cell)).center()
    qtbot.mouseClick(tree.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: cards(judged)[rule].hasFocus())


def test_the_sign_of_a_node_leads_to_its_card_and_so_does_a_key(
    qtbot: QtBot, judged: Application
) -> None:
    view, scene = judged.window.canvas.view, judged.window.canvas.scene
    judged.selection.reveal("gate", is_tensor=True)
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: cards(judged)["REG05"].hasFocus())
    view.reveal(scene.node_rect("keys"))
    item = scene.items_by_id["keys"]
    badge = view.mapFromScene(item.pos() + item.badge_area(view.zoom_factor).center())
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=badge)
    qtbot.waitUntil(lambda: cards(judged)["REG02"].hasFocus())


def test_the_mark_of_a_line_leads_to_its_card_and_keys_walk_on(
    qtbot: QtBot, judged: Application
) -> None:
    window, editor = judged.window, judged.window.code.editor
    line = judged.live.rows["shift"].line
    assert line is not None
    editor.show_line(line)
    block = editor.document().findBlockByNumber(line - 1)
    y = editor.blockBoundingGeometry(block).translated(editor.contentOffset()).center().y()
    qtbot.mouseClick(editor.gutter, Qt.MouseButton.LeftButton, pos=QPoint(8, round(y)))
    qtbot.waitUntil(lambda: cards(judged)["REG12"].hasFocus())
    qtbot.keyClick(window, Qt.Key.Key_F4)
    qtbot.waitUntil(lambda: not cards(judged)["REG12"].hasFocus())
    qtbot.keyClick(window, Qt.Key.Key_F4, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: cards(judged)["REG12"].hasFocus())
    qtbot.keyClick(cards(judged)["REG12"], Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: cards(judged)["REG07"].hasFocus())
    qtbot.keyClick(cards(judged)["REG07"], Qt.Key.Key_Return)
    assert editor.hasFocus()
