"""Documents damaged at random: a graph or an error with its line, never a crash or a hang."""

import random
import time
from collections.abc import Callable

import pytest

from paramscope.code.parse import SourceError, parse
from paramscope.code.templates import new_model
from paramscope.document.document import Document, Layout, Point
from paramscope.document.layout_block import join, read

_TEXT = join(
    Document(new_model().source, Layout({"Net/fc1": Point(1, 2), "/loss": Point(3, 4)}, {"z": 1}))
)
_PIECES = [
    "\x00",
    "�",
    "\ufeff",
    "\t",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    "=",
    "...",
    "'''",
    '"""',
    "\\",
    "#",
    "def",
    "class",
    "self.",
    "@",
    "lambda",
    "*",
    "**",
    "->",
    ";",
    "😀",
    "#",
    "///",
    "#",
    "[tool.paramscope]",
    "=",
    "[nan,",
    "inf]",
    "if",
    "else",
    "for",
    "in",
    "with",
    "match",
    "case",
    "async",
    "await",
    ":=",
    "return",
    "yield",
    "import",
    "*",
    "from",
    ".",
    "\u2028",
    "\x0c",
    "1e999",
    "0xG",
    "f'{x!r:{y}}'",
    "self.fc1(self.fc1(...))",
    "*x,",
    "**y",
]


def _flip(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    return text[:place] + chr(chance.randrange(0x2030)) + text[place + 1 :]


def _insert(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    return text[:place] + chance.choice(_PIECES) + text[place:]


def _cut(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text))
    return text[:start] + text[start + chance.randrange(1, 80) :]


def _swap_lines(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return "".join(lines)


def _repeat(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text))
    part = text[start : start + chance.randrange(1, 60)]
    return text[:start] + part * chance.randrange(2, 400) + text[start:]


_MUTATIONS: tuple[Callable[[str, random.Random], str], ...] = (
    _flip,
    _insert,
    _cut,
    _swap_lines,
    _repeat,
)


def _check(seed: int) -> None:
    chance = random.Random(seed)
    text = _TEXT
    for _ in range(chance.randrange(1, 5)):
        text = chance.choice(_MUTATIONS)(text, chance)
    start = time.process_time()
    document, notices = read(text)
    assert all(notice.line >= 1 for notice in notices)
    assert all(abs(value) <= 1e6 for point in document.layout.positions.values() for value in point)
    try:
        parse(document.source)
    except SourceError as error:
        assert 1 <= error.span.line <= text.count("\n") + text.count("\r") + 2
    assert time.process_time() - start < 2.0


def test_damaged_documents_open_or_say_where_they_are_broken() -> None:
    for seed in range(400):
        _check(seed)


@pytest.mark.long
def test_ten_thousand_damaged_documents_open_or_say_where_they_are_broken() -> None:
    for seed in range(10_000):
        _check(seed)


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "[" * 200_000,
        "x = " + "(" * 150 + "1" + ")" * 150,
        "x = " + "not " * 100_000 + "1",
        "x = 1" + " + 1" * 20_000,
        "x = a" + ".b" * 20_000,
        "x = a" + "(1)" * 5_000,
        "x = a" + "[0]" * 5_000,
        "if x:\n " * 150 + "pass",
        "class A(" * 500,
        "x = '" + "\\x41" * 100_000 + "'",
        "\n".join(f"class C{i}(C{i - 1}):\n    pass" for i in range(1, 3_000)),
        "class A(A):\n    pass\nclass B(C):\n    pass\nclass C(B):\n    pass",
        "from torch import nn\nclass A(nn.Module):\n    def forward(self, x):\n        return "
        + "x"
        + ".relu()" * 3_000,
        "from torch import nn\nclass A(nn.Module):\n    def forward(self, x):\n        return "
        + "f(" * 90
        + "x"
        + ")" * 90,
        "from torch import nn\nclass A(nn.Module):\n    def __init__(self):\n        self.x = "
        + "nn.Sequential(" * 80
        + ")" * 80,
    ],
    ids=range(15),
)
def test_nesting_without_measure_is_answered_in_time(source: str) -> None:
    start = time.process_time()
    try:
        parse(source)
    except SourceError as error:
        assert error.span.line >= 1
    assert time.process_time() - start < 2.0
