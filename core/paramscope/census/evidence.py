"""What is known about one model: its objects, how it was built, what its steps did.

The engine's tracer fills it; the census and the rules only read it. Tensors are known here by
``id`` while they live, and by storage where one tensor is made from another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from paramscope.census.engine_view import EngineView
from paramscope.census.failure import Failure
from paramscope.census.rows import Statistics
from paramscope.census.source import SourceMap
from paramscope.census.walk import Walk
from paramscope.code.graph import Span


@dataclass(frozen=True, slots=True)
class Origin:
    """How the memory of a tensor was made, as seen while the document's code ran.

    ``line`` is the line of the document that asked for it. ``in_init`` tells whether a
    Module's ``__init__`` was running. ``is_random`` follows the value through arithmetic.
    ``is_unfilled`` is memory that was asked for and never written.
    """

    operation: str
    line: int | None
    in_init: bool = False
    is_random: bool = False
    is_unfilled: bool = False
    serial: int = 0  # in the order of the build


@dataclass(frozen=True, slots=True)
class Replacement:
    """A Module of a Module that one statement, run again, has put another in the place of."""

    owner: Any
    attribute: str
    old: Any
    line: int | None


@dataclass(frozen=True, slots=True)
class StateLoad:
    """A call of ``load_state_dict``: how many names it was given, how many the Module knew."""

    module: Any
    given: int
    matched: int
    strict: bool
    example: tuple[str, str]  # the first name of the file, and the first of the Module
    line: int | None


@dataclass(slots=True)
class BuildRecord:
    """What was seen while the source ran and ``build()`` and ``optimizer()`` were called.

    ``origins`` is by storage, ``origins_by_id`` by tensor (kept with it): an engine may give a
    tensor other memory later. ``first_tensors`` maps each plain attribute's path to the tensor
    it held when the build was done (kept, so that nothing new can take its place in memory);
    ``first_values`` has a copy of the small ones. ``first_parameters`` are the ids of those
    the model had then (the tensors are kept as well), ``unfilled`` the ids of those on memory
    that nothing had written to. ``late`` are the ids of Parameters made after the last group
    of an optimizer; ``equal_rows`` has the row of each Parameter whose rows are all alike;
    ``alike`` are pairs of Parameters that began with the same random values, or share memory.
    """

    origins: dict[int, Origin] = field(default_factory=dict)
    origins_by_id: dict[int, tuple[Any, Origin]] = field(default_factory=dict)
    first_tensors: dict[str, Any] = field(default_factory=dict)
    first_values: dict[str, NDArray[Any]] = field(default_factory=dict)
    first_parameters: dict[int, Any] = field(default_factory=dict)
    unfilled: frozenset[int] = frozenset()
    late: frozenset[int] = frozenset()
    equal_rows: dict[int, NDArray[Any]] = field(default_factory=dict)
    alike: list[tuple[Any, Any]] = field(default_factory=list)
    first_biases: dict[int, bytes] = field(default_factory=dict)  # of Parameters with one axis
    replacements: list[Replacement] = field(default_factory=list)
    loads: list[StateLoad] = field(default_factory=list)
    was_training: bool = True  # the model's mode when the build was done
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """An operation through which a value went on and its gradient did not."""

    operation: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class LossCall:
    """A call that compares a prediction with a target: a loss, or a difference outside forward.

    ``producer`` is the operation that made the prediction, views and copies left out;
    ``is_distribution`` tells that the values over the classes are shares of 1.
    """

    operation: str
    producer: str
    prediction: tuple[int, ...]
    target: tuple[int, ...]
    span: Span | None
    is_distribution: bool = False


@dataclass(frozen=True, slots=True)
class Dead:
    """An operation that let nothing through: all zeros, or a softmax over one value.

    ``feeders`` are the ids of the tensors of the model that were last to form its input.
    """

    cut: Cut
    feeders: frozenset[int]


@dataclass(slots=True)
class Stranger:
    """A leaf that requires a gradient, met by a step, and not held by the model when it began.

    ``comes_from_data``: its values were calculated from the batch, as those of an input are.
    ``module`` is the path of the Module whose method met it first.
    """

    tensor: Any
    is_parameter: bool
    in_forward: bool
    comes_from_data: bool
    module: str | None
    span: Span | None
    version: int
    had_gradient: bool = False
    path: str = ""  # where the model held it after the step, if it did


@dataclass(slots=True)
class TensorUse:
    """What the traced steps did with one tensor that the model holds.

    ``is_recorded``: an operation that read the tensor itself was recorded for backward. Of
    ``cuts``, those in ``direct`` read the tensor itself. ``flats`` are steps (``round``) that
    its value went through.
    """

    is_read: bool = False
    is_read_in_forward: bool = False
    is_recorded: bool = False
    is_written: bool = False
    gradient: Statistics | None = None
    had_gradient: bool = False
    cuts: list[Cut] = field(default_factory=list)
    direct: set[Cut] = field(default_factory=set)
    zero_factors: list[Cut] = field(default_factory=list)
    flats: list[Cut] = field(default_factory=list)
    upstream: int = 0  # the bits of those whose values it was first used with
    is_reused: bool = False  # with calculated values, after that


@dataclass(slots=True)
class StepRecord:
    """One traced training step. ``uses`` is by ``id`` of the model's tensors.

    ``uncleared`` holds the ids of those that were stepped with a gradient an earlier step had
    used already; ``cleared`` of those that began without one. ``update_norms`` is by id as well.
    ``wasted`` are ids of tensors whose gradient was cleared before any optimizer had used it.
    ``bits`` has the bit of each tensor in a mask of many, by id; ``upstream`` masks are kept
    for tensors alone whose gradient is next to nothing. Optimizers are known by their number:
    ``stepped`` those that made a step, ``wiped`` those that made it with all gradients cleared,
    ``rates`` each group's lr at its step.
    """

    number: int
    uses: dict[int, TensorUse] = field(default_factory=dict)
    batch_ids: frozenset[int] = frozenset()
    backward_calls: int = 0
    uncleared: set[int] = field(default_factory=set)
    cleared: set[int] = field(default_factory=set)
    optimizer_steps: int = 0
    update_norms: dict[int, float] = field(default_factory=dict)
    loss_calls: list[LossCall] = field(default_factory=list)
    strangers: list[Stranger] = field(default_factory=list)
    wasted: set[int] = field(default_factory=set)
    stepped: set[int] = field(default_factory=set)
    wiped: set[int] = field(default_factory=set)
    rates: dict[tuple[int, int], float] = field(default_factory=dict)
    has_leaf_loss: bool = False
    was_training: bool = True
    dead: list[Dead] = field(default_factory=list)
    bits: Mapping[int, int] = field(default_factory=dict)
    stepped_at: Span | None = None  # where the document last called an optimizer's step()
    non_finite_from: Cut | None = None  # the operation whose gradient was the first to be so


@dataclass(slots=True)
class EvalRecord:
    """What one pass of a copy of the model, in eval mode, has shown; all by path.

    ``changed`` are the plain tensors and unsaved buffers that it gave other values, ``read``
    those that it used. ``dropouts`` are the random layers that were at work, by Module.
    """

    read: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    dropouts: tuple[tuple[str, Cut], ...] = ()


@dataclass(slots=True)
class UseSummary:
    """The traced steps so far, rolled into one per tensor: what any of them has seen."""

    is_read: bool = False
    is_read_in_forward: bool = False
    is_recorded: bool = False
    is_written: bool = False
    had_gradient: bool = False
    gradient_always_zero: bool = True
    has_moved: bool = False
    cuts: tuple[Cut, ...] = ()
    direct: frozenset[Cut] = frozenset()
    zero_factors: tuple[Cut, ...] = ()
    flats: tuple[Cut, ...] = ()


@dataclass(slots=True)
class Evidence:
    """All four sources for one model at one moment; what census and rules are made from."""

    model: Any
    walk: Walk
    optimizers: Sequence[Any]
    view: EngineView
    build: BuildRecord = field(default_factory=BuildRecord)
    summaries: Mapping[int, UseSummary] = field(default_factory=dict)
    last_step: StepRecord | None = None
    steps: Sequence[StepRecord] = ()  # the last traced ones, the newest last
    evaluation: EvalRecord | None = None
    changing: frozenset[str] = frozenset()  # paths of plain tensors that training changes
    ever_stepped: frozenset[int] = frozenset()  # numbers of optimizers
    ever_moving: frozenset[tuple[int, int]] = frozenset()  # groups stepped with an lr above 0
    outside: Mapping[int, str] = field(default_factory=dict)  # names of globals' tensors, by id
    step: int = 0
    traced_steps: int = 0
    backward_calls: int = 0
    # By id: how often a tensor was stepped with a gradient that a step had used already.
    uncleared: Mapping[int, int] = field(default_factory=dict)
    elsewhere: frozenset[int] = frozenset()  # ids held by the program's other models
    source: SourceMap = field(default_factory=SourceMap)
    failure: Failure | None = None  # what has just been raised
    memo: dict[str, Any] = field(default_factory=dict)  # what rules have worked out once for all

    def summary(self, tensor: Any) -> UseSummary | None:
        """Return what the traced steps did with ``tensor``, None if they never met it."""
        return self.summaries.get(id(tensor))

    def origin(self, tensor: Any) -> Origin | None:
        """Return how the memory of ``tensor`` was made, None if that was not seen."""
        known = self.build.origins_by_id.get(id(tensor))
        if known is not None:
            return known[1]
        # Once steps have run, memory may have been let go of, and be another tensor's now.
        storage = 0 if self.build.is_complete else self.view.storage(tensor)
        return self.build.origins.get(storage) if storage else None
