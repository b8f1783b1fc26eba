"""What a process leaves behind that ended without an answer: where it stood, and how it went.

The interpreter itself writes where it stands (`faulthandler`), even while C code holds its
lock; here that text becomes frames of the user's own file.
"""

import linecache
import os
import re
import signal
import traceback

from paramscope.check.job import Job
from paramscope.code.graph import Span
from paramscope.engine.failures import remember_source
from paramscope.engine.protocol import Failed, TracebackLine

_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)$')
_LIBRARIES = "site-packages"
_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_MEMORY = "It may have used more memory than there is."
_SIGNALS = {
    signal.SIGSEGV: "crashed its process (segmentation fault)",
    signal.SIGABRT: "aborted its process",
    signal.SIGFPE: "crashed its process (arithmetic fault)",
    signal.SIGILL: "crashed its process (illegal instruction)",
}
MAX_FRAMES = 30


def failure_of_timeout(job: Job) -> Failed:
    """Describe a job that did not end in time, with the place where it stood then."""
    frames = _frames(job)
    last = frames[-1] if frames else None
    at = f"  It was in line {last.span.line} then." if last else "  It is that file's own code."
    return _failed(
        "TimeoutError",
        f"The code did not end within {job.timeout:g} s.\n{at}\n"
        "  Keep training out of the import (if __name__ == '__main__'), or raise --timeout.",
        frames,
    )


def failure_of_exit(job: Job, status: int) -> Failed:
    """Describe a job whose process ended by itself; a negative status is a signal's number."""
    frames = _frames(job)
    if status >= 0:
        how, cure = f"ended its process with status {status}", "Take os._exit() out of it."
    else:
        name = signal.Signals(-status) if -status in set(signal.Signals) else None
        shown = name.name if name is not None else f"signal {-status}"
        how = _SIGNALS.get(name, f"was ended by {shown}") if name else f"was ended by {shown}"
        cure = _MEMORY if name == getattr(signal, "SIGKILL", None) else "Run it by itself to see."
    return _failed(
        "ChildProcessError", f"The code {how}.\n  It is {job.filename}.\n  {cure}", frames
    )


def failure_of_ours(error: Exception) -> Failed:
    """Describe a fault of the check itself, with all that is needed to report it."""
    text = "".join(traceback.format_exception(error))
    message = (
        f"The check itself failed: {type(error).__name__}: {error}\n"
        "  It is no fault of the file's code.\n"
        f"  Please report it with this:\n{text}"
    )
    return _failed("CheckError", message, ())


def _failed(kind: str, message: str, frames: tuple[TracebackLine, ...]) -> Failed:
    lines = ["Traceback (most recent call last):\n"] if frames else []
    for frame in frames:
        lines.append(f'  File "{frame.filename}", line {frame.span.line}, in {frame.function}\n')
        if frame.text.strip():
            lines.append(f"    {frame.text.strip()}\n")
    text = f"{''.join(lines)}{kind}: {message}\n"
    return Failed(0, "running", kind, message, frames, text)


def _frames(job: Job) -> tuple[TracebackLine, ...]:
    """Return the user's own frames that the interpreter has written, the innermost last."""
    try:
        with open(job.trace_path, encoding="utf-8", errors="replace") as file:
            written = file.read(1 << 20)
    except OSError:
        return ()
    # Of a process with several threads, the one that ran the file comes last.
    main = written.rpartition("most recent call first")[2]
    remember_source(job.filename, job.source)
    found = []
    for line in main.splitlines():
        match = _FRAME.match(line)
        if match is None or not _is_of_user(match["file"], job.filename):
            continue
        number = int(match["line"])
        text = linecache.getline(match["file"], number).rstrip("\n")
        found.append(
            TracebackLine(match["file"], match["function"], Span(number, 0, number, 0), text)
        )
    return tuple(reversed(found[:MAX_FRAMES]))


def _is_of_user(file: str, filename: str) -> bool:
    folder = os.path.dirname(filename) + os.sep
    is_library = _LIBRARIES in file or file.startswith((_OWN_FOLDER, "<"))
    return file == filename or (file.startswith(folder) and not is_library)
