"""One workload on gradcore in each of its modes and on the peers: checked, then timed in turns.

All run in one process on the same numbers, one thread each, by CPU time. A peer whose losses are
not those of PyTorch is reported as disagreeing, and never as fast.
"""

import gc
import importlib
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from peers.autograd_peer import Autograd
from peers.jax_peer import Jax
from peers.limit import Limit
from peers.mygrad_peer import MyGrad
from peers.peer import MissingError, Peer, UnfitError
from peers.tinygrad_peer import TinyGrad
from peers.torch_peer import CompiledTorch, FusedTorch, Torch
from workloads import WORKLOADS, Problem, Workload

CHECKED_STEPS = 20
TOLERANCE = 1e-3  # of a loss, relative, over those steps
ROUNDS = 7
FEW_ROUNDS = 2
SECONDS = 0.1  # of CPU time a round and contestant
MOST_SECONDS = 0.4  # a step slower than this is timed in fewer rounds
YARDSTICK = "torch"
MODES = ("eager", "replay", "native")
SLICES = "native, slices"


class GradcoreMode(Peer):
    """gradcore in one of its modes."""

    def __init__(self, mode: str) -> None:
        self.library: Any = importlib.import_module("gradcore")
        self.mode = mode
        self.name = mode

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        self.made = workload(self.library)
        if self.mode == "eager":
            return self.made.update
        self.compiled = self.library.compile(self.made.update, mode=self.mode)
        return self.compiled  # type: ignore[no-any-return] # the library is loaded by name

    def number(self, loss: Any) -> float:
        return self.made.number(loss)

    def fault(self) -> str:
        """Return why the last step did not run in this mode; nothing if it did."""
        if self.mode == "eager" or self.ran_as() == self.mode:
            return ""
        return f"runs {self.ran_as()}: {self.compiled.report.partition(': ')[2] or 'not there'}"

    def ran_as(self) -> str:
        """Return the mode of the last step."""
        return str(self.compiled.mode)


