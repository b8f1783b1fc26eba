"""A short answer at the cursor: why something was refused, and the one key that mends it."""

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from paramscope.document.document import Command

_OFFSET = 16


class Bubble(QFrame):
    """Lies over the viewport. Enter or a click takes the repair; anything else dismisses it."""

    repair_chosen = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("canvas_bubble")
        self.setAccessibleName("Why it was refused")
        self.setProperty("role", "bubble")
        self._area = parent
        self._repair: Command | None = None
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(12)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setMaximumWidth(420)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._button = QToolButton()
        self._button.setObjectName("canvas_repair")
        self._button.setAccessibleName("Repair")
        self._button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._button.clicked.connect(self.accept)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._button)
        self.hide()

    @property
    def text(self) -> str:
        """The reason shown."""
        return self._text.text()

    @property
    def repair(self) -> Command | None:
        """The command that Enter would run, if there is one."""
        return self._repair if self.isVisible() else None

    def say(self, reason: str, repair: Command | None, place: QPoint) -> None:
        """Show ``reason`` beside ``place`` (in the parent's coordinates)."""
        self._repair = repair
        self._text.setText(reason)
        self._text.setMinimumWidth(min(420, self._text.fontMetrics().horizontalAdvance(reason) + 4))
        self._button.setVisible(repair is not None)
        if repair is not None:
            self._button.setText(f"Enter: {repair.label}")
        self.adjustSize()
        self.move(self._beside(place))
        self.show()
        self.raise_()

    def accept(self) -> None:
        """Run the repair and close."""
        repair = self._repair
        self.dismiss()
        if repair is not None:
            self.repair_chosen.emit(repair)

    def dismiss(self) -> None:
        """Close without doing anything."""
        self._repair = None
        self.hide()

    def _beside(self, place: QPoint) -> QPoint:
        """A place near the cursor where the whole bubble can be seen."""
        area = self._area.rect()
        x = min(place.x() + _OFFSET, area.width() - self.width() - 8)
        y = place.y() + _OFFSET
        if y + self.height() > area.height() - 8:
            y = place.y() - _OFFSET - self.height()
        return QPoint(max(8, x), max(8, y))
