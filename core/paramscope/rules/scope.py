"""Which tensors a verdict is about: roll-up to whole Modules, and who is stepped by whom."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from paramscope.census.census import line_of, optimizer_groups
from paramscope.census.evidence import Evidence, UseSummary
from paramscope.census.walk import FoundTensor, Place
from paramscope.rules.failing import has_no_graph

ENOUGH_STEPS = 3


def parameters(evidence: Evidence) -> list[FoundTensor]:
    """Return the registered Parameters that are to be trained, each once."""
    known: list[FoundTensor] | None = evidence.memo.get("parameters")
    if known is not None:
        return known
    seen = set()
    found: list[FoundTensor] = []
    evidence.memo["parameters"] = found
    for item in evidence.walk.tensors:
        if item.place is Place.PARAMETER and item.tensor.requires_grad:
            if id(item.tensor) not in seen and not evidence.view.is_uninitialized(item.tensor):
                seen.add(id(item.tensor))
                found.append(item)
    return found


def stepped_ids(evidence: Evidence) -> set[int]:
    """Return the ids of all tensors that some optimizer holds."""
    known: set[int] | None = evidence.memo.get("stepped")
    if known is None:
        known = evidence.memo["stepped"] = {
            id(tensor)
            for optimizer in evidence.optimizers
            for group in optimizer_groups(optimizer)
            for tensor in group.get("params", ())
        }
    return known


def without_gradient(
    evidence: Evidence,
) -> Iterator[tuple[FoundTensor, UseSummary | None]]:
    """Give the Parameters that are to be stepped and to which no step brought a gradient.

    Those outside of every optimizer are left out: they may be moved by hand, as an average of
    others is, or belong to a part that is not trained now.
    """
    is_seen = evidence.traced_steps >= ENOUGH_STEPS and evidence.backward_calls
    if not is_seen and not has_no_graph(evidence):
        return
    if evidence.last_step is not None and evidence.last_step.has_leaf_loss:
        return  # nothing gets a gradient, and the cause of it is known
    stepped = stepped_ids(evidence)
    for found in parameters(evidence):
        use = evidence.summary(found.tensor)
        has_gradient = use is not None and use.had_gradient
        if not has_gradient and found.tensor.grad is None and id(found.tensor) in stepped:
            yield found, use


def lost_tensors(evidence: Evidence) -> list[Any]:
    """Return what optimizers hold although no model of the program does."""
    held = {id(found.tensor) for found in evidence.walk.tensors} | evidence.elsewhere
    return [
        tensor
        for optimizer in evidence.optimizers
        for group in optimizer_groups(optimizer)
        for tensor in group.get("params", ())
        if id(tensor) not in held
    ]


def lost_shapes(evidence: Evidence) -> set[tuple[int, ...]]:
    """Return the shapes of `lost_tensors`."""
    return {evidence.view.shape(tensor) for tensor in lost_tensors(evidence)}


def has_moved(found: FoundTensor, evidence: Evidence) -> bool:
    """Tell whether the last traced step changed the tensor's values."""
    step = evidence.last_step
    return bool(step is not None and step.update_norms.get(id(found.tensor)))


def rolled_up(
    faulty: Iterable[FoundTensor],
    evidence: Evidence,
    population: Iterable[FoundTensor] | None = None,
    *,
    may_be_all: bool = True,
) -> list[tuple[str, list[FoundTensor]]]:
    """Gather tensors under the largest Modules whose every trained Parameter is among them.

    Another ``population`` may take the place of the trained Parameters. What cannot be said of the
    model as a whole (``may_be_all``) is said of its parts.

    Returns: pairs of a path and its tensors; ``model`` stands for the whole.
    """
    wrong = list(faulty)
    if not wrong:
        return []
    everything = parameters(evidence) if population is None else population
    total = Counter(path for item in everything for path in _modules_above(item.path))
    found = Counter(path for item in wrong for path in _modules_above(item.path))
    gathered: dict[str, list[FoundTensor]] = {}
    for item in wrong:
        whole = (
            path
            for path in _modules_above(item.path)
            if total[path] == found[path] and (path or may_be_all)
        )
        path = next((path for path in whole if path in evidence.walk.modules), item.path)
        gathered.setdefault(path or "model", []).append(item)
    return list(gathered.items())


def _modules_above(path: str) -> Iterator[str]:
    """Give the paths of all Modules that hold the tensor at ``path``, the outermost first."""
    yield ""
    parts = path.split(".")
    for count in range(1, len(parts)):
        yield ".".join(parts[:count])


def lines_of(items: Iterable[FoundTensor], evidence: Evidence) -> int | None:
    """Return the first line of the document that made one of the tensors."""
    found = [line_of(item, evidence) or line_of_module(item.owner_path, evidence) for item in items]
    return min((line for line in found if line is not None), default=None)


def line_of_module(path: str, evidence: Evidence) -> int | None:
    """Return the line of the document that made the Module at ``path``, or one above it."""
    while path:
        path, _, name = path.rpartition(".")
        owner = evidence.walk.modules.get(path)
        made = evidence.source.assignment(type(owner).__mro__, name) if owner is not None else None
        if made is not None:
            return made.line
    return evidence.source.function_lines.get("build")


def line_of_step(evidence: Evidence) -> int | None:
    """Return the line that calls an optimizer's ``step()``, or that of ``train_step``."""
    at = evidence.last_step.stepped_at if evidence.last_step is not None else None
    return at.line if at is not None else evidence.source.function_lines.get("train_step")


def values_in(items: Iterable[FoundTensor]) -> str:
    """Count the values of tensors in words."""
    count = sum(item.tensor.numel() for item in items)
    return "1 value" if count == 1 else f"{count:,} values"
