"""A document's source, run: its functions, its model and what it lacks to be trained.

An ordinary document has ``build()``, ``optimizer(model)``, ``batch()`` and
``loss(model, x, y)``, and may have ``train_step(model, optimizer, x, y)`` and
``evaluate(model)`` or ``accuracy(model)``. Any other file is run as the script it is, and the
Modules left in its globals are what there is to see.
"""

import ast
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from paramscope.census.engine_view import EngineView
from paramscope.code.names import is_defined_by
from paramscope.engine.failures import CannotTrainError, remember_source

METRICS = ("evaluate", "accuracy")
UNTITLED = "<untitled>"


@dataclass(slots=True)
class Program:
    """What a source has left behind. ``roots`` are its models by the prefix of their paths."""

    filename: str
    source: str
    module: ModuleType
    roots: dict[str, Any] = field(default_factory=dict)
    optimizers: list[Any] = field(default_factory=list)
    optimizer_argument: Any = None
    note: str = ""

    @property
    def model(self) -> Any:
        """The model that ``build()`` made, None for a script."""
        return self.roots.get("")

    def function(self, name: str) -> Callable[..., Any] | None:
        """Return the document's function called ``name``, if it has one."""
        found = vars(self.module).get(name)
        return found if callable(found) else None

    def require_training(self) -> None:
        """Raise `CannotTrainError` with the names of what is missing for a training step."""
        if self.note:
            raise CannotTrainError(self.note)


class Runner:
    """Runs sources in this process, one after the other, each in a module of its own."""

    def __init__(self, view: EngineView) -> None:
        self._view = view
        self._before: set[str] = set()
        self._folder = ""
        self._main = sys.modules.get("__main__")

    def run(self, source: str, filename: str) -> Program:
        """Execute ``source`` and, if it has one, its ``build()``."""
        self.clean_up()
        code = compile(source, filename, "exec", dont_inherit=True)
        remember_source(filename, source)
        is_document = _defines_build(source)
        name = _module_name(filename) if is_document else "__main__"
        module = ModuleType(name)
        module.__file__ = filename
        self._enter(module, filename)
        program = Program(filename, source, module)
        try:
            exec(code, vars(module))
        except SystemExit as stop:
            # A script may say so when it is done; with a status it says that it is not.
            if stop.code not in (None, 0) or is_document:
                raise
        if is_document:
            self._build(program)
        else:
            self._collect(program)
        program.note = _what_is_missing(program, self._view)
        return program

    def clean_up(self) -> None:
        """Forget the last source's own modules, so that edited helpers are read again."""
        if not self._folder:
            return
        for name in set(sys.modules) - self._before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(self._folder + os.sep) and "site-packages" not in file:
                del sys.modules[name]
        if self._folder in sys.path:
            sys.path.remove(self._folder)
        self._folder = ""

    def _enter(self, module: ModuleType, filename: str) -> None:
        self._before = set(sys.modules)
        if os.path.isabs(filename):
            self._folder = os.path.dirname(filename)
            sys.path.insert(0, self._folder)
            if os.path.isdir(self._folder):
                os.chdir(self._folder)
        if self._main is not None:
            sys.modules["__main__"] = self._main
        sys.modules[module.__name__] = module
        sys.argv = [filename]

    def _build(self, program: Program) -> None:
        build = program.function("build")
        if build is None:
            return
        model = build()
        if not self._view.is_module(model):
            raise TypeError(
                f"`build()` returned {_article(model)}; it must return a model.\n"
                f"  It is defined in {program.filename}.\n"
                "  End it with `return` and an object of a class that derives from nn.Module."
            )
        program.roots[""] = model

    def make_optimizer(self, program: Program) -> None:
        """Call the document's ``optimizer(model)``; the model is there to see if it raises."""
        make = program.function("optimizer")
        if program.model is None or make is None:
            return
        made = make(program.model)
        program.optimizer_argument = made
        program.optimizers = [o for o in _as_list(made) if hasattr(o, "step")]

    def _collect(self, program: Program) -> None:
        """Take the Modules and optimizers among the globals of a script."""
        view = self._view
        modules: dict[str, Any] = {}
        for name, value in list(vars(program.module).items()):
            if view.is_module(value) and not any(value is known for known in modules.values()):
                modules[name] = value
            elif view.is_optimizer(value):
                program.optimizers.append(value)
        inner = {
            id(child)
            for module in modules.values()
            for child in _submodules(module)
            if child is not module
        }
        program.roots = {name: m for name, m in modules.items() if id(m) not in inner}


def _submodules(module: Any) -> list[Any]:
    found = {id(module): module}
    stack = [module]
    while stack:
        children = object.__getattribute__(stack.pop(), "__dict__").get("_modules") or {}
        for child in children.values():
            if child is not None and id(child) not in found:
                found[id(child)] = child
                stack.append(child)
    return list(found.values())


def _as_list(made: Any) -> list[Any]:
    if made is None:
        return []
    if isinstance(made, dict):
        return list(made.values())
    return list(made) if isinstance(made, list | tuple) else [made]


def _article(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"


def _module_name(filename: str) -> str:
    stem = os.path.splitext(os.path.basename(filename))[0]
    name = stem if stem.isidentifier() else "document"
    return name if name not in sys.modules else f"document_{name}"


def _defines_build(source: str) -> bool:
    return any(is_defined_by(node, "build") for node in ast.parse(source).body)


def _what_is_missing(program: Program, view: EngineView) -> str:
    """Say in three parts what a document needs before it can be trained; empty if nothing."""
    needed = ["batch"] if program.function("train_step") else ["batch", "loss"]
    missing = [f"{name}{_SIGNATURES[name]}" for name in needed if not program.function(name)]
    if program.model is not None:
        if not missing:
            return ""
        happened = "This document has a model, and cannot be trained yet."
    else:
        classes = [
            name
            for name, value in vars(program.module).items()
            if isinstance(value, type)
            and value.__module__ == program.module.__name__
            and any(base.__name__ == "Module" for base in value.__mro__[1:])
        ]
        missing.insert(0, "build() -> model")
        if not program.function("optimizer"):
            missing.append("optimizer(model) -> optimizer")
        happened = "This file ran as a script: it has no build(), so there is nothing to train."
        if classes:
            happened = f"This file defines {_listed(classes)}, but no build()."
            made = [type(model).__name__ for model in program.roots.values()]
            name = next((name for name in made if name in classes), classes[-1])
            missing[0] = f"build() -> {name}(...)"
    return (
        f"{happened}\n  Missing: {'; '.join(missing)}.\n"
        "  Add these functions at the end of the file; `batch()` returns a fresh pair (x, y)."
    )


_SIGNATURES = {"batch": "() -> (x, y)", "loss": "(model, x, y) -> loss"}


def _listed(names: list[str]) -> str:
    return f"the class {names[0]}" if len(names) == 1 else f"the classes {', '.join(names)}"
