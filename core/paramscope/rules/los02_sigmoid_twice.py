"""LOS02: sigmoid before ``binary_cross_entropy_with_logits``, which applies it again."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule

BAD = document(
    loss="F.binary_cross_entropy_with_logits(torch.sigmoid(model(x)), y)",
    target="(x[:, :1] > 0).float()",
)
GOOD = BAD.replace("torch.sigmoid(model(x))", "model(x)")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the loss if its prediction comes from a sigmoid."""
    for call in evidence.last_step.loss_calls if evidence.last_step else ():
        if call.operation == "binary_cross_entropy_with_logits" and call.producer == "sigmoid":
            yield RULE.finding(
                where="loss",
                message=(
                    "The prediction is the result of a sigmoid, and this loss applies sigmoid "
                    "again: no prediction can come nearer to 0 than 0.5."
                ),
                cause=("Give it the values before sigmoid, or use binary_cross_entropy."),
                line=call.span.line if call.span is not None else None,
            )
            return


RULE = Rule(
    id="LOS02",
    severity=WARNING,
    title="Sigmoid before a loss on logits",
    help=(
        "The losses whose name ends in with_logits apply sigmoid by themselves. Applied twice, it "
        "maps everything into the narrow range from 0.5 to 0.73."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
