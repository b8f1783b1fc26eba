"""GRA06: gradients of a size at which a step destroys what was learnt."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence, TensorUse
from paramscope.census.states import EXPLODING_ABOVE
from paramscope.rules.examples import document
from paramscope.rules.failing import NO_LOSS, failure_like
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS, lines_of, parameters, rolled_up

BAD = document(
    loss="((model(x) * 3e4 - y) ** 2).mean()",
    optimizer="return torch.optim.SGD(model.parameters(), lr=1e-12)",
)
GOOD = BAD.replace(" * 3e4", "").replace("1e-12", "0.01")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what has had such gradients in each of the last steps."""
    is_enough = len(evidence.steps) >= ENOUGH_STEPS
    if failure_like(evidence, NO_LOSS) is not None:
        is_enough = bool(evidence.steps)  # there will be no more: they have led to it
    if not is_enough or evidence.build.unfilled:
        return  # too few, or numbers that were never set: GRA10
    faulty = [
        found
        for found in parameters(evidence)
        if all(_is_huge(record.uses.get(id(found.tensor))) for record in evidence.steps)
    ]
    for path, items in rolled_up(faulty, evidence)[:1]:
        yield RULE.finding(
            where=path,
            message=(
                f"Gradients of `{path}` are above {EXPLODING_ABOVE:.0e} in every step looked at."
            ),
            cause="Scale the inputs or the loss, normalise, or clip with clip_grad_norm_.",
            line=lines_of(items, evidence),
        )


def _is_huge(use: TensorUse | None) -> bool:
    if use is None or use.gradient is None or use.gradient.non_finite:
        return False
    return max(abs(use.gradient.minimum), abs(use.gradient.maximum)) > EXPLODING_ABOVE


RULE = Rule(
    id="GRA06",
    severity=WARNING,
    title="Exploding gradients",
    help=(
        "A product of many factors above 1 grows without bound, in deep and in recurrent models, "
        "and so does a loss of large numbers. Such a step throws the weights far away."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