class NativeSlices(GradcoreMode):
    """Native mode with many steps a call, as the application's worker runs it."""

    steps_a_call = 50

    def __init__(self) -> None:
        super().__init__("native")
        self.name = SLICES

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        super().make(key, workload, problem)
        slice_of_steps = [()] * self.steps_a_call
        return lambda: self.compiled.run(slice_of_steps)

    def losses(self, step: Callable[[], Any], count: int) -> list[float]:
        alone, numbers = [], []
        for _ in range(count // 2):
            alone.append(self.compiled())
            numbers.append(self.number(alone[-1]))
        if self.fault():
            raise UnfitError(self.fault())
        rest = count - len(alone)
        if alone[-1] is None:
            # Steps without a loss are told by what each of them leaves.
            together = [self._left_by(self.compiled.run([()])) for _ in range(rest)]
        else:
            together = [float(loss) for loss in self.compiled.run([()] * rest)]
        if len(together) < rest or len(step()) < self.steps_a_call:
            raise UnfitError("a slice stops before its end")
        return numbers + together

    def _left_by(self, losses: Sequence[float]) -> float:
        return self.number(None) if len(losses) else math.nan


PEERS: tuple[type[Peer], ...] = (
    Torch, FusedTorch, CompiledTorch, Jax, TinyGrad, MyGrad, Autograd
)  # fmt: skip


@dataclass
class Entry:
    """How one contestant did on one workload: seconds a step by round, or why there are none.

    ``note`` tells in which other mode gradcore really ran.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    reason: str = ""
    note: str = ""


@dataclass
class Row:
    """One workload with all its entries."""

    key: str
    workload: type[Workload]
    entries: dict[str, Entry]

    def ratios(self, name: str, base: str = YARDSTICK) -> list[float]:
        """Return the times of ``name`` in units of those of ``base`` in the same round."""
        one, other = self.entries.get(name), self.entries.get(base)
        if one is None or other is None or one.reason or other.reason:
            return []
        return [a / b for a, b in zip(one.seconds, other.seconds, strict=False)]

    def ratio(self, name: str, base: str = YARDSTICK) -> float | None:
        """Return the ratio of the fastest rounds: what else the machine does only adds time."""
        if not self.ratios(name, base):
            return None
        return min(self.entries[name].seconds) / min(self.entries[base].seconds)

    def goal(self, name: str) -> float | None:
        """Return the goal of a mode; slices of native steps are held to that of native mode."""
        return getattr(self.workload.goals, "native" if name == SLICES else name, None)


def contestants(wanted: Sequence[str]) -> tuple[list[Peer], dict[str, str]]:
    """Return gradcore's modes and the peers that are there, and why the others are not.

    ``wanted``: beginnings of the names of peers; empty: all. PyTorch is always among them.
    """
    found: list[Peer] = [*map(GradcoreMode, MODES), NativeSlices(), Limit()]
    missing: dict[str, str] = {}
    for kind in PEERS:
        chosen = not wanted or any(kind.name.lower().startswith(w.lower()) for w in wanted)
        if kind is not Torch and not chosen:
            continue
        try:
            found.append(kind())
        except MissingError as error:
            missing[kind.name] = str(error)
    return found, missing


def contest(keys: Sequence[str], peers: Sequence[Peer], rounds: int = ROUNDS) -> Iterator[Row]:
    """Yield the row of each workload."""
    for key in keys:
        yield _row(key, WORKLOADS[key], peers, rounds)
        gc.collect()


def _row(key: str, workload: type[Workload], peers: Sequence[Peer], rounds: int) -> Row:
    problem = workload(importlib.import_module("gradcore")).problem()
    row = Row(key, workload, {peer.name: Entry(peer.name) for peer in peers})
    steps: dict[str, tuple[Peer, Callable[[], Any]]] = {}
    with warnings.catch_warnings():
        # What a peer has to say of its own insides is not this benchmark's.
        warnings.simplefilter("ignore")
        for peer in peers:
            entry = row.entries[peer.name]
            try:
                step = peer.make(key, workload, problem)
                entry.losses = peer.losses(step, CHECKED_STEPS)
                steps[peer.name] = peer, step
            except UnfitError as error:
                entry.reason = str(error)
            except Exception as error:
                entry.reason = f"failed: {type(error).__name__}: {str(error).splitlines()[0][:80]}"
            if isinstance(peer, GradcoreMode) and not entry.reason:
                entry.note = peer.fault()
        _check(row)
        steps = {name: step for name, step in steps.items() if not row.entries[name].reason}
        _time(row, steps, rounds)
    return row


def _check(row: Row) -> None:
    """Set the reason of every entry whose losses are not PyTorch's (else gradcore's)."""
    base = row.entries.get(YARDSTICK) or row.entries["eager"]
    for entry in row.entries.values():
        if not entry.reason and (gap := loss_gap(entry.losses, base.losses)) > TOLERANCE:
            entry.reason = f"DISAGREES: losses differ by {gap:.0e}"


def loss_gap(losses: Sequence[float], expected: Sequence[float]) -> float:
    """Return the largest relative difference over the steps that both have."""
    pairs = zip(losses, expected, strict=False)
    gaps = (abs(a - b) / max(abs(b), 1e-6) if a == a else float("inf") for a, b in pairs)
    return max(gaps, default=0.0)


def _time(row: Row, steps: dict[str, tuple[Peer, Callable[[], Any]]], rounds: int) -> None:
    slow = set()
    for number in range(rounds):
        for name, (peer, step) in steps.items():
            if name in slow and number > 1:
                continue
            seconds = cpu_seconds(step, peer.settle) / peer.steps_a_call
            row.entries[name].seconds.append(seconds)
            if seconds > MOST_SECONDS:
                slow.add(name)


def cpu_seconds(
    step: Callable[[], Any], settle: Callable[[Any], None], least: float = SECONDS
) -> float:
    """Return the CPU seconds of one step, from as many as fit into a round."""
    start, count, batch = time.process_time(), 0, 1
    while True:
        for _ in range(batch):
            result = step()
        count += batch
        settle(result)
        elapsed = time.process_time() - start
        if elapsed >= least:
            return elapsed / count
        # Asking for the time between steps of a few microseconds would be measured with them.
        batch = max(1, min(1000, int(count * (least - elapsed) / max(elapsed, 1e-6) / 2)))
