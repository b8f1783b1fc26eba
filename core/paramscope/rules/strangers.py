"""What REG06, REG10 and OPT03 share: leaves that a step met and the model did not hold."""

from paramscope.census.evidence import Evidence, Stranger
from paramscope.census.walk import FoundTensor
from paramscope.rules.scope import ENOUGH_STEPS, parameters, stepped_ids


def remade_in_steps(evidence: Evidence) -> list[Stranger]:
    """Return the leaves that each of the last steps has made anew, and trained for nothing.

    What is calculated from the batch is an input, which may be asked for its gradient.
    """
    known: list[Stranger] | None = evidence.memo.get("remade")
    if known is not None:
        return known
    remade: list[Stranger] = []
    evidence.memo["remade"] = remade
    if len(evidence.steps) < ENOUGH_STEPS:
        return remade
    stepped = stepped_ids(evidence)
    stable = stable_strangers(evidence)
    groups: list[set[object]] = []
    for record in evidence.steps:
        groups.append({_mark(s, evidence) for s in record.strangers if _is_made(s)})
    in_all = set.intersection(*groups)
    for stranger in evidence.steps[-1].strangers:
        key = id(stranger.tensor)
        if _is_made(stranger) and _mark(stranger, evidence) in in_all:
            if key not in stable and key not in stepped:
                remade.append(stranger)
    return remade


def stable_strangers(evidence: Evidence) -> dict[int, list[Stranger]]:
    """Return, by id, the strangers that several of the last steps have met."""
    met: dict[int, list[Stranger]] = {}
    for record in evidence.steps:
        for stranger in record.strangers:
            met.setdefault(id(stranger.tensor), []).append(stranger)
    return {key: strangers for key, strangers in met.items() if len(strangers) > 1}


def born_in_steps(evidence: Evidence) -> list[FoundTensor]:
    """Return the Parameters that came after the optimizer was made, and that stay."""
    remade = {stranger.path for stranger in remade_in_steps(evidence)}
    build = evidence.build
    return [
        found
        for found in parameters(evidence)
        if found.path not in remade
        and (id(found.tensor) not in build.first_parameters or id(found.tensor) in build.late)
    ]


def _is_made(stranger: Stranger) -> bool:
    is_meant = stranger.is_parameter or stranger.in_forward
    return stranger.had_gradient and is_meant and not stranger.comes_from_data


def _mark(stranger: Stranger, evidence: Evidence) -> object:
    return stranger.span, evidence.view.shape(stranger.tensor), stranger.module
