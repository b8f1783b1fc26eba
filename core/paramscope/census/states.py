"""From evidence to words: what a tensor is, what its gradient does, and who steps it."""

import math
from typing import Any

import numpy as np

from paramscope.census.evidence import Evidence, UseSummary
from paramscope.census.rows import Gradient, Kind, Statistics, Stepping
from paramscope.census.walk import FoundTensor, Place

EXPLODING_ABOVE = 1e6  # largest absolute value of a gradient
VANISHING_BELOW = 1e-5  # mean size of a weight's gradient against the largest of the model
STEPS_TO_JUDGE = 3

_REGISTERED = {
    Place.PARAMETER: Kind.PARAMETER,
    Place.BUFFER: Kind.BUFFER,
    Place.BUFFER_NOT_SAVED: Kind.BUFFER_NOT_SAVED,
}
_PLAIN = (Place.ATTRIBUTE, Place.CLASS_ATTRIBUTE, Place.CONTAINER, Place.FOREIGN)


def kind_of(found: FoundTensor, evidence: Evidence, stepped: bool) -> Kind:
    """Say what a tensor is to the model. ``stepped``: some optimizer holds it."""
    view = evidence.view
    tensor = found.tensor
    if view.is_uninitialized(tensor):
        return Kind.UNINITIALIZED
    if found.place in _REGISTERED:
        if is_never_filled(found, evidence):
            return Kind.UNINITIALIZED
        return _REGISTERED[found.place]
    if found.place is Place.HIDDEN_MODULE:
        hidden_parameter = found.registered_as is Place.PARAMETER and tensor.requires_grad
        return Kind.FORGOTTEN_PARAMETER if hidden_parameter else Kind.TENSOR
    if tensor.requires_grad and not tensor.is_leaf:
        return Kind.NON_LEAF if is_as_built(found, evidence) else Kind.TENSOR
    if view.is_parameter(tensor):
        return Kind.FORGOTTEN_PARAMETER if tensor.requires_grad else Kind.TENSOR
    if is_forgotten_leaf(found, evidence) and not stepped:
        return Kind.FORGOTTEN_TENSOR
    if is_untrained_weight(found, evidence):
        return Kind.FORGOTTEN_TENSOR
    return Kind.TENSOR


def is_as_built(found: FoundTensor, evidence: Evidence) -> bool:
    """Tell whether the attribute still holds the very tensor it held when the build was done."""
    if not evidence.build.is_complete or found.place not in (
        Place.ATTRIBUTE,
        Place.CLASS_ATTRIBUTE,
    ):
        return True
    return evidence.build.first_tensors.get(found.path) is found.tensor


def is_forgotten_leaf(found: FoundTensor, evidence: Evidence) -> bool:
    """Tell whether a plain tensor was made to be trained: a leaf that requires a gradient.

    What ``forward`` puts there anew (an input that is asked for its gradient, a cached
    state) is not meant, nor is the batch itself.
    """
    tensor = found.tensor
    if found.place not in _PLAIN or not tensor.requires_grad or not tensor.is_leaf:
        return False
    step = evidence.last_step
    if step is not None and id(tensor) in step.batch_ids:
        return False
    return is_as_built(found, evidence)


def is_untrained_weight(found: FoundTensor, evidence: Evidence) -> bool:
    """Tell whether a plain tensor is random from ``__init__``, read in ``forward``, and rests."""
    if found.place not in (Place.ATTRIBUTE, Place.CLASS_ATTRIBUTE):
        return False
    tensor = found.tensor
    if tensor.requires_grad or not evidence.view.is_floating(tensor):
        return False
    origin = evidence.origin(tensor)
    if origin is None or not origin.is_random or not origin.in_init:
        return False
    use = evidence.summary(tensor)
    if use is None or not use.is_read_in_forward or use.is_written:
        return False
    return is_as_built(found, evidence) and not _has_changed(found, evidence)


def is_never_filled(found: FoundTensor, evidence: Evidence) -> bool:
    """Tell whether the memory of a tensor was asked for (``torch.empty``) and never written."""
    return id(found.tensor) in evidence.build.unfilled and not found.tensor._version


def _has_changed(found: FoundTensor, evidence: Evidence) -> bool:
    first = evidence.build.first_values.get(found.path)
    now = evidence.view.array(found.tensor)
    if first is None or now is None:
        return False
    return not np.array_equal(first, now, equal_nan=True)


