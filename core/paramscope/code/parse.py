"""Source to `Program`: the graphs of a document, found in its syntax without running it.

`parse` is what the window calls; the commands call `analyze`, which keeps beside each node
the syntax it was drawn from, so that they know what to edit.
"""

import ast
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from paramscope.code.binding import Context, call_signature, constructor_arguments
from paramscope.code.draft import HOLE, Draft, Input, Source, Value, span_of_draft
from paramscope.code.drawing import MEMBER_NODES
from paramscope.code.graph import (
    Graph,
    Node,
    NodeKind,
    Port,
    PortRef,
    Program,
    SourceProblem,
    Span,
    Wire,
)
from paramscope.code.members import (
    ClassInfo,
    Member,
    MemberKind,
    is_sequence,
    module_classes,
    self_attributes,
    self_name,
)
from paramscope.code.names import imports_of
from paramscope.code.program_graph import built_sequence, model_class, wire_program
from paramscope.code.sequence import inner_sequences, wire_sequence
from paramscope.code.syntax import FunctionNode
from paramscope.code.text_edit import SourceText, span_of
from paramscope.code.wiring import Wiring

# Methods deeper than this in calls of calls get no canvas of their own.
_MOST_METHODS = 200
_FOREIGN = re.compile("[\0\ud800-\udfff]")


