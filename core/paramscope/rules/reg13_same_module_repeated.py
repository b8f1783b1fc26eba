"""REG13: ``[Block()] * n`` in a container: one block n times, and one set of weights."""

from collections import Counter
from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import Place
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import line_of_module, parameters

CONTAINERS = ("ModuleList", "Sequential", "ModuleDict")
LISTS = ("ParameterList", "ParameterDict")

BAD = document(
    "self.blocks = nn.ModuleList([nn.Linear(4, 4)] * 3)",
    "h = self.inner(x)\nfor block in self.blocks:\n    h = torch.tanh(block(h))",
)
GOOD = BAD.replace("[nn.Linear(4, 4)] * 3", "[nn.Linear(4, 4) for _ in range(3)]")
TRAPS = (
    document(
        "act = nn.ReLU()\nself.blocks = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)",
        "h = self.blocks(self.inner(x))",
    ),
    document(
        "self.blocks = nn.ModuleList([self.inner, self.inner])",
        "h = self.inner(x)\nfor block in self.blocks:\n    h = torch.tanh(block(h))",
    ),
    document(
        "self.again = nn.Sequential(self.inner, nn.Tanh())",
        "h = self.again(torch.tanh(self.inner(x)))",
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report containers that hold one trained Module several times, and nobody else does."""
    trained = {item.path.rpartition(".")[0] for item in parameters(evidence)}
    paths: dict[str, list[str]] = {}
    for path, first in evidence.walk.repeated:
        paths.setdefault(first, [first]).append(path)
    told = set()
    for first, places in paths.items():
        inside = first + "."
        if not any(path == first or path.startswith(inside) for path in trained):
            continue
        parents = {path.rpartition(".")[0] for path in places}
        parent = parents.pop()
        if parents or not _is_container(parent, evidence) or parent in told:
            continue
        told.add(parent)
        count = Counter(places).total()
        where = parent or "model"
        yield RULE.finding(
            where=where,
            message=(
                f"`{where}` holds the same {type(evidence.walk.modules[first]).__name__} "
                f"{count} times: they share one set of weights."
            ),
            cause="Make each anew: `[Block() for _ in range(n)]`.",
            line=line_of_module(parent, evidence),
        )
    yield from _repeated_parameters(evidence)


def _repeated_parameters(evidence: Evidence) -> Iterator[Finding]:
    """Report lists of Parameters that hold one and the same Parameter several times."""
    held: dict[str, Counter[int]] = {}
    for found in evidence.walk.tensors:
        is_listed = any(cls.__name__ in LISTS for cls in type(found.owner).__mro__)
        if found.place is Place.PARAMETER and is_listed and found.tensor.requires_grad:
            held.setdefault(found.owner_path, Counter())[id(found.tensor)] += 1
    for path, counts in held.items():
        count = max(counts.values())
        if count > 1:
            yield RULE.finding(
                where=path or "model",
                message=(
                    f"`{path or 'model'}` holds the same Parameter {count} times: "
                    "they share one set of values."
                ),
                cause="Make each anew: `[nn.Parameter(...) for _ in range(n)]`.",
                line=line_of_module(path, evidence),
            )


def _is_container(path: str, evidence: Evidence) -> bool:
    module = evidence.walk.modules.get(path)
    return any(cls.__name__ in CONTAINERS for cls in type(module).__mro__)


RULE = Rule(
    id="REG13",
    severity=WARNING,
    title="One Module several times in a container",
    help=(
        "[Block()] * n makes one block and names it n times. It looks like n layers, and has the "
        "weights of one."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
