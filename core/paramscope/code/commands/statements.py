"""Edits that insert, remove and move whole statements, in the indentation of their place."""

import ast
from collections.abc import Sequence

from paramscope.code.names import BLOCKS
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import Edit, SourceText


def first_line(statement: ast.stmt) -> int:
    """The line a statement begins in, decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(item.lineno for item in decorators)])


def inserted_before(text: SourceText, statement: ast.stmt, lines: Sequence[str]) -> Edit:
    """Insert statements before another, above the comments that stand over it."""
    start, _ = text.node_range(statement)
    if not _begins_line(text, statement):
        return Edit(start, start, "".join(f"{line}; " for line in lines))
    line = first_line(statement)
    indentation = text.indentation(line)
    while line > 1 and text.line(line - 1).startswith(f"{indentation}#"):
        line -= 1
    newline = text.newline(line)
    place = text.line_start(line)
    return Edit(place, place, "".join(f"{indentation}{item}{newline}" for item in lines))


def inserted_after(text: SourceText, statement: ast.stmt, lines: Sequence[str]) -> Edit:
    """Insert statements behind another, below its line."""
    _, end = text.node_range(statement)
    last = statement.end_lineno or statement.lineno
    if not _begins_line(text, statement) or not _ends_line(text, statement):
        return Edit(end, end, "".join(f"; {line}" for line in lines))
    indentation = text.indentation(first_line(statement))
    newline = text.newline(last)
    place = text.line_end(last)
    return Edit(place, place, "".join(f"{newline}{indentation}{item}" for item in lines))


def removed(text: SourceText, statement: ast.stmt, siblings: Sequence[ast.stmt]) -> Edit:
    """Remove a statement with its lines; the last one of a block becomes ``pass``."""
    start, end = text.node_range(statement)
    if len(siblings) == 1:
        return Edit(start, end, "pass")
    if _begins_line(text, statement) and _ends_line(text, statement):
        last = statement.end_lineno or statement.lineno
        return Edit(text.line_start(first_line(statement)), text.line_start(last + 1), "")
    source = text.source
    rest = source[end:]
    semicolon = len(rest) - len(rest.lstrip(" \t"))
    if rest[semicolon : semicolon + 1] == ";":
        end += semicolon + 1
        while source[end : end + 1] in (" ", "\t"):
            end += 1
        return Edit(start, end, "")
    while start > 0 and source[start - 1] in " \t":
        start -= 1
    if source[start - 1 : start] == ";":
        start -= 1
    return Edit(start, end, "")


def block_of(tree: ast.AST, statement: ast.stmt) -> Sequence[ast.stmt]:
    """The list of statements that a statement stands in."""
    stack = [tree]
    while stack:
        node = stack.pop()
        for name in BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                if any(item is statement for item in block):
                    return block
                stack += block
    return [statement]


def body_of(function: FunctionNode) -> list[ast.stmt]:
    """The statements of a function without its docstring."""
    body = function.body
    first = body[0]
    has_docstring = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return body[1:] if has_docstring else body


def stands_alone(text: SourceText, statement: ast.stmt) -> bool:
    """Whether a statement has its lines for itself."""
    return _begins_line(text, statement) and _ends_line(text, statement)


def _begins_line(text: SourceText, statement: ast.stmt) -> bool:
    if getattr(statement, "decorator_list", []):
        return True
    start, _ = text.node_range(statement)
    return not text.source[text.line_start(statement.lineno) : start].strip(" \t\f")


def _ends_line(text: SourceText, statement: ast.stmt) -> bool:
    _, end = text.node_range(statement)
    rest = text.source[end : text.line_end(statement.end_lineno or statement.lineno)]
    return not rest.strip(" \t\f") or rest.lstrip(" \t\f").startswith("#")
