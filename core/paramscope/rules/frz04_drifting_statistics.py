"""FRZ04: the layer is frozen, and its running statistics go on moving."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor, Place
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import line_of_module

BAD = document(
    "self.norm = nn.BatchNorm1d(4)\nself.norm.requires_grad_(False)",
    "h = torch.tanh(self.norm(self.inner(x)))",
)
GOOD = BAD.replace("requires_grad_(False)", "requires_grad_(False).eval()")
TRAPS = (
    document(
        "self.student = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))\n"
        "import copy\nself.teacher = copy.deepcopy(self.student).requires_grad_(False)",
        "h = torch.tanh(self.inner(x))\nh = h + self.student(x) * self.teacher(x)",
        tail="""def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    for slow, fast in zip(model.teacher.parameters(), model.student.parameters()):
        slow.data.mul_(0.9).add_(fast.data, alpha=0.1)
    return value""",
    ),
)


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
    told: dict[str, str] = {}
    for path, trained in weights.items():
        if not any(trained):
            part = _frozen_part(path, evidence)
            if not _follows_another(part, evidence):
                told.setdefault(part, f"{path}.{moved[path]}" if path else moved[path])
    for part, statistic in told.items():
        where = part or "model"
        yield RULE.finding(
            where=where,
            message=(
                f"`{where}` is frozen, but it is in training mode: `{statistic}` changes with "
                "every batch, and so does what it gives."
            ),
            cause="Call `.eval()` on it, and again after each `model.train()`.",
            line=line_of_module(part, evidence),
        )


def _frozen_part(path: str, evidence: Evidence) -> str:
    """Return the largest Module around ``path``, short of the whole, that is frozen throughout."""
    parts = path.split(".")
    for count in range(1, len(parts)):
        outer = ".".join(parts[:count])
        if all(not found.tensor.requires_grad for found in _inside(outer, evidence)):
            return outer
    return path


def _follows_another(path: str, evidence: Evidence) -> bool:
    """Tell whether a frozen part is moved by hand, as the average of another is: a teacher."""
    uses = (evidence.summary(found.tensor) for found in _inside(path, evidence))
    return any(use is not None and (use.is_written or use.has_moved) for use in uses)


def _inside(path: str, evidence: Evidence) -> Iterator[FoundTensor]:
    prefix = f"{path}." if path else ""
    for found in evidence.walk.tensors:
        if found.place is Place.PARAMETER and found.path.startswith(prefix):
            yield found


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
    traps=TRAPS,
)
