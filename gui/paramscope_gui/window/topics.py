"""What F1 says of the thing that is selected: a tensor's states, or a node and its arguments."""

import importlib
import inspect
import re
from typing import NamedTuple

from paramscope.census.rows import TensorRow
from paramscope.code.catalog import modules
from paramscope.code.graph import Node
from paramscope.code.operations import OPERATIONS
from paramscope.rules.finding import Finding
from paramscope_gui.theme import (
    GRADIENT_LOOKS,
    KIND_LOOKS,
    SHADOWED_LOOK,
    STEPPING_LOOKS,
    TIED_LOOK,
    Look,
)
from paramscope_gui.widgets import shape_text, values_text
from paramscope_gui.window.main import MainWindow

CURES = "paramscope_gui.bridge.cures"  # the edits of all rules are behind it


class Topic(NamedTuple):
    """A page of help: its title, its states, paragraphs, and pairs of a name and a value."""

    title: str
    looks: tuple[Look, ...] = ()
    texts: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()


def topic_of(window: MainWindow) -> Topic | None:
    """Return what there is to say of the selection; None if nothing is selected."""
    selection, live = window.selection, window.live
    row = live.rows.get(selection.tensor or "")
    if row is not None:
        return _of_tensor(row, [one for one in live.findings if one.where == row.path])
    graph = selection.graph
    if graph is None or len(selection.nodes) != 1:
        return None
    node = next((one for one in graph.nodes if one.id in selection.nodes), None)
    return None if node is None else _of_node(node)


def flowing(text: str) -> str:
    """Return a docstring with its broken lines joined; paragraphs and ``Name:`` stay apart.

    >>> flowing("One line\\n  goes on.\\nShape: (N)")
    'One line goes on.\\nShape: (N)'
    """
    return re.sub(r"(?<!\n)\n[ \t]*(?!\n|[A-Z]\w*:|>>>)", " ", text)


def _of_tensor(row: TensorRow, findings: list[Finding]) -> Topic:
    looks = [KIND_LOOKS[row.kind], GRADIENT_LOOKS[row.gradient], STEPPING_LOOKS[row.stepping]]
    looks += [TIED_LOOK] * bool(row.tied_with) + [SHADOWED_LOOK] * bool(row.shadowed)
    texts = [f"{shape_text(row.shape)} · {row.dtype} · {values_text(row.count)}"]
    if row.note:
        texts.append(row.note)
    for finding in findings:
        said = (
            finding.message,
            finding.cause,
            importlib.import_module(CURES).help_of(finding.rule),
        )
        texts.append("\n".join(part for part in said if part))
    return Topic(row.path, tuple(look for look in looks if look.word), tuple(texts))


def _of_node(node: Node) -> Topic:
    texts = []
    entry = modules().get(node.title) if node.scope is None else None
    operation = next((one for one in OPERATIONS.values() if one.name == node.title), None)
    if entry is not None:
        texts.append(flowing(inspect.cleandoc(entry.cls.__doc__ or entry.summary)))
    elif operation is not None:
        texts.append(operation.summary)
    elif node.scope is not None:
        texts.append("A class of this document. Enter or a double click shows what is in it.")
    if node.text:
        texts.append(node.text)
    pairs = []
    for argument in node.arguments:
        default = argument.default
        left = argument.span is None
        pairs.append((argument.name, f"{argument.text} (default)" if left else argument.text))
        if not left and default is not None and default != argument.text:
            pairs[-1] = (argument.name, f"{argument.text} (default {default})")
    title = f"{node.title} {node.name}".strip() if node.name != node.title else node.title
    return Topic(title, (), tuple(texts), tuple(pairs))
