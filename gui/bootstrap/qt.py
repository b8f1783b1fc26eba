"""The one release of Qt for Python that must not run, refused before a window opens on it."""


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
