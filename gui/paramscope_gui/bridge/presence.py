"""Tells whether another window has the same file open, by a lock in the state folder."""

import hashlib
import os
from pathlib import Path

from PySide6.QtCore import QLockFile


class Presence:
    """Holds the lock of one file at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "open"
        self._lock: QLockFile | None = None

    def claim(self, path: Path | None) -> int | None:
        """Give up the file held, take this one; return the process that has it, or None."""
        self.release()
        if path is None:
            return None
        name = hashlib.sha256(os.path.realpath(path).encode("utf-8", "surrogateescape"))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None  # without a state folder nobody can be told
        lock = QLockFile(str(self._folder / f"{name.hexdigest()[:32]}.lock"))
        lock.setStaleLockTime(0)  # only the death of its process frees it
        if lock.tryLock(0):
            self._lock = lock
            return None
        if lock.error() is not QLockFile.LockError.LockFailedError:
            return None
        answer = lock.getLockInfo()
        return int(answer[0]) if isinstance(answer, tuple) else 0

    def release(self) -> None:
        """Give up the file held."""
        if self._lock is not None:
            self._lock.unlock()
            self._lock = None
