"""Bars above the canvas for what needs an answer and mustn't stop the work.

A failure of the user's code, a file changed outside, a document that waits for consent, a
refused command: each is one line with its buttons, and goes when it no longer holds.
"""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import GlyphLabel, WrappedLabel, button

MOST_OF_WIDTH = 0.5  # buttons that are wider than this share go below the text
Choice = tuple[str, Callable[[], None]]
LOOKS = {
    "error": ("triangle", "vermilion", "error_fill"),
    "warning": ("diamond_mark", "amber", "warning_fill"),
    "info": ("info", "blue", "info_fill"),
}


class NoticeArea(QWidget):
    """The bars that stand now, one for each key; the newest at the bottom."""

    def __init__(self, themes: ThemeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._bars: dict[str, _Bar] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)

    def say(self, key: str, look: str, text: str, choices: Sequence[Choice] = ()) -> None:
        """Show a bar; one of the same key is replaced."""
        old = self._bars.get(key)
        if old is not None and old.text == text:
            return
        self.withdraw(key)
        bar = _Bar(self._themes, key, look, text, choices, lambda: self.withdraw(key))
        self._bars[key] = bar
        self._column.addWidget(bar)

    def withdraw(self, key: str) -> None:
        """Take a bar away, if it stands."""
        bar = self._bars.pop(key, None)
        if bar is not None:
            self._column.removeWidget(bar)
            bar.hide()
            bar.deleteLater()

    def text_of(self, key: str) -> str | None:
        """What the bar of a key says, or None."""
        bar = self._bars.get(key)
        return None if bar is None else bar.text


class _Bar(QWidget):
    def __init__(
        self,
        themes: ThemeModel,
        key: str,
        look: str,
        text: str,
        choices: Sequence[Choice],
        on_close: Callable[[], None],
    ) -> None:
        super().__init__()
        self._themes = themes
        self.text = text
        sign, role, self._fill = LOOKS[look]
        self.setObjectName(f"notice_{key}")
        self.setAccessibleName(text)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(GRID + GRID // 2, GRID // 2, GRID, GRID // 2)
        self._grid.setSpacing(GRID)
        self._grid.setColumnStretch(1, 1)
        label = WrappedLabel(themes, text)
        label.setObjectName(f"notice_{key}_text")
        self._buttons = QWidget()
        self._buttons.setObjectName(f"notice_{key}_buttons")
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        for place, (words, action) in enumerate(choices):
            row.addWidget(button(words, f"notice_{key}_{place}", action, primary=place == 0))
        row.addWidget(button("Dismiss", f"notice_{key}_dismiss", on_close, flat=True))
        self._grid.addWidget(GlyphLabel(themes, sign, role, 18), 0, 0)
        self._grid.addWidget(label, 0, 1)
        self._is_low: bool | None = None
        self._place_buttons(False)

    def _place_buttons(self, below: bool) -> None:
        """Set the buttons beside the text, or below it where they would leave it too little."""
        if below == self._is_low:
            return
        self._is_low = below
        self._grid.removeWidget(self._buttons)
        if below:
            self._grid.addWidget(self._buttons, 1, 1, 1, 2, Qt.AlignmentFlag.AlignLeft)
        else:
            self._grid.addWidget(self._buttons, 0, 2)

    # Overrides of Qt methods

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_buttons(self._buttons.sizeHint().width() > MOST_OF_WIDTH * self.width())

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        painter.fillRect(self.rect(), getattr(theme, self._fill))
        painter.fillRect(0, self.height() - 1, self.width(), 1, theme.hairline)
