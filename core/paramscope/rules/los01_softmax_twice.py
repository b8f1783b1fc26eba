"""LOS01: softmax before ``cross_entropy``, which applies it again."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule

BAD = document(
    loss="F.cross_entropy(torch.softmax(model(x), dim=1), y)",
    target="torch.randint(0, 3, (16,))",
    width=3,
)
GOOD = BAD.replace("torch.softmax(model(x), dim=1)", "model(x)")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the loss if its prediction comes from a softmax."""
    for call in evidence.last_step.loss_calls if evidence.last_step else ():
        is_softmax = call.is_distribution or call.producer == "softmax"
        if call.operation == "cross_entropy" and is_softmax:
            yield RULE.finding(
                where="loss",
                message=(
                    "The prediction is the result of a softmax, and cross_entropy applies softmax "
                    "again: the gradients become small, and the loss cannot come near zero."
                ),
                cause=("Give cross_entropy the values before softmax."),
                line=call.span.line if call.span is not None else None,
            )
            return


RULE = Rule(
    id="LOS01",
    severity=WARNING,
    title="Softmax before cross_entropy",
    help=(
        "cross_entropy takes logits: it applies log-softmax by itself, in a form that is exact "
        "for large values. Probabilities lie between 0 and 1, so a second softmax flattens them."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
