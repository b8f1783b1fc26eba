"""What the palette offers: gradcore's Modules, operations, tensors and the document's classes.

The catalogue is gradcore's; it is loaded on first use, after the window is visible.
"""

from typing import NamedTuple

from paramscope.code.catalog import modules
from paramscope.code.graph import NodeKind, Program
from paramscope.code.operations import OPERATIONS

FAMILY_ORDER = (
    "this document",
    "linear",
    "activation",
    "convolution",
    "pooling",
    "normalization",
    "dropout",
    "recurrent",
    "embedding",
    "attention",
    "container",
    "loss",
    "tensor",
)
TENSORS = (
    (
        "Parameter",
        "A tensor that the optimizer trains.",
        ("weight",),
        "nn.Parameter(torch.randn(8))",
    ),
    (
        "Buffer",
        "A tensor saved with the model and not trained.",
        ("state",),
        'self.register_buffer("state", torch.zeros(8))',
    ),
    ("Plain tensor", "An attribute that is neither trained nor saved.", (), "torch.ones(8)"),
)


class Offer(NamedTuple):
    """One entry: its name, family, what it does, other names for it, and its Python text."""

    title: str
    family: str
    summary: str
    aliases: tuple[str, ...]
    text: str


def offers(program: Program) -> tuple[Offer, ...]:
    """Return everything that can be added to a graph of this program, family by family."""
    found = [*_classes(program), *_modules(), *_operations()]
    found += [
        Offer(title, "tensor", summary, aliases, text) for title, summary, aliases, text in TENSORS
    ]
    order = {family: place for place, family in enumerate(FAMILY_ORDER)}
    found.sort(key=lambda offer: (order.get(offer.family, len(order)), offer.family))
    return tuple(found)


def _classes(program: Program) -> list[Offer]:
    classes = []
    for name, graph in program.graphs.items():
        if not name or "." in name:
            continue
        inputs = [node.name for node in graph.nodes if node.kind is NodeKind.INPUT]
        summary = f"A class of this document, with inputs {', '.join(inputs)}."
        classes.append(Offer(name, "this document", summary, (), f"{name}()"))
    return classes


def _modules() -> list[Offer]:
    found = []
    for name, entry in sorted(modules().items()):
        words: list[str] = []
        if entry.samples:
            sample = entry.samples[0]
            words = [repr(value) for value in sample.args]
            words += [f"{key}={value!r}" for key, value in sample.kwargs.items()]
        text = f"nn.{name}({', '.join(words)})"
        found.append(Offer(name, entry.family, entry.summary, entry.aliases, text))
    return found


def _operations() -> list[Offer]:
    return [
        Offer(one.name, one.family, one.summary, one.aliases, one.dotted)
        for one in OPERATIONS.values()
        if one.in_palette
    ]
