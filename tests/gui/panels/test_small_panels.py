"""Palette, log, tensor, lesson, welcome and the bar on top."""

import struct
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from paramscope.census.rows import Gradient, Kind, Stepping, TensorRow
from paramscope.engine.protocol import (
    Failed,
    Output,
    Phase,
    RunState,
    SetLearningRate,
    Snapshot,
    StateChanged,
    TensorValues,
    Watch,
)
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.offers import Offer, offers
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels.colormaps import as_matrix, image_of, thumbnail
from paramscope_gui.panels.lesson import LessonPanel, LessonStep
from paramscope_gui.panels.log import LONGEST_LINE, MOST_CHARACTERS, LogPanel, bounded
from paramscope_gui.panels.palette import PalettePanel
from paramscope_gui.panels.run_bar import RunBar, slider_place
from paramscope_gui.panels.tensor import TensorPanel, sentence
from paramscope_gui.panels.welcome import Card, WelcomePanel
from paramscope_gui.theme import ThemeModel
from paramscope_gui.widgets import number, shape_text

SCALE = TensorRow(
    "scale",
    Kind.FORGOTTEN_TENSOR,
    (8,),
    "float32",
    True,
    owner_class="Net",
    gradient=Gradient.FLOWS,
    stepping=Stepping.NOT_STEPPED,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.000"),
        (0.0123456, "0.01235"),
        (-12.3456, "−12.35"),
        (1234.5, "1,234"),
        (1.5e-7, "1.50e−7"),
        (2.5e9, "2.50e9"),
        (float("nan"), "NaN"),
        (float("-inf"), "−∞"),
    ],
)
def test_numbers_have_four_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_shapes_are_written_with_crosses() -> None:
    assert shape_text((64, 784)) == "64 × 784"
    assert shape_text(()) == "scalar"


def test_the_palette_offers_modules_classes_and_tensors(workspace: Workspace) -> None:
    found = {offer.title: offer for offer in offers(workspace.program)}
    assert found["Net"].family == "this document"
    assert found["Linear"].text.startswith("nn.Linear(")
    assert "Parameter" in found
    assert "relu" in found
    assert len(found) > 60


def test_the_classes_of_a_document_opened_later_are_in_view(
    qtbot: QtBot, themes: ThemeModel
) -> None:
    panel = PalettePanel(themes)
    qtbot.addWidget(panel)
    layers = tuple(
        Offer(name, family, "", (), f"nn.{name}()")
        for name, family in (("Linear", "linear"), ("ReLU", "activation"), ("LSTM", "recurrent"))
    )
    own = Offer("Net", "this document", "", (), "Net()")
    panel.show_offers(layers)
    panel.show_offers((own, *layers))
    opened = [item.text(0) for item in panel._families() if item.isExpanded()]
    assert opened == ["This document", "Linear", "Activation"]
    net = panel.item_named("Net")
    assert net is not None
    net.parent().setExpanded(False)
    panel.show_offers((own, own._replace(title="Other"), *layers))
    assert [item.text(0) for item in panel._families() if item.isExpanded()] == opened[1:]


def test_searching_the_palette_and_pressing_enter_chooses(qtbot: QtBot, themes: ThemeModel) -> None:
    panel = PalettePanel(themes)
    qtbot.addWidget(panel)
    panel.show()
    panel.show_offers(
        [
            Offer("Linear", "linear", "A layer.", ("fc", "dense"), "nn.Linear(8, 8)"),
            Offer("ReLU", "activation", "A hinge.", (), "nn.ReLU()"),
        ]
    )
    with qtbot.waitSignal(panel.chosen) as told:
        qtbot.keyClicks(panel.search, "dense")
        qtbot.keyClick(panel.search, Qt.Key.Key_Return)
    assert told.args == ["nn.Linear(8, 8)"]
    item = panel.item_named("ReLU")
    assert item is not None
    assert item.isHidden()
    assert panel.list.mimeData([item]).text() == "nn.ReLU()"


