"""The window itself: what stands where, and what is connected with what."""

import importlib
from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.canvas.canvas import Canvas
from paramscope_gui.panels.code import CodePanel
from paramscope_gui.panels.command_palette import CommandPalette
from paramscope_gui.panels.lesson import LessonPanel
from paramscope_gui.panels.log import LogPanel
from paramscope_gui.panels.notice import NoticeArea
from paramscope_gui.panels.palette import PalettePanel
from paramscope_gui.panels.problems import ProblemsPanel
from paramscope_gui.panels.run_bar import RunBar
from paramscope_gui.panels.tensor import TensorPanel
from paramscope_gui.panels.tree import TreePanel
from paramscope_gui.panels.welcome import WelcomePanel
from paramscope_gui.settings import Settings
from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import EmptyState
from paramscope_gui.window.docks import Dock
from paramscope_gui.window.menus import Menus

WELCOME, WORK = 0, 1


class MainWindow(QMainWindow):
    """Canvas and code in the middle, the other panels in docks around them."""

    first_painted = Signal()
    closing = Signal()

    def __init__(
        self,
        settings: Settings,
        themes: ThemeModel,
        workspace: Workspace,
        selection: Selection,
        live: Live,
        canvas: Canvas,
    ) -> None:
        super().__init__()
        self.settings, self.themes = settings, themes
        self.workspace, self.selection, self.live = workspace, selection, live
        self.may_close: Callable[[], bool] = lambda: True
        self._has_painted = False
        self._hidden_docks: list[Dock] = []
        self._needs_fit = True  # sizes of docks hold only once they are shown
        self.setObjectName("main_window")
        self.setAccessibleName("Paramscope")
        self.setDockOptions(
            QMainWindow.DockOption.AnimatedDocks
            | QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
        )
        self.canvas = canvas
        self._make_panels()
        self.menus = Menus(self)
        self._make_center()
        self._make_docks()
        self._connect()
        self.resize(1280, 800)
        self.reset_arrangement()
        self._restore_arrangement()
        self.show_welcome()
        self._show_title()

    # Building

    def _make_panels(self) -> None:
        themes, workspace = self.themes, self.workspace
        selection, live = self.selection, self.live
        self.code = CodePanel(themes, workspace, selection, live)
        self.tree = TreePanel(themes, workspace, selection, live)
        self.tensor = TensorPanel(themes, selection, live)
        self.problems = ProblemsPanel(themes, workspace, selection, live)
        self.log = LogPanel(themes, workspace, live)
        self.palette_panel = PalettePanel(themes)
        self.lesson = LessonPanel(themes)
        self.welcome = WelcomePanel(themes)
        self.notices = NoticeArea(themes)
        self.loss: QWidget = EmptyState(themes, "loss_loading", "")
        self.command_palette = CommandPalette(themes, self)

    def _make_center(self) -> None:
        self.run_bar = RunBar(self.themes, self.live, self.menus.run_actions)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setObjectName("center_splitter")
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.canvas)
        self.splitter.addWidget(self.code)
        self.canvas.setMinimumSize(QSize(20 * GRID, 12 * GRID))
        self.code.setMinimumSize(QSize(20 * GRID, 8 * GRID))
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.pages = QStackedWidget()
        self.pages.setObjectName("center_pages")
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(self.splitter)
        middle = QWidget()
        middle.setObjectName("center")
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notices)
        column.addWidget(self.pages, 1)
        self.setCentralWidget(middle)
        head = QWidget()
        head.setObjectName("head")
        rows = QVBoxLayout(head)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.menus.bar)
        rows.addWidget(self.run_bar)
        self.setMenuWidget(head)

    def _make_docks(self) -> None:
        area = Qt.DockWidgetArea
        themes = self.themes
        self.compose_dock = Dock(
            themes,
            "compose",
            [("Palette", self.palette_panel), ("Lesson", self.lesson)],
            QSize(20 * GRID, 20 * GRID),
        )
        self.tree_dock = Dock(
            themes, "tensors", [("Tensors", self.tree)], QSize(40 * GRID, 16 * GRID)
        )
        self.tensor_dock = Dock(
            themes, "tensor", [("Selected tensor", self.tensor)], QSize(40 * GRID, 12 * GRID)
        )
        self.loss_dock = Dock(
            themes, "loss", [("Loss and metrics", self.loss)], QSize(40 * GRID, 16 * GRID)
        )
        self.problems_dock = Dock(
            themes,
            "problems",
            [("Problems", self.problems), ("Log", self.log)],
            QSize(40 * GRID, 16 * GRID),
        )
        self.addDockWidget(area.LeftDockWidgetArea, self.compose_dock)
        self.addDockWidget(area.RightDockWidgetArea, self.tree_dock)
        self.addDockWidget(area.RightDockWidgetArea, self.tensor_dock)
        self.addDockWidget(area.BottomDockWidgetArea, self.loss_dock)
        self.addDockWidget(area.BottomDockWidgetArea, self.problems_dock)
        self.menus.add_docks(self.docks)

    @property
    def docks(self) -> tuple[Dock, ...]:
        """All docks, in the order of the View menu."""
        return (
            self.compose_dock,
            self.tree_dock,
            self.tensor_dock,
            self.loss_dock,
            self.problems_dock,
        )

    def _connect(self) -> None:
        self.workspace.document_changed.connect(self._show_title)
        self.workspace.saved.connect(self._show_title)
        self.problems.count_changed.connect(self._on_problems_count_changed)
        for panel in (self.tree, self.problems, self.log):
            panel.line_requested.connect(self.code.go_to_line)
        self.lesson.lessons_requested.connect(self.show_welcome)

    def finish_loading(self) -> None:
        """Load what the first paint must not wait for: the plots."""
        module = importlib.import_module("paramscope_gui.panels.loss")
        self.loss = module.LossPanel(self.themes, self.live)
        self.loss_dock.set_page(0, self.loss)

    # Pages and arrangement

    @property
    def is_welcoming(self) -> bool:
        """Whether the welcome page is shown."""
        return self.pages.currentIndex() == WELCOME

    def show_welcome(self) -> None:
        """Show the first page; the panels, which have nothing to show, step back."""
        if not self.is_welcoming or not self._hidden_docks:
            self._hidden_docks = [dock for dock in self.docks if not dock.isHidden()]
        for dock in self.docks:
            dock.hide()
        self.run_bar.hide()
        self.pages.setCurrentIndex(WELCOME)

    def show_work(self) -> None:
        """Show the canvas and the panels around it."""
        if not self.is_welcoming:
            return
        self.pages.setCurrentIndex(WORK)
        self.run_bar.show()
        for dock in self._hidden_docks:
            dock.show()
        self._hidden_docks = []
        if self._needs_fit:
            self._needs_fit = False
            self.fit_docks()

    def reset_arrangement(self) -> None:
        """Put every panel back to where it stood at first."""
        area = Qt.DockWidgetArea
        left, right, bottom = (
            area.LeftDockWidgetArea,
            area.RightDockWidgetArea,
            area.BottomDockWidgetArea,
        )
        for dock, place in (
            (self.compose_dock, left),
            (self.tree_dock, right),
            (self.tensor_dock, right),
            (self.loss_dock, bottom),
            (self.problems_dock, bottom),
        ):
            dock.setFloating(False)
            self.addDockWidget(place, dock)
        self.splitDockWidget(self.tree_dock, self.tensor_dock, Qt.Orientation.Vertical)
        self.splitDockWidget(self.loss_dock, self.problems_dock, Qt.Orientation.Horizontal)
        if not self.is_welcoming:
            for dock in self.docks:
                dock.show()
            self.code.show()
        self.fit_docks()

    def fit_docks(self) -> None:
        """Give each dock its share of the window."""
        width, height = self.width(), self.height()
        right = min(56 * GRID, max(52 * GRID, round(width * 0.27)))
        left = min(34 * GRID, max(26 * GRID, round(width * 0.15)))
        self.resizeDocks(
            [self.compose_dock, self.tree_dock], [left, right], Qt.Orientation.Horizontal
        )
        bottom = max(24 * GRID, round(height * 0.25))
        self.resizeDocks([self.loss_dock], [bottom], Qt.Orientation.Vertical)
        self.resizeDocks(
            [self.tree_dock, self.tensor_dock],
            [round(height * 0.37), round(height * 0.29)],
            Qt.Orientation.Vertical,
        )
        self.resizeDocks(
            [self.loss_dock, self.problems_dock],
            [round(width * 0.58), round(width * 0.42)],
            Qt.Orientation.Horizontal,
        )
        self.splitter.setSizes([round(height * 0.39), round(height * 0.25)])

    def _restore_arrangement(self) -> None:
        kept = self.settings.arrangement()
        if kept is not None:
            geometry, docks, splitter = kept
            self.restoreGeometry(geometry)
            self.restoreState(docks)
            self._needs_fit = False
            self.splitter.restoreState(splitter)

    def _save_arrangement(self) -> None:
        if self.is_welcoming:
            self.show_work()
        self.settings.save_arrangement(
            self.saveGeometry(), self.saveState(), self.splitter.saveState()
        )
        self.settings.sync()

    # Slots

    def _show_title(self) -> None:
        self.setWindowTitle(f"{self.workspace.name}[*] – Paramscope")
        self.setWindowModified(self.workspace.is_dirty)

    def _on_problems_count_changed(self, count: int) -> None:
        self.problems_dock.set_title(0, f"Problems {count}" if count else "Problems")

    # Overrides of Qt methods

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._has_painted:
            self._has_painted = True
            self.first_painted.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.command_palette.hide()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.code.flush()
        if not self.may_close():
            event.ignore()
            return
        self._save_arrangement()
        self.closing.emit()
        for panel in (self.tree, self.tensor, self.code, self.run_bar, self.loss):
            close_timers = getattr(panel, "close_timers", None)
            if close_timers is not None:
                close_timers()
        self.live.close()
        event.accept()
