"""The one way to add each thing (ARCHITECTURE.md): a step that was forgotten fails here.

Each check returns what stands in a folder without being entered where it is looked for; else
such a thing would be absent without a word. A planted newcomer is found by each.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from gradcore import nn
from gradcore.nn.catalog import all_modules
from gradcore.ops.every import COMPOSITES, OPERATIONS
from paramscope.code import commands
from paramscope.rules.catalog import FILE_NAME

ROOT = Path(__file__).parents[1]
NN, OPS = "core/gradcore/nn", "core/gradcore/ops"
RULES, COMMANDS = "core/paramscope/rules", "core/paramscope/code/commands"
PANELS, TOOLS = "gui/paramscope_gui/panels", "gui/paramscope_gui/canvas/tools"

Files = dict[str, ast.Module]


def files_of(folder: str) -> Files:
    """Return the syntax of each file of a folder by its name without ``.py``."""
    paths = sorted((ROOT / folder).glob("*.py"))
    return {path.stem: syntax(path) for path in paths if path.stem != "__init__"}


def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def decorators(node: ast.AST) -> set[str]:
    """Return the names of what decorates a class or function, called or not."""
    found = getattr(node, "decorator_list", ())
    return {ast.unparse(d.func if isinstance(d, ast.Call) else d) for d in found}


def assigned(module: ast.Module) -> set[str]:
    """Return the names that a module gives values."""
    names = set()
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def classes(module: ast.Module) -> Iterator[ast.ClassDef]:
    yield from (node for node in module.body if isinstance(node, ast.ClassDef))


def families_that_no_table_knows(files: Files) -> list[str]:
    known = {one.family for table in (OPERATIONS, COMPOSITES) for one in table.values()}
    return [
        f"{OPS}/{name}.py is imported by nobody; do it in ops/__init__.py, or in ops/every.py "
        "where only layers need it"
        for name, module in files.items()
        if name not in known
        and any(decorators(node) & {"operation", "composite"} for node in ast.walk(module))
    ]


def layers_without_a_public_name(files: Files) -> list[str]:
    return [
        f"{NN}/{name}.py: {cls.name} can't be had from gradcore.nn; enter it in nn/__init__.py"
        for name, module in files.items()
        for cls in classes(module)
        if "module" in decorators(cls) and cls.name not in nn.__all__
    ]


def rules_that_are_not_discovered(files: Files) -> list[str]:
    return [
        f"{RULES}/{name}.py holds a RULE; name it after its id, like reg01_plain_tensor.py"
        for name, module in files.items()
        if "RULE" in assigned(module) and not FILE_NAME.fullmatch(name)
    ]


def commands_without_a_public_name(files: Files) -> list[str]:
    return [
        f"{COMMANDS}/{name}.py: {cls.name} is no public command; enter it in commands/__init__.py"
        for name, module in files.items()
        for cls in classes(module)
        if any(isinstance(node, ast.FunctionDef) and node.name == "apply" for node in cls.body)
        and cls.name not in commands.__all__
    ]


def panels_that_stand_nowhere(files: Files) -> list[str]:
    text = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "gui/paramscope_gui").rglob("*.py")
    )
    return [
        f"{PANELS}/{name}.py is imported by nobody; place it in window/furnishing.py"
        for name in files
        if not re.search(rf"\bparamscope_gui\.panels\.{name}\b", text)
    ]


def interactions_that_nobody_reaches(files: Files) -> list[str]:
    actions = ast.unparse(syntax(ROOT / "gui/paramscope_gui/canvas/actions.py"))
    canvas = ast.unparse(syntax(ROOT / "gui/paramscope_gui/canvas/canvas.py"))
    return [
        f"{TOOLS}/{name}.py: its ACTIONS are in no menu; enter them in SPECS of canvas/actions.py"
        for name, module in files.items()
        if "ACTIONS" in assigned(module) and f"*{name}.ACTIONS" not in actions
    ] + [
        f"{TOOLS}/{name}.py: {cls.name} is asked for no press; make one in canvas/canvas.py"
        for name, module in files.items()
        for cls in classes(module)
        if "Tool" in map(ast.unparse, cls.bases) and f"{cls.name}(desk)" not in canvas
    ]


Check = Callable[[Files], Iterable[str]]
WAYS: tuple[tuple[Check, str, str], ...] = (
    (families_that_no_table_knows, OPS, "@operation('cube')\ndef cube(input): ..."),
    (layers_without_a_public_name, NN, "@module(family='activation')\nclass Cube: ..."),
    (rules_that_are_not_discovered, RULES, "RULE = Rule()"),
    (commands_without_a_public_name, COMMANDS, "class Paint:\n    def apply(self): ..."),
    (panels_that_stand_nowhere, PANELS, "class NewPanel: ..."),
    (interactions_that_nobody_reaches, TOOLS, "ACTIONS = ()"),
    (interactions_that_nobody_reaches, TOOLS, "class PaintTool(Tool): ..."),
)


@pytest.fixture(scope="module", autouse=True)
def _every_layer_is_loaded() -> None:
    all_modules()  # the operations behind layers are entered with them


@pytest.mark.parametrize(("check", "folder"), dict.fromkeys((way[0], way[1]) for way in WAYS))
def test_everything_is_entered_where_it_is_looked_for(check: Check, folder: str) -> None:
    files = files_of(folder)
    assert files
    assert list(check(files)) == []


@pytest.mark.parametrize(("check", "folder", "planted"), WAYS)
def test_a_newcomer_that_was_not_entered_is_found(check: Check, folder: str, planted: str) -> None:
    found = list(check({"newcomer": ast.parse(planted)}))
    assert len(found) == 1
    assert found[0].startswith(f"{folder}/newcomer.py")


@pytest.mark.parametrize("folder", (OPS, NN, RULES, COMMANDS, PANELS, TOOLS))
def test_the_architecture_tells_the_way(folder: str) -> None:
    assert f"`{folder}/<" in (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
