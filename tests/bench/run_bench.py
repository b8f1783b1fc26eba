"""Runs the measurements that are asked for and prints them beside the machine's calibration.

Each measurement is a module with ``measure(tools) -> list[Figure]``, started in the project's
environment. None of them is a test: a busy machine makes no one's change wrong.
"""

import argparse
import itertools
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from bootstrap.environment import (
    READY,
    Checkout,
    ensure_environment,
    find_checkout,
    run_in_environment,
)
from bootstrap.errors import SetUpError
from bootstrap.start import SET_UP_FAILED, say

WHAT = {
    "import": "time and memory of `import gradcore`, beside NumPy and PyTorch",
    "steps": "time of a training step on gradcore, as a ratio to PyTorch",
    "training": "a training step on gradcore eager and replayed, as ratios to PyTorch",
    "window": "from `python3 gui` to visible, usable and a moving curve; stalls, memory, speed",
}


def main(folder: Path, arguments: Sequence[str]) -> int:
    """Measure what ``arguments`` name, or all; ``folder`` is ``tests/bench``."""
    parser = argparse.ArgumentParser(
        prog="python3 tests/bench",
        epilog="WHAT: " + "; ".join(f"{name} = {text}" for name, text in WHAT.items()),
    )
    parser.add_argument("what", nargs="*", metavar="WHAT", help="what to measure; all if left out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args(arguments)
    if unknown := set(options.what) - set(WHAT):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(WHAT)}")
    checkout = find_checkout(folder.parents[1])
    try:
        if os.environ.pop(READY, None) is None:
            ensure_environment(checkout, say)
            run_in_environment(checkout, [str(folder), *arguments])
    except SetUpError as error:
        say(str(error))
        return SET_UP_FAILED
    run(checkout, options.what or list(WHAT), options.json)
    return 0


def run(checkout: Checkout, what: Sequence[str], json_file: Path | None) -> None:
    """Measure, print a table as it comes, and write the figures to ``json_file``."""
    # Imported late: only the environment has what these need.
    from calibration import calibrate
    from measurements import MEASUREMENTS

    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    figures: dict[str, list[dict[str, object]]] = {}
    for name in what:
        print(f"\n{name}: {WHAT[name]}")
        # Anew for each: what the machine can do changes with what else it does.
        for figure in itertools.chain(calibrate(), MEASUREMENTS[name](checkout)):
            figures.setdefault(name, []).append(figure.as_dict())
            print(figure, flush=True)
    if json_file:
        json_file.write_text(
            json.dumps(
                {
                    "python": sys.version,
                    "machine": platform.platform(),
                    "cores": os.cpu_count(),
                    "figures": figures,
                },
                indent=1,
            )
        )
