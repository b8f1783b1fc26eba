"""REG10: the loss trains a tensor that neither the model nor an optimizer holds."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence, Stranger
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS, stepped_ids
from paramscope.rules.strangers import stable_strangers

BAD = document(
    loss="criterion(model(x), y)",
    tail="""class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, prediction, y):
        return ((prediction * self.scale - y) ** 2).mean()


criterion = Weighted()""",
)
GOOD = BAD.replace("SGD(model.parameters()", "SGD([*model.parameters(), *criterion.parameters()]")
TRAPS = (
    BAD.replace("nn.Parameter(torch.ones(1))", "torch.ones(1)"),
    BAD.replace("criterion = Weighted()", "criterion = Weighted().requires_grad_(False)"),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the objects that own such leaves, once each."""
    if len(evidence.steps) < ENOUGH_STEPS:
        return
    known = stepped_ids(evidence) | {id(f.tensor) for f in evidence.walk.tensors}
    known |= evidence.elsewhere - set(evidence.outside)
    groups: dict[str, list[Stranger]] = {}
    for key, met in stable_strangers(evidence).items():
        if key in known or len(met) < ENOUGH_STEPS or not met[-1].had_gradient:
            continue
        # Written to between the steps: somebody moves it by hand, or it is an input.
        if met[-1].comes_from_data or len({stranger.version for stranger in met}) > 1:
            continue
        name = evidence.outside.get(key, "")
        groups.setdefault(name.rpartition(".")[0] or name, []).append(met[-1])
    for owner, strangers in groups.items():
        names = [evidence.outside.get(id(s.tensor), "") for s in strangers]
        where = names[0] if len(names) == 1 else owner
        count = sum(s.tensor.numel() for s in strangers)
        values = "1 value" if count == 1 else f"{count:,} values"
        span = strangers[0].span
        yield RULE.finding(
            where=where or "loss",
            message=(
                f"The loss trains `{where or 'a tensor outside of the model'}` ({values}), but "
                "no optimizer has it: it never learns."
            ),
            cause="Make it part of the model, or give it to the optimizer as well.",
            line=span.line if span is not None else None,
        )


RULE = Rule(
    id="REG10",
    severity=ERROR,
    title="Trained tensor outside the model",
    help=(
        "A loss function may have Parameters of its own, such as class centres or a temperature. "
        "model.parameters() does not list them; they need a place in the model or in the "
        "optimizer."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
