"""What the window and the worker process say to each other: plain frozen messages.

Each message travels as one frame: four bytes of length, little-endian, then msgpack. The
window sends `Request`s, the worker answers with `Event`s; both are tagged unions, and a frame
that decodes to neither is refused with `ProtocolError`.
"""

from enum import StrEnum

import msgspec

from paramscope.census.rows import TensorRow
from paramscope.code.graph import Span
from paramscope.rules.finding import Finding


class Phase(StrEnum):
    """The parts of one training step, in their order; ``IDLE`` is between two steps."""

    IDLE = "idle"
    FORWARD = "forward"
    LOSS = "loss"
    BACKWARD = "backward"
    OPTIMIZER = "optimizer"


class RunState(StrEnum):
    """What the worker is doing; the toolbar shows the word."""

    STARTING = "starting"
    EMPTY = "empty"
    LOADING = "loading"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    FAILED = "failed"
    STOPPED = "stopped"


# Requests: window -> worker


class Request(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages to the worker."""


class Load(Request, frozen=True):
    """Run ``source`` and build its model; ``keep_weights`` keeps what has equal name and shape."""

    revision: int
    source: str
    filename: str
    seed: int = 0
    keep_weights: bool = False


class Play(Request, frozen=True):
    """Train until told otherwise, or until ``steps`` more steps are done."""

    steps: int | None = None


class Pause(Request, frozen=True):
    """Finish the step that runs, then wait."""


class Step(Request, frozen=True):
    """Run to the end of one training step."""


class StepPhase(Request, frozen=True):
    """Run the next phase of a step: forward, loss, backward, optimizer."""


class Reset(Request, frozen=True):
    """Build the model anew from the loaded source with ``seed``; step 0."""

    seed: int | None = None


class SetLearningRate(Request, frozen=True):
    """Set ``lr`` of every group of every optimizer from the next step on."""

    lr: float


class Watch(Request, frozen=True):
    """Send full values of these tensors with each snapshot (``()`` = none)."""

    paths: tuple[str, ...] = ()


class Interrupt(Request, frozen=True):
    """Stop now: finish the step if that takes no time, else break it off with KeyboardInterrupt."""


class Shutdown(Request, frozen=True):
    """End the worker process."""


# Events: worker -> window


class Event(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages from the worker."""


class Hello(Event, frozen=True):
    """The worker is up; ``engine`` is ``gradcore`` or ``torch`` with its version.

    It gives a sign of life every ``heartbeat`` seconds from now on, if that is not 0.
    """

    pid: int
    engine: str
    heartbeat: float = 0.0


class Alive(Event, frozen=True):
    """The worker's process runs; told every second, whatever the user's code does."""


class StateChanged(Event, frozen=True):
    """The worker went into ``state``; ``revision`` is the source it holds."""

    state: RunState
    revision: int
    step: int = 0
    phase: Phase = Phase.IDLE


class OperationRecord(msgspec.Struct, frozen=True):
    """One traced operation: where the user called it and what came out.

    ``module`` is the dotted path of the Module whose ``forward`` holds the call (``""`` for the
    model itself, None outside of any). ``span`` lies in the document. A call that ran
    several operations (a Module of the library, a loop) has one record each time.
    """

    span: Span
    module: str | None
    name: str
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    gradient_norm: float | None = None


class TracebackLine(msgspec.Struct, frozen=True):
    """One frame of the user's own code in a traceback; ``span`` marks the expression."""

    filename: str
    function: str
    span: Span
    text: str


class Failed(Event, frozen=True):
    """The user's code raised. ``during`` says when: loading, a phase, or ``worker`` itself.

    ``findings`` are the verdicts that explain it. An error of the backward pass has, where it
    is known, the frame of the operation whose gradient failed.
    """

    revision: int
    during: str
    kind: str
    message: str
    frames: tuple[TracebackLine, ...]
    text: str
    step: int = 0
    findings: tuple[Finding, ...] = ()


class Output(Event, frozen=True):
    """Text that the user's code printed."""

    stream: str
    text: str


class TensorValues(msgspec.Struct, frozen=True):
    """Full values of a watched tensor: little-endian float32, C order; large ones are strided."""

    path: str
    shape: tuple[int, ...]
    values: bytes
    gradient: bytes | None = None
    stride: tuple[int, ...] = ()


class Snapshot(Event, frozen=True):
    """The session at one moment, at most 30 a second. Empty tuples mean: as before.

    ``losses`` holds (step, loss) pairs since the last snapshot, metrics likewise by name; of very
    many the lowest and highest of each stretch.
    ``lr`` is that of the first group. ``optimizer`` is its class and group count, in words.
    ``mode`` is how steps run that nobody watches: ``eager``, ``replay`` or ``native``, nothing
    before the first and on an engine with one mode only; ``mode_reason`` says why not faster.
    """

    revision: int
    step: int
    phase: Phase
    steps_per_second: float = 0.0
    mode: str = ""
    mode_reason: str = ""
    losses: tuple[tuple[int, float], ...] = ()
    metrics: dict[str, tuple[tuple[int, float], ...]] = {}
    lr: float | None = None
    optimizer: str = ""
    tensors: tuple[TensorRow, ...] = ()
    operations: tuple[OperationRecord, ...] = ()
    findings: tuple[Finding, ...] | None = None
    watched: tuple[TensorValues, ...] = ()


class ProtocolError(ValueError):
    """What arrived is no message of this protocol; the stream cannot be read any further."""


AnyRequest = (
    Load | Play | Pause | Step | StepPhase | Reset | SetLearningRate | Watch | Interrupt | Shutdown
)
AnyEvent = Hello | Alive | StateChanged | Failed | Output | Snapshot
