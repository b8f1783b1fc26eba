"""The window as a whole: names for every widget, nothing clipped, every menu entry at work."""

from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QAction, QFontMetrics
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from paramscope.code.commands import Disconnect
from paramscope.code.graph import PortRef
from paramscope.engine.protocol import RunState
from paramscope_gui.app import Application
from paramscope_gui.panels.problem_card import ProblemCard
from paramscope_gui.widgets import ElidedLabel, WrappedLabel

INTERACTIVE = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
)
SIZES = [(1280, 800), (1920, 1080)]


def interactive_widgets(window: QWidget) -> list[QWidget]:
    """Return what a user can act on, without the parts that Qt makes inside of its own widgets."""
    found: list[QWidget] = []
    for widget in window.findChildren(QWidget):
        if not isinstance(widget, INTERACTIVE) or widget.objectName().startswith("qt_"):
            continue
        inner = type(widget).__module__.startswith("PySide6") and not widget.objectName()
        parent = widget.parentWidget()
        if isinstance(parent, QLineEdit | QTabBar | QComboBox):
            continue
        if inner and widget.metaObject().className() in ("QScrollBar", "QLineEditIconButton"):
            continue
        found.append(widget)
    return found


def open_lesson(qtbot: QtBot, application: Application) -> None:
    """Play the first lesson until its verdict is there."""
    application.desktop.lessons.start("forgotten_tensor")
    qtbot.waitUntil(lambda: bool(application.live.rows), timeout=15_000)
    application.live.play()
    qtbot.waitUntil(lambda: bool(application.live.findings), timeout=15_000)
    application.live.pause()
    application.selection.select_tensor("scale")


def test_every_interactive_widget_has_a_name_and_says_what_it_is(
    qtbot: QtBot, application: Application
) -> None:
    open_lesson(qtbot, application)
    widgets = interactive_widgets(application.window)
    assert len(widgets) > 30
    nameless = [f"{type(w).__name__} {w.objectName()}" for w in widgets if not w.objectName()]
    assert nameless == []
    silent = [w.objectName() for w in widgets if not w.accessibleName()]
    assert silent == []
    names = [w.objectName() for w in widgets]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("size", SIZES, ids=["1280x800", "1920x1080"])
def test_no_text_is_clipped(qtbot: QtBot, application: Application, size: tuple[int, int]) -> None:
    window = application.window
    window.resize(*size)
    assert clipped(window) == []
    open_lesson(qtbot, application)
    window.fit_docks()
    window.notices.say("failure", "error", "line 3: RuntimeError: sizes differ", [])
    for page in range(2):
        window.compose_dock.show_page(page)
        window.problems_dock.show_page(page)
        qtbot.waitUntil(partial(nothing_is_clipped, window))


def test_type_of_double_size_is_cut_nowhere(qtbot: QtBot, application: Application) -> None:
    window = application.window
    window.themes.set_scale(2.0)
    window.resize(1280, 800)
    window.show_work()
    window.fit_docks()
    qtbot.waitUntil(partial(nothing_is_clipped, window))
    open_lesson(qtbot, application)
    cards = window.problems.findChildren(ProblemCard)
    assert cards
    for card in cards:
        area = card.parentWidget()
        assert area is not None
        viewport = area.parentWidget()
        assert viewport is not None
        qtbot.waitUntil(partial(is_as_wide_as, card, viewport))
        for made in card.findChildren(QPushButton):
            assert made.geometry().right() <= card.width()


def is_as_wide_as(card: QWidget, viewport: QWidget) -> None:
    """Fail if a card is wider than what shows it."""
    assert card.width() <= viewport.width()


def nothing_is_clipped(window: QWidget) -> None:
    """Fail with what is clipped."""
    assert clipped(window) == []


def clipped(window: QWidget) -> list[str]:
    """Return the labels and buttons on the screen whose text does not fit into them."""
    found = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or isinstance(widget, ElidedLabel):
            continue
        if isinstance(widget, WrappedLabel):
            if widget.heightForWidth(widget.width()) > widget.height() + 2:
                found.append(f"{widget.objectName()}: {widget.text()!r} in {widget.rect()}")
        elif isinstance(widget, QLabel) and widget.text() and not widget.pixmap():
            metrics = QFontMetrics(widget.font())
            flags = int(Qt.TextFlag.TextWordWrap) if widget.wordWrap() else 0
            room = widget.contentsRect()
            space = QRect(0, 0, room.width(), 10_000) if widget.wordWrap() else QRect()
            needed = metrics.boundingRect(space, flags, widget.text())
            if needed.width() > room.width() + 1 or needed.height() > room.height() + 2:
                found.append(f"{widget.objectName()}: {widget.text()!r} {needed} in {room}")
        elif isinstance(widget, QAbstractButton) and widget.text():
            if widget.sizeHint().width() > widget.width() + 1:
                found.append(f"{widget.objectName()}: {widget.text()!r}")
    return found


