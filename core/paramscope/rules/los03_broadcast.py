"""LOS03: prediction and target have different shapes, and are spread over each other."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence, LossCall
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule

BAD = document(loss="((model(x) - y) ** 2).mean()", target="x.sum(dim=1)")
GOOD = BAD.replace("model(x) - y", "model(x).squeeze(-1) - y")


ELEMENTWISE = frozenset(
    {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy"}
)


def is_spread(call: LossCall) -> bool:
    """Tell whether the two are paired all with all, though no axis was made for that.

    A difference of (N, 1) and (N,) is a slip; (N, 1) and (1, N) was written with intent.
    """
    if call.operation in ELEMENTWISE:
        return call.prediction != call.target
    first, second = sorted((call.prediction, call.target), key=len)
    is_slip = len(second) == 2 and second[1] == 1 and first == second[:1] and first[0] > 1
    return call.operation == "sub" and is_slip


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the loss if it compares every prediction with every target."""
    for call in evidence.last_step.loss_calls if evidence.last_step else ():
        if is_spread(call):
            yield RULE.finding(
                where="loss",
                message=(
                    f"The loss compares a prediction of shape {call.prediction} with a target of "
                    f"shape {call.target}: each is compared with every other, not with its own."
                ),
                cause=(
                    "Give both the same shape, for example with `.squeeze(-1)` on the prediction."
                ),
                line=call.span.line if call.span is not None else None,
            )
            return


RULE = Rule(
    id="LOS03",
    severity=WARNING,
    title="Broadcast in the loss",
    help=(
        "Shapes (N, 1) and (N,) together make (N, N): broadcasting sets each prediction against "
        "all targets, and the best answer becomes the mean. PyTorch warns for some losses, not "
        "for sums."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
