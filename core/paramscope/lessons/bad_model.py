"""Lesson: a random tensor used like a weight; is it to learn, or is it a constant?"""

from paramscope.census.rows import Kind
from paramscope.code.commands import Register
from paramscope.engine.protocol import Play
from paramscope.lessons.examples import example
from paramscope.lessons.lesson import Lesson, Step
from paramscope.lessons.progress import Progress

PATH = "bad_model.my_tensor"
PLAYED = 300
"""Steps after which the head has learned what it can from features that stay random."""


def has_played(progress: Progress) -> bool:
    """Tell whether the head has had time to learn what it can."""
    return progress.step >= PLAYED


def is_found(progress: Progress) -> bool:
    """Tell whether the census has seen that a random tensor is used like a weight."""
    row = progress.row(PATH)
    return row is not None and row.kind is Kind.FORGOTTEN_TENSOR


def is_decided(progress: Progress) -> bool:
    """Tell whether the tensor is now a Parameter that is stepped, or a buffer."""
    row = progress.row(PATH)
    is_buffer = row is not None and row.kind in (Kind.BUFFER, Kind.BUFFER_NOT_SAVED)
    return is_buffer or progress.is_trained(PATH)


LESSON = Lesson(
    title="A plain tensor is invisible",
    summary="BadModel has a 3 x 3 tensor, and parameters() returns an empty list.",
    document=example("bad_model").source,
    goal="Say what `my_tensor` is: a Parameter that learns, or a buffer that stays.",
    steps=(
        Step(
            "Press Play. The loss stays well above 0, and the log shows what "
            "`list(bad_model.parameters())` gives: [].",
            has_played,
        ),
        Step(
            "Read the problem: `my_tensor` is random, is used like a weight and never changes. "
            "PyTorch is silent about it.",
            is_found,
        ),
        Step(
            "Decide. Register as Parameter, and the loss falls to nearly 0. Register as buffer, "
            "and it is a constant, saved with the model.",
            is_decided,
        ),
    ),
    is_reached=is_decided,
    conclusion=(
        "A Module knows three kinds of tensor: Parameters learn and are saved, buffers are saved, "
        "plain attributes are neither. Say which you mean; Undo lets you try both."
    ),
    script=(Play(steps=2 * PLAYED), Register("BadModel", "my_tensor"), Play(steps=600)),
)
