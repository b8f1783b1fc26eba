"""Lesson: a tensor that was meant to be a Parameter gets a gradient, and nobody steps it."""

from paramscope.census.rows import Kind
from paramscope.code.commands import Register
from paramscope.engine.protocol import Play
from paramscope.lessons.examples import example
from paramscope.lessons.lesson import Lesson, Step
from paramscope.lessons.progress import Progress

PLAYED = 200
"""Steps after which the loss of the broken model lies flat, for every seed."""
PLATEAU = 1.67
"""No weights bring the loss lower: the mean of what a wave of height 1 lacks of height 3."""
LEARNED = 0.05


def has_played(progress: Progress) -> bool:
    """Tell whether the loss has had time to fall as far as it can."""
    return progress.step >= PLAYED


def is_found(progress: Progress) -> bool:
    """Tell whether the census has seen that ``scale`` gets a gradient and is not stepped."""
    row = progress.row("scale")
    return row is not None and row.kind is Kind.FORGOTTEN_TENSOR


def is_registered(progress: Progress) -> bool:
    """Tell whether ``scale`` is a Parameter that the optimizer steps."""
    return progress.is_trained("scale")


def is_learned(progress: Progress) -> bool:
    """Tell whether the registered ``scale`` has let the loss fall to nearly nothing."""
    return is_registered(progress) and progress.is_below(LEARNED)


LESSON = Lesson(
    title="Forgotten tensor",
    summary="The loss falls, then stops for good. One tensor is the reason.",
    document=example("forgotten_tensor").source,
    goal=f"Bring the loss under {LEARNED}.",
    steps=(
        Step(
            f"Press Play. The loss falls, then lies flat near {PLATEAU}.",
            has_played,
        ),
        Step(
            "Find `scale` among the tensors. A gradient flows to it, and no optimizer steps it: "
            "a FORGOTTEN TENSOR.",
            is_found,
        ),
        Step(
            "Click Register. The line becomes `self.scale = nn.Parameter(torch.ones(1))`.",
            is_registered,
        ),
        Step(
            "Play on. The scale grows to 3, and the loss falls to nearly 0.",
            is_learned,
        ),
    ),
    is_reached=is_learned,
    conclusion=(
        "requires_grad=True lets a gradient flow. Only nn.Parameter makes a tensor part of the "
        "model: listed by parameters(), so stepped, and saved."
    ),
    script=(Play(steps=2 * PLAYED), Register("Wave", "scale"), Play(steps=600)),
)
