"""The check that the running Python is new enough; called before anything else is imported.

This file must parse, and run, on every Python a user may have, 2.7 included: no annotations,
no f-strings, nothing but old syntax. `python3 gui` then ends in a sentence, not a SyntaxError.
"""

import os
import sys

if False:  # for type checkers only: old Pythons have no `typing`
    from collections.abc import Callable, Sequence
    from typing import Any, Optional

OLDEST = (3, 11)
NEWEST_TRIED = (3, 14)


def newer_python(path, exists=os.path.exists):
    # type: (str, Callable[[str], bool]) -> Optional[str]
    """Return the name of the newest supported Python on ``path`` (as in PATH), or None."""
    for minor in range(NEWEST_TRIED[1], OLDEST[1] - 1, -1):
        name = "python3.%d" % minor
        for folder in path.split(os.pathsep):
            if folder and exists(os.path.join(folder, name)):
                return name
    return None


def refusal(version, executable, command, newer):
    # type: (Sequence[Any], str, str, Optional[str]) -> Optional[str]
    """Return what to say to a Python that is too old, or None if ``version`` will do."""
    if tuple(version[:2]) >= OLDEST:
        return None
    lines = [
        "Paramscope needs Python %d.%d or newer; this is Python %d.%d."
        % (OLDEST[0], OLDEST[1], version[0], version[1]),
        "  The Python that was started is %s." % executable,
    ]
    if newer:
        lines.append("  A newer one is on this machine. Run:  %s %s" % (newer, command))
    else:
        lines.append(
            "  Install a newer one (Debian, Ubuntu: apt-get install python3.%d; others:"
            " python.org),\n  then run:  python3.%d %s" % (OLDEST[1], OLDEST[1], command)
        )
    return "\n".join(lines)


def require_python(command):
    # type: (str) -> None
    """End the process with status 2 and a sentence if this Python is too old."""
    newer = newer_python(os.environ.get("PATH", ""))
    message = refusal(sys.version_info, sys.executable, command, newer)
    if message:
        sys.stderr.write(message + "\n")
        sys.exit(2)
