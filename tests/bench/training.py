"""A training step on gradcore in each mode and on the peers that are installed, side by side.

Figures are ratios to PyTorch's eager step where it is there, else microseconds; goals stand beside
them. At the end comes the table of all, which ``--readme`` also writes into README.md.
"""

from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from statistics import median

from threadpoolctl import threadpool_info, threadpool_limits

from contest import (
    FEW_ROUNDS,
    MODES,
    ROUNDS,
    TOLERANCE,
    YARDSTICK,
    Row,
    contest,
    contestants,
)
from figure import Figure
from request import Request
from statistics_cost import statistics_figures
from table import as_table, write_readme
from workloads import WORKLOADS

PACKAGES = ("numpy", "numba", "torch", "jax", "tinygrad", "mygrad", "autograd")


def measure(request: Request) -> Iterator[Figure]:
    """Yield for each workload and contestant the time of a step and its ratio to PyTorch."""
    keys = [key for key in WORKLOADS if not request.rows or key.startswith(request.rows)]
    peers, missing = contestants(request.peers)
    print(f"  {versions()}")
    for name, reason in missing.items():
        print(f"  {name}: left out, {reason}")
    if YARDSTICK in missing:
        print("  without PyTorch there are times, but no ratios and no goals")
    print(f"  losses of 20 steps are compared; they agree up to {TOLERANCE:g}, relative")
    rows: list[Row] = []
    with threadpool_limits(1):
        for row in contest(keys, peers, FEW_ROUNDS if request.quick else ROUNDS):
            rows.append(row)
            yield from row_figures(row)
        costs = list(statistics_figures()) if not request.rows else []
    yield from costs
    print("\n" + as_table(rows, costs))
    if request.readme:
        write_readme(request.readme, rows, costs, versions())


def row_figures(row: Row) -> Iterator[Figure]:
    """Yield what was measured of one workload."""
    for name, entry in row.entries.items():
        if entry.reason:
            print(f"  {row.key}: {name}: {entry.reason}")
            continue
        note = entry.note or (f"last loss {entry.losses[-1]:.6g}" if entry.losses else "")
        microseconds = [one * 1e6 for one in entry.seconds]
        yield Figure(f"{row.key}: {name}", microseconds, "us", note=note)
    for name in row.entries:
        if name != YARDSTICK:
            yield from _ratio(row, name, YARDSTICK, row.goal(name))
    for peer in ("jax.jit", "torch fused Adam"):
        for mode in MODES:
            # Ahead of JAX on every row is a goal of native mode.
            goal = 1.0 if (peer, mode) == ("jax.jit", "native") else None
            yield from _ratio(row, mode, peer, goal)


def _ratio(row: Row, name: str, base: str, goal: float | None) -> Iterator[Figure]:
    if (ratio := row.ratio(name, base)) is not None:
        note = f"by rounds {median(row.ratios(name, base)):.3g}"
        yield Figure(f"{row.key}: {name} to {base}", [ratio], "x", goal=goal, note=note)


def versions(names: Sequence[str] = PACKAGES) -> str:
    """Return the versions of what takes part, and the kernels of its linear algebra."""
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    kernels = sorted(
        {
            f"{info['internal_api']} {info.get('architecture', '')}".strip()
            for info in threadpool_info()
            if info["user_api"] == "blas"
        }
    )
    return ", ".join([*found, *kernels])
