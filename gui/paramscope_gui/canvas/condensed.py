"""A node's texts where the zoom would make them too small: never below ten pixels.

The places stay those of the drawing; what has no room beside its neighbours is shortened or
left out, the shape before the name and the name before the word of a state.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFont, QStaticText, QTransform

from paramscope_gui.canvas.drawing import (
    GLYPH_SIZE,
    PADDING,
    PORT_RADIUS,
    TITLE_HEIGHT,
    Drawing,
    Face,
    Text,
    font,
    metrics,
    width_of,
)

# The least height of each typeface on the screen, in pixels.
LEAST_PIXELS = {Face.TITLE: 12.0, Face.NAME: 11.0, Face.TEXT: 10.0, Face.SHAPE: 10.0}
_GAP_PIXELS = 3.0
_EDGE_PIXELS = 5.0
_CLEAR = 2.5  # between a port and the first letter of a title
_FEWEST_LETTERS = 3
_SAME_ROW = 4.0


class Placed(NamedTuple):
    """A text ready to be drawn at its top left corner, in the node's coordinates."""

    place: QPointF
    text: QStaticText
    font: QFont
    role: str


def close_shape(text: str) -> str:
    """Return a shape without the air around its signs.

    >>> close_shape("N × 64")
    'N×64'
    """
    return text.replace(" × ", "×")


def condensed(drawing: Drawing, detail: float) -> list[Placed]:
    """Return the texts of a node as they are drawn at the zoom ``detail``."""
    mark = GLYPH_SIZE / detail if drawing.face.problem else 0.0
    # A port in the title bar reaches into it; the first letter keeps clear of it.
    has_port = any(port.y() < TITLE_HEIGHT for port in drawing.inputs)
    least = PORT_RADIUS + _CLEAR if has_port else 0.0
    placed = _title(drawing.title, drawing.size.width() - mark, detail, least)
    name = drawing.title[-1] if len(drawing.title) > 1 else None
    has_name = name is None or any(item.text.text() == name.text for item in placed)
    for row in _rows(drawing.texts):
        if name is not None and not has_name and drawing.caption.contains(0.0, _middle(row[0])):
            # A name that finds no room in the title stands before the arguments.
            first = row[0]
            row = [Text(first.x, first.baseline, name.text, first.face, "text"), *row]
            placed = placed[:1]
            needed = sum(_wide(text.text, text, detail) + _GAP_PIXELS / detail for text in row)
            needed += 2 * _EDGE_PIXELS / detail
            if needed > drawing.size.width():
                row = row[:1]  # half of an argument would say something else
        if row[0].face is Face.CODE:
            placed += [_as_drawn(text) for text in row]
        else:
            placed += _row(row, drawing.size.width(), detail)
    return placed


def scaled_font(face: Face, detail: float, least: float | None = None) -> tuple[QFont, float]:
    """Return a typeface for the zoom, and how much larger it is than at 100 %."""
    normal = float(font(face).pixelSize())
    least = LEAST_PIXELS.get(face, 0.0) if least is None else least
    size = max(1, round(max(normal, least / detail)))
    return _font(face, size), size / normal


def scaled_text(text: str, face: Face, detail: float) -> QStaticText:
    """Return a text in the typeface for the zoom."""
    return _static(text, face, scaled_font(face, detail)[0].pixelSize())


def _title(title: Sequence[Text], width: float, detail: float, least: float) -> list[Placed]:
    """The class and the name; a long class is written smaller before it is cut."""
    placed = _row(title, width, detail, least)
    first, edge = title[0], max(least, min(PADDING, _EDGE_PIXELS / detail))
    if not placed or placed[0].text.text() != first.text:
        face, ratio = scaled_font(first.face, detail, LEAST_PIXELS[Face.TEXT])
        needed = width_of(first.text, first.face) * ratio
        if not placed:  # a node without its name says nothing; rather it fills it to the edges
            edge = max(1.0 / detail, min(edge, (width - needed) / 2))
        if not placed or edge + needed <= width - 2.0 / detail:
            measure = metrics(first.face)
            top = _middle(first) - (measure.ascent() + measure.descent()) * ratio / 2
            text = _static(first.text, first.face, face.pixelSize())
            return [Placed(QPointF(edge, top), text, face, first.role)]
    return placed