def gradient_of(
    found: FoundTensor, kind: Kind, evidence: Evidence, current: Statistics | None, largest: float
) -> Gradient:
    """Say what arrives at a tensor. ``largest`` is the mean size of the model's largest."""
    tensor = found.tensor
    trainable = bool(tensor.requires_grad)
    if not trainable or kind is Kind.NON_LEAF or not tensor.is_leaf:
        is_frozen = not trainable and evidence.view.is_parameter(tensor)
        return Gradient.FROZEN if is_frozen else Gradient.NOT_APPLICABLE
    if kind is Kind.UNINITIALIZED and evidence.view.is_uninitialized(tensor):
        return Gradient.NONE_YET
    use = evidence.summary(tensor)
    if current is None:
        if not evidence.backward_calls:
            return Gradient.NONE_YET
        return Gradient.DETACHED if use is not None and use.is_read else Gradient.UNUSED
    if current.non_finite:
        return Gradient.NON_FINITE
    if current.norm == 0.0 and not (current.minimum or current.maximum):
        return Gradient.ZERO
    if found.place is Place.PARAMETER and evidence.uncleared.get(id(tensor), 0) >= 2:
        return Gradient.STALE
    if max(abs(current.minimum), abs(current.maximum)) > EXPLODING_ABOVE:
        return Gradient.EXPLODING
    shape = evidence.view.shape(tensor)
    is_judged = len(shape) >= 2 and evidence.traced_steps >= STEPS_TO_JUDGE
    if is_judged and mean_size(current, shape) < VANISHING_BELOW * largest:
        return Gradient.VANISHING
    return Gradient.FLOWS


def mean_size(measured: Statistics, shape: tuple[int, ...]) -> float:
    """Return the root mean square of values with this norm."""
    return measured.norm / math.sqrt(max(1, math.prod(shape)))


def stepping_of(
    found: FoundTensor,
    kind: Kind,
    gradient: Gradient,
    places: int,
    lr: float | None,
    evidence: Evidence,
) -> Stepping:
    """Say who moves a tensor. ``places``: how many optimizer entries hold it."""
    tensor = found.tensor
    registered = found.place is Place.PARAMETER
    if places and not registered:
        return Stepping.NOT_IN_MODEL
    if places > 1:
        return Stepping.STEPPED_TWICE
    moved = (evidence.last_step.update_norms if evidence.last_step else {}).get(id(tensor))
    if places:
        if not tensor.requires_grad and moved:
            return Stepping.MOVES_WHILE_FROZEN
        enough = evidence.traced_steps >= STEPS_TO_JUDGE
        use = evidence.summary(tensor)
        still = use is not None and not use.has_moved and moved == 0.0
        is_judged = enough and still and lr and gradient is Gradient.FLOWS
        if is_judged and not _is_lost_in_rounding(tensor, lr or 0.0, evidence):
            return Stepping.NEVER_MOVES
        return Stepping.IN_OPTIMIZER
    trainable = registered and tensor.requires_grad
    forgotten = kind in (Kind.FORGOTTEN_TENSOR, Kind.FORGOTTEN_PARAMETER)
    return Stepping.NOT_STEPPED if trainable or forgotten else Stepping.NOT_APPLICABLE


def _is_lost_in_rounding(tensor: Any, lr: float, evidence: Evidence) -> bool:
    """Tell whether a step of ``lr`` times the gradient is too small to change any value.

    So it is where training has arrived: nothing keeps the tensor from moving.
    """
    if tensor.grad is None:
        return False
    gradient, values = evidence.view.array(tensor.grad), evidence.view.array(tensor)
    if gradient is None or values is None or values.dtype.kind != "f":
        return False
    return bool(np.all(np.abs(lr * gradient) < np.spacing(np.abs(values))))


def note_for(kind: Kind, gradient: Gradient, use: UseSummary | None, found: FoundTensor) -> str:
    """Add to the words what they leave open: where it is cut, what holds it."""
    if kind is Kind.FORGOTTEN_TENSOR:
        if found.tensor.requires_grad:
            arrives = "receives a gradient" if gradient is not Gradient.NONE_YET else "asks for one"
            return f"plain tensor: {arrives}, nobody steps it"
        return "random from __init__, read in forward, never learns"
    if found.hidden_in:
        return f"`{found.hidden_in}` is hidden from the model in a {found.container}"
    if kind is Kind.FORGOTTEN_PARAMETER:
        return f"kept in a {found.container or 'plain attribute'}, which registers nothing"
    if kind is Kind.NON_LEAF:
        return "the result of a calculation, no leaf: it is made once and never trained"
    if gradient is Gradient.DETACHED and use is not None and use.cuts:
        cut = use.cuts[0]
        at = f" in line {cut.span.line}" if cut.span else ""
        return f"cut off from the loss by `{cut.operation}`{at}"
    if gradient is Gradient.UNUSED:
        return "never read by the steps seen so far"
    if found.place is Place.FOREIGN:
        return f"held by a {found.container}"
    return ""


def is_trainable_leaf(tensor: Any) -> bool:
    """Tell whether ``backward`` may fill the tensor's ``grad``."""
    return bool(tensor.requires_grad and tensor.is_leaf)
