"""The examples that ship with the application, as the welcome page and the menu list them."""

import ast
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

FROM_SIMPLE_TO_REAL = (
    "my_weight",
    "bad_model",
    "plain_bias",
    "sgd_step",
    "forgotten_tensor",
    "xor",
    "spirals",
    "wine",
    "digits_mlp",
    "digits_cnn",
    "sonnet",
)
"""The order in which they are listed; any other example follows by name."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example: ``title`` and ``summary`` are the two halves of its first line."""

    name: str
    title: str
    summary: str
    source: str

    @property
    def filename(self) -> str:
        """The name of its file; a copy is opened, never the shipped file."""
        return f"{self.name}.py"


@cache
def examples() -> tuple[Example, ...]:
    """Return every example, the simple ones first.

    >>> examples()[0].title
    'A learnable 3 x 3 weight'
    """
    folder = files("paramscope_assets") / "examples"
    found = [
        _example(file.name.removesuffix(".py"), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".py")
    ]
    return tuple(sorted(found, key=lambda one: (_place(one.name), one.name)))


def example(name: str) -> Example:
    """Return the example called ``name``; `KeyError` lists those there are."""
    known = {one.name: one for one in examples()}
    if name not in known:
        raise KeyError(f"there is no example {name!r}; there are {', '.join(known)}")
    return known[name]


def _place(name: str) -> int:
    order = FROM_SIMPLE_TO_REAL
    return order.index(name) if name in order else len(order)


def _example(name: str, source: str) -> Example:
    line = (ast.get_docstring(ast.parse(source)) or name).splitlines()[0]
    title, _, summary = line.rstrip(".").partition(": ")
    return Example(name, title, summary[:1].upper() + summary[1:], source)
