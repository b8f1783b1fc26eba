"""Steps per second and the mode they run in; a press says what that is, why, and what would help.

The run bar holds it. A mode that is slower than it could be has a sign beside its word.
"""

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFrame,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from paramscope.engine.modes import Explanation, explain_mode
from paramscope_gui.theme import GRID, ThemeModel, glyph
from paramscope_gui.widgets import ThemedLabel, WrappedLabel, button, with_code

CAPTION = "steps/s"
WIDEST = ("steps/s · native", "9,999,999")
SIGN = 12
CARD_WIDTH = 44 * GRID


class PaceFigure(QAbstractButton):
    """The speed under a caption that names the mode."""

    line_requested = Signal(int)

    def __init__(self, themes: ThemeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._figure, self._mode = "–", ""
        self._told: tuple[str, ...] = ()
        self._explanation: Explanation | None = None
        self._card: ModeCard | None = None
        self.setObjectName("run_rate_value")
        self.setAccessibleName("Steps per second")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self.explain)
        themes.changed.connect(self._dress)

    def text(self) -> str:
        """Return what is to be read: the speed and the mode."""
        return f"{self._figure} {self._caption()}"

    @property
    def explanation(self) -> str:
        """What a press says, nothing where there is one mode only."""
        return self._explanation.text if self._explanation is not None else ""

    def show_pace(self, figure: str, mode: str, reason: str, filename: str = "") -> None:
        """Show a speed, and the mode with the reason for it; ``filename`` is the document's."""
        told = (figure, mode, reason, filename)
        if told == self._told:
            return
        if told[1:] != self._told[1:]:
            self._mode = mode
            self._explanation = explain_mode(mode, reason, filename)
            if self._card is not None and self._explanation is not None:
                self._card.tell(mode, self._explanation)
            self.setToolTip(with_code(self.explanation))
            self.setAccessibleDescription(f"{mode}. {self.explanation}" if mode else "")
            self.setCursor(
                Qt.CursorShape.PointingHandCursor if mode else Qt.CursorShape.ArrowCursor
            )
        self._told, self._figure = told, figure
        self.update()

    def explain(self) -> None:
        """Open the card that explains the mode, or close it."""
        if self._card is not None:
            self._card.close()
        elif self._explanation is not None:
            self._card = ModeCard(self._themes, self.window())
            self._card.tell(self._mode, self._explanation)
            self._card.line_requested.connect(self.line_requested)
            self._card.destroyed.connect(self._on_card_destroyed)
            self._card.open_below(self)

    def _on_card_destroyed(self) -> None:
        self._card = None

    def _caption(self) -> str:
        return f"{CAPTION} · {self._mode}" if self._mode else CAPTION

    @property
    def _has_sign(self) -> bool:
        explained = self._explanation
        return self._mode == "eager" and explained is not None and bool(explained.why)

    def _dress(self) -> None:
        self.updateGeometry()
        self.update()

    # Overrides of Qt methods

    def sizeHint(self) -> QSize:
        theme = self._themes.theme
        small, bold = QFontMetrics(theme.font("small")), QFontMetrics(theme.font("body", bold=True))
        caption, figure = WIDEST
        width = max(small.horizontalAdvance(caption) + SIGN + 4, bold.horizontalAdvance(figure))
        return QSize(width + GRID, small.height() + bold.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        small, bold = theme.font("small"), theme.font("body", bold=True)
        height = QFontMetrics(small).height()
        painter.setFont(small)
        painter.setPen(theme.quiet)
        painter.drawText(0, QFontMetrics(small).ascent(), self._caption())
        if self._has_sign:
            left = QFontMetrics(small).horizontalAdvance(self._caption()) + 4
            sign = glyph("info", theme.glyphs["blue"], SIGN, self.devicePixelRatioF())
            painter.drawPixmap(QPoint(left, (height - SIGN) // 2), sign)
        painter.setFont(bold)
        painter.setPen(theme.text)
        painter.drawText(0, height + QFontMetrics(bold).ascent(), self._figure)
        if self.hasFocus():
            painter.setPen(theme.accent)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))


class ModeCard(QFrame):
    """A card over the window: the mode, what it means, why, where, and what would help.

    It goes with Esc, or when anything outside of it gets the focus.
    """

    line_requested = Signal(int)

    def __init__(self, themes: ThemeModel, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setObjectName("mode_card")
        self._themes = themes
        self._figure: QWidget | None = None
        self._explanation = Explanation("")
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID * 2, GRID, GRID * 2, GRID)
        column.setSpacing(GRID // 2)
        self._mode = ThemedLabel(themes, bold=True)
        column.addWidget(self._mode)
        self._parts = [WrappedLabel(themes, "", role) for role in ("text", "text", "quiet")]
        for label in self._parts:
            column.addWidget(label)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        self._go = button("", "mode_line", self._on_go_clicked, primary=True)
        self._copy = button("Copy", "mode_copy", self.copy, flat=True)
        row.addWidget(self._go)
        row.addWidget(self._copy)
        row.addStretch(1)
        column.addLayout(row)
        themes.changed.connect(self._dress)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus_changed)
        self._dress()

    def tell(self, mode: str, explanation: Explanation) -> None:
        """Show what there is to say of a mode."""
        self._explanation = explanation
        self.setAccessibleName(f"Mode of the training: {mode}")
        self.setAccessibleDescription(explanation.text)
        self._mode.setText(mode.capitalize())
        texts = (explanation.meaning, explanation.why, explanation.help)
        for label, text in zip(self._parts, texts, strict=True):
            label.setText(text)
            label.setVisible(bool(text))
        line = explanation.line
        self._go.setVisible(line is not None)
        self._go.setText(f"Go to line {line}")
        self._go.setAccessibleName(f"Go to line {line}")
        self._copy.setVisible(bool(explanation.why))
        self._settle()

    def copy(self) -> None:
        """Put what the card says on the clipboard."""
        QGuiApplication.clipboard().setText(self._explanation.text)

    def open_below(self, figure: QWidget) -> None:
        """Show the card under ``figure``, inside of its window."""
        self._figure = figure
        figure.window().installEventFilter(self)
        self.show()
        self._settle()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def _settle(self) -> None:
        """Take the size of what is said, and the place for it."""
        self.adjustSize()
        self._stand()

    def _stand(self) -> None:
        """Stand below the figure, wherever the window's size has put it."""
        figure = self._figure
        if figure is None:
            return
        window = figure.window()
        corner = figure.mapTo(window, QPoint(0, figure.height() + GRID // 2))
        self.move(max(0, min(corner.x(), window.width() - self.width() - GRID)), corner.y())

    def _dress(self) -> None:
        theme = self._themes.theme
        for label in self._parts:
            label.setFixedWidth(round(CARD_WIDTH * theme.scale))
        self.setStyleSheet(
            f"#mode_card {{ background: {theme.raised.name()}; border-radius: 6px;"
            f" border: 1px solid {theme.hairline.name()}; }}"
        )

    def _on_go_clicked(self) -> None:
        if self._explanation.line is not None:
            self.line_requested.emit(self._explanation.line)

    def _on_focus_changed(self, _: QWidget | None, now: QWidget | None) -> None:
        if now is None or not (now is self or self.isAncestorOf(now)):
            self.close()

    # Overrides of Qt methods

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.LayoutRequest or event.type() is QEvent.Type.Resize:
            # The figure moves when the window has laid itself out.
            QTimer.singleShot(0, self, self._stand)
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Space):
            if self._figure is not None and self._figure.isVisible():
                self._figure.setFocus(Qt.FocusReason.PopupFocusReason)  # which closes this
            else:
                self.close()
        else:
            super().keyPressEvent(event)
