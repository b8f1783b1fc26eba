"""FRZ04: the layer is frozen, and its running statistics go on moving."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import Place
from paramscope.rules.examples import document
from paramscope.rules.finding import Finding
from paramscope.rules.registry import WARNING, Rule

BAD = document(
    "self.norm = nn.BatchNorm1d(4)\nself.norm.requires_grad_(False)",
    "h = torch.tanh(self.norm(self.inner(x)))",
)
GOOD = BAD.replace("requires_grad_(False)", "requires_grad_(False).eval()")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each Module with frozen Parameters of its own whose buffers a step has changed."""
    step = evidence.last_step
    if step is None:
        return
    moved: dict[str, str] = {}
    for found in evidence.walk.tensors:
        is_statistic = found.place is Place.BUFFER and found.attribute.startswith("running_")
        if is_statistic and step.update_norms.get(id(found.tensor)):
            moved.setdefault(found.owner_path, found.attribute)
    weights: dict[str, list[bool]] = {}
    for found in evidence.walk.tensors if moved else ():
        if found.place is Place.PARAMETER and found.owner_path in moved:
            weights.setdefault(found.owner_path, []).append(bool(found.tensor.requires_grad))
    for path, trained in weights.items():
        if any(trained):
            continue
        where = path or "model"
        yield Finding(
            rule=RULE.id,
            where=where,
            severity=WARNING,
            message=(
                f"`{where}` is frozen, but it is in training mode: its `{moved[path]}` "
                "changes with every batch, and so does what it gives."
            ),
            cause="Call `.eval()` on it, and again after each `model.train()`.",
            line=_line(path, evidence),
        )


def _line(path: str, evidence: Evidence) -> int | None:
    owner_path, _, name = path.rpartition(".")
    owner = evidence.walk.modules.get(owner_path)
    made = evidence.source.assignment(type(owner).__mro__, name) if owner is not None else None
    return made.line if made is not None else None


RULE = Rule(
    id="FRZ04",
    severity=WARNING,
    title="Frozen layer whose statistics drift",
    help=(
        "Freezing stops gradients, not running statistics: BatchNorm averages every batch it sees "
        "in training mode. Keep a frozen backbone in eval mode, for example by overriding train()."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
