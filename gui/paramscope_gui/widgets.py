"""Small widgets that several panels use: labels, empty states, cards, ways to write numbers."""

import html
import math
import re
from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)

from paramscope_gui.theme import GRID, MONOSPACE, ThemeModel, glyph

_BREAKS = re.compile(r"([._(,=])(?=[A-Za-z(])")  # where a line may end inside of code


def number(value: float, digits: int = 4) -> str:
    """Write a number with 3 or 4 significant digits, thousands separated."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    magnitude = abs(value)
    if value == 0:
        return "0"
    if magnitude >= 1e6 or magnitude < 1e-3:
        return f"{value:.{digits - 2}e}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")
    exponent = math.floor(math.log10(magnitude))
    return f"{value:,.{max(0, digits - 1 - exponent)}f}".replace("-", "−")


def shape_text(shape: tuple[int, ...]) -> str:
    """Write a shape as ``64 × 784``; a single number is a scalar."""
    return " × ".join(str(size) for size in shape) if shape else "scalar"


def values_text(count: int) -> str:
    """Return how many values a tensor has, in words."""
    return "1 value" if count == 1 else f"{count:,} values"


class ElidedLabel(QLabel):
    """A label of one line that elides in the middle and shows its whole text as a tool tip."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:
        return QSize(4 * GRID, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        elided = self._elided() != self.text()
        self.setToolTip(self.text() if elided else "")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        painter.setFont(self.font())
        painter.drawText(self.contentsRect(), int(self.alignment()), self._elided())

    def _elided(self) -> str:
        metrics = QFontMetrics(self.font())
        width = self.contentsRect().width()
        return metrics.elidedText(self.text(), Qt.TextElideMode.ElideMiddle, width)


class ThemedLabel(QLabel):
    """A label whose colour is a role of the theme: ``text``, ``quiet`` or a state's colour."""

    def __init__(
        self,
        themes: ThemeModel,
        text: str = "",
        role: str = "text",
        size: str = "body",
        bold: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._themes = themes
        self._role, self._size, self._bold = role, size, bold
        themes.changed.connect(self._dress)
        self._dress()

    def set_role(self, role: str) -> None:
        """Show the text in another role's colour."""
        if role != self._role:
            self._role = role
            self._dress()

    def _dress(self) -> None:
        theme = self._themes.theme
        self.setFont(theme.font(self._size, bold=self._bold))
        color = theme.words.get(self._role) or getattr(theme, self._role)
        weight = 600 if self._bold else 400
        size = {"small": theme.small, "body": theme.body, "big": theme.big}[self._size]
        # The application's style sheet wins over palettes, so the colour is a style too.
        self.setStyleSheet(f"color: {color.name()}; font-size: {size}px; font-weight: {weight};")


class FigureLabel(ThemedLabel):
    """A number that changes many times a second, in room for its ``widest`` text.

    A plain label would have the whole window laid out anew at each change.
    """

    def __init__(
        self, themes: ThemeModel, widest: str, size: str = "body", role: str = "text"
    ) -> None:
        self._figure = "–"
        self._widest = widest
        super().__init__(themes, "", role, size, bold=True)

    def text(self) -> str:
        return self._figure

    def setText(self, text: str) -> None:
        if text != self._figure:
            self._figure = text
            self.update()

    def sizeHint(self) -> QSize:
        self.ensurePolished()
        metrics = QFontMetrics(self.font())
        return QSize(metrics.horizontalAdvance(self._widest) + 2, metrics.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.font())
        painter.setPen(self.palette().windowText().color())
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter), self._figure)


class WrappedLabel(ThemedLabel):
    """A themed label that wraps, also inside long expressions, so that it fits any width.

    What stands between backticks is code, and is written in the monospaced type.
    """

    def __init__(
        self, themes: ThemeModel, text: str = "", role: str = "text", size: str = "body"
    ) -> None:
        super().__init__(themes, "", role, size)
        self._said = ""
        self.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setText(text)

    def text(self) -> str:
        return self._said

    def setText(self, text: str) -> None:
        self._said = text
        self.setAccessibleName(text.replace("`", ""))
        text = _BREAKS.sub("\\1\u200b", text)
        has_code = "`" in text
        self.setTextFormat(Qt.TextFormat.RichText if has_code else Qt.TextFormat.PlainText)
        super().setText(with_code(text) if has_code else text)


