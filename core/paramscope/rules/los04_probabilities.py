"""LOS04: ``nll_loss`` on probabilities; it wants their logarithms."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    loss="F.nll_loss(torch.softmax(model(x), dim=1), y)",
    target="torch.randint(0, 3, (16,))",
    width=3,
)
GOOD = BAD.replace("torch.softmax", "torch.log_softmax")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the loss if its prediction is a distribution, or comes from a softmax or a sigmoid."""
    for call in evidence.last_step.loss_calls if evidence.last_step else ():
        if call.operation != "nll_loss":
            continue
        if call.is_distribution or call.producer in ("softmax", "sigmoid"):
            yield RULE.finding(
                where="loss",
                message=(
                    "nll_loss gets probabilities, and wants their logarithms: the loss is "
                    "negative, and what it teaches is wrong."
                ),
                cause=("Use log_softmax before it, or cross_entropy on the values before softmax."),
                line=call.span.line if call.span is not None else None,
            )
            return


RULE = Rule(
    id="LOS04",
    severity=ERROR,
    title="nll_loss on probabilities",
    help=(
        "nll_loss picks the value of the right class and changes its sign; that is a likelihood "
        "only if the values are log-probabilities."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
