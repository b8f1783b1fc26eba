"""Docks whose title is a quiet line of words or tabs instead of Qt's bar of buttons."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QStackedWidget, QTabBar, QWidget

from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import ThemedLabel

HEIGHT = 4 * GRID


class Dock(QDockWidget):
    """One or several panels behind one title; several are chosen by tabs in it."""

    def __init__(
        self, themes: ThemeModel, name: str, pages: Sequence[tuple[str, QWidget]], least: QSize
    ) -> None:
        super().__init__(pages[0][0])
        self.setObjectName(f"dock_{name}")
        self.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable
            | QDockWidget.DockWidgetFeature.DockWidgetFloatable
            | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        self._least = least
        self._pages = _Pages(least)
        self._pages.setObjectName(f"{name}_pages")
        for _, page in pages:
            self._pages.addWidget(page)
        self.setWidget(self._pages)
        self._title = _Title(themes, name, [title for title, _ in pages])
        self._title.tabs.currentChanged.connect(self._pages.setCurrentIndex)
        self.setTitleBarWidget(self._title)

    @property
    def tabs(self) -> QTabBar:
        """The tabs of the title."""
        return self._title.tabs

    def show_page(self, page: int) -> None:
        """Bring a panel to the front and the dock into view."""
        self.tabs.setCurrentIndex(page)
        self.show()
        self.raise_()

    def set_title(self, page: int, text: str) -> None:
        """Write another title for a page."""
        self.tabs.setTabText(page, text)

    def set_page(self, page: int, widget: QWidget) -> None:
        """Put another widget in a page's place."""
        old = self._pages.widget(page)
        current = self._pages.currentIndex()
        self._pages.insertWidget(page, widget)
        if old is not None:
            self._pages.removeWidget(old)
            old.deleteLater()
        self._pages.setCurrentIndex(current)


class _Pages(QStackedWidget):
    def __init__(self, least: QSize) -> None:
        super().__init__()
        self._least = least

    def minimumSizeHint(self) -> QSize:
        return self._least

    def sizeHint(self) -> QSize:
        return self._least


class _Title(QWidget):
    """The line on top of a dock; its empty part drags the dock."""

    def __init__(self, themes: ThemeModel, name: str, titles: Sequence[str]) -> None:
        super().__init__()
        self._themes = themes
        self.setObjectName(f"{name}_title")
        self.tabs = QTabBar()
        self.tabs.setObjectName(f"{name}_tabs")
        self.tabs.setAccessibleName(" and ".join(titles))
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.setUsesScrollButtons(False)
        for title in titles:
            self.tabs.addTab(title)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID // 2, 0, GRID, 0)
        row.setSpacing(0)
        if len(titles) == 1:
            # A single tab is only a word: nothing to choose, nothing to focus.
            self.tabs.setProperty("single", True)
            self.tabs.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self.tabs.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        row.addWidget(self.tabs, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        self.remark = ThemedLabel(themes, "", "quiet", "small")
        row.addWidget(self.remark)

    def minimumSizeHint(self) -> QSize:
        tabs = self.tabs.sizeHint()
        return QSize(tabs.width() + 2 * GRID, max(HEIGHT, tabs.height()))

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._themes.theme.panel)
