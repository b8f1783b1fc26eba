"""What names stand for while a source is read without running it.

Numbers, texts, lists and dicts stand for themselves; everything else is one of these.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from paramscope.code.shape_rules import Shape


class Unknown:
    """What only running the code would tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(slots=True)
class Dotted:
    """Something imported, by its full name: ``torch.nn.functional``."""

    name: str


@dataclass(slots=True)
class Class:
    """A class of the file."""

    node: ast.ClassDef


@dataclass(slots=True)
class Function:
    """A function of the file, a method bound to its object, or a lambda."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    names: dict[str, Any] = field(default_factory=dict)
    owner: "Thing | None" = None


@dataclass(slots=True)
class Thing:
    """An object of a class of the file; ``values`` are its attributes."""

    node: ast.ClassDef
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Layer:
    """A Module of the library with its arguments by name, or a container with what it holds."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    items: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Tensor:
    """A tensor. ``input`` names the argument of ``forward`` whose values it still holds.

    ``is_flat`` tells that those were reshaped, so that only their last axis is known of.
    """

    shape: Shape | None = None
    input: str = ""
    is_flat: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What the first layer that takes an argument of ``forward`` wants of it."""

    layer: str  # the layer's class
    place: str  # what the file calls it
    line: int
    port: int
    arguments: Mapping[str, Any]
    is_flat: bool = False


class Bound(Exception):  # noqa: N818  (an answer, not a fault)
    """The source is longer to read than it is worth."""


def is_plain(value: object) -> bool:
    """Tell whether a value is known to its last digit and can be written out as Python.

    >>> is_plain((3, [4, "same"])), is_plain([UNKNOWN])
    (True, False)
    """
    if isinstance(value, list | tuple):
        return all(is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)