def with_code(text: str) -> str:
    """Return text as Qt's HTML, with what stands between backticks in the monospaced type.

    >>> with_code("`a < b` holds")
    '<span style="font-family: \\'JetBrains Mono\\'">a &lt; b</span> holds'
    """
    parts = html.escape(text, quote=False).split("`")
    if len(parts) % 2 == 0:  # a backtick that nothing closes is a character like any other
        parts[-2:] = ["`".join(parts[-2:])]
    opened = f"<span style=\"font-family: '{MONOSPACE}'\">"
    said = "".join(
        f"{opened}{part}</span>" if place % 2 else part for place, part in enumerate(parts)
    )
    return said.replace("\n", "<br>")


class GlyphLabel(QLabel):
    """A drawing of the theme as a label."""

    def __init__(
        self,
        themes: ThemeModel,
        name: str,
        role: str = "text",
        size: int = 16,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._themes, self._name, self._role, self._size = themes, name, role, size
        self.setFixedSize(size, size)
        themes.changed.connect(self._dress)
        self._dress()

    def show_glyph(self, name: str, role: str) -> None:
        """Show another drawing."""
        if (name, role) != (self._name, self._role):
            self._name, self._role = name, role
            self._dress()

    def _dress(self) -> None:
        theme = self._themes.theme
        color = theme.glyphs.get(self._role) or getattr(theme, self._role)
        if self._name:
            self.setPixmap(glyph(self._name, color, self._size, self.devicePixelRatioF()))
        else:
            self.clear()


class Hairline(QFrame):
    """A line of one pixel between two areas."""

    def __init__(self, themes: ThemeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.setFixedHeight(1)
        themes.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        self.setStyleSheet(f"background: {self._themes.theme.hairline.name()};")


class EmptyState(QScrollArea):
    """What an empty panel says: what will appear there, and the one action that makes it so.

    Where the panel is too low for it, it scrolls: no line of it is cut.
    """

    def __init__(
        self,
        themes: ThemeModel,
        name: str,
        text: str,
        action: str = "",
        on_action: Callable[[], None] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setObjectName(f"{name}_empty")
        self.setAccessibleName(text or name)
        page = QWidget()
        self.setWidget(page)
        column = QVBoxLayout(page)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.addStretch(1)
        self.label = ThemedLabel(themes, text, "quiet")
        self.label.setObjectName(f"{name}_empty_label")
        self.label.setWordWrap(True)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self.label)
        if on_action is not None:
            row = QHBoxLayout()
            row.addStretch(1)
            self.button = button(action, f"{name}_empty_button", on_action)
            row.addWidget(self.button)
            row.addStretch(1)
            column.addSpacing(GRID)
            column.addLayout(row)
        column.addStretch(2)

    def needed_height(self, width: int) -> int:
        """Return how high it has to be, at a width, to be read without scrolling."""
        page = self.widget()
        return page.heightForWidth(width) if page is not None else 0


class FittingButton(QPushButton):
    """A button that writes its text shorter where there is no room for all of it.

    Enter presses it as Space does, in whatever it stands.
    """

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def minimumSizeHint(self) -> QSize:
        room = self.fontMetrics().horizontalAdvance("Prove: …") + 4 * GRID
        whole = super().minimumSizeHint()
        return QSize(min(room, whole.width()), whole.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        room = self.width() - (self.sizeHint().width() - self._text_width())
        if room < self._text_width():
            elide = Qt.TextElideMode.ElideRight
            option.text = self.fontMetrics().elidedText(self.text(), elide, room)
        QStylePainter(self).drawControl(QStyle.ControlElement.CE_PushButton, option)

    def _text_width(self) -> int:
        return self.fontMetrics().horizontalAdvance(self.text())


def button(
    text: str,
    name: str,
    on_click: Callable[[], object],
    *,
    primary: bool = False,
    flat: bool = False,
) -> QPushButton:
    """Return a push button with its object name and accessible name set."""
    result = FittingButton(text)
    result.setObjectName(name)
    result.setAccessibleName(text)
    result.setProperty("primary", primary)
    result.setProperty("flat", flat)
    result.setAutoDefault(False)
    result.clicked.connect(lambda: on_click())
    return result


def clear_layout(layout: QVBoxLayout | QHBoxLayout) -> None:
    """Take all widgets and spaces out of a layout and delete them."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
