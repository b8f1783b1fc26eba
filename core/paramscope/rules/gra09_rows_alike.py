"""GRA09: all rows of a weight are the same, and stay so: its units are one unit."""

from collections.abc import Iterator

import numpy as np

from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import (
    ENOUGH_STEPS,
    lines_of,
    parameters,
    stepped_ids,
    values_in,
)

LIKENESS = 1e-3  # of the way that a row has come

BAD = document(
    "nn.init.constant_(self.inner.weight, 0.1)\nnn.init.zeros_(self.inner.bias)\n"
    "nn.init.constant_(self.out.weight, 0.1)"
)
GOOD = BAD.replace(
    "nn.init.constant_(self.inner.weight, 0.1)", "nn.init.xavier_uniform_(self.inner.weight)"
)
TRAPS = (
    document(
        "nn.init.zeros_(self.out.weight)",
        loss="F.cross_entropy(model(x), y)",
        target="torch.randint(0, 3, (16,))",
        width=3,
    ),
    document(
        "self.low = nn.Linear(4, 2, bias=False)\nself.high = nn.Linear(2, 4, bias=False)\n"
        "nn.init.zeros_(self.high.weight)",
        "h = torch.tanh(self.inner(x) + self.high(self.low(x)))",
    ),
    document(
        "self.scale = nn.Parameter(torch.ones(4))", "h = torch.tanh(self.inner(x)) * self.scale"
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report weights that began with equal rows, have moved, and have equal rows still."""
    if evidence.traced_steps < ENOUGH_STEPS:
        return
    stepped = stepped_ids(evidence)
    faulty = [
        found
        for found in parameters(evidence)
        if id(found.tensor) in evidence.build.equal_rows
        and id(found.tensor) in stepped
        and _is_one_row(found, evidence)
    ]
    # What lies behind such a layer may be alike because of it: the first is the one to mend.
    for found in faulty[:1]:
        path, items = found.path, [found]
        yield RULE.finding(
            where=path,
            message=(
                f"All rows of `{items[0].path}` ({values_in(items)}) began alike and move alike: "
                "its units calculate the same for ever."
            ),
            cause="Start with different values, for example nn.init.xavier_uniform_.",
            line=lines_of(items, evidence),
        )


def _is_one_row(found: FoundTensor, evidence: Evidence) -> bool:
    use = evidence.summary(found.tensor)
    array = evidence.view.array(found.tensor)
    if use is None or array is None or not use.has_moved or use.gradient_always_zero:
        return False
    way = np.abs(array[0] - evidence.build.equal_rows[id(found.tensor)]).max()
    spread = np.abs(array - array[0]).max()
    return bool(way > 0 and spread <= LIKENESS * way)


RULE = Rule(
    id="GRA09",
    severity=WARNING,
    title="Units that never differ",
    help=(
        "Rows that start equal get equal gradients, unless something behind them tells them "
        "apart. A layer of constant weights has one unit, many times. Random initial values break "
        "the tie."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