def _rows(texts: Sequence[Text]) -> list[list[Text]]:
    """The texts by rows, each from left to right; a drawing holds them row by row."""
    rows: list[list[Text]] = []
    for text in texts:
        if rows and abs(_middle(rows[-1][0]) - _middle(text)) < _SAME_ROW:
            rows[-1].append(text)
        else:
            rows.append([text])
    return [sorted(row, key=lambda text: text.x) for row in rows]


def _row(row: Sequence[Text], width: float, detail: float, least: float = 0.0) -> list[Placed]:
    """Place the texts of one row: from the left on, and a shape at the right."""
    edge = min(PADDING, _EDGE_PIXELS / detail)
    gap = _GAP_PIXELS / detail
    left = row[0].x
    if left > 2 * PADDING:  # behind the glyph of a tensor, which keeps its size on the screen
        left = edge + max(GLYPH_SIZE, 11.0 / detail) + gap
    elif left <= PADDING:
        left = max(edge, least)
    last = row[-1]
    is_right = last.face is Face.SHAPE
    others = [text for text in (row[:-1] if is_right else row) if text.text]
    placed = []
    end = width - edge
    if is_right:
        needed = sum(_wide(text.text, text, detail) + gap for text in others)
        shown = last.text
        if left + needed + _wide(shown, last, detail) > end:
            shown = close_shape(shown)
        alone = not others
        if alone or left + needed + _wide(shown, last, detail) <= end:
            shown = _shortened(shown, last, end - edge, detail)
            x = end - _wide(shown, last, detail)
            placed.append(_placed(last, shown, x, detail))
            end = x - gap
    return placed + _from_left(others, left, end, gap, detail)


def _from_left(
    texts: Sequence[Text], left: float, end: float, gap: float, detail: float
) -> list[Placed]:
    said = [text for text in texts if text.role.startswith("word:")]
    kept = sum(_wide(text.text, text, detail) + gap for text in said)
    placed = []
    for text in texts:
        is_word = text in said
        room = end - left - (0.0 if is_word else kept)
        shown = _shortened(text.text, text, room, detail)
        if shown:
            placed.append(_placed(text, shown, left, detail))
            left += _wide(shown, text, detail) + gap
        if is_word:
            kept -= _wide(text.text, text, detail) + gap
    return placed


def _shortened(text: str, like: Text, room: float, detail: float) -> str:
    """The text, its beginning, or nothing if only a stump would be left."""
    if _wide(text, like, detail) <= room:
        return text
    for length in range(len(text) - 1, _FEWEST_LETTERS - 1, -1):
        cut = f"{text[:length].rstrip()}…"
        if _wide(cut, like, detail) <= room:
            return cut
    return ""


def _wide(text: str, like: Text, detail: float) -> float:
    # Widths grow with the size: unhinted text is measured once, at 100 %.
    return width_of(text, like.face) * scaled_font(like.face, detail)[1]


def _middle(text: Text) -> float:
    measure = metrics(text.face)
    return text.baseline - (measure.ascent() - measure.descent()) / 2


def _placed(text: Text, shown: str, x: float, detail: float) -> Placed:
    face, ratio = scaled_font(text.face, detail)
    measure = metrics(text.face)
    top = _middle(text) - (measure.ascent() + measure.descent()) * ratio / 2
    return Placed(QPointF(x, top), _static(shown, text.face, face.pixelSize()), face, text.role)


def _as_drawn(text: Text) -> Placed:
    """Code keeps its columns, and so its size."""
    face = font(text.face)
    top = text.baseline - metrics(text.face).ascent()
    return Placed(
        QPointF(text.x, top), _static(text.text, text.face, face.pixelSize()), face, text.role
    )


@cache
def _font(face: Face, size: int) -> QFont:
    result = QFont(font(face))
    result.setPixelSize(size)
    return result


@lru_cache(maxsize=20_000)
def _static(text: str, face: Face, size: int) -> QStaticText:
    result = QStaticText(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
    result.prepare(QTransform(), _font(face, size))
    return result
