"""The layout in the file: the tables ``[tool.paramscope]`` of the inline metadata block.

PEP 723 lets a script carry TOML in comments between ``# /// script`` and ``# ///``. `split`
lifts our tables out of a file's text, `join` puts them back. What else the block says stays
in the source. A file without a block gets one at its end, so that lines keep their numbers.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from paramscope.document.document import Document, Layout, Point
from paramscope.document.toml_text import toml_key, toml_number, toml_value

VERSION = 1
# Scene units; farther out nothing can be found again by scrolling.
FARTHEST = 1_000_000.0
# Characters of the block and entries in it; far above any real canvas.
LARGEST_BLOCK = 1_000_000
MOST_POSITIONS = 100_000

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_TABLE = re.compile(r"#\s*\[\[?\s*([^\]]*?)\s*\]")
_OURS = re.compile(r"tool\s*\.\s*paramscope\s*(\.|\Z)")
_IMPORTS_TORCH = re.compile(r"^[ \t]*(?:import|from)[ \t]+torch\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LayoutNotice:
    """Why the layout of a file was not read, or only in part; ``line`` counts from 1."""

    message: str
    line: int


class _Block(NamedTuple):
    start: int  # first character of `# /// script`
    end: int  # behind the line end of `# ///`
    line: int  # number of its first line
    lines: tuple[str, ...]  # its content with line ends


def split(text: str) -> Document:
    """Return the document of a file's text; see `read` for what could not be read."""
    return read(text)[0]


def read(text: str) -> tuple[Document, tuple[LayoutNotice, ...]]:
    """Return the document and a notice for each thing in the layout that is not usable.

    A block that is not TOML stays in the source as it is, and the layout is empty.
    """
    blocks = _blocks(text)
    if not blocks:
        return Document(text), ()
    block = blocks[0]
    if len(blocks) > 1:
        message = "the file has two script blocks; keep one of them"
        return Document(text), (LayoutNotice(message, blocks[1].line),)
    tables, notice = _tables(block)
    if notice is not None:
        return Document(text), (notice,)
    rest = _without_ours(block.lines)
    if tables is None or len(rest) == len(block.lines):
        return Document(text), ()
    layout, notices = _layout(tables, block.line)
    whole = text[: block.start], text[block.end :]
    if tables.get("owns_block") is True and not whole[1]:
        source = _before_block(whole[0], tables.get("final_newline") is not False)
        if list(rest) == _header(source, _newline(text)):
            return Document(source, layout), notices
    start, end = _content(text, block)
    source = text[:start] + "".join(rest) + text[end:]
    return Document(source, layout), notices


def join(document: Document) -> str:
    """Return the file's text: the source with the layout in its block.

    An empty layout adds nothing. A source whose own block is broken is left as it is; its
    layout then has to be kept elsewhere.
    """
    source, layout = document.source, document.layout
    if not (layout.positions or layout.view or layout.extra):
        return source
    blocks = _blocks(source)
    newline = _newline(source)
    if not blocks:
        final = not source or source.endswith(("\n", "\r"))
        ours = _our_lines(layout, newline, owns_block=True, final_newline=final)
        lines = [*_header(source, newline), *ours]
        gap = "" if not source else newline if final else newline * 2
        return f"{source}{gap}# /// script{newline}{''.join(lines)}# ///{newline}"
    block = blocks[0]
    if len(blocks) > 1 or _tables(block)[1] is not None:
        return source
    table = "".join(_our_lines(layout, newline, owns_block=False))
    gap = f"#{newline}" if block.lines else ""
    _, end = _content(source, block)
    return source[:end] + gap + table + source[end:]


