"""Two runs beside each other: whether the second shows that an edit was right."""

from collections.abc import Sequence

from paramscope.census.rows import Kind, TensorRow
from paramscope.check.job import Verdict
from paramscope.rules.finding import HINT, Finding


def is_proof(finding: Finding, before: Verdict, after: Verdict) -> bool:
    """Tell whether a run without ``finding`` shows that its edit was right.

    It must run as far as before or farther, and find nothing that was not found before.
    """
    if after.failure is not None or (after.note and not before.note):
        return False
    if not after.has_model or after.steps < before.steps:
        return False
    known = [f for f in before.findings if not is_same(f, finding)]
    return all(
        found.severity == HINT or any(is_same(found, one) for one in known)
        for found in after.findings
    )


def is_same(one: Finding, other: Finding) -> bool:
    """Tell whether two runs speak of the same mistake at the same place."""
    return one.rule == other.rule and one.where == other.where


def rows_at(where: str, rows: Sequence[TensorRow]) -> list[TensorRow]:
    """Return the tensors at a path and below it."""
    return [
        row
        for row in rows
        if (row.path == where or row.path.startswith(f"{where}."))
        and row.kind is not Kind.FORGOTTEN_MODULE
    ]
