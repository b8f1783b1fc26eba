"""New code in the spelling of the file: its aliases, and imports only where one is missing."""

import ast
from collections.abc import Mapping

from paramscope.code.commands.statements import first_line
from paramscope.code.commands.workspace import Workspace, refuse
from paramscope.code.names import statements_of
from paramscope.code.text_edit import Edit, SourceText, apply_edits

# What short names mean in the palette and in pasted code, and the import that brings them.
_USUAL: Mapping[str, tuple[str, str]] = {
    "nn": ("torch.nn", "from torch import nn"),
    "F": ("torch.nn.functional", "import torch.nn.functional as F"),
    "torch": ("torch", "import torch"),
}


def expression_tree(text: str) -> ast.expr:
    """Parse what should be one expression; refuses anything else with the reason."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        refuse(f"`{text}` is not a Python expression ({reason}).")


def dotted_name(space: Workspace, expression: ast.expr) -> str | None:
    """The full name of an expression from the palette or the clipboard."""
    context = space.analysis.context
    head = expression
    while isinstance(head, ast.Attribute):
        head = head.value
    if isinstance(head, ast.Name) and head.id in _USUAL and head.id not in context.imports.names:
        written = ast.unparse(expression)
        return _USUAL[head.id][0] + written[len(head.id) :]
    return context.imports.resolve(expression)


def localized(space: Workspace, text: str) -> str:
    """Return an expression in this file's spelling, after adding the import it needs."""
    text = text.strip()
    for chain in _chains(expression_tree(text)):
        head = chain
        while isinstance(head, ast.Attribute):
            head = head.value
        assert isinstance(head, ast.Name)
        imports = space.analysis.context.imports
        if head.id not in _USUAL:
            continue
        usual, statement = _USUAL[head.id]
        if imports.names.get(head.id) == usual:
            continue
        dotted = usual + ast.unparse(chain)[len(head.id) :]
        written = imports.spelling(dotted)
        if written is None:
            add_import(space, _for_package(space, statement))
            written = space.analysis.context.imports.spelling(dotted) or ast.unparse(chain)
        inner = SourceText(text)
        text = apply_edits(text, [Edit(*inner.node_range(chain), written)])
        # Offsets have changed; the rest is found in the new text.
        return localized(space, text)
    return text


def spelled(space: Workspace, dotted: str) -> str:
    """How the file writes a full name of PyTorch, after adding an import if it needs one."""
    written = space.analysis.context.imports.spelling(dotted)
    if written is not None:
        return written
    if dotted.startswith("torch.nn."):
        return localized(space, "nn." + dotted.removeprefix("torch.nn."))
    return localized(space, dotted)


def add_import(space: Workspace, statement: str) -> None:
    """Put an import behind the last one at the top of the file."""
    text = space.text
    body = space.analysis.tree.body
    imports = [item for item in body if isinstance(item, ast.Import | ast.ImportFrom)]
    if imports:
        last = imports[0]
        for item in imports:
            if item.lineno <= _first_code_line(body):
                last = item
        line = last.end_lineno or last.lineno
        place = text.line_end(line)
        space.edit([Edit(place, place, f"{text.newline(line)}{statement}")])
        return
    first = next((item for item in body if not _is_docstring(item)), None)
    if first is None:
        gap = "" if not space.source or space.source.endswith(("\n", "\r")) else text.newline()
        end = len(space.source)
        space.edit([Edit(end, end, f"{gap}{statement}{text.newline()}")])
        return
    place = text.line_start(first_line(first))
    space.edit([Edit(place, place, f"{statement}{text.newline() * 3}")])


def _first_code_line(body: list[ast.stmt]) -> int:
    for item in body:
        if not isinstance(item, ast.Import | ast.ImportFrom) and not _is_docstring(item):
            return item.lineno
    return 1 << 60


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _chains(tree: ast.expr) -> list[ast.expr]:
    """The dotted names in an expression, outermost first; calls are looked into."""
    found: list[ast.expr] = []
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        head = node
        while isinstance(head, ast.Attribute):
            head = head.value
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(head, ast.Name):
            found.append(node)
        else:
            stack.extend(reversed(list(ast.iter_child_nodes(node))))
    return found


def _for_package(space: Workspace, statement: str) -> str:
    """The same import from gradcore, if the document names gradcore."""
    for item in statements_of(space.analysis.tree):
        names = [alias.name for alias in item.names] if isinstance(item, ast.Import) else []
        if isinstance(item, ast.ImportFrom) and item.module:
            names = [item.module]
        if any(name.split(".")[0] == "gradcore" for name in names):
            if statement == "import torch":
                return "import gradcore as torch"
            return statement.replace("torch", "gradcore")
    return statement
