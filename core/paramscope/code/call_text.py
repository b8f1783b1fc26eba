"""The argument list of a call as text: adding and removing arguments with their commas."""

import ast
import io
import tokenize

from paramscope.code.text_edit import Edit, SourceText

_SKIPPED = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
)


class CallText:
    """Where the parentheses, arguments and commas of one call stand in the source."""

    def __init__(self, text: SourceText, call: ast.Call) -> None:
        self._text = text
        _, place = text.node_range(call.func)
        _, end = text.node_range(call)
        self.close = end - 1
        self.open = self._opening(place)
        self.slots: list[tuple[int, int]] = []
        self.trailing_comma: int | None = None
        self._read()

    def slot_of(self, part: ast.expr | ast.keyword) -> int:
        """The number of the argument that an expression stands in; -1 if in none."""
        start, _ = self._text.node_range(part)
        found = (i for i, (first, last) in enumerate(self.slots) if first <= start < last)
        return next(found, -1)

    def with_argument(self, written: str) -> list[Edit]:
        """Add an argument at the end, in the form the list has."""
        if not self.slots:
            return [Edit(self.open + 1, self.open + 1, written)]
        start, end = self.slots[-1]
        if self.trailing_comma is None:
            return [Edit(end, end, f", {written}")]
        place = self.trailing_comma + 1
        line, _ = self._text.position(start)
        if line == self._text.position(self.close)[0]:
            return [Edit(place, place, f" {written}")]
        indentation = self._text.newline(line) + self._text.indentation(line)
        ending = self._text.line_end(self._text.position(place)[0])
        rest = self._text.source[place:ending].strip()
        if not rest or rest.startswith("#"):
            place = ending  # behind the comment that is about the last argument
        return [Edit(place, place, f"{indentation}{written},")]

    def without(self, part: ast.expr | ast.keyword) -> list[Edit]:
        """Remove the argument that an expression stands in, with one comma."""
        slot = self.slot_of(part)
        if slot < 0:
            return []
        start, end = self.slots[slot]
        lines = self._lines_of(slot)
        if lines is not None:
            return [Edit(*lines, "")]
        if slot + 1 < len(self.slots):
            return [Edit(start, self.slots[slot + 1][0], "")]
        if slot > 0:
            return [Edit(self.slots[slot - 1][1], end, "")]
        comma = self.trailing_comma
        return [Edit(start, end if comma is None else comma + 1, "")]

    def _lines_of(self, slot: int) -> tuple[int, int] | None:
        """The lines of an argument that has them for itself, so that other lines stay whole."""
        start, end = self.slots[slot]
        source, text = self._text.source, self._text
        first, last = text.position(start)[0], text.position(end)[0]
        head = source[text.line_start(first) : start]
        tail = source[end : text.line_end(last)].strip().removeprefix(",").strip()
        if head.strip() or (tail and not tail.startswith("#")):
            return None
        return text.line_start(first), text.line_start(last + 1)

    def _opening(self, place: int) -> int:
        source = self._text.source
        while place < self.close and source[place] != "(":
            if source[place] == "#":
                line, _ = self._text.position(place)
                place = self._text.line_end(line)
            else:
                place += 1
        return place

    def _read(self) -> None:
        inner = SourceText(self._text.source[self.open : self.close + 1])
        depth = 0
        first: int | None = None
        last = 0
        for token in tokenize.generate_tokens(io.StringIO(inner.source, newline="").readline):
            if token.type in _SKIPPED or token.type == tokenize.ENDMARKER:
                continue
            start = self.open + inner.starts[token.start[0] - 1] + token.start[1]
            end = self.open + inner.starts[token.end[0] - 1] + token.end[1]
            if token.string in "([{" and token.type == tokenize.OP:
                depth += 1
                if depth == 1:
                    continue
            elif token.string in ")]}" and token.type == tokenize.OP:
                depth -= 1
                if depth == 0:
                    break
            elif token.string == "," and depth == 1:
                if first is not None:
                    self.slots.append((first, last))
                first = None
                self.trailing_comma = start
                continue
            if first is None:
                first = start
                self.trailing_comma = None
            last = end
        if first is not None:
            self.slots.append((first, last))
