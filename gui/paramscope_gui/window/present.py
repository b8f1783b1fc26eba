"""Presenter mode: the whole screen, large type, and only what an audience looks at.

F11 turns it on and off; everything then stands where it stood.
"""

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QAction

from paramscope_gui.window.main import MainWindow

LARGER = 1.3  # times the size of the type
LESSON_PAGE = 1
NOTICE = "present"


class Presenter:
    """Keeps what it changes, to put it back."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._state: tuple[QByteArray, QByteArray, float, Qt.WindowState] | None = None
        menus = window.menus
        menus.view.addSeparator()
        self._action: QAction = menus.add(
            menus.view, "view_present", "Presenter mode", self.toggle, ["F11"]
        )
        self._action.setCheckable(True)
        window.closing.connect(self.leave)

    @property
    def is_on(self) -> bool:
        """Whether it is on."""
        return self._state is not None

    def toggle(self) -> None:
        """Turn it on or off."""
        if self.is_on:
            self.leave()
        else:
            self._enter()
        self._action.setChecked(self.is_on)

    def leave(self) -> None:
        """Put everything back."""
        if self._state is None:
            return
        window = self._window
        docks, splitter, scale, state = self._state
        self._state = None
        window.notices.withdraw(NOTICE)
        window.themes.set_scale(scale)
        window.bar.show()
        window.setWindowState(state)
        was_welcoming = window.is_welcoming
        window.show_work()  # docks can only be put back where they are shown
        window.restoreState(docks)
        window.splitter.restoreState(splitter)
        if was_welcoming:
            window.show_welcome()

    def _enter(self) -> None:
        window = self._window
        was_welcoming = window.is_welcoming
        window.show_work()
        self._state = (
            window.saveState(),
            window.splitter.saveState(),
            window.themes.scale,
            window.windowState() & ~Qt.WindowState.WindowMinimized,
        )
        window.themes.set_scale(window.themes.scale * LARGER)
        # A lesson's steps are part of the talk; the palette is not.
        if window.compose_dock.tabs.currentIndex() != LESSON_PAGE:
            window.compose_dock.hide()
        window.bar.hide()
        window.setWindowState(window.windowState() | Qt.WindowState.WindowFullScreen)
        window.fit_docks()
        window.notices.say(NOTICE, "info", "F11 ends the presentation.", [("End it", self.toggle)])
        if was_welcoming:
            window.show_welcome()
