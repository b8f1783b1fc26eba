"""MOD01: dropout that is on in eval mode as well."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import Finding
from paramscope.rules.registry import ERROR, Rule

BAD = document(forward="h = F.dropout(torch.tanh(self.inner(x)), 0.2)")
GOOD = BAD.replace("0.2)", "0.2, training=self.training)")
TRAPS = (
    document("self.drop = nn.Dropout(0.2)", "h = self.drop(torch.tanh(self.inner(x)))"),
    document(forward="h = torch.tanh(self.inner(x))\nh = h + 0.1 * torch.randn_like(h)"),
    document(forward="h = F.dropout(torch.tanh(self.inner(x)), 0.0)"),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each Module whose eval pass has thrown values away at random."""
    told = set()
    for path, cut in evidence.evaluation.dropouts if evidence.evaluation else ():
        where = path or "forward"
        if where in told:
            continue
        told.add(where)
        yield Finding(
            rule=RULE.id,
            where=where,
            severity=ERROR,
            message=(
                f"`{cut.operation}` in `{where}` is at work in eval mode too: what the model "
                "says changes from call to call."
            ),
            cause="Pass `training=self.training`, or use nn.Dropout.",
            line=cut.span.line if cut.span is not None else None,
        )


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
