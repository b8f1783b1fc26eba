"""Lesson: beside a Parameter that learns, a plain tensor stays what it was."""

from paramscope.census.rows import Kind
from paramscope.code.commands import Register
from paramscope.engine.protocol import Play
from paramscope.lessons.examples import example
from paramscope.lessons.lesson import Lesson, Step
from paramscope.lessons.progress import Progress

PLAYED = 100
"""Steps after which the weight has learned all that it can."""
LEARNED = 0.05


def has_played(progress: Progress) -> bool:
    """Tell whether the weight has had time to learn what it can."""
    return progress.step >= PLAYED


def is_plain(progress: Progress) -> bool:
    """Tell whether the tree shows the weight as a Parameter and the bias as none."""
    weight, bias = progress.row("weight"), progress.row("bias")
    is_tensor = bias is not None and bias.kind in (Kind.TENSOR, Kind.FORGOTTEN_TENSOR)
    return is_tensor and weight is not None and weight.kind is Kind.PARAMETER


def is_registered(progress: Progress) -> bool:
    """Tell whether ``bias`` is a Parameter that the optimizer steps."""
    return progress.is_trained("bias")


def is_learned(progress: Progress) -> bool:
    """Tell whether the registered ``bias`` has let the loss fall to nearly nothing."""
    return is_registered(progress) and progress.is_below(LEARNED)


LESSON = Lesson(
    title="Parameter beside plain tensor",
    summary="The weight learns, the bias stays zero. Both are attributes of the same Module.",
    document=example("plain_bias").source,
    goal=f"Bring the loss under {LEARNED}.",
    steps=(
        Step("Press Play. The loss falls to about 2 and stays.", has_played),
        Step(
            "Compare two tensors: `weight` is a PARAMETER, `bias` a TENSOR without gradient "
            "and optimizer.",
            is_plain,
        ),
        Step(
            "Right-click `bias`: Register as Parameter. "
            "The line becomes `self.bias = nn.Parameter(torch.zeros(3))`.",
            is_registered,
        ),
        Step("Play on. The loss falls to 0.01, the noise.", is_learned),
    ),
    is_reached=is_learned,
    conclusion=(
        "Assigning an nn.Parameter to an attribute registers it, with no other code. "
        "A plain tensor in its place stays what it is, and PyTorch does not warn."
    ),
    script=(Play(steps=2 * PLAYED), Register("MyModule", "bias"), Play(steps=400)),
)
