"""Fix, then prove: an edit is made on a copy, the copy is run, and only what it shows counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paramscope.census.rows import TensorRow
from paramscope.check.comparison import is_proof, is_same, rows_at
from paramscope.check.job import Verdict
from paramscope.check.mend import Mend, mends_of
from paramscope.check.report import Proof, Report
from paramscope.rules.finding import Finding

MAX_RUNS = 40  # of copies of one file

Run = Callable[[str], Verdict]


def prove(report: Report, run: Run) -> str:
    """Find an edit for each finding that a run of the edited copy proves right.

    Each is made on top of those before it, so the last copy has them all. One that shows
    nothing while another mistake stands in its way is tried again when that one is mended.

    Returns: the source with every proved edit.
    """
    assert report.source is not None
    copy = _Copy(report.source.text, report.verdict, run)
    waiting = list(report.findings)
    while waiting:
        mended = [finding for finding in waiting if _mend(finding, copy, report)]
        if not mended:
            break
        waiting = [finding for finding in waiting if finding not in mended]
    return copy.text


@dataclass(slots=True)
class _Copy:
    """The edited copy as it stands, with what its last good run has shown."""

    text: str
    verdict: Verdict
    run: Run
    runs_left: int = MAX_RUNS


def _mend(finding: Finding, copy: _Copy, report: Report) -> bool:
    """Try the edits for one finding until a run proves one of them."""
    current = next((f for f in copy.verdict.findings if is_same(f, finding)), None)
    if current is None:
        words = f"{finding.rule} gone"
        report.proofs[finding] = Proof("mended with another edit", copy.text, copy.text, words)
        return True
    for mend in mends_of(current, copy.text):
        if not copy.runs_left:
            return False
        copy.runs_left -= 1
        after = copy.run(mend.source)
        if is_proof(current, copy.verdict, after):
            report.proofs[finding] = _proof(current, copy.text, mend, copy.verdict, after)
            copy.text, copy.verdict = mend.source, after
            return True
    return False


def _proof(finding: Finding, text: str, mend: Mend, before: Verdict, after: Verdict) -> Proof:
    words = [f"{finding.rule} gone"]
    was, now = rows_at(finding.where, before.tensors), rows_at(finding.where, after.tensors)
    if now and after.steps:
        words.append(f"`{finding.where}` {_change(was, now)}")
    elif before.failure is not None:
        words.append(f"{after.steps} steps run" if after.steps else "it runs")
    return Proof(mend.label, text, mend.source, ", ".join(words))


def _change(was: Sequence[TensorRow], now: Sequence[TensorRow]) -> str:
    """Say what the tensors do after the edit that they did not do before."""
    moved = max((row.update_norm or 0.0 for row in now), default=0.0)
    moved_before = max((row.update_norm or 0.0 for row in was), default=0.0)
    if moved and not moved_before:
        return f"moves now: by {moved:.3g} in the last step, by 0 before"
    if moved:
        return f"moves by {moved:.3g} in the last step"
    if moved_before:
        return f"rests now: moved by {moved_before:.3g} before"
    return f"is {' and '.join(sorted({str(row.kind) for row in now}))} now, and rests"
