"""What a rule is: its check, and the documents that prove it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from paramscope.census.evidence import Evidence
from paramscope.rules.finding import Finding, OfferedEdit


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its check, and documents that break it (``bad``) and keep it (``good``).

    Both documents are whole: they are the rule's test on every engine, its help page and the
    stuff of its lesson; ``traps`` look like the fault and are none. ``help`` says in a few
    sentences what goes wrong and what to do.
    """

    id: str
    severity: str
    title: str
    help: str
    check: Callable[[Evidence], Iterable[Finding]]
    bad: str
    good: str
    traps: tuple[str, ...] = ()
    explains_errors: bool = False  # it is asked when the document's code has raised, too

    def finding(
        self,
        where: str,
        message: str,
        *,
        cause: str = "",
        line: int | None = None,
        edits: tuple[OfferedEdit, ...] = (),
        severity: str = "",
    ) -> Finding:
        """Return a verdict of this rule, of another severity where that is given."""
        return Finding(self.id, where, severity or self.severity, message, cause, line, edits)