def test_the_log_marks_errors_and_links_lines(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, live: Live
) -> None:
    panel = LogPanel(themes, workspace, live)
    qtbot.addWidget(panel)
    live.receive(Output("stdout", "hello\n"))
    live.receive(Failed(1, "forward", "ValueError", "no", (), "Traceback\nValueError: no"))
    qtbot.waitUntil(lambda: "ValueError: no" in panel.text.toPlainText())
    assert panel.text.toPlainText().startswith("hello\n")
    with qtbot.waitSignal(panel.line_requested) as told:
        panel.follow_link(f'  File "{workspace.filename}", line 12, in forward')
    assert told.args == [12]


def test_a_flood_keeps_its_end_and_long_lines_their_beginning() -> None:
    assert bounded("short\n") == "short\n"
    flood = "line\n" * 100_000
    assert len(bounded(flood)) < MOST_CHARACTERS + 100
    assert bounded(flood).endswith("line\n")
    assert len(bounded("x" * 20_000)) < LONGEST_LINE + 50


def test_the_selected_tensor_is_watched_and_drawn(
    qtbot: QtBot, themes: ThemeModel, selection: Selection, live: Live
) -> None:
    live.start_worker()
    panel = TensorPanel(themes, selection, live)
    qtbot.addWidget(panel, before_close_func=lambda _: panel.close_timers())
    panel.show()
    selection.select_tensor("scale")
    client = live._client
    assert client is not None
    assert client.requests[-1] == Watch(("scale",))  # type: ignore[attr-defined]  # recorded
    values = struct.pack("<8f", *range(8))
    watched = (TensorValues("scale", (8,), values),)
    live.receive(Snapshot(revision=1, step=1, phase=Phase.IDLE, tensors=(SCALE,), watched=watched))
    qtbot.waitUntil(lambda: panel.heatmap._image is not None)
    assert panel.heatmap._image is not None
    assert panel.heatmap._image.width() == 8


def test_the_sentence_says_what_it_is_and_who_steps_it() -> None:
    assert sentence(SCALE) == (
        "A plain attribute of Net: parameters() does not list it."
        " It receives a gradient, but nobody steps it."
    )


def test_before_a_backward_pass_nothing_is_said_twice() -> None:
    waiting = structs.replace(
        SCALE, gradient=Gradient.NONE_YET, note="plain tensor: asks for one, nobody steps it"
    )
    assert sentence(waiting).endswith("No backward has run yet. No optimizer steps it.")


def test_a_note_reads_as_a_sentence() -> None:
    hidden = structs.replace(
        SCALE,
        kind=Kind.FORGOTTEN_PARAMETER,
        gradient=Gradient.NONE_YET,
        note="kept in a list, which registers nothing",
    )
    assert sentence(hidden).endswith("Kept in a list, which registers nothing.")


def test_a_thumbnail_keeps_the_largest_magnitude() -> None:
    matrix = np.zeros((1000, 1000))
    matrix[777, 333] = -5.0
    small = thumbnail(matrix, 100, 100)
    assert small.shape == (100, 100)
    assert small.min() == -5.0


def test_what_is_no_number_is_magenta() -> None:
    image = image_of(np.array([[0.0, np.nan]]), 1.0, signed=True, is_dark=False)
    assert image.pixelColor(1, 0).name() == "#ff00ff"
    assert image.pixelColor(0, 0).name() != "#ff00ff"


@pytest.mark.parametrize(
    ("shape", "laid_out"),
    [((), (1, 1)), ((5,), (1, 5)), ((2, 3), (2, 3)), ((4, 2, 3, 3), (12, 6)), ((2, 3, 4), (6, 4))],
)
def test_tensors_of_any_rank_are_laid_out_flat(
    shape: tuple[int, ...], laid_out: tuple[int, int]
) -> None:
    assert as_matrix(np.zeros(shape)).shape == laid_out


