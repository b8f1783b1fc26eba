"""The window itself: its pages, its docks' places, and what it remembers.

It comes up with the welcome page alone, so that it is visible at once; `furnishing.furnish`
brings in the canvas and the panels after its first paint.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QMenuBar,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from paramscope_gui.panels.notice import NoticeArea
from paramscope_gui.panels.welcome import WelcomePanel
from paramscope_gui.settings import Settings
from paramscope_gui.theme import GRID, ThemeModel

if TYPE_CHECKING:
    from paramscope_gui.bridge.live import Live
    from paramscope_gui.bridge.selection import Selection
    from paramscope_gui.bridge.workspace import Workspace
    from paramscope_gui.canvas.canvas import Canvas
    from paramscope_gui.panels.code import CodePanel
    from paramscope_gui.panels.command_palette import CommandPalette
    from paramscope_gui.panels.lesson import LessonPanel
    from paramscope_gui.panels.log import LogPanel
    from paramscope_gui.panels.palette import PalettePanel
    from paramscope_gui.panels.problems import ProblemsPanel
    from paramscope_gui.panels.run_bar import RunBar
    from paramscope_gui.panels.tensor import TensorPanel
    from paramscope_gui.panels.tree import TreePanel
    from paramscope_gui.window.docks import Dock
    from paramscope_gui.window.menus import Menus

WELCOME, WORK = 0, 1
NARROWEST_RIGHT = 52 * GRID
MENUS = (
    ("file", "&File"),
    ("edit", "&Edit"),
    ("view", "&View"),
    ("run", "&Run"),
    ("help", "&Help"),
)


class MainWindow(QMainWindow):
    """Canvas and code in the middle, the other panels in docks around them.

    What is only named here is there from `furnish` on.
    """

    first_painted = Signal()
    closing = Signal()

    workspace: "Workspace"
    selection: "Selection"
    live: "Live"
    canvas: "Canvas"
    code: "CodePanel"
    tree: "TreePanel"
    tensor: "TensorPanel"
    problems: "ProblemsPanel"
    log: "LogPanel"
    palette_panel: "PalettePanel"
    lesson: "LessonPanel"
    loss: QWidget
    command_palette: "CommandPalette"
    run_bar: "RunBar"
    menus: "Menus"
    splitter: QSplitter
    compose_dock: "Dock"
    tree_dock: "Dock"
    tensor_dock: "Dock"
    loss_dock: "Dock"
    problems_dock: "Dock"

    def __init__(self, settings: Settings, themes: ThemeModel) -> None:
        super().__init__()
        self.settings, self.themes = settings, themes
        self.may_close: Callable[[], bool] = lambda: True
        self.is_furnished = False
        self._has_painted = False
        self._hidden_docks: list[Dock] = []
        self._has_shown_tensor = False
        self._needs_fit = True  # sizes of docks hold only once they are shown
        self.setObjectName("main_window")
        self.setAccessibleName("Paramscope")
        self.setWindowTitle("Paramscope")
        self.setDockOptions(
            QMainWindow.DockOption.AnimatedDocks
            | QMainWindow.DockOption.AllowNestedDocks
            | QMainWindow.DockOption.AllowTabbedDocks
        )
        self._make_head()
        self._make_center()
        self.resize(1280, 800)
        self._restore_geometry()

    # Building

    def _make_head(self) -> None:
        self.bar = QMenuBar()
        self.bar.setObjectName("menu_bar")
        self.bar.setAccessibleName("Menus")
        for name, title in MENUS:
            menu = self.bar.addMenu(title)
            menu.setObjectName(f"menu_{name}")
            menu.setAccessibleName(title.replace("&", ""))
            menu.setToolTipsVisible(True)
        head = QWidget()
        head.setObjectName("head")
        self.head = QVBoxLayout(head)
        self.head.setContentsMargins(0, 0, 0, 0)
        self.head.setSpacing(0)
        self.head.addWidget(self.bar)
        self.setMenuWidget(head)

    def _make_center(self) -> None:
        self.welcome = WelcomePanel(self.themes)
        self.notices = NoticeArea(self.themes)
        self.pages = QStackedWidget()
        self.pages.setObjectName("center_pages")
        self.pages.addWidget(self.welcome)
        middle = QWidget()
        middle.setObjectName("center")
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notices)
        column.addWidget(self.pages, 1)
        self.setCentralWidget(middle)

    @property
    def docks(self) -> "tuple[Dock, ...]":
        """All docks, in the order of the View menu."""
        return (
            self.compose_dock,
            self.tree_dock,
            self.tensor_dock,
            self.loss_dock,
            self.problems_dock,
        )

    def be_furnished(self) -> None:
        """Arrange what `furnish` has brought, and go on with the welcome page."""
        self.is_furnished = True
        self.reset_arrangement()
        for dock in self.docks:
            dock.show()
        self._restore_docks()
        self.show_welcome()

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
            if dock.isFloating():
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
        right = min(56 * GRID, max(NARROWEST_RIGHT, round(width * 0.27)))
        left = min(34 * GRID, max(26 * GRID, round(width * 0.15)))
        self.resizeDocks(
            [self.compose_dock, self.tree_dock], [left, right], Qt.Orientation.Horizontal
        )
        bottom = max(24 * GRID, round(height * 0.25))
        self.resizeDocks([self.loss_dock], [bottom], Qt.Orientation.Vertical)
        self._share_right_column(self.selection.tensor is not None)
        self.resizeDocks(
            [self.loss_dock, self.problems_dock],
            [round(width * 0.58), round(width * 0.42)],
            Qt.Orientation.Horizontal,
        )
        self.splitter.setSizes([round(height * 0.39), round(height * 0.25)])

    def make_room_for_tensor(self) -> None:
        """Open the detail of the selected tensor, if it is as low as it stands while empty."""
        if self._has_shown_tensor or self.selection.tensor is None or self.is_welcoming:
            return
        self._has_shown_tensor = True
        if self.tensor_dock.height() <= self._low_height() + 2 * GRID:
            self._share_right_column(True)

    def _share_right_column(self, has_tensor: bool) -> None:
        low = round(self.height() * 0.29) if has_tensor else self._low_height()
        whole = round(self.height() * 0.66)
        self.resizeDocks(
            [self.tree_dock, self.tensor_dock], [whole - low, low], Qt.Orientation.Vertical
        )

    def _low_height(self) -> int:
        """Return the height of the tensor's dock that its few words need while it is empty."""
        title = self.tensor_dock.titleBarWidget().minimumSizeHint().height()
        words = self.tensor.empty.needed_height(NARROWEST_RIGHT)
        return max(self.tensor_dock.minimumSizeHint().height(), title + words)

    def _restore_geometry(self) -> None:
        kept = self.settings.arrangement()
        if kept is not None:
            self.restoreGeometry(kept[0])

    def _restore_docks(self) -> None:
        kept = self.settings.arrangement()
        if kept is not None:
            self.restoreState(kept[1])
            self.splitter.restoreState(kept[2])
            self._needs_fit = False

    def _save_arrangement(self) -> None:
        if self.is_welcoming:
            self.show_work()
        self.settings.save_arrangement(
            self.saveGeometry(), self.saveState(), self.splitter.saveState()
        )
        self.settings.sync()

    # Overrides of Qt methods

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._has_painted:
            self._has_painted = True
            self.first_painted.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.is_furnished:
            self.command_palette.hide()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.is_furnished:
            event.accept()
            return
        self.code.flush()
        if not self.may_close():
            event.ignore()
            return
        self._save_arrangement()
        self.closing.emit()
        for panel in (
            self.tree,
            self.tensor,
            self.code,
            self.run_bar,
            self.loss,
            self.problems,
        ):
            close_timers = getattr(panel, "close_timers", None)
            if close_timers is not None:
                close_timers()
        self.live.close()
        event.accept()
