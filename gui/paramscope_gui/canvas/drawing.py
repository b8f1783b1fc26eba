"""A node measured: where its texts, glyphs, bars and ports lie, in the node's own coordinates.

`draw_up` turns a face into a `Drawing`, once for each change; painting then only walks through
lists. Colours are roles of the theme, so a change of scheme needs a repaint and no measuring.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from math import ceil
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QStaticText, QTransform

from paramscope.census.rows import Gradient, Kind, TensorRow
from paramscope_gui.canvas.code_text import colored_parts
from paramscope_gui.canvas.faces import Badge, NodeFace, TensorFace, shape_text
from paramscope_gui.theme import FAMILY, FORGOTTEN, GRID, LIGHT, MONOSPACE, SEVERITIES

TITLE_HEIGHT = 32.0
ROW_HEIGHT = 24.0
CODE_LINE_HEIGHT = 16.0
PADDING = 10.0
GLYPH_SIZE = 12
MIN_WIDTH = 64.0
MAX_WIDTH = 320.0
_TITLE_ROOM = 1.3
_WORD_ROOM = 1.2
MAX_CODE_WIDTH = 460.0
PORT_RADIUS = 5.0
BAR_HEIGHT = 3.0


class Face(IntEnum):
    """The typefaces on a node."""

    TITLE = 0
    NAME = 1
    TEXT = 2
    SHAPE = 3
    CODE = 4


class Text(NamedTuple):
    """A piece of text at its baseline; ``role`` is the theme's name of its colour."""

    x: float
    baseline: float
    text: str
    face: Face
    role: str


class Glyph(NamedTuple):
    """A state's drawing; ``role`` is one of the theme's glyph colours."""

    x: float
    y: float
    name: str
    role: str


class Bar(NamedTuple):
    """The bar of a gradient; ``level`` None is hatched: there is none."""

    x: float
    y: float
    width: float
    level: float | None
    role: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A measured node. ``rows`` are the areas of the tensors, for hover and click."""

    size: QSizeF
    face: NodeFace
    title: tuple[Text, ...]
    texts: tuple[Text, ...]
    glyphs: tuple[Glyph, ...]
    bars: tuple[Bar, ...]
    rules: tuple[float, ...]
    rows: tuple[tuple[QRectF, TensorFace], ...]
    caption: QRectF
    inputs: tuple[QPointF, ...]
    outputs: tuple[QPointF, ...]

    @property
    def rect(self) -> QRectF:
        """The node's area."""
        return QRectF(QPointF(0.0, 0.0), self.size)


@cache
def font(face: Face) -> QFont:
    """Return a typeface of the canvas. The zoom scales the canvas, so sizes are fixed here."""
    mono = face in (Face.SHAPE, Face.CODE)
    result = QFont(MONOSPACE if mono else FAMILY)
    result.setPixelSize({Face.TITLE: 14, Face.NAME: 12, Face.TEXT: 12}.get(face, 11))
    if face is Face.TITLE:
        result.setWeight(QFont.Weight.DemiBold)
    result.setFeature(QFont.Tag("tnum"), 1)
    # Zooming must not make glyphs jump between pixel positions.
    result.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return result


@cache
def metrics(face: Face) -> QFontMetricsF:
    """Return the measures of a typeface of the canvas."""
    return QFontMetricsF(font(face))


def width_of(text: str, face: Face) -> float:
    """Return how wide ``text`` is at 100 %."""
    return _width(text, face)


