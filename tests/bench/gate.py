"""The gate against slower steps: gradcore's modes as ratios to plain NumPy, against limits.

The ratio of the fastest rounds is compared, and rounds are added while a row is above its limit:
what else the machine does can make a round slower, never faster. Limits are `ROOM` times what was
measured when they were made, so that only a real loss passes them.
"""

import importlib
import importlib.util
import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from contest import CHECKED_STEPS, MODES, TOLERANCE, GradcoreMode, cpu_seconds, loss_gap
from kernels import KERNELS
from workloads import WORKLOADS

ROOM = 2.0
SECONDS = 0.03  # of CPU time a round and contestant
ROUNDS = 5
MORE_ROUNDS = 20  # for a row that is above its limit
HOW_TO_REMAKE = "python3 tests/bench gate --remake-limits"


@dataclass
class Contestant:
    """One mode on one workload, or the micro-kernel: its step and the fastest round so far."""

    step: Callable[[], Any]
    settle: Callable[[Any], None]
    fastest: float = float("inf")

    def run(self) -> None:
        """Do one round."""
        self.fastest = min(self.fastest, cpu_seconds(self.step, self.settle, SECONDS))


def pass_gate(limits_file: Path, remake: bool, keys: Sequence[str] = tuple(KERNELS)) -> int:
    """Measure every row; return 1 if one is above its limit or has none, else 0."""
    limits: dict[str, float] = {}
    if limits_file.exists():
        limits = json.loads(limits_file.read_text(encoding="utf-8"))
    measured: dict[str, float] = {}
    faults: list[str] = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key in keys:
            measured |= _measure(key, {} if remake else limits, faults)
    if remake:
        return _remake(limits_file, limits, measured, faults)
    for name in measured:
        if name not in limits:
            faults.append(f"{name} has no limit: {HOW_TO_REMAKE}")
        elif measured[name] > limits[name]:
            faults.append(
                f"{name} takes {measured[name]:.3g} times what plain NumPy takes; its limit is"
                f" {limits[name]:.3g}. If that is meant: {HOW_TO_REMAKE}"
            )
    for fault in faults:
        print(f"REGRESSED: {fault}")
    missing = sorted(set(limits) - set(measured))
    if missing and not faults:
        print(f"not measured here: {', '.join(missing)}")
    print("The gate is closed." if faults else "The gate is open.")
    return 1 if faults else 0


def _remake(
    limits_file: Path, limits: dict[str, float], measured: dict[str, float], faults: list[str]
) -> int:
    if faults:
        print("\n".join(faults))
        return 1
    # What cannot be measured here (native without numba) keeps its limit.
    kept = limits | {name: float(f"{ROOM * ratio:.2g}") for name, ratio in measured.items()}
    limits_file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


def _measure(key: str, limits: dict[str, float], faults: list[str]) -> dict[str, float]:
    """Return the ratio of each mode that is there, by "workload, mode"."""
    problem = WORKLOADS[key](importlib.import_module("gradcore")).problem()
    kernel = KERNELS[key](problem)
    expected = [kernel() for _ in range(CHECKED_STEPS)]
    base = Contestant(kernel, lambda loss: None)
    rows: dict[str, Contestant] = {}
    for mode in MODES:
        peer = GradcoreMode(mode)
        step = peer.make(key, WORKLOADS[key], problem)
        gap = loss_gap([peer.number(step()) for _ in range(CHECKED_STEPS)], expected)
        name = f"{key}, {mode}"
        if gap > TOLERANCE:
            faults.append(f"{name} has other losses than plain NumPy, by {gap:.0e}")
        elif fault := peer.fault():
            print(f"{name:<24} not measured: {fault}")
            if name in limits and may_be_asked(mode):
                faults.append(f"{name} no longer runs in that mode: {fault}")
        else:
            rows[name] = Contestant(step, peer.settle)
    _run_rounds(base, rows, limits)
    ratios = {name: one.fastest / base.fastest for name, one in rows.items()}
    for name, ratio in ratios.items():
        limit = f"limit {limits[name]:g}" if name in limits else "no limit yet"
        print(f"{name:<24} {ratio:8.3f} x NumPy   {limit}", flush=True)
    return ratios


def _run_rounds(base: Contestant, rows: dict[str, Contestant], limits: dict[str, float]) -> None:
    for _ in range(ROUNDS):
        for one in (base, *rows.values()):
            one.run()
    for name, one in rows.items():
        for _ in range(MORE_ROUNDS):
            if one.fastest / base.fastest <= limits.get(name, float("inf")):
                break
            one.run()


def may_be_asked(mode: str) -> bool:
    """Tell whether a mode must be there: native only where numba is, and nobody turned it off."""
    if mode != "native":
        return True
    has_numba = importlib.util.find_spec("numba") is not None
    return has_numba and os.environ.get("GRADCORE_NATIVE") != "0"
