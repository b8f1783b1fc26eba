"""How steps run that nobody watches, in words: what it means, why, and what would change it.

The reasons are gradcore's own (``Compiled.reason``); what helps is known here by how they begin
or what they speak of. A reason that nobody has foreseen is told as it is.
"""

import re
from dataclasses import dataclass

MEANINGS = {
    "native": "The step is recorded and runs as machine code.",
    "replay": "The step is recorded and runs again without its Python.",
    "eager": "Each step runs line by line, as it is written.",
}
SAME_NUMBERS = "The numbers are those of the code as it is written, up to rounding."
NOTHING_LOST = "Nothing is wrong with it: the numbers are the same, only slower."


@dataclass(frozen=True, slots=True)
class Explanation:
    """``meaning`` of a mode, and for a slow one ``why`` and what would ``help``."""

    meaning: str
    why: str = ""
    help: str = ""

    @property
    def text(self) -> str:
        """All of it, a line for each part."""
        return "\n".join(part for part in (self.meaning, self.why, self.help) if part)


def explain_mode(mode: str, reason: str) -> Explanation | None:
    """Explain a mode of a snapshot; None on an engine that has only one.

    >>> explain_mode("eager", "`loss` calls `print`, which may do anything").why
    '`loss` calls `print`, which may do anything.'
    """
    if mode not in MEANINGS:
        return None
    if mode != "eager":
        return Explanation(MEANINGS[mode], help=SAME_NUMBERS)
    if not reason:
        return Explanation(MEANINGS[mode])
    return Explanation(MEANINGS[mode], _sentence(reason), _help(reason))


def _sentence(reason: str) -> str:
    """Make a sentence of a reason, which may lack its subject: the step."""
    first = reason.partition(" ")[0]
    if first in ("it", "its", "what", "an", "gradients"):
        return f"{reason[0].upper()}{reason[1:]}."
    return f"{reason}." if first.startswith("`") else f"The step {reason}."


def _help(reason: str) -> str:
    for pattern, advice in _ADVICE:
        found = re.search(pattern, reason)
        if found:
            return advice.format(*found.groups())
    return NOTHING_LOST


_ADVICE = (
    (
        r"calls `(print|input|open|breakpoint)`",
        "Take `{0}` out of the step: what it shows stands in the window.",
    ),
    (
        r"looks at the values of a tensor \((item|tolist|numpy)\)",
        "Calculate with the tensor itself, and call `.{0}()` on what the step returns.",
    ),
    (
        r"looks at the values of a tensor \(__bool__\)",
        "Write the choice with `torch.where`, which needs no `if` on a value.",
    ),
    (r"takes other branches|lead another way", "A step that takes the same branches is recorded."),
    (
        r"uses the module `(random|numpy[.\w]*)`|uses a NumPy array",
        "Use tensors and `torch.rand`, `torch.randint`, ...: they can be recorded.",
    ),
    (r"writes the global `(\w+)`", "Count in `batch()`, or keep `{0}` in a tensor of the model."),
    (r"imports `([\w.]+)`", "Import `{0}` at the top of the file."),
    (r"generator in it", "Make a list of what the generator gives, outside of the step."),
    (r"has a hook", "Remove the hook when nobody reads what it notes."),
    (
        r"changes an attribute, a list or a setting",
        "Keep what changes from step to step in a tensor, or change it outside of the step.",
    ),
    (r"changes from step to step", "Keep the same tensors, sizes and settings from step to step."),
    (r"argument is not a plain tensor", "Return tensors from `batch()`, not lists or objects."),
    (
        r"runs backward twice",
        "Add the losses and call `backward()` once, where the step allows it.",
    ),
    (r"returns", "Return the loss, or nothing, from `train_step`."),
    (r"optimizer of a class of its own", "The optimizers of `torch.optim` can be recorded."),
)
