"""Colours Python line by line with pygments' lexer, keeping its state from line to line.

Only the lines that changed, and those whose beginning state changed with them, are read again.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Token, _TokenType
from PySide6.QtGui import QFont, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from paramscope_gui.theme import Theme

ROLES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "comment"),
    (String, "string"),
    (Number, "number"),
    (Keyword, "keyword"),
    (Operator.Word, "keyword"),
    (Name.Function, "definition"),
    (Name.Class, "definition"),
    (Name.Decorator, "decorator"),
    (Name.Builtin, "builtin"),
    (Name.Exception, "builtin"),
    (Operator, "operator"),
)
ROOT = ("root",)
# Half of all tokens are blanks and brackets, which have no colour; pygments tries some forty
# rules for each. A dot before a digit begins a number, blanks at a line's start a docstring or
# one of the words that are keywords there alone.
_PLAIN = re.compile(r"(?:[][{}(),; \t]|:(?!=))+|\.(?!\d)").match
_NAME = re.compile(r"[^\W\d]\w*").match
_BEGINS_A_LINE = frozenset("rRuUbBfFtT\"'mc_\n")


@cache
def python_lexer() -> PythonLexer:
    """Return pygments' lexer; it compiles its rules when it is made, so not before it is used."""
    return PythonLexer()


class Piece(NamedTuple):
    """A stretch of one line with one colour."""

    start: int
    length: int
    role: str


class LineLexer:
    """Reads one line at a time; the stack of the lexer's states goes from one to the next."""

    def __init__(self) -> None:
        self._roles: dict[_TokenType, str] = {}
        self._plain_names: dict[str, bool] = {}

    def read(self, line: str, stack: tuple[str, ...]) -> tuple[list[Piece], tuple[str, ...]]:
        """Return the coloured pieces of a line and the stack for the next one."""
        if not line and stack == ROOT:
            return [], ROOT
        states = list(stack)
        pieces: list[Piece] = []
        for start, kind, text in self._tokens(line + "\n", states):
            role = self._role(kind)
            if role:
                pieces.append(Piece(start, len(text), role))
        return pieces, tuple(states)

    def _role(self, kind: _TokenType) -> str:
        role = self._roles.get(kind)
        if role is None:
            role = next((name for parent, name in ROLES if kind in parent), "")
            self._roles[kind] = role
        return role

    def _is_plain(self, name: str) -> bool:
        """Whether a name has no colour even where it stands alone."""
        known = self._plain_names.get(name)
        if known is None:
            self._plain_names[name] = False  # for the reading that finds it out
            known = self._plain_names[name] = not self.read(name, ROOT)[0]
        return known

    def _tokens(self, text: str, states: list[str]) -> Iterator[tuple[int, _TokenType, str]]:
        lexer = python_lexer()
        rules: dict[str, Any] = lexer._tokens
        position = 0
        while position < len(text):
            plain = _PLAIN(text, position) if states[-1] == "root" else None
            if plain is not None and (position or text[plain.end()] not in _BEGINS_A_LINE):
                if text[position] == ".":
                    yield position, Operator, "."
                position = plain.end()
                continue
            name = _NAME(text, position) if states[-1] == "root" else None
            if name is not None and text[name.end()] not in "\"'" and self._is_plain(name.group()):
                position = name.end()
                continue
            for match_at, action, change in rules[states[-1]]:
                found = match_at(text, position)
                if not found:
                    continue
                if action is not None:
                    if isinstance(action, _TokenType):
                        yield position, action, found.group()
                    else:
                        yield from action(lexer, found)
                position = found.end()
                self._change(states, change)
                break
            else:
                if text[position] == "\n" and len(states) == 1:
                    position += 1
                    continue
                yield position, Token.Error, text[position]
                position += 1

    def _change(self, states: list[str], change: Any) -> None:
        if change is None:
            return
        if isinstance(change, tuple):
            for name in change:
                if name == "#pop":
                    if len(states) > 1:
                        states.pop()
                elif name == "#push":
                    states.append(states[-1])
                else:
                    states.append(name)
        elif isinstance(change, int):
            del states[max(1, len(states) + change) :]
        elif change == "#push":
            states.append(states[-1])


class Highlighter(QSyntaxHighlighter):
    """Colours a document in the theme; Qt calls it for the lines that need it only."""

    def __init__(self, document: QTextDocument, theme: Theme) -> None:
        super().__init__(document)
        self._lexer = LineLexer()
        self._stacks: list[tuple[str, ...]] = [ROOT]
        self._numbers: dict[tuple[str, ...], int] = {ROOT: 0}
        self._formats: dict[str, QTextCharFormat] = {}
        self.dress(theme)

    def dress(self, theme: Theme) -> None:
        """Take the colours of a theme and colour everything anew."""
        self._formats = {}
        for role, color in theme.code.items():
            style = QTextCharFormat()
            style.setForeground(color)
            if role in ("keyword", "definition"):
                style.setFontWeight(QFont.Weight.Bold)
            self._formats[role] = style
        self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        before = self.previousBlockState()
        stack = self._stacks[before] if 0 <= before < len(self._stacks) else ROOT
        pieces, after = self._lexer.read(text, stack)
        for piece in pieces:
            self.setFormat(piece.start, piece.length, self._formats[piece.role])
        number = self._numbers.get(after)
        if number is None:
            number = len(self._stacks)
            self._stacks.append(after)
            self._numbers[after] = number
        self.setCurrentBlockState(number)
