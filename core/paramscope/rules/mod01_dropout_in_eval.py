"""MOD01: dropout that is on in eval mode as well."""

from collections.abc import Iterator

from paramscope.census.evidence import Cut, Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(forward="h = F.dropout(torch.tanh(self.inner(x)), 0.2)")
GOOD = BAD.replace("0.2)", "0.2, training=self.training)")
TRAPS = (
    document("self.drop = nn.Dropout(0.2)", "h = self.drop(torch.tanh(self.inner(x)))"),
    document(forward="h = torch.tanh(self.inner(x))\nh = h + 0.1 * torch.randn_like(h)"),
    document(forward="h = F.dropout(torch.tanh(self.inner(x)), 0.0)"),
    document(forward="h = F.dropout(torch.tanh(self.inner(x)), 0.5, self.training)"),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each Module whose eval pass has thrown values away at random."""
    places: dict[Cut, list[str]] = {}
    for path, cut in evidence.evaluation.dropouts if evidence.evaluation else ():
        places.setdefault(cut, []).append(path)
    for cut, paths in places.items():
        where = _common(paths) or "forward"
        yield RULE.finding(
            where=where,
            message=(
                f"`{cut.operation}` in `{where}` is at work in eval mode too: what the model "
                "says changes from call to call."
            ),
            cause="Pass `training=self.training`, or use nn.Dropout.",
            line=cut.span.line if cut.span is not None else None,
        )


def _common(paths: list[str]) -> str:
    """Return the path that all of ``paths`` lie at or below."""
    parts = [path.split(".") for path in paths]
    same = [names[0] for names in zip(*parts, strict=False) if len(set(names)) == 1]
    first = parts[0]
    while first[: len(same)] != same:
        same.pop()
    return ".".join(same)


RULE = Rule(
    id="MOD01",
    severity=ERROR,
    title="Dropout in eval mode",
    help=(
        "F.dropout is on unless it is told otherwise; only nn.Dropout follows train() and eval(). "
        "Dropout that is meant to stay on (Monte Carlo) can be kept by a comment."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