def test_a_lesson_ticks_off_its_steps(qtbot: QtBot, themes: ThemeModel) -> None:
    panel = LessonPanel(themes)
    qtbot.addWidget(panel)
    panel.show()
    steps = [LessonStep("Play", True), LessonStep("Register", False)]
    panel.show_lesson("Forgotten", "Goal", steps)
    done = panel.findChild(QWidget, "lesson_done")
    assert done is not None
    assert not done.isVisible()
    steps = [LessonStep("Play", True), LessonStep("Register", True)]
    panel.show_lesson("Forgotten", "Goal", steps, conclusion="So it is.", has_next=True)
    assert done.isVisible()
    with qtbot.waitSignal(panel.next_requested):
        following = panel.findChild(QWidget, "lesson_next")
        assert following is not None
        qtbot.mouseClick(following, Qt.MouseButton.LeftButton)


def test_cards_of_the_welcome_page_answer_mouse_and_keys(
    qtbot: QtBot, themes: ThemeModel, tmp_path: Path
) -> None:
    panel = WelcomePanel(themes)
    qtbot.addWidget(panel)
    panel.resize(1000, 700)
    panel.show()
    panel.show_lessons([Card("one", "One", "The first.")])
    panel.show_recent([tmp_path / "model.py"])
    card = panel.findChild(QWidget, "welcome_lesson_one")
    assert card is not None
    with qtbot.waitSignal(panel.lesson_chosen) as told:
        qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert told.args == ["one"]
    with qtbot.waitSignal(panel.lesson_chosen):
        qtbot.keyClick(card, Qt.Key.Key_Return)
    recent = panel.findChild(QWidget, "welcome_recent_0")
    assert recent is not None
    with qtbot.waitSignal(panel.recent_chosen) as told:
        qtbot.mouseClick(recent, Qt.MouseButton.LeftButton)
    assert told.args == [str(tmp_path / "model.py")]


def make_bar(qtbot: QtBot, themes: ThemeModel, live: Live) -> RunBar:
    """Return the bar on the screen."""
    action = QAction("Play")
    action.setObjectName("run_play")
    bar = RunBar(themes, live, [action])
    qtbot.addWidget(bar, before_close_func=lambda _: bar.close_timers())
    bar.resize(1280, 48)
    bar.show()
    return bar


def test_the_bar_says_state_step_and_loss(qtbot: QtBot, themes: ThemeModel, live: Live) -> None:
    bar = make_bar(qtbot, themes, live)
    live.receive(StateChanged(RunState.RUNNING, 1))
    live.receive(
        Snapshot(
            revision=1,
            step=1240,
            phase=Phase.IDLE,
            steps_per_second=2310.0,
            losses=((1240, 0.183),),
            lr=0.1,
        )
    )
    qtbot.waitUntil(lambda: live.step_count == 1240)
    shown = {
        name: bar.findChild(object, f"run_{name}_value").text() for name in ("step", "rate", "loss")
    }
    assert shown == {"step": "1,240", "rate": "2,310 steps/s", "loss": "0.1830"}
    assert bar.findChild(object, "run_state").text() == "Training"


def test_the_learning_rate_can_be_typed_and_dragged(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    bar = make_bar(qtbot, themes, live)
    live.start_worker()
    live.receive(Snapshot(revision=1, step=1, phase=Phase.IDLE, lr=0.1))
    qtbot.waitUntil(lambda: live.lr == 0.1)
    assert bar.slider.value() == slider_place(0.1)
    bar.field.setFocus()
    bar.field.selectAll()
    qtbot.keyClicks(bar.field, "0.02")
    qtbot.keyClick(bar.field, Qt.Key.Key_Return)
    client = live._client
    assert client is not None
    assert client.requests[-1] == SetLearningRate(0.02)  # type: ignore[attr-defined]  # recorded
    bar.field.selectAll()
    qtbot.keyClicks(bar.field, "nonsense")
    qtbot.keyClick(bar.field, Qt.Key.Key_Return)
    assert bar.field.text() == "0.02"
    bar.slider.setValue(slider_place(0.5))
    assert live.lr == pytest.approx(0.5, rel=0.02)
