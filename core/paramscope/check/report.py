"""What is known of one target when everything was run: the stuff of every report."""

from dataclasses import dataclass, field

from paramscope.census.rows import TensorRow
from paramscope.check.job import Verdict
from paramscope.check.target import Source, Target
from paramscope.rules.finding import ERROR, HINT, WARNING, Finding

SEVERITIES = {ERROR: "error", WARNING: "warning", HINT: "hint"}
CLEAN, FOUND, COULD_NOT_RUN = 0, 1, 2
# Silent mistakes at which the engine stops a step later, with an error that is not theirs.
_STOPPING_LATER = frozenset(["GRA12", "OPT07", "REG05"])
# And those that make a loss NaN or infinite, at which training stops.
_LEADING_TO_NAN = frozenset(["GRA04", "GRA06", "GRA10", "LOS04"])


@dataclass(frozen=True, slots=True)
class Proof:
    """An edit that was made on a copy, after which the finding was gone and nothing new found.

    ``words`` tell what was seen before and after. ``after`` is the whole source with this edit
    and those before it.
    """

    label: str
    before: str
    after: str
    words: str
    is_written: bool = False


@dataclass(slots=True)
class Report:
    """One target with its verdict. ``problem`` says why it could not be run at all."""

    target: Target
    source: Source | None = None
    verdict: Verdict = field(default_factory=Verdict)
    findings: list[Finding] = field(default_factory=list)
    proofs: dict[Finding, Proof] = field(default_factory=dict)
    problem: str = ""
    engine: str = ""
    steps_asked: int = 0

    @property
    def name(self) -> str:
        """What the user called it."""
        return self.target.name

    @property
    def file(self) -> str:
        """The file's path as the user wrote it."""
        return str(self.target.path)

    @property
    def guessed_input(self) -> str:
        """The sample input it ran with, if nobody gave one."""
        sample = self.source.target.sample if self.source is not None else ""
        return sample if sample != self.target.sample else ""

    @property
    def tensors(self) -> tuple[TensorRow, ...]:
        """The census after the last step."""
        return self.verdict.tensors

    @property
    def is_explained(self) -> bool:
        """Tell whether nothing raised, or a finding says why it did."""
        failure = self.verdict.failure
        if failure is None or failure.findings:
            return True
        is_number = failure.kind == "NonFiniteLossError"
        rules = _LEADING_TO_NAN if is_number else _STOPPING_LATER
        return any(finding.rule in rules for finding in self.findings)

    @property
    def remaining(self) -> list[Finding]:
        """The findings whose edit was not written to the file."""
        proofs = self.proofs
        return [f for f in self.findings if f not in proofs or not proofs[f].is_written]

    @property
    def status(self) -> int:
        """The exit status that this target asks for.

        A file whose code raises has run as far as it goes; if a rule explains why, that is
        a finding like any other.
        """
        if self.problem or not self.is_explained:
            return COULD_NOT_RUN
        if not self.verdict.has_model and not self.findings:
            return COULD_NOT_RUN
        return FOUND if self.remaining else CLEAN


def shown_findings(verdict: Verdict, with_hints: bool) -> list[Finding]:
    """Return the findings to report, the worst first, each place in the order of the file."""
    order = list(SEVERITIES)
    found = [f for f in verdict.findings if with_hints or f.severity != HINT]
    return sorted(found, key=lambda f: (order.index(f.severity), f.line or 0, f.where))
