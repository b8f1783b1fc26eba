"""The table of ratios: printed, and written between two marks into README.md."""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from contest import MODES, SLICES, Row
from figure import Figure
from peers.limit import Limit

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
PEERS = ("torch.compile", "jax.jit", "tinygrad", "MyGrad", "autograd")
SHOWN = (*MODES, SLICES, Limit.name, *PEERS)


def as_table(rows: Sequence[Row], costs: Sequence[Figure] = ()) -> str:
    """Return a Markdown table of the times of a step, PyTorch's eager one being 1."""
    shown = [name for name in SHOWN if any(_is_measured(row, name) for row in rows)]
    head = ["workload", "torch", *(f"**{name}**" if name in MODES else name for name in shown)]
    lines = [f"| {' | '.join(head)} |", "|---|" + "---|" * (len(head) - 1)]
    for row in rows:
        cells = [row.workload.title, _time(row, "torch"), *(_cell(row, name) for name in shown)]
        lines.append(f"| {' | '.join(cells)} |")
    if costs:
        lines.append("")  # which ends a table
    return "\n".join([*lines, *(f"- {cost.name}: {cost.value:.0%}{_goal(cost)}" for cost in costs)])


def _is_measured(row: Row, name: str) -> bool:
    entry = row.entries.get(name)
    return entry is not None and bool(entry.seconds) and not entry.reason


def _time(row: Row, name: str) -> str:
    if not _is_measured(row, name):
        return "-"
    seconds = min(row.entries[name].seconds)
    return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def _cell(row: Row, name: str) -> str:
    entry = row.entries.get(name)
    if entry is None or entry.reason:
        return "disagrees" if entry and entry.reason.startswith("DISAGREES") else "-"
    if (ratio := row.ratio(name)) is None:
        # Without PyTorch there is nothing to relate to.
        return _time(row, name)
    text = f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"
    if entry.note:
        return f"({text})"
    if (goal := row.goal(name)) is None:
        return text
    return f"{text} of {goal:g}".replace("0.", ".") + ("" if ratio <= goal else " MISSED")


def _goal(cost: Figure) -> str:
    return "" if cost.goal is None else f" (goal {cost.goal:.0%})"


def write_readme(readme: Path, rows: Sequence[Row], costs: Sequence[Figure], versions: str) -> None:
    """Put the table between the marks of ``readme``; what stands outside of them stays."""
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"{readme.name} must hold {BEGIN} and, after it, {END}, once each")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    said = (
        f"Made by `python3 tests/bench {' '.join(sys.argv[1:])}` on {_processor()},"
        f" {os.cpu_count()} cores, Python {platform.python_version()}; {versions}."
    )
    made = f"{BEGIN}\n{as_table(rows, costs)}\n\n{said}\n{END}"
    readme.write_text(before + made + after, encoding="utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
