"""Puts the user's own path to a Module into an error that was raised inside it.

A Module does not know where it stands, but the Modules that called it do: while the error
travels up through them, each one that finds the culprit below itself writes its dotted path
into the message. Nothing of this costs anything while no error is raised.
"""

from typing import TYPE_CHECKING, Any

from gradcore.errors import GradcoreError, ShapeError
from gradcore.nn.catalog import ModuleEntry, entry_of, shape_text
from gradcore.tensor import Tensor

if TYPE_CHECKING:
    from gradcore.nn.module import Module

LOCATED = GradcoreError


def locate(
    module: "Module", error: GradcoreError, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Note in `error` that it passed through `module`, and rewrite its message."""
    place: _Place | None = getattr(error, "_place", None)
    if place is None:
        place = _Place(module, error, args, kwargs)
        error._place = place  # type: ignore[attr-defined]  # travels with the error
    else:
        place.path = _path_below(module, place.module) or place.path
    place.write(error)


class _Place:
    """Where an error arose: the innermost Module, what it was given, and its path so far."""

    def __init__(
        self,
        module: "Module",
        error: GradcoreError,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.module = module
        self.path = ""
        self.said = error.what
        self.where = error.where
        self.cure = error.cure
        self.refused = _refused(module, args, kwargs) if isinstance(error, ShapeError) else None
        self.title = _title(module)

    def write(self, error: GradcoreError) -> None:
        named = f"`{self.path}` ({self.title})" if self.path else self.title
        error.fields["module"] = self.path
        error.fields["module_class"] = type(self.module).__name__
        if self.refused is None:
            error.where = f"{self.where + ' ' if self.where else ''}In {named}."
        else:
            got = shape_text(self.refused.fields["got"])
            error.what = f"{named} got input of shape {got}; {_demand(self.refused)}."
            error.where = f"The operation said: {self.said}"
            error.cure = self.refused.cure
            error.fields.update(self.refused.fields)
        parts = (error.what, error.where, error.cure)
        error.args = ("\n  ".join(part for part in parts if part),)


def _demand(refused: ShapeError) -> str:
    """Say what the input should have been, shortly where only the last axis is wrong."""
    got, wants = refused.fields["got"], refused.fields["wants"]
    last = wants.strip("()").split(", ")[-1]
    if wants.startswith("(*, ") and wants.count(",") == 1 and got and last.isdigit():
        return f"its last axis must be {last}"
    return f"it must be {wants}"


def _refused(module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any]) -> ShapeError | None:
    """Ask the class's shape contract whether it is the inputs that are to blame."""
    entry = entry_of(module)
    if entry is None:
        return None
    values = [*args, *kwargs.values()]
    shapes = [tuple(value.shape) for value in values if isinstance(value, Tensor)]
    try:
        entry.infer(entry.arguments_of(module), *shapes)
    except ShapeError as refused:
        return refused if "got" in refused.fields else None
    return None


def _title(module: "Module") -> str:
    entry: ModuleEntry | None = entry_of(module)
    return type(module).__name__ if entry is None else entry.signature(entry.arguments_of(module))


def _path_below(module: "Module", culprit: "Module") -> str:
    for path, below in module.named_modules():
        if below is culprit:
            return path
    return ""
