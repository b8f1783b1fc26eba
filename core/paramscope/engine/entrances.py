"""What enters each Module of the document: the tensors that its ``forward`` is given.

The tracer asks for it, so that an input on the canvas has the shape of the running step. A
call of the library's Modules has its place in the document already; only the document's own
classes have arguments that can be pointed at.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType
from typing import Any

from paramscope.code.graph import Span
from paramscope.code.parse import syntax_tree
from paramscope.code.text_edit import span_of

# Told of an argument's place, of the Module's path, and of what was passed.
Note = Callable[[Span, str, object], None]


@contextmanager
def entering(source: str, filename: str, modules: Mapping[str, Any], note: Note) -> Iterator[None]:
    """Tell ``note`` of each argument of a ``forward`` of the document, inside the block."""
    handles = []
    try:
        for path, module in modules.items():
            code = _forward_code(module, filename)
            spans = argument_spans(source).get(code.co_firstlineno) if code is not None else None
            # A Module whose own __init__ never ran cannot be called, nor hooked.
            if code is not None and spans and "_forward_pre_hooks" in vars(module):
                hook = _hook(path, code, spans, note)
                handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


@lru_cache(maxsize=4)
def argument_spans(source: str) -> Mapping[int, Mapping[str, Span]]:
    """Return the places of the arguments of each ``forward``, by the line its code begins at.

    >>> argument_spans("def forward(self, x): ...")[1]["x"]
    Span(line=1, column=18, end_line=1, end_column=19)
    """
    found: dict[int, dict[str, Span]] = {}
    for node in ast.walk(syntax_tree(source)):
        if isinstance(node, ast.FunctionDef) and node.name == "forward":
            # As in the code object, decorators belong to the function.
            line = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            listed = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            found[line] = {argument.arg: span_of(argument) for argument in listed}
    return found


def _forward_code(module: Any, filename: str) -> CodeType | None:
    """The code of a Module's ``forward`` if the document has written it."""
    code = getattr(getattr(type(module), "forward", None), "__code__", None)
    return code if isinstance(code, CodeType) and code.co_filename == filename else None


def _hook(
    path: str, code: CodeType, spans: Mapping[str, Span], note: Note
) -> Callable[[Any, tuple[Any, ...], dict[str, Any]], None]:
    names = code.co_varnames[1 : code.co_argcount]

    def hook(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        for name, value in [*zip(names, given, strict=False), *named.items()]:
            if name in spans:
                note(spans[name], path, value)

    return hook
