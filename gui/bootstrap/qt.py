"""What has to be known of Qt before a window opens: an unsound release, and a harmless noise."""

import sys
from types import ModuleType

OFFSCREEN_NOISE = "This plugin does not support propagateSizeHints()"


def unsound_pair(python: tuple[int, ...], pyside: str) -> str | None:
    """Return why PySide6 ``pyside`` must not run on ``python``, with the cure, or None.

    PySide6 6.12.0 below Python 3.12 drops a reference to None at each call that returns it;
    after some thousand calls the interpreter aborts. From 3.12 on None is immortal.
    tests/gui/test_qt_keeps_references.py measures it, so that an upgrade is noticed.
    """
    if python[:2] >= (3, 12) or pyside.split(".")[:2] != ["6", "12"]:
        return None
    return (
        f"PySide6 {pyside} must not run on Python {python[0]}.{python[1]}: it loses references"
        " and aborts after some thousand calls.\n"
        "  Delete the folder .venv and start again (requirements.lock names a sound release),\n"
        "  or use Python 3.12 or newer."
    )


def drop_offscreen_noise(core: ModuleType) -> None:
    """Let Qt (``PySide6.QtCore``) say all but what it says of every window it draws offscreen."""

    def tell(kind: object, context: object, message: str) -> None:
        if message != OFFSCREEN_NOISE:
            print(message, file=sys.stderr, flush=True)

    core.qInstallMessageHandler(tell)
