"""Walks from panel to panel by keys: F6 to the next, Shift+F6 back.

The canvas keeps Tab for adding nodes and the code view keeps it for indenting, so there must be
another way out of them.
"""

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from paramscope_gui.window.main import MainWindow


class Panes:
    """The panels that can be seen, in the order in which they are read."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        add, view = window.menus.add, window.menus.view
        first = view.actions()[0]
        for name, text, keys, step in (
            ("view_next_panel", "Next panel", "F6", 1),
            ("view_previous_panel", "Previous panel", "Shift+F6", -1),
        ):
            add(view, name, text, partial(self.go, step), [keys], before=first)
        view.insertSeparator(first)

    def go(self, step: int) -> None:
        """Give the focus to the first field of the next panel, or of the one before."""
        ways = [way for way in map(way_into, self._panels()) if way is not None]
        if not ways:
            return
        focus = QApplication.focusWidget()
        here = [
            place
            for place, (panel, _) in enumerate(ways)
            if focus is not None and (panel is focus or panel.isAncestorOf(focus))
        ]
        place = here[0] + step if here else (0 if step > 0 else -1)
        ways[place % len(ways)][1].setFocus(Qt.FocusReason.TabFocusReason)

    def _panels(self) -> list[QWidget]:
        window = self._window
        if window.is_welcoming:
            return [window.welcome]
        docks = {dock.objectName(): dock.widget() for dock in window.docks}
        compose = docks[window.compose_dock.objectName()]
        others = [
            docks[dock.objectName()]
            for dock in window.docks
            if dock is not window.compose_dock and dock.widget() is not None
        ]
        return [window.canvas, window.code, *others, window.notices, window.run_bar, compose]


def way_into(panel: QWidget) -> tuple[QWidget, QWidget] | None:
    """Return a panel with what takes its focus; None if it cannot be seen or takes none."""
    if not panel.isVisible():
        return None
    proxy = panel.focusProxy()
    if proxy is not None:
        return panel, proxy
    for inner in panel.findChildren(QWidget):
        takes = inner.focusPolicy() & Qt.FocusPolicy.TabFocus == Qt.FocusPolicy.TabFocus
        if takes and inner.isVisible() and inner.isEnabled():
            return panel, inner
    return None
