"""The run bar tells how fast and in which mode the run goes, why, and when nobody answers."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from paramscope.engine.protocol import (
    Alive,
    Event,
    Hello,
    Phase,
    Request,
    RunState,
    Snapshot,
    StateChanged,
)
from paramscope_gui.bridge.live import SILENCE, Live
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels.pace import ModeCard, PaceFigure
from paramscope_gui.panels.run_bar import RunBar
from paramscope_gui.theme import ThemeModel

PRINTS = "`loss` calls `print`, which may do anything"


def make_bar(qtbot: QtBot, themes: ThemeModel, live: Live) -> RunBar:
    action = QAction("&Play")
    action.setObjectName("play")
    bar = RunBar(themes, live, [action])
    qtbot.addWidget(bar)
    bar.resize(1200, 48)
    bar.show()
    action.setParent(bar)
    return bar


def tell(qtbot: QtBot, live: Live, mode: str, reason: str = "") -> None:
    with qtbot.waitSignal(live.state_changed):
        live.receive(
            Snapshot(1, 10, Phase.IDLE, steps_per_second=1240.4, mode=mode, mode_reason=reason)
        )
        live.receive(StateChanged(RunState.RUNNING, 1, 10))


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("native", "1,240 steps/s · native"),
        ("replay", "1,240 steps/s · replay"),
        ("eager", "1,240 steps/s · eager"),
        ("", "1,240 steps/s"),
    ],
)
def test_speed_and_mode_stand_together(
    qtbot: QtBot, themes: ThemeModel, live: Live, mode: str, text: str
) -> None:
    bar = make_bar(qtbot, themes, live)
    tell(qtbot, live, mode)
    assert bar.pace.text() == text


def test_a_slow_mode_says_why_and_what_would_change_it(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    bar = make_bar(qtbot, themes, live)
    tell(qtbot, live, "eager", PRINTS)
    assert bar.pace.explanation == (
        "Each step runs line by line, as it is written. Nothing is wrong: it is only slower.\n"
        "`loss` calls `print`, which may do anything.\n"
        "Take `print` out of the step: what it shows stands in the window."
    )
    assert bar.pace.explanation in bar.pace.accessibleDescription()
    assert "Take" in bar.pace.toolTip()


def test_a_press_or_enter_opens_the_card_and_escape_closes_it(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    bar = make_bar(qtbot, themes, live)
    tell(qtbot, live, "eager", PRINTS)
    for opens in (
        lambda: qtbot.mouseClick(bar.pace, Qt.MouseButton.LeftButton),
        lambda: qtbot.keyClick(bar.pace, Qt.Key.Key_Return),
    ):
        opens()
        card = bar.findChild(ModeCard)
        assert card is not None
        assert "print" in card.accessibleDescription()
        with qtbot.waitSignal(card.destroyed):
            qtbot.keyClick(card, Qt.Key.Key_Escape)
        assert bar.pace.hasFocus()
        assert bar.findChild(ModeCard) is None


def test_the_card_leads_to_the_line_of_the_document(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    bar = make_bar(qtbot, themes, live)
    tell(qtbot, live, "eager", f"{PRINTS}, at {live.filename}:12")
    assert "which may do anything (line 12)." in bar.pace.explanation
    bar.pace.explain()
    card = bar.findChild(ModeCard)
    assert card is not None
    go = card.findChild(QPushButton, "mode_line")
    assert go is not None
    assert go.text() == "Go to line 12"
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Return):
        with qtbot.waitSignal(bar.pace.line_requested) as asked:
            qtbot.keyClick(go, key)
        assert asked.args == [12]


def test_a_line_of_another_file_is_named_and_not_offered(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    bar = make_bar(qtbot, themes, live)
    tell(qtbot, live, "eager", f"{PRINTS}, at /elsewhere/helpers.py:7")
    assert "(line 7 of `helpers.py`)." in bar.pace.explanation
    bar.pace.explain()
    card = bar.findChild(ModeCard)
    assert card is not None
    go = card.findChild(QPushButton, "mode_line")
    assert go is not None
    assert not go.isVisible()


def test_what_the_card_says_can_be_copied(qtbot: QtBot, themes: ThemeModel, live: Live) -> None:
    bar = make_bar(qtbot, themes, live)
    tell(qtbot, live, "eager", PRINTS)
    bar.pace.explain()
    card = bar.findChild(ModeCard)
    assert card is not None
    qtbot.keyClick(card, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == bar.pace.explanation
    QGuiApplication.clipboard().clear()
    copy = card.findChild(QPushButton, "mode_copy")
    assert copy is not None
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == bar.pace.explanation


def test_an_open_card_tells_of_the_mode_that_comes_next(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    bar = make_bar(qtbot, themes, live)
    tell(qtbot, live, "eager", PRINTS)
    bar.pace.explain()
    card = bar.findChild(ModeCard)
    assert card is not None
    tell(qtbot, live, "replay")
    assert card.accessibleName() == "Mode of the training: replay"
    assert "print" not in card.accessibleDescription()


def test_a_replayed_step_says_why_it_has_no_machine_code(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    bar = make_bar(qtbot, themes, live)
    tell(qtbot, live, "replay", "native mode refuses it: it runs backward twice")
    said = bar.pace.explanation
    assert "It is not made machine code: the step runs backward twice." in said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_card_hides_what_lies_under_it(
    qtbot: QtBot, themes: ThemeModel, live: Live, scheme: str
) -> None:
    themes.set_scheme(scheme)
    bar = make_bar(qtbot, themes, live)
    bar.resize(1200, 400)
    tell(qtbot, live, "eager", PRINTS)
    bar.pace.explain()
    card = bar.findChild(ModeCard)
    assert card is not None
    assert bar.rect().contains(card.geometry())
    inside = card.geometry().bottomRight() - QPoint(6, 6)
    shown = bar.grab().toImage().pixelColor(inside)
    assert shown == themes.theme.raised


def test_without_modes_there_is_nothing_to_explain(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    bar = make_bar(qtbot, themes, live)
    tell(qtbot, live, "")
    qtbot.mouseClick(bar.pace, Qt.MouseButton.LeftButton)
    assert bar.findChild(ModeCard) is None


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_the_longest_pace_is_not_clipped(qtbot: QtBot, themes: ThemeModel, scale: float) -> None:
    themes.set_scale(scale)
    figure = PaceFigure(themes)
    qtbot.addWidget(figure)
    figure.show_pace("9,999,999", "native", "")
    figure.resize(figure.sizeHint())
    figure.show()
    image = figure.grab().toImage()
    edge = image.width() - 1
    assert len({image.pixel(edge, y) for y in range(image.height())}) == 1


def test_a_narrow_bar_leaves_out_the_engine_and_keeps_the_mode(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    holder = QWidget()  # a window of its own would not get narrower than it wants to be
    qtbot.addWidget(holder)
    bar = RunBar(themes, live, [], holder)
    bar.resize(1200, 48)
    holder.show()
    tell(qtbot, live, "eager", PRINTS)
    engine = bar.findChild(QWidget, "run_engine_value")
    assert engine is not None
    assert engine.isVisible()
    while engine.isVisible():
        bar.resize(bar.width() - 4, 48)
    assert bar.slider.isVisible()
    assert bar.pace.isVisible()


class _Silent:
    """A worker that takes everything and says nothing."""

    def __init__(self, *_: object) -> None:
        self.requests: list[Request] = []

    def send(self, request: Request) -> None:
        self.requests.append(request)

    def kill(self) -> None:
        """Nothing runs."""

    def restart(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing runs."""


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def timed(workspace: Workspace, clock: _Clock) -> Iterator[Live]:
    """A run whose clock the test sets."""
    model = Live(workspace, _Silent, clock=clock)
    yield model
    model.close()