class SourceError(ValueError):
    """The source cannot be read as Python; ``span`` is the place to mark."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(f"line {span.line}: {message}")
        self.message = message
        self.span = span


@dataclass(slots=True)
class Drawing:
    """One graph with what it was drawn from; ``drafts`` holds a draft for each node id."""

    graph: Graph
    function: FunctionNode | None
    owner: ClassInfo | None
    drafts: dict[str, Draft]
    before: dict[ast.stmt, dict[str, Value]]
    sequence: ast.Call | None = None  # the call of an nn.Sequential that is drawn


@dataclass(slots=True)
class Analysis:
    """Everything the syntax of one source tells."""

    source: str
    tree: ast.Module
    context: Context
    drawings: dict[str, Drawing]
    program: Program

    @property
    def text(self) -> SourceText:
        """The source with its offsets."""
        return self.context.text


def parse(source: str) -> Program:
    """Return the graphs of a source.

    ``graphs[""]`` is the program, ``graphs["Net"]`` the forward of class ``Net``, and
    ``graphs["Net.encode"]`` a method that a forward of the same class calls,
    ``graphs["Net.layers"]`` an ``nn.Sequential`` that is written out.

    Raises: SourceError when the source is not Python; the caller keeps the last good graph.
    """
    return analyze(source).program


@lru_cache(maxsize=8)
def analyze(source: str) -> Analysis:
    """Return the graphs with their syntax; kept for the last few sources."""
    tree = syntax_tree(source)
    text = SourceText(source)
    imports = imports_of(tree)
    classes = module_classes(tree, imports)
    functions = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    bound = {*functions, *classes, *imports.names}
    context = Context(text, imports, classes, functions, frozenset(bound))
    drawings: dict[str, Drawing] = {}
    for info in classes.values():
        _draw_class(info, context, drawings)
    model = model_class(tree, context)
    built = built_sequence(context)
    if built is not None:
        _draw_sequence(built, "build.model", None, context, drawings)
    program_wiring = wire_program(tree, context, model)
    drawings = {"": _finished("", program_wiring, None, None), **drawings}
    problems = [problem for item in drawings.values() for problem in _holes(item)]
    graphs = {name: drawing.graph for name, drawing in drawings.items()}
    return Analysis(source, tree, context, drawings, Program(graphs, model, tuple(problems)))


def syntax_tree(source: str) -> ast.Module:
    """Parse Python, with every way in which that can fail as a `SourceError`."""
    foreign = _FOREIGN.search(source)
    if foreign is not None:
        what = "a NUL character" if foreign.group() == "\0" else "half a surrogate pair"
        span = SourceText(source).span(*foreign.span())
        raise SourceError(f"the source holds {what}; remove it", span)
    try:
        with warnings.catch_warnings():
            # An invalid escape in the user's string is Python's business at run time.
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        line = max(error.lineno or 1, 1)
        column = max((error.offset or 1) - 1, 0)
        end_line, end_offset = error.end_lineno or line, error.end_offset or 0
        end = end_offset - 1 if end_line > line or end_offset - 1 > column else column + 1
        raise SourceError(error.msg, _byte_span(source, line, column, end_line, end)) from None
    except (RecursionError, MemoryError):
        raise SourceError("the source is nested too deeply", Span(1, 0, 1, 0)) from None
    except ValueError as error:
        raise SourceError(str(error), Span(1, 0, 1, 0)) from None


def _byte_span(source: str, line: int, column: int, end_line: int, end_column: int) -> Span:
    """A span from the character columns of a SyntaxError."""
    text = SourceText(source)
    start = min(text.line_start(line) + column, len(source))
    end = min(text.line_start(end_line) + max(end_column, 0), len(source))
    return text.span(start, max(start, end))


def _draw_class(info: ClassInfo, context: Context, drawings: dict[str, Drawing]) -> None:
    """Draw the forward of a class and the methods that it calls."""
    wiring = _wire_method(info.forward, info, context)
    _add_uncalled(wiring, info)
    drawings[info.name] = _finished(info.name, wiring, info.forward, info)
    for member in info.own_members.values():
        if is_sequence(member):
            _draw_sequence(member, f"{info.name}.{member.name}", info, context, drawings)
    queue = list(wiring.methods)
    done = {"forward"}
    while queue and len(done) < _MOST_METHODS:
        name = queue.pop(0)
        if name in done or name not in info.own_methods:
            continue
        done.add(name)
        method = info.own_methods[name]
        wiring = _wire_method(method, info, context)
        key = f"{info.name}.{name}"
        drawings[key] = _finished(key, wiring, method, info)
        queue += wiring.methods


def _draw_sequence(
    member: Member,
    key: str,
    owner: ClassInfo | None,
    context: Context,
    drawings: dict[str, Drawing],
) -> None:
    """Draw an nn.Sequential and those inside of it."""
    queue = [(key, member)]
    while queue:
        name, part = queue.pop(0)
        drawing = _finished(name, wire_sequence(part, owner, context, name), None, owner)
        drawing.sequence = part.call
        drawing.graph = replace(drawing.graph, span=span_of(part.call) if part.call else None)
        drawings.setdefault(name, drawing)
        queue += inner_sequences(part, name)


def _wire_method(method: FunctionNode | None, info: ClassInfo, context: Context) -> Wiring:
    me = self_name(method) if method is not None else "self"
    wiring = Wiring(context, info, me)
    if method is None:
        return wiring
    arguments = method.args
    listed = [*arguments.posonlyargs, *arguments.args]
    for argument in listed[1 if me else 0 :] + arguments.kwonlyargs:
        _add_input(wiring, argument)
    for star in (arguments.vararg, arguments.kwarg):
        if star is not None:
            _add_input(wiring, star)
    wiring.read(method.body)
    return wiring


def _add_input(wiring: Wiring, argument: ast.arg) -> None:
    node = Draft(NodeKind.INPUT, argument.arg, argument.arg, argument.arg, syntax=argument)
    node.outputs = [argument.arg]
    wiring.add(node)
    wiring.environment[argument.arg] = Source(node)


def _add_uncalled(wiring: Wiring, info: ClassInfo) -> None:
    """Add the member Modules and tensors that no method of the class mentions."""
    mentioned = _mentioned(info)
    for member in info.members.values():
        if member.name in mentioned:
            continue
        if member.kind is MemberKind.MODULE:
            _add_member(wiring, member)
        elif member.kind in MEMBER_NODES:
            wiring.add_tensor(member.name, MEMBER_NODES[member.kind], member, None)


def _add_member(wiring: Wiring, member: Member) -> None:
    title = wiring.member_title(member, member.name)
    node = Draft(NodeKind.MODULE, title, member.name, member.name, member.name)
    node.member = member
    signature = call_signature(member, wiring.context)
    ports = signature.ports or (("input", True),)
    node.inputs = [Input(name, None, required=required) for name, required in ports]
    node.arguments = constructor_arguments(member, wiring.context)
    node.scope = wiring.scope_of(member, member.name)
    wiring.nodes.append(node)


def _mentioned(info: ClassInfo) -> set[str]:
    names: set[str] = set()
    for name, method in info.methods.items():
        if name == "__init__":
            continue
        names |= {attribute.attr for attribute in self_attributes(method)}
    return names


def _finished(
    name: str, wiring: Wiring, function: FunctionNode | None, owner: ClassInfo | None
) -> Drawing:
    """Give drafts their ids and turn them into the values that the canvas draws."""
    drafts = wiring.nodes
    _number(drafts)
    wires = []
    nodes = []
    for draft in drafts:
        nodes.append(_node(draft))
        for port, item in enumerate(draft.inputs):
            if isinstance(item.value, Source):
                source = PortRef(item.value.node.id, item.value.port)
                span = span_of(item.reads[0]) if item.reads else None
                wires.append(Wire(source, PortRef(draft.id, port), span))
    anchor = function if function is not None else owner.node if owner is not None else None
    graph = Graph(name, tuple(nodes), tuple(wires), span_of(anchor) if anchor else None)
    return Drawing(graph, function, owner, {draft.id: draft for draft in drafts}, wiring.before)


def _number(drafts: Iterable[Draft]) -> None:
    """Make ids unique: inputs and the output keep their names, the rest in source order."""
    taken: set[str] = set()
    counts: dict[str, int] = {}
    first = (NodeKind.INPUT, NodeKind.OUTPUT)
    for draft in sorted(drafts, key=lambda draft: draft.kind not in first):
        base = draft.base or "node"
        count = counts.get(base, 0)
        while True:
            count += 1
            draft.id = base if count == 1 else f"{base}#{count}"
            if draft.id not in taken:
                break
        counts[base] = count
        taken.add(draft.id)


def _node(draft: Draft) -> Node:
    definition = draft.member.statement if draft.member is not None else None
    return Node(
        id=draft.id,
        kind=draft.kind,
        title=draft.title,
        name=draft.name,
        path=draft.path,
        span=span_of_draft(draft),
        definition=span_of(definition) if definition is not None else None,
        inputs=tuple(Port(item.name, item.required) for item in draft.inputs),
        outputs=tuple(Port(name) for name in draft.outputs),
        arguments=tuple(draft.arguments),
        text=draft.text,
        scope=draft.scope,
    )


def _holes(drawing: Drawing) -> Iterable[SourceProblem]:
    """A problem for each required input of a call that gets nothing."""
    for draft in drawing.drafts.values():
        if draft.syntax is None or draft.kind in (NodeKind.CODE, NodeKind.INPUT):
            continue
        for item in draft.inputs:
            if item.value is HOLE or (item.value is None and item.required):
                syntax = item.reads[0] if item.reads else draft.syntax
                what = draft.name or draft.title
                if draft.kind is NodeKind.OUTPUT:
                    message = "the output gets nothing; connect a wire"
                elif len(draft.inputs) == 1:
                    message = f"`{what}` has nothing on its input; connect a wire"
                else:
                    message = f"`{what}` has nothing on its input `{item.name}`; connect a wire"
                yield SourceProblem(message, span_of(syntax))
