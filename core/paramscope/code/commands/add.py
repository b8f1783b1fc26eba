"""Commands that add nodes: layers, operations, tensors."""

import ast
from dataclasses import dataclass

from paramscope.code.commands.calls import (
    check_name,
    define,
    module_of,
    new_member,
    operation_text,
    owner_of,
)
from paramscope.code.commands.imports import expression_tree, localized, spelled
from paramscope.code.commands.sequence import ORDER, insert_element, is_sequence_graph
from paramscope.code.commands.statements import inserted_after, inserted_before
from paramscope.code.commands.values import (
    function_of,
    hoist,
    is_nested,
    is_read_later,
    readable,
    readers,
    variable_for,
)
from paramscope.code.commands.workspace import Handle, Workspace, refuse
from paramscope.code.graph import NodeKind, PortRef
from paramscope.code.text_edit import Edit
from paramscope.document.document import Document, Point


@dataclass(frozen=True, slots=True)
class AddModule:
    """Add a layer, ``nn.Linear(8, 16)`` or a class of the document, to a class.

    With ``connect_from`` it is called with that output; if the output went to the graph's
    output alone, the new layer's output goes there instead.
    """

    graph: str
    expression: str
    name: str | None = None
    position: Point | None = None
    connect_from: PortRef | None = None

    @property
    def label(self) -> str:
        return f"Add {self.expression.partition('(')[0].rpartition('.')[2]}"

    def apply(self, document: Document) -> Document:
        """Write the member into ``__init__`` and, if it is wired, its call into forward."""
        space = Workspace(document)
        if module_of(space, self.expression) is None:
            refuse(f"`{self.expression}` makes no Module; write it like `nn.Linear(8, 16)`.")
        if is_sequence_graph(space, self.graph):
            behind = self.connect_from.node if self.connect_from is not None else None
            if behind is not None:
                space.handle(self.graph, behind)
            made = insert_element(space, self.graph, self.expression, behind)
            space.place(self.graph, made, self.position)
            return space.document()
        source = None
        if self.connect_from is not None:
            source = space.handle(self.graph, self.connect_from.node)
        name = new_member(space, self.graph, self.expression, self.name)
        if source is not None and self.connect_from is not None:
            # A method's canvas draws only the members that it calls itself.
            node = space.drawing(self.graph).drafts.get(name)
            inputs = node.inputs if node is not None else ()
            holes = ", ".join("..." for item in inputs if item.required)
            append(space, source, self.connect_from.port, f"self.{name}({holes or '...'})")
        space.place(self.graph, name, self.position)
        return space.document()


@dataclass(frozen=True, slots=True)
class AddOperation:
    """Add an operation to forward: ``torch.relu``, ``+``, or a call with ``...`` for wires."""

    graph: str
    function: str
    position: Point | None = None
    connect_from: PortRef | None = None

    @property
    def label(self) -> str:
        return f"Add {self.function.partition('(')[0].rpartition('.')[2]}"

    def apply(self, document: Document) -> Document:
        """Write the call into forward, with holes where nothing is connected yet."""
        space = Workspace(document)
        function_of(space, self.graph)
        handles = [space.handle(self.graph, node) for node in space.drawing(self.graph).drafts]
        template = operation_text(space, self.function)
        if self.connect_from is not None:
            source = space.handle(self.graph, self.connect_from.node)
            append(space, source, self.connect_from.port, template)
        else:
            function = function_of(space, self.graph)
            last = function.body[-1]
            name = variable_for(space, self.graph, None, last)
            line = f"{name} = {template}"
            if isinstance(last, ast.Return):
                space.edit([inserted_before(space.text, last, [line])])
            else:
                space.edit([inserted_after(space.text, last, [line])])
        known = {handle.id for handle in handles}
        added = [node for node in space.drawing(self.graph).drafts if node not in known]
        if added:
            space.place(self.graph, added[-1], self.position)
        return space.document()


