"""A line of a question: what is asked, a field with a guess in it, and the reason of the guess."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import ElidedLabel, WrappedLabel

NAME_LENGTH = 16  # characters; longer names are elided


class EntryRow(QWidget):
    """One thing to fill in. ``is_typed`` tells that the user has changed the guess."""

    changed = Signal()

    def __init__(self, themes: ThemeModel, slug: str, name: str, text: str, reason: str) -> None:
        super().__init__()
        self.name = name
        self._guess = text.strip()
        self.setObjectName(f"{slug}_row")
        mono = themes.theme.font("body", mono=True)
        label = ElidedLabel(name)
        label.setFont(mono)
        self.field = QLineEdit(text)
        self.field.setObjectName(slug)
        self.field.setAccessibleName(name)
        self.field.setFont(mono)
        self.field.setCursorPosition(0)
        self.field.setPlaceholderText("Python, such as 8 or randn(4, 8)")
        label.setBuddy(self.field)
        self._reason = WrappedLabel(themes, reason, "quiet", "small")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID // 4)
        grid.setColumnStretch(1, 1)
        grid.setColumnMinimumWidth(0, QFontMetrics(mono).horizontalAdvance("x" * NAME_LENGTH))
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.field, 0, 1)
        grid.addWidget(self._reason, 1, 1)
        self.field.textChanged.connect(self._on_field_changed)

    @property
    def text(self) -> str:
        """What stands in the field, without spaces around it."""
        return self.field.text().strip()

    @property
    def is_typed(self) -> bool:
        """Whether the user has changed what was guessed."""
        return self.text != self._guess

    def _on_field_changed(self) -> None:
        self._reason.setVisible(not self.is_typed)
        self.changed.emit()
