"""Layouts of files that carry none themselves, in the application's state folder.

A user's own file is not changed for the sake of positions; they are kept here, by the file's
resolved path, until the user saves.
"""

import hashlib
import json
import os
from pathlib import Path

from paramscope.document.atomic import write_atomically
from paramscope.document.document import Document, Layout
from paramscope.document.layout_block import join, split

MOST_LAYOUTS = 500
_LARGEST = 2_000_000


class LayoutStore:
    """One small file for each layout; what cannot be read is as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "layouts"

    def get(self, path: Path) -> Layout | None:
        """The layout kept for a file, or None."""
        file = self._file(path)
        try:
            if file.stat().st_size > _LARGEST:
                return None
            kept = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(kept, dict) or kept.get("path") != str(_resolved(path)):
            return None
        block = kept.get("block")
        return split(block).layout if isinstance(block, str) else None

    def put(self, path: Path, layout: Layout) -> bool:
        """Keep a layout; tells whether that worked."""
        if not (layout.positions or layout.view or layout.extra):
            return self.drop(path)
        kept = {"path": str(_resolved(path)), "block": join(Document("", layout))}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file(path), json.dumps(kept).encode("utf-8"))
            self._forget_oldest()
        except (OSError, ValueError):
            return False
        return True

    def drop(self, path: Path) -> bool:
        """Forget the layout of a file (it is in the file now)."""
        try:
            self._file(path).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _file(self, path: Path) -> Path:
        name = hashlib.sha256(str(_resolved(path)).encode("utf-8", "surrogateescape")).hexdigest()
        return self._folder / f"{name[:32]}.json"

    def _forget_oldest(self) -> None:
        files = list(self._folder.glob("*.json"))
        if len(files) > MOST_LAYOUTS:
            files.sort(key=lambda file: file.stat().st_mtime)
            for file in files[: len(files) - MOST_LAYOUTS]:
                file.unlink(missing_ok=True)


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))
