"""The legend of the gradient's colours, shown while gradients are on the wires."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from paramscope_gui.canvas.faces import HIGHEST_POWER, LOWEST_POWER
from paramscope_gui.canvas.ink import Ink, magnitude_color

_WIDTH = 216
_HEIGHT = 40
_STOPS = 8
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class GradientLegend(QWidget):
    """A bar from the smallest gradient to the largest, over the canvas's upper right corner."""

    def __init__(self, parent: QWidget, ink: Ink) -> None:
        super().__init__(parent)
        self.setObjectName("gradient_legend")
        self.setAccessibleName("Colours of the gradient's size")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._ink = ink
        self.resize(_WIDTH, _HEIGHT)
        self.hide()

    # Overrides of Qt

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        ink = self._ink
        painter.fillRect(self.rect(), ink.brush("canvas"))
        bar = QRectF(8.0, 24.0, _WIDTH - 16.0, 8.0)
        colors = QLinearGradient(QPointF(bar.left(), 0.0), QPointF(bar.right(), 0.0))
        for index in range(_STOPS + 1):
            colors.setColorAt(index / _STOPS, magnitude_color(index / _STOPS))
        painter.fillRect(bar, colors)
        painter.setPen(ink.pen("quiet"))
        painter.setFont(ink.theme.font("small"))
        line = QRectF(8.0, 4.0, _WIDTH - 16.0, 16.0)
        painter.drawText(line, int(Qt.AlignmentFlag.AlignLeft), _power(LOWEST_POWER))
        painter.drawText(line, int(Qt.AlignmentFlag.AlignHCenter), "gradient norm")
        painter.drawText(line, int(Qt.AlignmentFlag.AlignRight), _power(HIGHEST_POWER))


def _power(power: float) -> str:
    return f"10{str(round(power)).translate(_SUPERSCRIPT)}"