def say(qtbot: QtBot, live: Live, *events: Event) -> None:
    for event in events:
        live.receive(event)
    qtbot.waitUntil(lambda: live.state is RunState.RUNNING)


def test_a_worker_that_gives_no_sign_of_life_is_told(
    qtbot: QtBot, themes: ThemeModel, timed: Live, clock: _Clock
) -> None:
    bar = make_bar(qtbot, themes, timed)
    say(qtbot, timed, Hello(1, "gradcore", heartbeat=1.0), StateChanged(RunState.RUNNING, 1))
    clock.now += SILENCE - 0.1
    timed.feel_pulse()
    assert not timed.is_silent
    clock.now += 0.2
    timed.feel_pulse()
    word = bar.findChild(type(bar._word), "run_state")
    assert word is not None
    assert word.text() == "No answer"
    assert "Stop ends it" in word.toolTip()
    timed.receive(Alive())
    timed.feel_pulse()
    assert word.text() == "Training"
    assert word.toolTip() == ""


def test_silence_is_none_of_a_worker_that_promises_nothing_and_after_the_end(
    qtbot: QtBot, timed: Live, clock: _Clock
) -> None:
    say(qtbot, timed, StateChanged(RunState.RUNNING, 1))
    clock.now += 100
    timed.feel_pulse()
    assert not timed.is_silent
    timed.receive(Hello(2, "gradcore", heartbeat=1.0))
    timed.receive(StateChanged(RunState.STOPPED, 1))
    clock.now += 100
    timed.feel_pulse()
    assert not timed.is_silent


def test_the_card_follows_its_figure_when_the_window_changes(
    qtbot: QtBot, themes: ThemeModel, live: Live
) -> None:
    bar = make_bar(qtbot, themes, live)
    bar.resize(1400, 400)
    tell(qtbot, live, "eager", PRINTS)
    bar.pace.explain()
    card = bar.findChild(ModeCard)
    assert card is not None
    bar.resize(1000, 400)
    qtbot.waitUntil(lambda: card.x() == min(bar.pace.x(), 1000 - card.width() - 8))
    assert bar.rect().contains(card.geometry())
