"""GRA05: gradients that are lost on the way to the first layers."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence, StepRecord
from paramscope.census.states import VANISHING_BELOW, mean_size
from paramscope.census.walk import FoundTensor
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS, lines_of, parameters, rolled_up, stepped_ids

MUCH_MORE = 100.0
GROWS = 3.0  # a gate that opens: its share grows from step to step

BAD = document(
    "self.deep = nn.Sequential(*[m for _ in range(12) for m in (nn.Linear(4, 4), nn.Sigmoid())])",
    "h = self.deep(self.inner(x))",
)
GOOD = BAD.replace("nn.Sigmoid()", "nn.Identity()")
TRAPS = (
    document(
        "self.gate = nn.Parameter(torch.full((1,), 1e-6))",
        "h = x + self.gate * torch.tanh(self.inner(x))",
        optimizer="return torch.optim.SGD(model.parameters(), lr=0.1)",
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report weight matrices whose gradients are next to nothing against the largest."""
    steps = evidence.steps
    if len(steps) < ENOUGH_STEPS or evidence.build.unfilled:
        return  # too few, or numbers that were never set: GRA10
    stepped = stepped_ids(evidence)
    weights = [
        found
        for found in parameters(evidence)
        if len(evidence.view.shape(found.tensor)) >= 2
        and id(found.tensor) in stepped
        and "Embedding" not in type(found.owner).__name__
    ]
    shares = [_shares(weights, record, evidence) for record in steps]
    faulty = []
    for found in weights:
        way = [share.get(id(found.tensor), 1.0) for share in shares]
        if all(0 < share < VANISHING_BELOW for share in way) and way[-1] < GROWS * way[0]:
            if not _is_passed(found, evidence):
                faulty.append(found)
    for path, items in rolled_up(faulty, evidence)[:1]:
        yield RULE.finding(
            where=path,
            message=(
                f"The gradient of `{items[0].path}` is less than {VANISHING_BELOW:.0e} of the "
                "largest weight's in every step looked at: it hardly learns."
            ),
            cause="Use ReLU instead of sigmoid or tanh, a normalisation, or shortcuts.",
            line=lines_of(items, evidence),
        )


def _is_passed(found: FoundTensor, evidence: Evidence) -> bool:
    """Tell whether more of the gradient arrives before it: so nothing is lost on the way.

    The queries of an attention that starts out even get next to none, at any depth.
    """
    record = evidence.steps[-1]
    sizes = {id(f.tensor): _size(f, record, evidence) for f in parameters(evidence)}
    before = record.uses[id(found.tensor)].upstream
    limit = MUCH_MORE * sizes[id(found.tensor)]
    return any(
        size > limit and record.bits.get(key, 0) & before and not record.uses[key].is_reused
        for key, size in sizes.items()
    )


def _size(found: FoundTensor, record: StepRecord, evidence: Evidence) -> float:
    use = record.uses.get(id(found.tensor))
    if use is None or use.gradient is None or use.gradient.non_finite:
        return 0.0
    return mean_size(use.gradient, evidence.view.shape(found.tensor))


def _shares(weights: list[FoundTensor], record: StepRecord, evidence: Evidence) -> dict[int, float]:
    """Return the size of each weight's gradient as a share of the largest."""
    sizes = {}
    for found in weights:
        use = record.uses.get(id(found.tensor))
        if use is not None and use.gradient is not None and not use.gradient.non_finite:
            sizes[id(found.tensor)] = mean_size(use.gradient, evidence.view.shape(found.tensor))
    largest = max(sizes.values(), default=0.0)
    return {key: size / largest for key, size in sizes.items()} if largest else {}


RULE = Rule(
    id="GRA05",
    severity=WARNING,
    title="Vanishing gradients",
    help=(
        "A product of many factors below 1 tends to nothing: the first layers of a deep stack of "
        "sigmoids get almost no gradient."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
