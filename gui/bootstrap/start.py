"""`python3 gui`: looks for a screen, sets up once, then starts the window.

The process of the user's Python becomes one of the environment's Python (`READY` tells it so),
and that one imports the application.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bootstrap.display import display_problem
from bootstrap.environment import (
    READY,
    Checkout,
    ensure_environment,
    find_checkout,
    run_in_environment,
)
from bootstrap.errors import SetUpError
from bootstrap.libraries import ALWAYS, X_WINDOW, require_libraries
from bootstrap.qt import drop_offscreen_noise, unsound_pair

USAGE = """\
usage: python3 gui [FILE] [--demo]

  FILE     a Python file to open: ordinary PyTorch code
  --demo   no window: play the first lesson and train on the digits offscreen,
           print what is found and leave pictures

The first start makes .venv from requirements.lock; PARAMSCOPE_VENV names another place for it.
"""
SET_UP_FAILED = 3
NO_DISPLAY = 4
INTERRUPTED = 130


def say(text: str) -> None:
    """Print one line of progress at once."""
    print(text, file=sys.stderr, flush=True)


def start_window(folder: Path, arguments: Sequence[str]) -> int:
    """Start the application whose ``gui`` is ``folder``; return the status to end with."""
    if "-h" in arguments or "--help" in arguments:
        print(USAGE, end="")
        return 0
    checkout = find_checkout(folder.parent)
    is_inside = os.environ.pop(READY, None) is not None
    is_offscreen = "--demo" in arguments or "--screenshots" in arguments
    if is_offscreen:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    elif problem := display_problem(sys.platform, os.environ):
        say(problem)
        return NO_DISPLAY
    try:
        if not is_inside:
            ensure_environment(checkout, say)
            run_in_environment(checkout, [str(folder), *arguments])
        require_x_libraries(checkout)
        return run_application(checkout, arguments)
    except SetUpError as error:
        say(str(error))
        return SET_UP_FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def require_x_libraries(checkout: Checkout) -> None:
    """Look once for what Qt needs for an X window, which it would miss with an abort.

    The set-up may have run where there was no display, hence a mark of its own.
    """
    platform = os.environ.get("QT_QPA_PLATFORM", "xcb")
    mark = checkout.venv / "paramscope-x-libraries-found"
    if not os.environ.get("DISPLAY") or not platform.startswith("xcb") or mark.exists():
        return
    require_libraries(X_WINDOW, say, is_root=os.geteuid() == 0)
    mark.touch()


def run_application(checkout: Checkout, arguments: Sequence[str]) -> int:
    """Import the application and run it; a library that has gone meanwhile is named."""
    sys.path[:0] = [str(checkout.root / name) for name in ("core", "gui", "assets")]
    try:
        pyside = importlib.import_module("PySide6")
        if problem := unsound_pair(sys.version_info[:2], str(pyside.__version__)):
            raise SetUpError(problem)
        if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
            drop_offscreen_noise(importlib.import_module("PySide6.QtCore"))
        application = importlib.import_module("paramscope_gui.app")
    except ImportError as error:
        if "cannot open shared object file" not in str(error):
            raise
        require_libraries(ALWAYS, say, is_root=os.geteuid() == 0)
        application = importlib.import_module("paramscope_gui.app")
    return int(application.main(list(arguments)))
