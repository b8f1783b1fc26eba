"""Lesson: what happens in one training step, phase by phase."""

from collections.abc import Callable

from paramscope.census.rows import Gradient
from paramscope.engine.protocol import Phase, StepPhase
from paramscope.lessons.examples import example
from paramscope.lessons.lesson import Lesson, Step
from paramscope.lessons.progress import Progress


def shows(phase: Phase) -> Callable[[Progress], bool]:
    """Return a check that sees that ``phase`` has just run, or a later one."""
    order = list(Phase)

    def is_done(progress: Progress) -> bool:
        return order.index(progress.phase) >= order.index(phase) or progress.step >= 1

    return is_done


def is_stepped(progress: Progress) -> bool:
    """Tell whether a whole step is done, and its gradient has been seen."""
    row = progress.row("my_weight")
    return progress.step >= 1 and row is not None and row.gradient is Gradient.FLOWS


LESSON = Lesson(
    title="One step in four phases",
    summary="Forward, loss, backward, optimizer: stop after each and look.",
    document=example("sgd_step").source,
    goal="Take one training step, and see at which phase `my_weight` changes.",
    steps=(
        Step(
            "Press Phase. The input goes forward; the shapes stand on the wires.",
            shows(Phase.FORWARD),
        ),
        Step(
            "Press Phase. The output becomes one number, the loss.",
            shows(Phase.LOSS),
        ),
        Step(
            "Press Phase. `backward()` fills the gradient of `my_weight`; "
            "its value is still the same.",
            shows(Phase.BACKWARD),
        ),
        Step(
            "Press Phase. The optimizer subtracts lr times the gradient: now `my_weight` changes.",
            is_stepped,
        ),
    ),
    is_reached=is_stepped,
    conclusion=(
        "backward() writes gradients; step() changes values, and only those of the tensors that "
        "the optimizer was given. model.parameters() decides which those are."
    ),
    script=(StepPhase(), StepPhase(), StepPhase(), StepPhase()),
)
