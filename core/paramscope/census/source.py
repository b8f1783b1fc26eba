"""The document's text as the census and the rules need it: where attributes are made, and keeps.

The text only places a verdict. Whether there is one is decided by what the objects show.
"""

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field

from paramscope.code.graph import Span

_KEEP = re.compile(r"#\s*paramscope:\s*keep\s+([A-Z]{3}\d\d(?:[\s,]+[A-Z]{3}\d\d)*)")
_RULE = re.compile(r"[A-Z]{3}\d\d")


@dataclass(frozen=True, slots=True)
class Assignment:
    """The statement ``self.<attribute> = ...`` in a method of a class of the document."""

    class_name: str
    method: str
    attribute: str
    line: int
    end_line: int


@dataclass(slots=True)
class SourceMap:
    """Positions in one source. An empty one knows nothing and answers None."""

    assignments: dict[tuple[str, str], Assignment] = field(default_factory=dict)
    class_spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    statement_ends: dict[int, int] = field(default_factory=dict)
    keeps: dict[int, frozenset[str]] = field(default_factory=dict)
    comment_lines: frozenset[int] = frozenset()
    attribute_lines: dict[str, int] = field(default_factory=dict)  # first ``x.<name> = ...``
    function_lines: dict[str, int] = field(default_factory=dict)

    def assignment(self, classes: tuple[type, ...], attribute: str) -> Assignment | None:
        """Find where one of ``classes`` (a method resolution order) makes ``attribute``."""
        for cls in classes:
            found = self.assignments.get((cls.__qualname__.rpartition(".")[2], attribute))
            if found is not None:
                return found
        return None

    def is_kept(self, rule: str, line: int | None) -> bool:
        """Tell whether a comment ``# paramscope: keep RULE`` stands at ``line``.

        It counts on any line of the statement, on comment lines straight above it, and on
        the line of the class that holds it.
        """
        if line is None or not self.keeps:
            return False
        lines = set(range(line, self.statement_ends.get(line, line) + 1))
        above = line - 1
        while above in self.comment_lines:
            lines.add(above)
            above -= 1
        lines |= {start for start, end in self.class_spans.values() if start <= line <= end}
        return any(rule in self.keeps.get(number, ()) for number in lines)


def map_source(source: str) -> SourceMap:
    """Read the positions out of ``source``; a source that does not parse gives an empty map."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return SourceMap()
    found = SourceMap()
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            found.statement_ends[node.lineno] = node.end_lineno or node.lineno
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            line = found.attribute_lines.get(node.attr, node.lineno)
            found.attribute_lines[node.attr] = min(line, node.lineno)
        if isinstance(node, ast.FunctionDef):
            found.function_lines.setdefault(node.name, node.lineno)
        if isinstance(node, ast.ClassDef):
            found.class_spans[node.name] = (node.lineno, node.end_lineno or node.lineno)
            for method in node.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    _map_method(node.name, method, found)
    _map_comments(source, found)
    return found


def span_of(node: ast.expr | ast.stmt) -> Span:
    """Return where ``node`` stands."""
    end = node.end_lineno or node.lineno
    return Span(node.lineno, node.col_offset, end, node.end_col_offset or node.col_offset)


def _map_method(
    class_name: str, method: ast.FunctionDef | ast.AsyncFunctionDef, found: SourceMap
) -> None:
    arguments = [*method.args.posonlyargs, *method.args.args]
    if not arguments:
        return
    owner = arguments[0].arg
    for node in ast.walk(method):
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        else:
            continue
        flat = [t for target in targets for t in getattr(target, "elts", [target])]
        for target in flat:
            if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
                continue
            if target.value.id != owner:
                continue
            key = (class_name, target.attr)
            # The assignment in __init__ is the one that makes the attribute.
            if key not in found.assignments or (
                method.name == "__init__" and found.assignments[key].method != "__init__"
            ):
                end = node.end_lineno or node.lineno
                found.assignments[key] = Assignment(
                    class_name, method.name, target.attr, node.lineno, end
                )


def _map_comments(source: str, found: SourceMap) -> None:
    comments = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type != tokenize.COMMENT:
                continue
            line = token.start[0]
            if not token.line[: token.start[1]].strip():
                comments.add(line)
            match = _KEEP.search(token.string)
            if match:
                found.keeps[line] = frozenset(_RULE.findall(match[1]))
    except (tokenize.TokenError, IndentationError):
        return
    found.comment_lines = frozenset(comments)
