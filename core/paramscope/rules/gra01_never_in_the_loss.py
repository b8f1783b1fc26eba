"""GRA01: registered and stepped, but it has no part in the loss."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.cuts import cut_of
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import lines_of, rolled_up, values_in, without_gradient

BAD = document("self.shortcut = nn.Linear(4, 4)")
GOOD = BAD.replace("torch.tanh(self.inner(x))", "torch.tanh(self.inner(x)) + self.shortcut(x)")
TRAPS = (
    document(
        "self.gate = nn.Linear(4, 2)",
        "h = torch.tanh(self.inner(x))\n"
        "scores, chosen = self.gate(x).topk(1)\n"
        "h = h * scores * (chosen == 0)",
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report what the steps never read, or read for a result that goes nowhere."""
    unused = []
    thrown_away = set()
    for found, use in without_gradient(evidence):
        if use is None or not use.is_read:
            unused.append(found)
        elif cut_of(use) is None:
            unused.append(found)
            thrown_away.add(id(found.tensor))
    # The model itself was called: where nothing in it is used, its parts are not.
    for path, items in rolled_up(unused, evidence, may_be_all=False):
        is_read = any(id(item.tensor) in thrown_away for item in items)
        what = "was used, but the result has no part in the loss" if is_read else "was never used"
        yield RULE.finding(
            where=path,
            message=(
                f"`{path}` ({values_in(items)}) {what} in {evidence.traced_steps} batches: "
                "it gets no gradient and never learns."
            ),
            cause="Use its result in forward, or delete it.",
            line=lines_of(items, evidence),
        )


RULE = Rule(
    id="GRA01",
    severity=WARNING,
    title="Parameter that has no part in the loss",
    help=(
        "A layer that forward does not call, or whose result nothing uses, gets no gradient. "
        "Distributed training stops on it; on one machine it is silent. Layers that only some "
        "batches use are not seen at once."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
