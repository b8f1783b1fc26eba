"""How steps run that nobody watches, in words: what it means, why, where, and what would help.

The reasons are gradcore's own (``Compiled.reason``, ``native_reason``); what helps is known here
by how they begin or what they speak of. A reason that nobody has foreseen is told as it is.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePath

MEANINGS = {
    "native": "The step is recorded and runs as machine code.",
    "replay": "The step is recorded and runs again without its Python.",
    "eager": "Each step runs line by line, as it is written. Nothing is wrong: it is only slower.",
}
SAME_NUMBERS = "The numbers are those of the code as it is written, up to rounding."
_PLACE = re.compile(r",? at (?P<file>\S[^\n]*?):(?P<line>\d+)$")
_OURS = tuple(Path(__file__).parents[2] / name for name in ("paramscope", "gradcore"))
_NATIVE = re.compile(r"native mode refuses it: it |native mode ")


@dataclass(frozen=True, slots=True)
class Explanation:
    """``meaning`` of a mode, and for a slow one ``why`` and what would ``help``.

    ``line`` is that of the document where the reason lies, if it lies there.
    """

    meaning: str
    why: str = ""
    help: str = ""
    line: int | None = None

    @property
    def text(self) -> str:
        """All of it, a line for each part."""
        return "\n".join(part for part in (self.meaning, self.why, self.help) if part)


def explain_mode(mode: str, reason: str, filename: str = "") -> Explanation | None:
    """Explain a mode of a snapshot; None on an engine that has only one.

    ``filename`` is that of the document, whose lines need no name of a file.

    >>> explain_mode("eager", "`loss` calls `print`, which may do anything").why
    '`loss` calls `print`, which may do anything.'
    """
    if mode not in MEANINGS:
        return None
    if mode == "native" or not reason:
        same = "" if mode == "eager" else SAME_NUMBERS
        return Explanation(MEANINGS[mode], help=same)
    said, where, line = _placed(reason, filename)
    told = _sentence(said) if mode == "eager" else _without_machine_code(said)
    return Explanation(MEANINGS[mode], f"{told}{where}.", _help(mode, said), line)


def _placed(reason: str, filename: str) -> tuple[str, str, int | None]:
    """Return a reason without its place, the place in words, and its line of the document."""
    found = _PLACE.search(reason)
    if found is None:
        return reason, "", None
    said, file, line = reason[: found.start()], found["file"], int(found["line"])
    if file == filename:
        return said, f" (line {line})", line
    if any(PurePath(file).is_relative_to(ours) for ours in _OURS):
        return said, "", None  # a place that tells nobody anything
    return said, f" (line {line} of `{PurePath(file).name}`)", None


def _sentence(reason: str) -> str:
    """Begin a sentence with a reason, which may lack its subject: the step."""
    first = reason.partition(" ")[0]
    if first in ("it", "its", "what", "an", "gradients", "the"):
        return f"{reason[0].upper()}{reason[1:]}"
    return reason if first.startswith("`") else f"The step {reason}"


def _without_machine_code(reason: str) -> str:
    """Say why a recorded step is run with NumPy."""
    if reason.startswith("numba "):
        return f"There is no machine code: {reason}"
    found = _NATIVE.match(reason)
    if found is None:
        said = reason if reason.startswith("the ") else f"the step {reason}"
        return f"It is not made machine code: {said}"
    subject = "the step" if found[0].endswith("it ") else "machine code"
    return f"It is not made machine code: {subject} {reason[found.end() :]}"


def _help(mode: str, reason: str) -> str:
    for pattern, advice in _ADVICE:
        found = re.search(pattern, reason)
        if found:
            return advice.format(*found.groups())
    return "" if mode == "eager" else SAME_NUMBERS


_ADVICE = (
    (
        r"takes no number that changes",
        "Count in a tensor (`self.n = torch.zeros(())`, `self.n += 1`), or outside of the step.",
    ),
    (r"numba cannot be used", "Install numba into the environment that runs the code."),
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
    (
        r"shapes depend on values",
        "Keep the shapes: weigh by a mask (`torch.where`, `* (x > 0)`) in place of picking.",
    ),
    (
        r"too often after its optimizers' steps",
        "Step each optimizer once, after all that is computed; LBFGS calls its closure itself.",
    ),
    (
        r"uses `(\w+)`, which is not recorded",
        "Where `torch` has a function for what `{0}` does, that can be recorded.",
    ),
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
    (r"hand it out detached", ""),
    (r"returns", "Return the loss, or nothing, from `train_step`."),
    (r"optimizer of a class of its own", "The optimizers of `torch.optim` can be recorded."),
)
