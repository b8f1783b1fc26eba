"""Runs the measurements that are asked for and prints them beside the machine's calibration.

Each measurement is a module with ``measure(request) -> Iterable[Figure]``, started in the project's
environment. None of them is a test: a busy machine makes no one's change wrong. ``gate`` is: it
compares ratios with limits and ends with status 1 where one is exceeded.
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
    ensure_environment,
    find_checkout,
    run_in_environment,
)
from bootstrap.errors import SetUpError
from bootstrap.start import SET_UP_FAILED, say
from request import Request

WHAT = {
    "import": "time and memory of `import gradcore`, beside NumPy and PyTorch",
    "training": "a training step on gradcore's modes and the peers there are, beside PyTorch",
    "operations": "common operations and layers, forward and backward, beside PyTorch",
    "scaling": "how the cost of a step grows with width, depth, batch and number of tensors",
    "window": "from `python3 gui` to visible, usable and a moving curve; stalls, memory, speed",
}
GATE = "gate"
EPILOG = f"""WHAT: {"; ".join(f"{name} = {text}" for name, text in WHAT.items())};
{GATE} = alone: compares gradcore with plain NumPy, against the limits in tests/bench/limits.json.
Peers are optional: pip install --group bench."""


def main(folder: Path, arguments: Sequence[str]) -> int:
    """Measure what ``arguments`` name, or all; ``folder`` is ``tests/bench``."""
    options = _options(arguments)
    checkout = find_checkout(folder.parents[1])
    try:
        if os.environ.pop(READY, None) is None:
            ensure_environment(checkout, say)
            run_in_environment(checkout, [str(folder), *arguments])
    except SetUpError as error:
        say(str(error))
        return SET_UP_FAILED
    if options.what == [GATE]:
        # Imported late: only the environment has what it needs.
        from gate import pass_gate

        return pass_gate(folder / "limits.json", options.remake_limits)
    request = Request(
        checkout,
        tuple(options.peers.split(",")) if options.peers else (),
        tuple(options.rows.split(",")) if options.rows else (),
        checkout.root / "README.md" if options.readme else None,
        options.quick,
    )
    run(request, options.what or list(WHAT), options.json)
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 tests/bench", epilog=EPILOG)
    parser.add_argument("what", nargs="*", metavar="WHAT", help="what to measure; all if left out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument(
        "--rows", default="", help="training: only rows that begin so (a,b); operations: that hold"
    )
    parser.add_argument("--peers", default="", help="training: only peers that begin so (a,b)")
    parser.add_argument("--quick", action="store_true", help="training: 2 rounds instead of 7")
    parser.add_argument("--readme", action="store_true", help="training: put the table there")
    parser.add_argument(
        "--remake-limits", action="store_true", help="gate: write limits from what is measured"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.what) - set(WHAT) - {GATE}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(WHAT)}, {GATE}")
    if GATE in options.what and options.what != [GATE]:
        parser.error("the gate is asked for alone")
    return options


def run(request: Request, what: Sequence[str], json_file: Path | None) -> None:
    """Measure, print a table as it comes, and write the figures to ``json_file``."""
    # Imported late: only the environment has what these need.
    from calibration import calibrate
    from measurements import MEASUREMENTS

    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    figures: dict[str, list[dict[str, object]]] = {}
    for name in what:
        print(f"\n{name}: {WHAT[name]}")
        # Anew for each: what the machine can do changes with what else it does.
        for figure in itertools.chain(calibrate(), MEASUREMENTS[name](request)):
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
