"""REG15: a loop assigns a layer to one and the same attribute: only the last one stays."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import join_path
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule

BAD = document(
    "for i in range(3):\n    self.layer = nn.Linear(4, 4)",
    "h = torch.tanh(self.layer(self.inner(x)))",
)
GOOD = document(
    "self.layers = nn.ModuleList()\nfor i in range(3):\n    self.layers.append(nn.Linear(4, 4))",
    "h = self.inner(x)\nfor layer in self.layers:\n    h = torch.tanh(layer(h))",
)
TRAPS = (
    document(
        "layers = []\nfor i in range(2):\n    self.layer = nn.Linear(4, 4)\n"
        "    layers.append(self.layer)\nself.layers = nn.ModuleList(layers)",
        "h = self.inner(x)\nfor layer in self.layers:\n    h = torch.tanh(layer(h))",
    ),
    document(
        "self.layer = nn.Linear(4, 8)\nself.layer = nn.Linear(4, 4)",
        "h = torch.tanh(self.layer(self.inner(x)))",
    ),
    document(build="model = Net()\nmodel.out = nn.Linear(4, 1)\nreturn model"),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report attributes whose Modules were replaced, and are nowhere else in the model."""
    lost: dict[tuple[int, str], int] = {}
    lines = {}
    for replaced in evidence.build.replacements:
        key = (id(replaced.owner), replaced.attribute)
        if id(replaced.old) not in evidence.walk.module_paths:
            lost[key] = lost.get(key, 0) + 1
            lines[key] = replaced.line
    for (owner, attribute), count in lost.items():
        path = evidence.walk.module_paths.get(owner)
        if path is None:
            continue
        where = join_path(path, attribute)
        yield RULE.finding(
            where=where,
            message=(
                f"`{where}` was assigned {count + 1} times by one line: only the last Module is "
                "part of the model."
            ),
            cause="Keep them in an nn.ModuleList.",
            line=lines[owner, attribute],
        )


RULE = Rule(
    id="REG15",
    severity=WARNING,
    title="Layer overwritten in a loop",
    help=(
        "An attribute holds one Module. A loop that assigns to self.layer makes several and keeps "
        "the last; the others are gone."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
