"""MOD02: training goes on in eval mode: no dropout, and BatchNorm learns nothing."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import Place
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS, parameters

BAD = document(
    "self.norm = nn.BatchNorm1d(4)",
    "h = torch.tanh(self.norm(self.inner(x)))",
    tail="""def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    model.eval()
    return value""",
)
GOOD = BAD.replace("    optimizer.zero_grad()", "    model.train()\n    optimizer.zero_grad()")
TRAPS = (
    document(
        "self.norm = nn.BatchNorm1d(4).requires_grad_(False)",
        "h = torch.tanh(self.norm(self.inner(x)))",
        build="model = Net()\nmodel.norm.eval()\nreturn model",
    ),
    document(build="return Net().eval()"),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report backward passes of a model in eval mode, where the mode makes a difference."""
    last = evidence.steps[-ENOUGH_STEPS + 1 :]
    if evidence.traced_steps < ENOUGH_STEPS or any(record.was_training for record in last):
        return
    if not any(record.backward_calls for record in last) or not _has_modes(evidence):
        return
    lines = evidence.source.function_lines
    is_built_so = not evidence.build.was_training
    name = "build" if is_built_so or "train_step" not in lines else "train_step"
    yield RULE.finding(
        where="model" if is_built_so else "train_step",
        message=(
            "The model is trained in eval mode: dropout is off, and BatchNorm uses its stored "
            "statistics instead of the batch's."
        ),
        cause="Call `model.train()` before the step.",
        line=lines.get(name),
    )


def _has_modes(evidence: Evidence) -> bool:
    """Tell whether some Module in eval mode would do otherwise in training mode."""
    trained = {item.owner_path for item in parameters(evidence)}
    statistics = {
        found.owner_path
        for found in evidence.walk.tensors
        if found.place is Place.BUFFER and found.attribute.startswith("running_")
    }
    for path, module in evidence.walk.modules.items():
        if getattr(module, "training", True):
            continue
        stored = vars(module)
        drops = "Dropout" in type(module).__name__ and bool(stored.get("p"))
        drops = drops or (isinstance(stored.get("dropout"), float) and stored["dropout"] > 0)
        if drops or (path in statistics and path in trained) or _asks_for_mode(module):
            return True
    return False


def _asks_for_mode(module: object) -> bool:
    """Tell whether a forward of the document's own looks at ``self.training``."""
    cls = type(module)
    if cls.__module__.partition(".")[0] in ("torch", "gradcore"):
        return False
    code = getattr(getattr(cls, "forward", None), "__code__", None)
    return code is not None and "training" in code.co_names


RULE = Rule(
    id="MOD02",
    severity=ERROR,
    title="Training in eval mode",
    help=(
        "eval() stays in force until train() is called. After a validation, or with a model that "
        "was loaded in eval mode, training goes on without dropout and with frozen statistics."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
