"""What the edits share: the syntax at a finding's place, and texts put in and taken out."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from paramscope.code.commands.imports import spelled
from paramscope.code.commands.workspace import Workspace
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import Edit, SourceText, apply_edits
from paramscope.document.document import Document
from paramscope.rules.finding import Finding

Mends = Iterator[tuple[str, str]]
"""What each edit is called, and the source with it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A parsed source and the finding in it; ``attribute`` is the last name of its path."""

    finding: Finding
    tree: ast.Module
    text: SourceText

    @property
    def attribute(self) -> str:
        """The attribute that the finding is about: the last part of its path that is a name."""
        names = [part for part in self.finding.where.split(".") if part.isidentifier()]
        return names[-1] if names else ""

    @property
    def source(self) -> str:
        """The whole source."""
        return self.text.source

    def statement(self) -> ast.stmt | None:
        """Return the innermost statement at the finding's line that holds no others."""
        line = self.finding.line
        if line is None:
            return None
        found = [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.stmt)
            and not hasattr(node, "body")
            and node.lineno <= line <= (node.end_lineno or node.lineno)
        ]
        return found[-1] if found else None

    def class_at(self, line: int) -> ast.ClassDef | None:
        """Return the innermost class around a line."""
        found = None
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                if node.lineno <= line <= (node.end_lineno or node.lineno):
                    found = node
        return found

    def function(self, name: str) -> FunctionNode | None:
        """Return the file's own function of this name."""
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return node
        return None

    def assignments(self, attribute: str) -> Iterator[tuple[FunctionNode, ast.Assign]]:
        """Give each ``self.<attribute> = ...`` in a method, with the method."""
        for cls in ast.walk(self.tree):
            for method in cls.body if isinstance(cls, ast.ClassDef) else ():
                if not isinstance(method, FunctionNode):
                    continue
                for node in ast.walk(method):
                    if isinstance(node, ast.Assign) and len(node.targets) == 1:
                        if is_of_self(node.targets[0], attribute):
                            yield method, node

    def buffer_calls(self) -> Iterator[ast.Call]:
        """Give each ``register_buffer(...)`` of the attribute that the finding is about."""
        for call in calls_of(self.tree, "register_buffer"):
            if call.args and is_literal(call.args[0], self.attribute):
                yield call

    def edited(self, *edits: Edit) -> str:
        """Return the source with these edits."""
        return apply_edits(self.source, edits)

    def swap(self, node: ast.expr | ast.stmt, written: str) -> Edit:
        """Return the edit that writes something else in place of a node."""
        return Edit(*self.text.node_range(node), written)

    def written(self, node: ast.expr | ast.stmt) -> str:
        """Return a node as it is written."""
        return self.text.text(node)

    def whole(self, node: ast.stmt) -> str:
        """Return a statement as it is written, with the comment behind it."""
        start, _ = self.text.node_range(node)
        return self.source[start : self.text.line_end(node.end_lineno or node.lineno)].rstrip()

    def line_before(self, node: ast.stmt, written: str) -> Edit:
        """Return the edit that puts a line before a statement, at its own depth."""
        start = self.text.line_start(node.lineno)
        depth = self.text.indentation(node.lineno)
        return Edit(start, start, f"{depth}{written}{self.text.newline(node.lineno)}")

    def line_after(self, node: ast.stmt, written: str) -> Edit:
        """Return the edit that puts a line after a statement, at its own depth."""
        end = self.text.line_end(node.end_lineno or node.lineno)
        depth = self.text.indentation(node.lineno)
        return Edit(end, end, f"{self.text.newline(node.lineno)}{depth}{written}")

    def without_lines(self, node: ast.stmt) -> Edit:
        """Return the edit that takes the lines of a statement away."""
        start = self.text.line_start(node.lineno)
        return Edit(start, self.text.line_start((node.end_lineno or node.lineno) + 1), "")


def place_of(finding: Finding, source: str) -> Place:
    """Parse ``source``, which has run and so can be parsed."""
    return Place(finding, ast.parse(source), SourceText(source))


def spelling(source: str, dotted: str) -> tuple[str, str]:
    """Return how a file writes a full name of PyTorch, and the file with what that needs.

    An import is added behind those there are, so places before them keep their offsets.
    """
    space = Workspace(Document(source))
    written = spelled(space, dotted)
    return written, space.source


def moved(finding: Finding, before: str, after: str) -> Finding:
    """Return the finding with its line as it is after an import was added above it."""
    added = after.count("\n") - before.count("\n")
    if not added or finding.line is None:
        return finding
    return Finding(
        finding.rule, finding.where, finding.severity, finding.message, line=finding.line + added
    )


def is_of_self(node: ast.expr, attribute: str) -> bool:
    """Tell whether an expression is ``self.<attribute>``."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def is_literal(node: ast.expr, text: str) -> bool:
    """Tell whether an expression is this text in quotes."""
    return isinstance(node, ast.Constant) and node.value == text


def path_expression(root: str, path: str) -> str:
    """Return a dotted path as Python writes it.

    >>> path_expression("model", "layers.0.weight")
    'model.layers[0].weight'
    """
    return root + "".join(
        f"[{part}]" if part.isdigit() else f".{part}" for part in path.split(".") if part
    )


def first_statement(function: FunctionNode) -> ast.stmt:
    """Return a function's first statement behind its docstring."""
    body = function.body
    is_text = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return body[1] if is_text and len(body) > 1 else body[0]


def calls_of(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Give the calls of functions or methods with one of these last names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and last_name(node.func) in names:
            yield node


def last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name, empty for any other expression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def expression_statements(function: ast.AST, *names: str) -> Iterator[ast.Expr]:
    """Give the statements that only call something with one of these last names."""
    for node in ast.walk(function):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            if last_name(node.value.func) in names:
                yield node


def parenthesized(written: str, node: ast.expr) -> str:
    """Return an expression so that a method call or an operator may follow it."""
    is_tight = isinstance(node, ast.Call | ast.Name | ast.Attribute | ast.Subscript | ast.Constant)
    return written if is_tight else f"({written})"
