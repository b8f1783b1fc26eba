"""The vocabulary of states and the plain rows that the census returns.

The same words stand on the canvas, in the tree, on the command line and in the documents. A
tensor may carry several: what it is and what its gradient does are separate axes.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a tensor (or a hidden Module) is to its model."""

    PARAMETER = "PARAMETER"
    BUFFER = "BUFFER"
    BUFFER_NOT_SAVED = "BUFFER (not saved)"
    TENSOR = "TENSOR"
    FORGOTTEN_TENSOR = "FORGOTTEN TENSOR"
    FORGOTTEN_PARAMETER = "FORGOTTEN PARAMETER"
    FORGOTTEN_MODULE = "FORGOTTEN MODULE"
    NON_LEAF = "NON-LEAF"
    UNINITIALIZED = "UNINITIALIZED"


class Gradient(StrEnum):
    """What arrives at a tensor in ``backward``."""

    FLOWS = "FLOWS"
    NONE_YET = "NONE YET"
    UNUSED = "UNUSED"
    DETACHED = "DETACHED"
    ZERO = "ZERO"
    VANISHING = "VANISHING"
    EXPLODING = "EXPLODING"
    NON_FINITE = "NaN/Inf"
    FROZEN = "FROZEN"
    STALE = "STALE"
    NOT_APPLICABLE = ""


class Stepping(StrEnum):
    """Who moves a tensor's value."""

    IN_OPTIMIZER = "IN OPTIMIZER"
    NOT_STEPPED = "NOT STEPPED"
    NOT_IN_MODEL = "IN OPTIMIZER BUT NOT IN MODEL"
    STEPPED_TWICE = "STEPPED TWICE"
    NEVER_MOVES = "NEVER MOVES"
    MOVES_WHILE_FROZEN = "MOVES WHILE FROZEN"
    NOT_APPLICABLE = ""


class Statistics(msgspec.Struct, frozen=True):
    """Size of a tensor's values; ``norm`` is the L2 norm, ``zeros`` and ``non_finite`` counts."""

    norm: float
    mean: float
    minimum: float
    maximum: float
    zeros: int
    non_finite: int


class TensorRow(msgspec.Struct, frozen=True):
    """One tensor of a model, as every view shows it.

    ``path`` is the dotted attribute path; list indices and dict keys are parts of it.
    ``line`` is the source line that made the tensor, where known. ``tied_with`` holds the other
    paths of the same tensor. ``owner`` is the dotted path of the Module that holds it.
    """

    path: str
    kind: Kind
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    owner: str = ""
    owner_class: str = ""
    gradient: Gradient = Gradient.NOT_APPLICABLE
    stepping: Stepping = Stepping.NOT_APPLICABLE
    optimizer_index: int | None = None
    group: int | None = None
    lr: float | None = None
    has_optimizer_state: bool = False
    tied_with: tuple[str, ...] = ()
    shadowed: bool = False
    line: int | None = None
    value_statistics: Statistics | None = None
    gradient_statistics: Statistics | None = None
    update_norm: float | None = None
    note: str = ""

    @property
    def count(self) -> int:
        """Number of values in the tensor."""
        product = 1
        for size in self.shape:
            product *= size
        return product
