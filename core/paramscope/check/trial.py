"""One edit tried on a copy: the source as it is and the copy are run, and what differs is told.

The window shows it before the edit is offered; the command line proves whole reports instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paramscope.census.rows import TensorRow
from paramscope.check.comparison import is_proof, is_same, rows_at
from paramscope.check.job import Verdict
from paramscope.rules.finding import HINT, Finding

STEPS = 30  # enough for a curve to show a difference

Run = Callable[[str], Verdict]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was seen in both runs: what it is, and how it was before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What an edit does. ``refusal`` says why it is not proved; empty if it is.

    ``losses`` are those of the run before and after, empty where the loss is made up.
    """

    finding: Finding
    source: str
    edited: str
    refusal: str = ""
    facts: tuple[Fact, ...] = ()
    losses: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    note: str = ""

    @property
    def is_proved(self) -> bool:
        """Whether the edit may be offered."""
        return not self.refusal


def try_edit(finding: Finding, source: str, edited: str, run: Run) -> Trial:
    """Run a source and its edited copy; return what the edit has shown."""
    before = run(source)
    present = next((one for one in before.findings if is_same(one, finding)), None)
    explained = before.failure.findings if before.failure is not None else ()
    if present is None and not any(is_same(one, finding) for one in explained):
        why = _why_not_seen(finding, before)
        return Trial(finding, source, edited, why)
    after = run(edited)
    facts = _facts(finding, before, after)
    losses = (before.losses, after.losses)
    if is_proof(finding, before, after):
        return Trial(finding, source, edited, "", facts, losses)
    return Trial(finding, source, edited, refusal_of(finding, before, after), facts, losses)


def refusal_of(finding: Finding, before: Verdict, after: Verdict) -> str:
    """Say why a run of the edited copy is no proof."""
    failure = after.failure
    if failure is not None and before.failure is not None and failure.kind == before.failure.kind:
        said = failure.message.partition("\n")[0].rstrip(".")
        return f"The source and the copy both stop: {failure.kind}: {said}. Mend that first."
    if failure is not None:
        at = f" in line {failure.frames[-1].span.line}" if failure.frames else ""
        said = failure.message.partition("\n")[0]
        return f"The edited copy stops{at}: {failure.kind}: {said}"
    if after.note and not before.note:
        return f"The edited copy cannot be trained: {after.note.partition(chr(10))[0]}"
    if not after.has_model:
        return "The edited copy makes no model."
    if after.steps < before.steps:
        return f"The edited copy runs {after.steps} steps, where the source runs {before.steps}."
    if any(is_same(one, finding) for one in after.findings):
        return f"{finding.rule} is still found at `{finding.where}` in the edited copy."
    for one in after.findings:
        is_known = any(is_same(one, other) for other in before.findings)
        if not is_known and one.severity != HINT:
            return f"It would bring another problem, {one.rule}: {one.message}"
    return "The edited copy shows no difference."


def _why_not_seen(finding: Finding, before: Verdict) -> str:
    if before.failure is not None:
        said = before.failure.message.partition("\n")[0]
        return (
            f"The source itself stops before {finding.rule} can be seen:"
            f" {before.failure.kind}: {said}"
        )
    return (
        f"A fresh run of {before.steps} steps does not show {finding.rule} at"
        f" `{finding.where}`, so there is nothing to compare with."
    )


def _facts(finding: Finding, before: Verdict, after: Verdict) -> tuple[Fact, ...]:
    is_gone = not any(is_same(one, finding) for one in after.findings)
    facts = [Fact(finding.rule, "found", "gone" if is_gone else "still found")]
    was, now = rows_at(finding.where, before.tensors), rows_at(finding.where, after.tensors)
    if was or now:
        facts.append(Fact(finding.where, _motion(was, before), _motion(now, after)))
    stepped = [_count_of_moving(verdict) for verdict in (before, after)]
    if stepped[0] != stepped[1]:
        facts.append(Fact("moving tensors", *map(str, stepped)))
    if before.steps != after.steps:
        facts.append(Fact("steps run", str(before.steps), str(after.steps)))
    if before.losses and after.losses:
        last = min(len(before.losses), len(after.losses))
        values = (f"{losses[last - 1]:.4g}" for losses in (before.losses, after.losses))
        facts.append(Fact(f"loss, step {last}", *values))
    return tuple(facts)


def _motion(rows: Sequence[TensorRow], verdict: Verdict) -> str:
    if not rows:
        return "not among the tensors"
    moved = max((row.update_norm or 0.0 for row in rows), default=0.0)
    kinds = " and ".join(sorted({str(row.kind) for row in rows}))
    if not verdict.steps:
        return kinds
    return f"{kinds}, moves by {moved:.3g} a step" if moved else f"{kinds}, rests"


def _count_of_moving(verdict: Verdict) -> int:
    return sum(bool(row.update_norm) for row in verdict.tensors)
