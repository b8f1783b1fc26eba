"""Spans, offsets and edits of source text; every command changes text through here.

`ast` counts columns in UTF-8 bytes, Python strings count characters, and files mix line
ends: `SourceText` converts between them. An `Edit` replaces one stretch of characters and
leaves the rest byte for byte.
"""

import ast
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

from paramscope.code.graph import Span

# The line ends of Python's tokenizer; str.splitlines knows more (form feed, U+2028).
_LINE_END = re.compile(r"\r\n|\r|\n")
# Above this many changed lines the finer comparison of `changed_spans` is not worth its time.
_FINE_COMPARISON_LINES = 2_000


class Edit(NamedTuple):
    """Replace the characters from ``start`` to ``end`` (exclusive) by ``text``."""

    start: int
    end: int
    text: str


class SourceText:
    """A source with its line starts: from spans to character offsets and back."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._is_ascii = source.isascii()
        self.starts = [0, *(match.end() for match in _LINE_END.finditer(source))]

    def line(self, number: int) -> str:
        """Line ``number`` (from 1) without its line end."""
        return self.source[self.starts[number - 1] : self.line_end(number)]

    def line_start(self, number: int) -> int:
        """Offset of the first character of line ``number``; past the end: the end."""
        return self.starts[number - 1] if number <= len(self.starts) else len(self.source)

    def line_end(self, number: int) -> int:
        """Offset of the line end of line ``number``."""
        if number >= len(self.starts):
            return len(self.source)
        end = self.starts[number] - 1
        if self.source[end] == "\n" and end > 0 and self.source[end - 1] == "\r":
            end -= 1
        return end

    def offset(self, line: int, column: int) -> int:
        """Character offset of a byte column; places outside the text go to its edge."""
        if line < 1:
            return 0
        if line > len(self.starts):
            return len(self.source)
        start, end = self.starts[line - 1], self.line_end(line)
        if self._is_ascii:
            return min(end, start + column)
        text = self.source[start : min(end, start + column)]
        if text.isascii():
            return start + len(text)
        encoded = self.source[start:end].encode("utf-8", "surrogatepass")[:column]
        return start + len(encoded.decode("utf-8", "ignore"))

    def position(self, offset: int) -> tuple[int, int]:
        """Line (from 1) and byte column of a character offset."""
        line = bisect_right(self.starts, offset)
        if self._is_ascii:
            return line, offset - self.starts[line - 1]
        text = self.source[self.starts[line - 1] : offset]
        return line, len(text.encode("utf-8", "surrogatepass"))

    def range(self, span: Span) -> tuple[int, int]:
        """Start and end offset of a span."""
        return (
            self.offset(span.line, span.column),
            self.offset(span.end_line, span.end_column),
        )

    def span(self, start: int, end: int) -> Span:
        """The span from one offset to another."""
        return Span(*self.position(start), *self.position(end))

    def node_range(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> tuple[int, int]:
        """Start and end offset of a syntax node."""
        return self.range(span_of(node))

    def text(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> str:
        """The source of a syntax node, as written."""
        start, end = self.node_range(node)
        return self.source[start:end]

    def newline(self, line: int = 1) -> str:
        """The line end used at ``line``, or by the file where that line has none."""
        end = self.line_end(min(line, len(self.starts)))
        match = _LINE_END.match(self.source, end) or _LINE_END.search(self.source)
        return match.group() if match else "\n"

    def indentation(self, line: int) -> str:
        """The white space that line ``line`` starts with."""
        text = self.line(line)
        return text[: len(text) - len(text.lstrip(" \t\f"))]


def span_of(node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> Span:
    """The span of a parsed syntax node."""
    end_line = node.lineno if node.end_lineno is None else node.end_lineno
    end_column = node.col_offset if node.end_col_offset is None else node.end_col_offset
    return Span(node.lineno, node.col_offset, end_line, end_column)


def apply_edits(source: str, edits: Iterable[Edit]) -> str:
    """Return ``source`` with all edits made; they must not overlap.

    Raises: ValueError when two edits claim the same characters.
    """
    parts: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < position:
            raise ValueError(f"edits overlap at character {edit.start}")
        parts += (source[position : edit.start], edit.text)
        position = edit.end
    parts.append(source[position:])
    return "".join(parts)


def moved_offset(offset: int, edits: Sequence[Edit]) -> int | None:
    """Where the character at ``offset`` lies after the edits; None if it was replaced.

    A character right behind an insertion moves with the text it belongs to.
    """
    shift = 0
    for edit in edits:
        if edit.start <= offset < edit.end:
            return None
        if edit.end <= offset:
            shift += len(edit.text) - (edit.end - edit.start)
    return offset + shift


def difference(old: str, new: str) -> tuple[Edit, ...]:
    """The edits that make ``new`` of ``old``, line by line, for texts changed as a whole."""
    if old == new:
        return ()
    old_lines, new_lines = _lines(old), _lines(new)
    head = _common(old_lines, new_lines)
    limit = min(len(old_lines), len(new_lines)) - head
    tail = min(_common(old_lines[::-1], new_lines[::-1]), limit)
    before = old_lines[head : len(old_lines) - tail]
    after = new_lines[head : len(new_lines) - tail]
    offset = sum(map(len, old_lines[:head]))
    if len(before) + len(after) > _FINE_COMPARISON_LINES:
        return (Edit(offset, offset + sum(map(len, before)), "".join(after)),)
    edits = []
    starts = [offset]
    for line in before:
        starts.append(starts[-1] + len(line))
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, False).get_opcodes():
        if tag != "equal":
            edits.append(_trimmed(old, starts[i1], starts[i2], "".join(after[j1:j2])))
    return tuple(edits)


def changed_spans(old: str, new: str) -> tuple[Span, ...]:
    """The stretches of ``new`` that are not in ``old``, for flashing an edit.

    A pure deletion has no stretch of its own: it gives an empty span where text was taken.
    """
    text = SourceText(new)
    spans = []
    shift = 0
    for edit in difference(old, new):
        start = edit.start + shift
        spans.append(text.span(start, start + len(edit.text)))
        shift += len(edit.text) - (edit.end - edit.start)
    return tuple(spans)


def _lines(text: str) -> list[str]:
    starts = [0, *(match.end() for match in _LINE_END.finditer(text)), len(text)]
    return [text[a:b] for a, b in pairwise(starts)]


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def _trimmed(old: str, start: int, end: int, text: str) -> Edit:
    """The same edit without what its two ends have in common with the old text."""
    head = _common(old[start:end], text)
    limit = min(end - start, len(text)) - head
    tail = min(_common(old[start:end][::-1], text[::-1]), limit)
    return Edit(start + head, end - tail, text[head : len(text) - tail])