def test_a_wire_that_is_missing_is_named_as_the_cause_of_a_failure(
    qtbot: QtBot, application: Application
) -> None:
    open_lesson(qtbot, application)
    workspace, window = application.workspace, application.window
    model = workspace.program.model or ""
    node = next(n for n in workspace.program.graphs[model].nodes if n.name == "angle")
    workspace.execute(Disconnect(model, PortRef(node.id, 0)))
    qtbot.waitUntil(lambda: application.live.state is RunState.READY, timeout=15_000)
    application.live.play()
    qtbot.waitUntil(lambda: window.notices.text_of("failure") is not None, timeout=15_000)
    said = window.notices.text_of("failure")
    assert said is not None
    assert said.endswith(
        "`...` stands where an input has no wire: connect it on the canvas, or undo."
    )


def all_entries(menu: QMenu) -> list[QAction]:
    """Return the entries of a menu and of its submenus."""
    entries: list[QAction] = []
    for action in menu.actions():
        inner = action.menu()
        if isinstance(inner, QMenu):
            entries += all_entries(inner)
        elif not action.isSeparator():
            entries.append(action)
    return entries


def test_every_menu_entry_has_a_name_and_no_key_means_two_things(
    application: Application,
) -> None:
    menus = application.window.menus
    entries = [
        entry
        for menu in (menus.file, menus.edit, menus.view, menus.run, menus.help)
        for entry in all_entries(menu)
    ]
    assert len(entries) > 40
    assert [entry.text() for entry in entries if not entry.objectName()] == []
    keys: dict[str, str] = {}
    for entry in entries:
        if entry.shortcutContext() != Qt.ShortcutContext.WindowShortcut:
            continue  # bound to the canvas alone
        for sequence in entry.shortcuts():
            assert sequence.toString() not in keys, entry.text()
            keys[sequence.toString()] = entry.text()


def test_the_command_palette_runs_what_is_typed(qtbot: QtBot, application: Application) -> None:
    window = application.window
    qtbot.keyClick(
        window,
        Qt.Key.Key_P,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    palette = window.command_palette
    qtbot.waitUntil(palette.isVisible)
    qtbot.keyClicks(palette.field, "dark")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert application.themes.scheme == "dark"
    assert application.settings.scheme == "dark"
    assert not palette.isVisible()


def test_enter_in_the_palette_adds_to_the_canvas(qtbot: QtBot, application: Application) -> None:
    application.desktop.new_empty()
    palette = application.window.palette_panel
    palette.search.setFocus()
    qtbot.keyClicks(palette.search, "tanh")
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert "nn.Tanh()" in application.workspace.document.source


def test_every_example_of_the_menu_opens_and_draws(qtbot: QtBot, application: Application) -> None:
    menus = application.window.menus
    names = [name for name in menus.actions if name.startswith("example_")]
    assert len(names) >= 9
    for name in names:
        menus.actions[name].trigger()
        assert application.workspace.source_error is None
        assert not application.window.is_welcoming
        assert f"{name.removeprefix('example_')}.py" in application.window.windowTitle()


def test_the_arrangement_is_kept_and_can_be_reset(
    qapp: object, qtbot: QtBot, application: Application
) -> None:
    application.desktop.new()
    application.window.tree_dock.hide()
    application.window.close()
    assert Path(application.settings.folder / "settings.ini").exists()
    kept = application.settings.arrangement()
    assert kept is not None


def test_the_detail_opens_with_the_first_tensor_and_stays_as_it_is_dragged(
    qtbot: QtBot, application: Application
) -> None:
    window = application.window
    application.desktop.lessons.start("forgotten_tensor")
    qtbot.waitUntil(lambda: bool(application.live.rows), timeout=15_000)
    qtbot.waitUntil(lambda: window.tree_dock.height() > 2 * window.tensor_dock.height())
    application.selection.select_tensor("scale")
    qtbot.waitUntil(lambda: window.tensor_dock.height() > 200)
    window.resizeDocks([window.tree_dock, window.tensor_dock], [370, 150], Qt.Orientation.Vertical)
    qtbot.waitUntil(lambda: window.tensor_dock.height() <= 170)
    dragged = window.tensor_dock.height()
    application.selection.select_tensor("hidden.weight")
    assert window.tensor_dock.height() == dragged


def test_help_sheets_open_beside_the_work(qtbot: QtBot, application: Application) -> None:
    for name in ("help_shortcuts", "help_legend", "help_about"):
        application.window.menus.actions[name].trigger()
        sheet = application.window.findChild(QWidget, f"sheet_{name.removeprefix('help_')}")
        assert sheet is not None
        assert sheet.isVisible()
        assert not sheet.isModal()


def test_larger_type_makes_the_words_larger(application: Application) -> None:
    before = application.themes.theme.body
    application.window.menus.actions["view_larger"].trigger()
    assert application.themes.theme.body > before
    assert application.settings.scale > 1
