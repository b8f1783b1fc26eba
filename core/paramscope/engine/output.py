"""What the user's code prints, caught where it leaves the process, C code's output included.

A flood is cut: so much text a moment is passed on, the rest is read, counted and dropped, so
that neither the pipe nor the window stands in the way of the training.
"""

import codecs
import io
import os
import sys
import threading
from collections.abc import Callable

CHUNK = 1 << 16
MAX_TEXT = 1 << 15  # bytes of one stream between two flushes


class Capture:
    """Catches one file descriptor (1 or 2) of this process in a pipe and reads it in a thread."""

    def __init__(self, descriptor: int, stream: str, wake: Callable[[], None]) -> None:
        self.stream = stream
        self._wake = wake
        self._lock = threading.Lock()
        self._kept: list[bytes] = []
        self._size = 0
        self._dropped = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._read_end, write_end = os.pipe()
        os.dup2(write_end, descriptor, inheritable=True)
        os.close(write_end)
        self._thread = threading.Thread(target=self._read, name=f"capture {stream}", daemon=True)
        self._thread.start()

    def take(self) -> str:
        """Return the text since the last call, with a note of what was dropped."""
        with self._lock:
            data, dropped = b"".join(self._kept), self._dropped
            self._kept, self._size, self._dropped = [], 0, 0
        text = self._decoder.decode(data)
        if dropped:
            text += f"\n[... {_size_in_words(dropped)} of output not shown]\n"
        return text

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._read_end, CHUNK)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                was_empty = not (self._size or self._dropped)
                room = max(0, MAX_TEXT - self._size)
                if room:
                    self._kept.append(data[:room])
                    self._size += min(room, len(data))
                self._dropped += max(0, len(data) - room)
            if was_empty:
                self._wake()


def rewire_python_streams() -> None:
    """Make ``print`` write at once and as UTF-8, whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def flush_python_streams() -> None:
    """Send on what ``print(end="")`` left in Python's own buffers."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # the user's code has closed or replaced it


def _size_in_words(count: int) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count} {unit}"
        count //= 1000
    return ""
