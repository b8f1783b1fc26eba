"""Loads numba and what is built on it, once, quietly, in whichever thread asks first."""

import importlib
import importlib.util
import os
import threading
from types import ModuleType

OLDEST = (0, 60)
"""The first numba that knows NumPy 2."""
_lock = threading.Lock()
_STEP: list[ModuleType] = []
_REASON: list[str] = []
LOCKS: list[threading.Lock] = []
"""Locks under which a thread works with numba, other than that of loading it."""


def is_wanted() -> bool:
    """Tell whether steps are to become native by themselves: numba is there and not kept out."""
    if os.environ.get("GRADCORE_NATIVE", "1") == "0":
        return False
    try:
        return importlib.util.find_spec("numba") is not None
    except (ImportError, ValueError):
        return False


def load() -> str:
    """Load native mode; returns why that is not possible, or nothing. Waits for other threads."""
    with _lock:
        if not _STEP and not _REASON:
            try:
                _check_version()
                module = importlib.import_module("gradcore.native.step")
                importlib.import_module("gradcore.native.fill").fill()
                importlib.import_module("gradcore.native.machine").driver()
                _STEP.append(module)
            except ImportError as error:
                _REASON.append(f"numba cannot be used: {error}")
            except Exception as error:
                # Whatever a broken numba does: training goes on without it.
                _REASON.append(f"numba failed: {type(error).__name__}: {str(error)[:120]}")
    return _REASON[0] if _REASON else ""


def _check_version() -> None:
    numba = importlib.import_module("numba")
    version = str(numba.__version__)
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise ImportError(f"numba {version} is too old, it must be {wanted} or newer")


def start() -> None:
    """Load native mode in a thread of its own."""
    threading.Thread(target=load, name="gradcore-native", daemon=True).start()


def _begin_in_child() -> None:
    """Leave numba alone in a forked process whose parent's other threads were at work with it.

    They do not exist here, but the locks that they held do, those of numba itself as well: whoever
    waited for them would wait for ever.
    """
    global _lock
    if _lock.locked() or any(lock.locked() for lock in LOCKS):
        _STEP.clear()
        _REASON[:] = ["numba was at work in another thread as this process was forked"]
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)


def is_loaded() -> bool:
    """Tell whether it is there, or will never be."""
    return bool(_STEP or _REASON)


def step_module() -> ModuleType | None:
    """Return ``gradcore.native.step``, if native mode is there."""
    return _STEP[0] if _STEP else None
