"""Lesson: two linear layers with nothing between them are one, and one cannot learn XOR."""

from paramscope.code.commands import InsertOnWire
from paramscope.code.graph import PortRef, Wire
from paramscope.engine.protocol import Play
from paramscope.lessons.examples import example
from paramscope.lessons.lesson import Lesson, Step
from paramscope.lessons.progress import Progress

PLAYED = 100
"""Steps after which the model has learned what it can: to answer "maybe" to everything."""
LEARNED = 0.05


def has_played(progress: Progress) -> bool:
    """Tell whether the loss has had time to fall as far as it can."""
    return progress.step >= PLAYED


def has_activation(progress: Progress) -> bool:
    """Tell whether something stands between the layers, whatever it is."""
    return "self.fc2(self.fc1(x))" not in progress.source


def is_learned(progress: Progress) -> bool:
    """Tell whether all four answers are right and sure."""
    return progress.is_below(LEARNED)


LESSON = Lesson(
    title="Two layers that are one",
    summary="Nine weights more, and still no XOR. Something is missing between the layers.",
    document=example("xor").source.replace(
        "        x = torch.tanh(self.fc1(x))\n        return self.fc2(x)\n",
        "        return self.fc2(self.fc1(x))\n",
    ),
    goal=f"Bring the loss under {LEARNED}.",
    steps=(
        Step(
            "Press Play. Every tensor is a PARAMETER and is stepped, yet the loss stays at 0.693, "
            "that of guessing: two linear layers in a row are one.",
            has_played,
        ),
        Step(
            "Right-click the wire from `fc1` to `fc2`, choose Insert a node and type tanh. "
            "The line becomes `self.fc2(torch.tanh(self.fc1(x)))`.",
            has_activation,
        ),
        Step(
            "Play on. The loss falls to nearly 0.",
            is_learned,
        ),
    ),
    is_reached=is_learned,
    conclusion=(
        "Not every model that does not learn has a forgotten tensor. Here the tensors are in "
        "order, and the mistake lies in the wiring."
    ),
    script=(
        Play(steps=2 * PLAYED),
        InsertOnWire("Net", Wire(PortRef("fc1", 0), PortRef("fc2", 0)), "torch.tanh"),
        Play(steps=400),
    ),
)
