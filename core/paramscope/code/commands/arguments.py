"""The command that edits one argument of a node."""

import ast
from dataclasses import dataclass

from paramscope.code.call_text import CallText
from paramscope.code.commands.imports import expression_tree, localized
from paramscope.code.commands.workspace import Workspace, refuse
from paramscope.code.graph import Argument, Span
from paramscope.code.text_edit import Edit, span_of
from paramscope.document.document import Document

_ATOMS = (
    ast.Name,
    ast.Constant,
    ast.Call,
    ast.Attribute,
    ast.Subscript,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.Set,
)


@dataclass(frozen=True, slots=True)
class SetArgument:
    """Give an argument of a node a new text; None takes it back to its default."""

    graph: str
    node: str
    argument: str
    text: str | None

    @property
    def label(self) -> str:
        return f"Set {self.argument} of {self.node}"

    def apply(self, document: Document) -> Document:
        """Replace, add or remove the argument in the call that holds it."""
        space = Workspace(document)
        node = space.draft(space.handle(self.graph, self.node))
        known = next((item for item in node.arguments if item.name == self.argument), None)
        if self.text is None or not self.text.strip():
            self._remove(space, known)
            return space.document()
        expression = _checked(self.text)
        if known is not None and known.span is not None:
            text = localized(space, self.text)
            # The import that was added, if one was, has moved the argument.
            node = space.draft(space.handle(self.graph, self.node))
            known = next(item for item in node.arguments if item.name == self.argument)
            assert known.span is not None
            if not isinstance(expression, _ATOMS) and not _is_call_argument(space, known.span):
                text = f"({text})"
            space.edit([Edit(*space.text.range(known.span), text)])
            return space.document()
        self._add(space, localized(space, self.text))
        return space.document()

    def _add(self, space: Workspace, text: str) -> None:
        call = _call_of(space, self.graph, self.node, self.argument)
        if not self.argument.isidentifier():
            refuse(f"`{self.argument}` is no name of an argument.")
        space.edit(CallText(space.text, call).with_argument(f"{self.argument}={text}"))

    def _remove(self, space: Workspace, known: Argument | None) -> None:
        if known is None or known.span is None:
            return
        call = _call_holding(space, known.span)
        if call is None:
            refuse(f"`{self.argument}` is part of an expression; give it another value.")
        for place, value in enumerate(call.args):
            if span_of(value) == known.span:
                if place < len(call.args) - 1:
                    refuse(f"The arguments behind `{self.argument}` would take its place.")
                if known.default is None:
                    refuse(f"`{self.argument}` has no default; it must be given.")
                space.edit(CallText(space.text, call).without(value))
                return
        for keyword in call.keywords:
            if span_of(keyword.value) == known.span:
                if known.default is None and _is_required(space, self, known):
                    refuse(f"`{self.argument}` has no default; it must be given.")
                space.edit(CallText(space.text, call).without(keyword))
                return


def _is_required(space: Workspace, command: SetArgument, known: Argument) -> bool:
    """Whether the signature knows the argument and gives it no default."""
    draft = space.drawing(command.graph).drafts[command.node]
    defaults = [item for item in draft.arguments if item.default is not None]
    return bool(defaults) and known.default is None


def _checked(text: str) -> ast.expr:
    """The expression of a text that must be one argument."""
    try:
        call = ast.parse(f"f(\n{text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        call = None
    if isinstance(call, ast.Call) and len(call.args) == 1 and not call.keywords:
        if not isinstance(call.args[0], ast.Starred | ast.GeneratorExp):
            return expression_tree(f"(\n{text}\n)")
    refuse(f"`{text}` cannot be an argument: write one Python value.")


def _is_call_argument(space: Workspace, span: Span) -> bool:
    return _call_holding(space, span) is not None


def _call_holding(space: Workspace, span: Span) -> ast.Call | None:
    """The call that has the expression at a span as an argument."""
    for node in ast.walk(space.analysis.tree):
        if isinstance(node, ast.Call):
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(span_of(value) == span for value in values):
                return node
    return None


def _call_of(space: Workspace, graph: str, node: str, argument: str) -> ast.Call:
    """The call that an argument left at its default belongs to."""
    draft = space.drawing(graph).drafts[node]
    if draft.member is not None and draft.member.call is not None:
        return draft.member.call
    if isinstance(draft.syntax, ast.Call):
        return draft.syntax
    for known in draft.arguments:
        if known.span is not None and (call := _call_holding(space, known.span)) is not None:
            return call
    if draft.call is not None:
        return draft.call
    refuse(f"`{draft.title}` is no call, so it has no argument `{argument}`.")
