"""The command line: ``paramscope [FILE]`` opens the window, ``train`` and ``check`` do without.

Each command is loaded when it is asked for: the window needs no engine, a check starts its
engine in another process.
"""

import argparse
import sys
from collections.abc import Sequence

PROGRAM = "paramscope"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["train"]:
        from paramscope.train_command import main as train  # NumPy and an engine

        return train(given[1:])
    if given[:1] == ["check"]:
        from paramscope.check.command import main as check  # only when it is asked for

        return check(given[1:])
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="See which tensors train, and why the others don't.",
        epilog=f"`{PROGRAM} train FILE` trains a document without the window; "
        f"`{PROGRAM} check FILE` says what is wrong with it.",
    )
    parser.add_argument("file", nargs="?", help="a Python file to open")
    options = parser.parse_args(given)
    return _open_window([options.file] if options.file else [])


def _open_window(arguments: list[str]) -> int:
    """Start the window: the one place where the core reaches up."""
    try:
        from paramscope_gui.app import main as start  # Qt, only when a window is wanted
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("PySide6", "paramscope_gui"):
            raise
        print(
            "The window needs PySide6, which is not installed.\n"
            "  It was asked for by starting without `train`.\n"
            "  Install it with `pip install PySide6-Essentials`.",
            file=sys.stderr,
        )
        return 1
    return int(start(arguments) or 0)
