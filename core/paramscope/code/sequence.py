"""The canvas of an ``nn.Sequential``: its Modules in a row, as its call lists them.

Each has the graph ``Net.encoder`` beside that of its class (``build.model`` for one that
``build()`` returns); a Sequential in a Sequential is entered from there.
"""

from paramscope.code.binding import Context, call_signature, constructor_arguments
from paramscope.code.draft import Draft, Input, Source
from paramscope.code.graph import NodeKind
from paramscope.code.members import ClassInfo, Member, is_sequence
from paramscope.code.wiring import Wiring


def wire_sequence(member: Member, owner: ClassInfo | None, context: Context, key: str) -> Wiring:
    """Draw the elements one behind the other, from an input to the output."""
    wiring = Wiring(context, owner, None)
    first = Draft(NodeKind.INPUT, "input", "input", "input", outputs=["input"])
    last: Source = Source(wiring.add(first))
    for name, element in member.children.items():
        node = Draft(NodeKind.MODULE, wiring.member_title(element, name), name, name, name)
        node.member = element
        node.inputs = [Input(*port) for port in _ports(element, context)]
        node.inputs[0].value = last
        node.arguments = constructor_arguments(element, context)
        if element.dotted in context.classes:
            node.scope = element.dotted
        elif is_sequence(element):
            node.scope = f"{key}.{name}"
        last = Source(wiring.add(node))
    output = Draft(NodeKind.OUTPUT, "output", "output", outputs=[])
    output.inputs = [Input("output", last)]
    wiring.add(output)
    return wiring


def inner_sequences(member: Member, key: str) -> list[tuple[str, Member]]:
    """The Sequentials among the elements, with the names of their graphs."""
    found = []
    for name, element in member.children.items():
        if is_sequence(element):
            found.append((f"{key}.{name}", element))
    return found


def _ports(element: Member, context: Context) -> list[tuple[str, None]]:
    ports = call_signature(element, context).ports[:1]
    return [(ports[0][0] if ports else "input", None)]
