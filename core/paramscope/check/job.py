"""What is asked of the process that runs a file, and what it answers: plain frozen messages."""

import msgspec

from paramscope.census.rows import TensorRow
from paramscope.engine.protocol import Failed
from paramscope.rules.finding import Finding


class Job(msgspec.Struct, frozen=True):
    """Run ``source`` as if it were the file ``filename``, train it for some steps, and judge.

    ``harness`` is code that is run after the source's own, as if it stood at its end: the
    functions that a file with a bare class lacks. ``has_target`` tells that its loss and its
    optimizer are made up, so that verdicts about those mean nothing. ``trace_path`` is the
    file into which the interpreter writes where it stands when the time is over.
    """

    filename: str
    source: str
    steps: int
    timeout: float
    trace_path: str
    harness: str = ""
    is_made_up: bool = False
    allows_network: bool = False
    seed: int = 0


class Verdict(msgspec.Struct, frozen=True):
    """What one run has shown. ``failure`` is set where the file's own code raised or never ended.

    ``note`` says what the file lacks to be trained; ``has_model`` that it left a model to judge.
    ``output`` is the end of what the code printed. ``losses`` are those of the steps, in their
    order, and empty where the loss is made up.
    """

    findings: tuple[Finding, ...] = ()
    tensors: tuple[TensorRow, ...] = ()
    failure: Failed | None = None
    note: str = ""
    has_model: bool = False
    steps: int = 0
    seconds: float = 0.0
    output: str = ""
    losses: tuple[float, ...] = ()


class Ready(msgspec.Struct, frozen=True):
    """The process has loaded its engine, or says why it could not.

    ``does_many`` tells whether it forks for each job, and so can do more than one.
    """

    engine: str = ""
    does_many: bool = False
    error: str = ""