@dataclass(frozen=True, slots=True)
class AddTensor:
    """Add a Parameter, a buffer or a plain tensor to a class; forward does not use it yet."""

    graph: str
    kind: NodeKind
    name: str
    expression: str
    position: Point | None = None

    @property
    def label(self) -> str:
        return f"Add {self.kind.value} {self.name}"

    def apply(self, document: Document) -> Document:
        """Write the tensor into ``__init__``."""
        space = Workspace(document)
        if is_sequence_graph(space, self.graph):
            refuse(ORDER)
        check_name(space, owner_of(space, self.graph), self.name)
        expression_tree(self.expression)
        written = localized(space, self.expression)
        if self.kind is NodeKind.PARAMETER:
            parameter = spelled(space, "torch.nn.Parameter")
            define(space, self.graph, f"self.{self.name} = {parameter}({written})")
        elif self.kind is NodeKind.BUFFER:
            define(space, self.graph, f'self.register_buffer("{self.name}", {written})')
        elif self.kind is NodeKind.TENSOR:
            define(space, self.graph, f"self.{self.name} = {written}")
        else:
            refuse(f"A {self.kind.value} is no tensor; choose parameter, buffer or tensor.")
        space.place(self.graph, self.name, self.position)
        return space.document()


def append(space: Workspace, source: Handle, port: int, template: str) -> None:
    """Compute a template from an output; the graph's output takes it, if it took that output."""
    output = _only_output(space, source, port)
    if output is None:
        _branch(space, source, port, template)
        return
    node = space.draft(source)
    if is_nested(node):
        hoist(space, source)
    target = space.handle(source.graph, output)
    text = readable(space, source, port, target)
    taker = space.draft(target)
    item = taker.inputs[0]
    read, statement = item.reads[0], taker.statement
    assert statement is not None
    name = text
    if is_read_later(function_of(space, source.graph), text, statement, read) or "." in text:
        name = variable_for(space, source.graph, None, statement)
    line = f"{name} = {template.replace('...', text, 1)}"
    space.edit(
        [
            inserted_before(space.text, statement, [line]),
            Edit(*space.text.node_range(read), name),
        ]
    )


def _only_output(space: Workspace, source: Handle, port: int) -> str | None:
    """The output node, if the value goes there alone and to its only input."""
    drawing = space.drawing(source.graph)
    taking = readers(drawing, space.draft(source), port)
    if len(taking) != 1 or taking[0][0].kind is not NodeKind.OUTPUT:
        return None
    output = taking[0][0]
    return output.id if len(output.inputs) == 1 and output.inputs[0].reads else None


def _branch(space: Workspace, source: Handle, port: int, template: str) -> None:
    """Compute a template from an output behind the statement that makes it."""
    function = function_of(space, source.graph)
    if is_nested(space.draft(source)):
        hoist(space, source)
        function = function_of(space, source.graph)
    last = function.body[-1]
    name = variable_for(space, source.graph, None, last)
    node = space.draft(source)
    if node.kind is NodeKind.MODULE and node.syntax is None:
        inputs = ", ".join("..." for item in node.inputs if item.required)
        first = f"{name} = self.{node.path}({inputs})"
        line = f"{name} = {template.replace('...', name, 1)}"
        space.edit([inserted_before(space.text, last, [first, line])])
        return
    if isinstance(last, ast.Return) and last is not node.statement:
        space.edit([inserted_before(space.text, last, [f"{name} = {template}"])])
        made = next(
            draft
            for draft in space.drawing(source.graph).drafts.values()
            if any(isinstance(target, ast.Name) and target.id == name for target in draft.targets)
        )
        target = space.handle(source.graph, made.id)
        holes = [number for number, item in enumerate(made.inputs) if item.reads]
        text = readable(space, source, port, target)
        made = space.draft(target)
        read = made.inputs[holes[0]].reads[0] if holes else None
        if read is not None:
            space.edit([Edit(*space.text.node_range(read), text)])
        return
    if node.statement is not None:
        line = f"{name} = {template.replace('...', node.outputs[port], 1)}"
        space.edit([inserted_after(space.text, node.statement, [line])])
