"""The journal of a document: what was changed since its last save, for the case of a crash.

A file of lines: first what the document began as, then one edit a line, each with a checksum.
It is appended to after each command and removed after a save, so a journal that is found at a
start belongs to work that was never saved. Reading stops at the first line that is not whole.
"""

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from paramscope.document.atomic import write_atomically

SUFFIX = ".journal"
LARGEST = 64 * 1024 * 1024  # bytes; a journal is written anew long before
_MOST_GROWTH = 4 * 1024 * 1024  # bytes of edits, after which it is written anew
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What a journal holds: the document as it was last, and what its file then was.

    ``text`` and ``base`` are whole texts of files, layout block included. ``path`` is None for
    a document that never had a file.
    """

    file: Path
    path: Path | None
    name: str
    base: str
    text: str
    time: float

    def remove(self) -> None:
        """Forget it: it was restored or given up."""
        self.file.unlink(missing_ok=True)


class Journal:
    """Writes one journal. The file appears with the first change."""

    def __init__(self, file: Path, path: Path | None, name: str, base: str) -> None:
        self._file, self._path, self._name = file, path, name
        self._base = self._text = base
        self._descriptor = -1
        self._grown = 0

    @property
    def file(self) -> Path:
        """Where it lies."""
        return self._file

    @property
    def is_open(self) -> bool:
        """Whether there is a file."""
        return self._descriptor >= 0

    def note(self, text: str) -> None:
        """Write down that the document's text is now ``text``.

        Raises: OSError; the next call then writes the journal anew.
        """
        if text == self._text and self.is_open:
            return
        line = _line(_edit(self._text, text))
        if not self.is_open or self._grown + len(line) > _MOST_GROWTH:
            self._begin(text)
            return
        try:
            _write(self._descriptor, line)
        except OSError:
            self.close()  # half a line may stand there; what follows it would not be read
            raise
        self._text = text
        self._grown += len(line)

    def duplicate(self) -> int:
        """Return a descriptor of its own, to be flushed to the disk beside the window."""
        return os.dup(self._descriptor)

    def close(self) -> None:
        """Leave the file as it is."""
        if self.is_open:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Take the file away: what it held is saved, or not wanted any more."""
        self.close()
        self._file.unlink(missing_ok=True)

    def _begin(self, text: str) -> None:
        self.close()
        path = None if self._path is None else str(self._path)
        head = {"version": _VERSION, "path": path, "name": self._name, "text": self._base}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file, _line(head) + _line(_edit(self._base, text)))
        self._descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        self._text, self._grown = text, 0


def read_journal(file: Path) -> Kept | None:
    """Return what a journal holds as far as it is whole; None if nothing of it can be used."""
    try:
        status = file.stat()
        if status.st_size > LARGEST:
            return None
        lines = file.read_bytes().split(b"\n")
    except OSError:
        return None
    head = _content(lines[0])
    if not isinstance(head, dict) or head.get("version") != _VERSION:
        return None
    path, name, base = head.get("path"), head.get("name"), head.get("text")
    if not isinstance(name, str) or not isinstance(base, str):
        return None
    if path is not None and (not isinstance(path, str) or "\0" in path):
        return None
    text = base
    for line in lines[1:]:
        edited = _edited(text, _content(line))
        if edited is None:
            break
        text = edited
    return Kept(file, None if path is None else Path(path), name, base, text, status.st_mtime)


def _line(content: object) -> bytes:
    body = json.dumps(content).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _content(line: bytes) -> object:
    """What a line says; None if it is torn or was changed."""
    try:
        if int(line[:8], 16) != zlib.crc32(line[9:]):
            return None
        content: object = json.loads(line[9:])
    except (ValueError, RecursionError):
        return None
    return content


def _edit(before: str, after: str) -> tuple[int, int, str]:
    """The stretch of ``before`` that is replaced, and by what."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    return head, len(before) - tail, after[head : len(after) - tail]


def _common(first: str, second: str) -> int:
    """How many characters two texts begin with in common; by halves, since texts are long."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _edited(text: str, edit: object) -> str | None:
    match edit:
        case [int(start), int(end), str(new)] if 0 <= start <= end <= len(text):
            return text[:start] + new + text[end:]
    return None


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