def _blocks(text: str) -> list[_Block]:
    """The metadata blocks of type ``script``; each ends at the last ``# ///`` of its comment."""
    if "# /// script" not in text:
        return []
    lines = _LINE.findall(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    blocks = []
    index = 0
    while index < len(lines):
        if lines[index].rstrip("\r\n") != "# /// script":
            index += 1
            continue
        last = None
        stop = index + 1
        while (
            stop < len(lines)
            and (bare := lines[stop].rstrip("\r\n"))
            and (bare == "#" or bare.startswith("# "))
        ):
            if bare == "# ///":
                last = stop
            stop += 1
        if last is not None:
            content = tuple(lines[index + 1 : last])
            blocks.append(_Block(starts[index], starts[last + 1], index + 1, content))
        index = stop
    return blocks


def _content(text: str, block: _Block) -> tuple[int, int]:
    """Where the lines between the two marks stand in the text."""
    opening = _LINE.match(text, block.start)
    start = opening.end() if opening is not None else block.start
    return start, start + sum(map(len, block.lines))


def _tables(block: _Block) -> tuple[Mapping[str, object] | None, LayoutNotice | None]:
    """Our table in a block, or why the block cannot be read."""
    if sum(map(len, block.lines)) > LARGEST_BLOCK:
        message = f"the script block is larger than {LARGEST_BLOCK:,} characters; shorten it"
        return None, LayoutNotice(message, block.line)
    content = "\n".join(line.rstrip("\r\n")[2:] for line in block.lines)
    try:
        tables = tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        found = re.search(r"at line (\d+)", str(error))
        line = block.line + (int(found.group(1)) if found else 0)
        message = f"the script block is no TOML ({error}); the layout in it is not used"
        return None, LayoutNotice(message, line)
    tool = tables.get("tool")
    ours = tool.get("paramscope") if isinstance(tool, dict) else None
    return (ours if isinstance(ours, dict) else None), None


def _without_ours(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The block's content without our tables and the empty line that `join` puts above them."""
    kept: list[str] = []
    is_ours = False
    for line in lines:
        table = _TABLE.match(line)
        if table is not None:
            was_ours, is_ours = is_ours, _OURS.match(table.group(1)) is not None
            if is_ours and not was_ours and kept and kept[-1].rstrip("\r\n") == "#":
                kept.pop()
        if not is_ours:
            kept.append(line)
    return tuple(kept)


def _layout(tables: Mapping[str, object], line: int) -> tuple[Layout, tuple[LayoutNotice, ...]]:
    known = {"positions", "view", "owns_block", "final_newline"}
    extra = {key: value for key, value in tables.items() if key not in known}
    if extra.get("version") == VERSION:
        del extra["version"]
    positions: dict[str, Point] = {}
    dropped = 0
    given = tables.get("positions", {})
    entries = list(given.items()) if isinstance(given, dict) else []
    for key, value in entries[:MOST_POSITIONS]:
        point = _point(value)
        if point is None:
            dropped += 1
        else:
            positions[key] = point
    dropped += max(0, len(entries) - MOST_POSITIONS) + (not isinstance(given, dict))
    found = tables.get("view", {})
    view = {
        key: value
        for key, value in (found.items() if isinstance(found, dict) else ())
        if isinstance(value, str | int | float | bool)
    }
    notices: tuple[LayoutNotice, ...] = ()
    if dropped:
        message = f"{dropped} positions of the layout are not usable; those nodes are placed anew"
        notices = (LayoutNotice(message, line),)
    return Layout(positions, view, extra), notices


def _point(value: object) -> Point | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    if not all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
        return None
    if not all(math.isfinite(item) for item in value):
        return None
    return Point(*(float(max(-FARTHEST, min(FARTHEST, item))) for item in value))


def _header(source: str, newline: str) -> list[str]:
    """What a block of our making says besides the layout, so that `uv run` starts the file."""
    needs = '["torch"]' if _IMPORTS_TORCH.search(source) else "[]"
    return [f'# requires-python = ">=3.11"{newline}', f"# dependencies = {needs}{newline}"]


def _our_lines(
    layout: Layout, newline: str, *, owns_block: bool, final_newline: bool = True
) -> list[str]:
    lines = ["#"] if owns_block else []
    version = layout.extra.get("version", VERSION)
    lines += ["# [tool.paramscope]", f"# version = {toml_value(version)}"]
    if owns_block:
        lines.append("# owns_block = true")
    if not final_newline:
        lines.append("# final_newline = false")
    for key, value in layout.extra.items():
        if key != "version":
            lines.append(f"# {toml_key(key)} = {toml_value(value)}")
    if layout.view:
        lines += ["#", "# [tool.paramscope.view]"]
        lines += [f"# {toml_key(key)} = {toml_value(item)}" for key, item in layout.view.items()]
    if layout.positions:
        lines += ["#", "# [tool.paramscope.positions]"]
        for key, point in layout.positions.items():
            if all(map(math.isfinite, point)):
                lines.append(f"# {toml_key(key)} = [{_number(point.x)}, {_number(point.y)}]")
    return [line + newline for line in lines]


def _number(value: float) -> str:
    bounded = max(-FARTHEST, min(FARTHEST, value))
    return str(int(bounded)) if bounded == int(bounded) else toml_number(bounded)


def _before_block(text: str, final_newline: bool) -> str:
    """The source above a block of our making, without the line that separates the two."""
    count = 1 if final_newline else 2
    for _ in range(count):
        text = text.removesuffix("\r\n") if text.endswith("\r\n") else text[:-1]
    return text


def _newline(text: str) -> str:
    found = re.search(r"\r\n|\r|\n", text)
    return found.group() if found else "\n"