@lru_cache(maxsize=20_000)
def static_text(text: str, face: Face) -> QStaticText:
    """Return a text whose glyphs are chosen already: shaping costs more than painting."""
    result = QStaticText(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
    result.prepare(QTransform(), font(face))
    return result


@cache
def ascent_of(face: Face) -> float:
    """Return how far a typeface's baseline lies below the top of its text."""
    return metrics(face).ascent()


def badge_sign(badge: Badge) -> tuple[str, str]:
    """Return the glyph of a problem and its colour."""
    shape, role, _ = SEVERITIES.get(badge.severity, SEVERITIES["H"])
    return shape, role


def draw_up(face: NodeFace) -> Drawing:
    """Measure ``face`` and place everything that is on it."""
    return _Measure(face).finish()


@lru_cache(maxsize=50_000)
def _width(text: str, face: Face) -> float:
    return metrics(face).horizontalAdvance(text)


class _Measure:
    """Builds one drawing from top to bottom."""

    def __init__(self, face: NodeFace) -> None:
        self.face = face
        self.limit = MAX_CODE_WIDTH if face.code else MAX_WIDTH
        self.width = self._find_width()
        self.y = TITLE_HEIGHT
        self.texts: list[Text] = []
        self.glyphs: list[Glyph] = []
        self.bars: list[Bar] = []
        self.rules: list[float] = []
        self.rows: list[tuple[QRectF, TensorFace]] = []
        self.caption = QRectF()
        self.inputs: list[QPointF] = []
        self.outputs: list[QPointF] = []

    def finish(self) -> Drawing:
        title = self._title()
        self._ports()
        if self.face.caption:
            self.caption = QRectF(0.0, self.y, self.width, ROW_HEIGHT)
            self._line(self.face.caption, Face.TEXT, "quiet")
        for name, value in self.face.facts:
            self._pair(name, value)
        for row in self.face.rows:
            self._tensor(row)
        if self.face.more:
            self._line(self.face.more, Face.TEXT, "quiet")
        self._code()
        if self.face.open_inputs:
            self._line(self._open_text(), Face.TEXT, "word:amber")
        self._footer()
        return Drawing(
            size=QSizeF(self.width, self.y),
            face=self.face,
            title=title,
            texts=tuple(self.texts),
            glyphs=tuple(self.glyphs),
            bars=tuple(self.bars),
            rules=tuple(self.rules),
            rows=tuple(self.rows),
            caption=self.caption,
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
        )

    def _find_width(self) -> float:
        face = self.face
        title = _width(face.title, Face.TITLE)
        if face.name:
            title += 8.0 + _width(face.name, Face.NAME)
        if face.problem:
            title += 8.0 + GLYPH_SIZE
        # Titles and words keep their size when the canvas is small: they shall not be cut then.
        title = max(title, _width(face.title, Face.TITLE) * _TITLE_ROOM)
        widths = [title, _width(face.caption, Face.TEXT), _width(face.more, Face.TEXT)]
        if face.open_inputs:
            widths.append(_width(self._open_text(), Face.TEXT))
        widths.extend(_row_width(row) for row in face.rows)
        widths.extend(
            _width(name, Face.TEXT) + 16.0 + _width(value, Face.SHAPE) for name, value in face.facts
        )
        widths.extend(_width(line, Face.CODE) for line in face.code)
        if self._has_port_rows:
            left = max((_width(name, Face.TEXT) for name in face.inputs), default=0.0)
            right = max((_width(text, Face.SHAPE) for text in face.outputs), default=0.0)
            widths.append(left + 24.0 + right)
        else:
            widths.extend(_width(text, Face.SHAPE) for text in face.outputs)
        wish = min(self.limit, max(MIN_WIDTH, max(widths) + 2 * PADDING))
        return ceil(wish / GRID) * float(GRID)

    def _open_text(self) -> str:
        names = [self.face.inputs[index] for index in sorted(self.face.open_inputs)]
        return f"{', '.join(names)}: not connected"

    @property
    def _has_port_rows(self) -> bool:
        return len(self.face.inputs) > 1 or len(self.face.outputs) > 1

    def _title(self) -> tuple[Text, ...]:
        face = self.face
        room = self.width - 2 * PADDING - (GLYPH_SIZE + 8.0 if face.problem else 0.0)
        title = elided(face.title, Face.TITLE, room)
        texts = [Text(PADDING, _baseline(0.0, TITLE_HEIGHT, Face.TITLE), title, Face.TITLE, "text")]
        used = _width(title, Face.TITLE) + 8.0
        if face.name and room - used >= min(24.0, _width(face.name, Face.NAME)):
            name = elided(face.name, Face.NAME, room - used)
            baseline = _baseline(0.0, TITLE_HEIGHT, Face.TITLE)
            texts.append(Text(PADDING + used, baseline, name, Face.NAME, "quiet"))
        if face.badge is not None:
            x = self.width - PADDING - GLYPH_SIZE + 2.0
            self.glyphs.append(Glyph(x, (TITLE_HEIGHT - GLYPH_SIZE) / 2, *badge_sign(face.badge)))
        return tuple(texts)

    def _ports(self) -> None:
        face = self.face
        if not self._has_port_rows:
            self.inputs = [QPointF(0.0, TITLE_HEIGHT / 2) for _ in face.inputs]
            self.outputs = [QPointF(self.width, TITLE_HEIGHT / 2) for _ in face.outputs]
            return
        for index in range(max(len(face.inputs), len(face.outputs))):
            middle = self.y + ROW_HEIGHT / 2
            baseline = _baseline(self.y, ROW_HEIGHT, Face.TEXT)
            room = self.width - 2 * PADDING
            # A single output stands in the title bar, and its shape below, as on every node.
            if index < len(face.outputs) and len(face.outputs) > 1:
                text = elided(face.outputs[index], Face.SHAPE, room * 0.7)
                x = self.width - PADDING - _width(text, Face.SHAPE)
                self.texts.append(Text(x, baseline, text, Face.SHAPE, "quiet"))
                self.outputs.append(QPointF(self.width, middle))
                room = x - 2 * PADDING
            if index < len(face.inputs):
                name = elided(face.inputs[index], Face.TEXT, room)
                self.texts.append(Text(PADDING, baseline, name, Face.TEXT, "quiet"))
                self.inputs.append(QPointF(0.0, middle))
            self.y += ROW_HEIGHT
        if len(face.outputs) == 1:
            self.outputs.append(QPointF(self.width, TITLE_HEIGHT / 2))

    def _line(self, text: str, face: Face, role: str) -> None:
        text = elided(text, face, self.width - 2 * PADDING)
        self.texts.append(Text(PADDING, _baseline(self.y, ROW_HEIGHT, face), text, face, role))
        self.y += ROW_HEIGHT

    def _pair(self, name: str, value: str) -> None:
        room = self.width - 2 * PADDING - _width(name, Face.TEXT) - 16.0
        value = elided(value, Face.SHAPE, room)
        x = self.width - PADDING - _width(value, Face.SHAPE)
        baseline = _baseline(self.y, ROW_HEIGHT, Face.TEXT)
        role = "word:vermilion" if name == Kind.FORGOTTEN_TENSOR.partition(" ")[0] else "quiet"
        self.texts.append(Text(PADDING, baseline, name, Face.TEXT, role))
        self.texts.append(Text(x, baseline, value, Face.SHAPE, "text"))
        self.y += ROW_HEIGHT

    def _tensor(self, row: TensorFace) -> None:
        top = self.y
        style = _style(row)
        baseline = _baseline(top, ROW_HEIGHT - BAR_HEIGHT, Face.TEXT)
        glyph_y = top + (ROW_HEIGHT - BAR_HEIGHT - GLYPH_SIZE) / 2
        self.glyphs.append(Glyph(PADDING, glyph_y, style.glyph, style.role))
        x = PADDING + GLYPH_SIZE + 6.0
        right = self.width - PADDING
        shape = shape_text(row.shape)
        if shape:
            shape = elided(shape, Face.SHAPE, (right - x) * 0.7)
            right -= _width(shape, Face.SHAPE)
            self.texts.append(Text(right, baseline, shape, Face.SHAPE, "quiet"))
            right -= 12.0
        if row.is_troubled or not row.name:
            word = elided(style.word, Face.TEXT, right - x)
            taken = _width(word, Face.TEXT) + 8.0
            name = elided(row.name, Face.TEXT, right - x - taken) if row.name else ""
            self.texts.append(Text(x, baseline, name, Face.TEXT, "text"))
            shift = _width(name, Face.TEXT) + 8.0 if name else 0.0
            self.texts.append(Text(x + shift, baseline, word, Face.TEXT, f"word:{style.role}"))
        else:
            name = elided(row.name, Face.TEXT, right - x)
            self.texts.append(Text(x, baseline, name, Face.TEXT, "text"))
        if row.row is not None and (row.row.requires_grad or row.level is not None):
            y = top + ROW_HEIGHT - BAR_HEIGHT - 1.0
            self.bars.append(Bar(PADDING, y, self.width - 2 * PADDING, row.level, style.role))
        self.rows.append((QRectF(0.0, top, self.width, ROW_HEIGHT), row))
        self.y += ROW_HEIGHT

    def _code(self) -> None:
        if not self.face.code:
            return
        self.y += 4.0
        for line in self.face.code:
            shown = elided(line, Face.CODE, self.width - 2 * PADDING)
            baseline = _baseline(self.y, CODE_LINE_HEIGHT, Face.CODE)
            x = PADDING
            for text, role in colored_parts(shown):
                self.texts.append(Text(x, baseline, text, Face.CODE, role))
                x += _width(text, Face.CODE)
            self.y += CODE_LINE_HEIGHT
        self.y = ceil((self.y + 4.0) / GRID) * float(GRID)

    def _footer(self) -> None:
        if len(self.face.outputs) != 1 or not self.face.outputs[0]:
            return
        text = elided(self.face.outputs[0], Face.SHAPE, self.width - 2 * PADDING)
        x = self.width - PADDING - _width(text, Face.SHAPE)
        if self.y > TITLE_HEIGHT:
            self.rules.append(self.y)
        baseline = _baseline(self.y, ROW_HEIGHT, Face.SHAPE)
        self.texts.append(Text(x, baseline, text, Face.SHAPE, "text"))
        self.y += ROW_HEIGHT


class _Style(NamedTuple):
    glyph: str
    role: str
    word: str


def _style(row: TensorFace) -> _Style:
    """Glyph, colour role and word of a tensor's state, from the theme's one vocabulary."""
    known = row.row or TensorRow("", row.kind, (), "", True, gradient=Gradient.NOT_APPLICABLE)
    style = LIGHT.state(known)
    role = next(name for name, color in LIGHT.glyphs.items() if color == style.color)
    # FORGOTTEN says it all on a node: PARAMETER behind it would leave no room for the name.
    word = style.word.partition(" ")[0] if known.kind in FORGOTTEN else style.word
    return _Style(style.glyph, role, word)


def _row_width(row: TensorFace) -> float:
    width = GLYPH_SIZE + 6.0 + _width(row.name, Face.TEXT)
    if row.is_troubled or not row.name:
        width += 8.0 + _width(_style(row).word, Face.TEXT) * _WORD_ROOM
    shape = shape_text(row.shape)
    return width + (12.0 + _width(shape, Face.SHAPE) if shape else 0.0)


def _baseline(top: float, height: float, face: Face) -> float:
    measure = metrics(face)
    return top + (height + measure.ascent() - measure.descent()) / 2


def elided(text: str, face: Face, room: float) -> str:
    """Return ``text``, cut in the middle with an ellipsis where there is no room for it."""
    if _width(text, face) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _width(_cut(text, middle), face) <= room:
            low = middle
        else:
            high = middle - 1
    return _cut(text, low)


def _cut(text: str, keep: int) -> str:
    head = (keep + 1) // 2
    tail = keep - head
    return text[:head] + "…" + (text[len(text) - tail :] if tail else "")
