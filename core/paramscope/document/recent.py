"""The files that were open last, kept as JSON in the application's state folder."""

import json
import os
from pathlib import Path

from paramscope.document.atomic import write_atomically

MOST_RECENT = 20
_FILE = "recent.json"
_LARGEST = 1_000_000


class RecentFiles:
    """A short list of paths, newest first; what cannot be read or written is forgotten."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def paths(self) -> tuple[Path, ...]:
        """The recent files that still exist, newest first."""
        return tuple(path for path in self._read() if path.is_file())

    def add(self, path: Path) -> None:
        """Put a file first."""
        absolute = Path(os.path.abspath(path))
        self._write([absolute, *(item for item in self._read() if item != absolute)])

    def remove(self, path: Path) -> None:
        """Take a file off the list."""
        absolute = Path(os.path.abspath(path))
        self._write([item for item in self._read() if item != absolute])

    def _read(self) -> list[Path]:
        try:
            if self._file.stat().st_size > _LARGEST:
                return []
            names = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return []
        if not isinstance(names, list):
            return []
        usable = (name for name in names if isinstance(name, str) and name and "\0" not in name)
        return [Path(name) for name in usable][:MOST_RECENT]

    def _write(self, paths: list[Path]) -> None:
        names = [str(path) for path in paths[:MOST_RECENT]]
        text = json.dumps(names, indent=1)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, text.encode("utf-8"))
        except OSError:
            pass  # a list of conveniences is not worth a message
