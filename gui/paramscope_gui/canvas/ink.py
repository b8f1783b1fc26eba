"""Pens and brushes of the canvas by role, made once for each theme.

Making a `QPen` from Python costs more than the stroke itself, and a frame takes thousands.
"""

from functools import lru_cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor, QPen

from paramscope.census.rows import Kind
from paramscope_gui.theme import Theme, ThemeModel

# Anchors of viridis (CC0), the one map for magnitudes.
_VIRIDIS = (
    (68, 1, 84),
    (72, 40, 120),
    (62, 74, 137),
    (49, 104, 142),
    (38, 130, 142),
    (31, 158, 137),
    (53, 183, 121),
    (109, 205, 89),
    (180, 222, 44),
    (253, 231, 37),
)
_WIRE_ROLES = {
    Kind.PARAMETER: "blue",
    Kind.BUFFER: "green",
    Kind.BUFFER_NOT_SAVED: "green",
    Kind.TENSOR: "grey",
    Kind.NON_LEAF: "grey",
    Kind.UNINITIALIZED: "amber",
    Kind.FORGOTTEN_TENSOR: "vermilion",
    Kind.FORGOTTEN_PARAMETER: "vermilion",
    Kind.FORGOTTEN_MODULE: "vermilion",
}
WIRE_WIDTHS = (1.5, 2.0, 3.0, 4.5)


class Ink:
    """The theme's colours ready for a painter. `refresh` after the theme has changed."""

    def __init__(self, model: ThemeModel) -> None:
        self._model = model
        self._pens: dict[tuple[object, ...], QPen] = {}
        self._brushes: dict[str, QBrush] = {}

    @property
    def theme(self) -> Theme:
        """The theme to draw with."""
        return self._model.theme

    def refresh(self) -> None:
        """Forget what was made for the theme before."""
        self._pens.clear()
        self._brushes.clear()

    def color(self, role: str) -> QColor:
        """Return the colour of a role: ``text``, ``word:amber``, ``tint:linear``."""
        theme = self.theme
        table, _, name = role.partition(":")
        if table == "word":
            return theme.words[name]
        if table == "glyph":
            return theme.glyphs[name]
        if table == "tint":
            return theme.tint(name)
        if table == "code":
            return theme.code[name]
        color = getattr(theme, table)
        assert isinstance(color, QColor)
        return color

    def pen(
        self, role: str, width: float = 1.0, dashed: bool = False, cosmetic: bool = True
    ) -> QPen:
        """Return a pen; a cosmetic one keeps its width on the screen at any zoom."""
        key = (role, width, dashed, cosmetic)
        pen = self._pens.get(key)
        if pen is None:
            pen = QPen(self.color(role), width)
            pen.setCosmetic(cosmetic)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            if dashed:
                pen.setCapStyle(Qt.PenCapStyle.FlatCap)
                pen.setDashPattern([4.0, 3.0])
            self._pens[key] = pen
        return pen

    def brush(self, role: str) -> QBrush:
        """Return a full brush."""
        brush = self._brushes.get(role)
        if brush is None:
            brush = QBrush(self.color(role))
            self._brushes[role] = brush
        return brush

    def hatch(self, role: str) -> QBrush:
        """Return the hatching that says "absent"."""
        key = f"hatch {role}"
        brush = self._brushes.get(key)
        if brush is None:
            brush = QBrush(self.color(role), Qt.BrushStyle.BDiagPattern)
            self._brushes[key] = brush
        return brush

    def wire_role(self, kind: Kind | None) -> str:
        """Return the role of a wire's colour by the kind of what flows in it."""
        return "wire" if kind is None else f"glyph:{_WIRE_ROLES[kind]}"


@lru_cache(maxsize=65)
def magnitude_color(level: float) -> QColor:
    """Return the colour of a magnitude from 0 to 1 in the sequential map."""
    place = min(1.0, max(0.0, level)) * (len(_VIRIDIS) - 1)
    index = min(int(place), len(_VIRIDIS) - 2)
    part = place - index
    low, high = _VIRIDIS[index], _VIRIDIS[index + 1]
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(low, high, strict=True))
    return QColor(red, green, blue)
