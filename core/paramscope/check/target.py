"""``FILE.py`` or ``FILE.py:Name``: which file to judge, and which class in it, with what input."""

import ast
import os
from dataclasses import dataclass
from pathlib import Path

from paramscope.document.files import FileError, OpenedFile, open_file

_GIVEN = ("build", "optimizer", "batch", "loss", "train_step")
_HARNESS = "_paramscope_harness"
MADE_UP = ("made_up_loss", "made_up_optimizer")


class TargetError(ValueError):
    """What was asked for cannot be judged; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to judge. ``expression`` makes the model, empty if the file's ``build`` does.

    ``name`` is what the user wrote, and names the target in every report.
    """

    name: str
    path: Path
    expression: str = ""
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a target's file exactly as it stands, with what saving it needs."""

    target: Target
    opened: OpenedFile
    text: str

    @property
    def filename(self) -> str:
        """The file's absolute path, as tracebacks show it."""
        return os.path.abspath(self.target.path)


def parse_target(written: str, sample: str = "") -> Target:
    """Split ``FILE.py:Name`` or ``FILE.py:Name(16, classes=3)`` where it is no file's whole name.

    >>> parse_target("net.py:Net(3)").expression
    'Net(3)'
    >>> parse_target("C:/models/net.py").expression
    ''
    """
    place = written.rfind(".py:")
    if place < 0 or os.path.exists(written):
        return Target(written, Path(written), "", sample)
    path, expression = written[: place + 3], written[place + 4 :].strip()
    _check_expression(expression, written)
    return Target(written, Path(path), expression, sample)


def read_target(target: Target) -> Source:
    """Read the file without running it.

    Raises: FileError, TargetError.
    """
    if target.path.suffix.lower() == ".ipynb":
        raise TargetError(
            f"{target.path.name} is a notebook, and no Python file.\n"
            f"  It is {target.path}.\n"
            "  Save its code as a .py file first: jupyter nbconvert --to script FILE.ipynb."
        )
    opened = open_file(target.path)
    try:
        text = target.path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:  # it has changed since it was opened
        raise FileError("opened", target.path, str(error), "Try again.") from error
    if target.sample:
        _check_sample(target.sample)
    return Source(target, opened, text)


def harness_of(target: Target, text: str) -> str:
    """Return the lines that make a document of a file which has a bare class; see `harness`.

    What the file defines itself is left alone, but ``build``, which a named class replaces, and
    what a sample input does not fit: its loss and its step, and the optimizer of another model.
    """
    if not target.expression and not target.sample:
        return ""
    defined = functions_of(text)
    lines = []
    if target.expression:
        lines.append(f"build = {_HARNESS}.building(globals(), {target.expression!r})")
    if target.sample:
        lines.append(f"batch = {_HARNESS}.giving(globals(), {target.sample!r})")
        defined -= {"loss", "train_step"} | ({"optimizer"} if target.expression else set())
        lines.append("train_step = None")
    has_batch = bool(target.sample) or "batch" in defined
    if has_batch and not defined & {"loss", "train_step"}:
        lines.append(f"loss = {_HARNESS}.{MADE_UP[0]}")
    if has_batch and "optimizer" not in defined:
        lines.append(f"optimizer = {_HARNESS}.{MADE_UP[1]}")
    gap = "" if text.endswith("\n") or not text else "\n"
    return "\n".join([f"{gap}from paramscope.check import harness as {_HARNESS}", *lines, ""])


def is_made_up(harness: str) -> bool:
    """Tell whether the loss or the optimizer of a harness is ours, and means nothing."""
    return any(f"{_HARNESS}.{name}" in harness for name in MADE_UP)


def functions_of(text: str) -> set[str]:
    """Return which of a document's functions a file defines itself."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()  # running it says so
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in _GIVEN
    }


def _check_expression(expression: str, written: str) -> None:
    try:
        body = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        body = None
    called = body.func if isinstance(body, ast.Call) else body
    if not isinstance(called, ast.Name | ast.Attribute):
        raise TargetError(
            f"`{expression}` is neither a name nor a call.\n"
            f"  It stands behind the colon of `{written}`.\n"
            "  Name a class of the file, with arguments where it needs some: FILE.py:'Net(16)'."
        )


def _check_sample(sample: str) -> None:
    try:
        ast.parse(f"f({sample})", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise TargetError(
            f"`{sample}` is no Python expression.\n"
            "  It was given by --input.\n"
            '  Write what forward is to get: --input "randn(4, 8)", or "randn(4, 8), ones(4)".'
        ) from None
