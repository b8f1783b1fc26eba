"""GRA10: a Parameter on memory that was asked for with ``torch.empty`` and never filled."""

from collections.abc import Iterator

from paramscope.census.census import line_of
from paramscope.census.evidence import Evidence
from paramscope.census.walk import Place
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    "self.register_buffer('scale', torch.empty(4))",
    "h = torch.tanh(self.inner(x)) * torch.nan_to_num(self.scale).clamp(0.5, 2.0)",
)
GOOD = BAD.replace("torch.empty(4)", "torch.ones(4)")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what no operation had written to when the model was built."""
    seen = set()
    for found in evidence.walk.tensors:
        key = id(found.tensor)
        if found.place not in (Place.PARAMETER, Place.BUFFER, Place.BUFFER_NOT_SAVED):
            continue
        if key not in seen and key in evidence.build.unfilled:
            seen.add(key)
            yield _finding(found.path, line_of(found, evidence))
    for key, name in evidence.outside.items():
        # What a criterion beside the model holds is trained, too.
        if key in evidence.build.unfilled and key not in seen:
            known = evidence.build.origins_by_id.get(key)
            yield _finding(name, known[1].line if known is not None else None)


def _finding(path: str, line: int | None) -> Finding:
    return RULE.finding(
        where=path,
        message=(
            f"`{path}` was made by torch.empty and never filled: its values are whatever lay in "
            "memory."
        ),
        cause="Fill it, for example with nn.init.xavier_uniform_ or torch.zeros.",
        line=line,
    )


RULE = Rule(
    id="GRA10",
    severity=ERROR,
    title="torch.empty that was never filled",
    help=(
        "torch.empty reserves memory and leaves in it what was there: often zeros, sometimes huge "
        "numbers or NaN, different at each start. nn.init fills it."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
