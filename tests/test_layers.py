"""Imports point down only: the layers of ARCHITECTURE.md, read from every source file.

The check reads the syntax tree, so an import counts wherever it stands: at the top, in a
function, under TYPE_CHECKING, or as a literal given to importlib.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "gradcore": ROOT / "core/gradcore",
    "paramscope": ROOT / "core/paramscope",
    "paramscope_gui": ROOT / "gui/paramscope_gui",
}
# Highest first. A module belongs to the longest name that fits; it may import what stands
# below it and its own part, never a neighbour on the same line.
LAYERS = (
    ("paramscope_gui",),
    ("paramscope_gui.app",),
    ("paramscope_gui.window",),
    ("paramscope_gui.canvas", "paramscope_gui.panels"),
    ("paramscope_gui.bridge",),
    ("paramscope_gui.settings", "paramscope_gui.dress", "paramscope_gui.widgets"),
    ("paramscope_gui.garbage", "paramscope_gui.theme"),
    # ---- the Qt line: nothing below may be loaded with Qt
    ("paramscope",),
    ("paramscope.__main__",),
    ("paramscope.cli",),
    ("paramscope.train_command",),
    ("paramscope.lessons", "paramscope.check"),
    ("paramscope.engine", "paramscope.data"),
    ("paramscope.rules",),
    ("paramscope.census",),
    ("paramscope.code",),
    ("paramscope.document",),
    # ---- the application line: nothing below knows of the application
    ("gradcore.__main__", "gradcore.version"),
    ("gradcore",),
    ("gradcore.overrides",),
    ("gradcore.distributions", "gradcore.func", "gradcore.jit", "gradcore.testing"),
    ("gradcore.accelerator", "gradcore.amp", "gradcore.backends", "gradcore.cuda"),
    ("gradcore.serialization",),
    ("gradcore.settings", "gradcore.types"),
    ("gradcore.compat",),
    ("gradcore.utils",),
    ("gradcore.native",),
    ("gradcore.replay",),
    ("gradcore.optim",),
    ("gradcore.nn",),
    ("gradcore.autograd", "gradcore.creation", "gradcore.linalg", "gradcore.various"),
    ("gradcore.fft", "gradcore.rarer", "gradcore.special"),
    ("gradcore.seldom",),
    ("gradcore.drawing",),
    ("gradcore.draws",),
    ("gradcore.random",),
    ("gradcore.tensor",),
    ("gradcore.differentiate", "gradcore.printing"),
    ("gradcore.engine",),
    ("gradcore.ops",),
    ("gradcore.modes", "gradcore.statistics"),
    ("gradcore.graph",),
    ("gradcore.dtypes", "gradcore.device", "gradcore.distributed", "gradcore.size"),
    (
        "gradcore.counting",
        "gradcore.errors",
        "gradcore.hooks",
        "gradcore.journal",
        "gradcore.later",
    ),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
QT = {"PySide6", "shiboken6", "pyqtgraph"}
HEAVY = {"torch", "onnx", "onnxruntime"}
# (module, what it loads from above) -> why.
UPWARD_STEPS = {
    ("paramscope.cli", "paramscope_gui.app"): "the command line starts the window",
    (
        "gradcore.replay.compiled",
        "gradcore.native",
    ): "replay loads native mode when a step asks for it; nobody else does",
    (
        "gradcore.tensor",
        "gradcore.overrides",
    ): "a class that the user derives from Tensor is entered there; few programs derive one",
    (
        "gradcore.ops.recurrent",
        "gradcore.differentiate",
    ): "a fused sequence takes its second derivative of its plain form",
}


def imported(tree: ast.AST) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, names it may mean, the longest first) for each import in ``tree``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, [alias.name]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, [f"{module}.{a.name}", module]) for a in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called, first = node.func, node.args[0]
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            is_literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
            if name in ("import_module", "__import__") and is_literal:
                yield node.lineno, [first.value]


def layer_of(module: str) -> str | None:
    """Return the longest name of `LAYERS` that ``module`` belongs to, or None."""
    parts = module.split(".")
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    found = next((name for name in names if name in RANK), None)
    return None if found in PACKAGES and module != found else found


def violations(module: str, source: str, modules: set[str]) -> list[str]:
    """Return what is wrong with the imports of ``module``; ``modules`` are all that exist."""
    own = layer_of(module)
    if own is None:
        return [f"{module}: belongs to no layer; enter it in LAYERS, where it may be imported"]
    found = []
    for line, names in imported(ast.parse(source)):
        target = next((name for name in names if name in modules), names[-1])
        if reason := _reason(own, module, target):
            found.append(f"{module}:{line}: {module} imports {target}: {reason}")
    return found


def _reason(own: str, module: str, target: str) -> str | None:
    """Return why ``module`` of the layer ``own`` may not import ``target``, or None."""
    top = target.partition(".")[0]
    if target.startswith("."):
        return "imports are absolute here"
    if top in QT and not module.startswith("paramscope_gui"):
        return "nothing below the window is loaded with Qt"
    if top in HEAVY and not module.startswith("paramscope.engine."):
        return "only the worker's engines load it"
    if top not in PACKAGES or (module, target) in UPWARD_STEPS:
        return None
    layer = layer_of(target)
    if layer is None:
        return "belongs to no layer"
    return None if layer == own or RANK[layer] > RANK[own] else "imports point down only"


def source_files() -> dict[str, Path]:
    """Return every module of the project, by its name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([package, *parts]).removesuffix(".__init__")] = path
    return found


def test_imports_point_down_only() -> None:
    files = source_files()
    found = [
        one
        for module, path in files.items()
        for one in violations(module, path.read_text(encoding="utf-8"), set(files))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gradcore.tensor", "import paramscope"),
        ("gradcore.graph", "def late():\n    from gradcore.tensor import Tensor"),
        ("paramscope.code.parse", "if TYPE_CHECKING:\n    import paramscope.engine.session"),
        ("paramscope.census", "from paramscope import rules"),
        ("paramscope.rules.one", "importlib.import_module('paramscope.engine')"),
        ("paramscope.document", "__import__('PySide6')"),
        ("paramscope.engine", "from pyqtgraph.Qt import QtCore"),
        ("paramscope.lessons.one", "import paramscope_gui.app"),
        ("paramscope_gui.canvas.scene", "from paramscope_gui.panels import tree"),
        ("paramscope_gui.bridge.live", "from paramscope_gui.canvas.scene import Scene"),
        ("paramscope_gui.window", "import torch"),
        ("paramscope.data.digits", "from . import spirals"),
        ("paramscope.rooms", "import numpy"),
        ("paramscope.rooms.one", ""),
        ("gradcore.engine2", ""),
        ("paramscope_gui.helpers", ""),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str) -> None:
    assert len(violations(module, source, {*source_files(), module})) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("paramscope.cli", "def main():\n    import paramscope_gui.app"),
        ("paramscope.engine.adapters.torch", "import torch"),
        ("paramscope.rules.one", "from paramscope.census import rows\nimport gradcore"),
        ("paramscope_gui.canvas.scene", "from paramscope_gui.canvas import view\nimport numpy"),
    ],
)
def test_an_import_that_points_down_is_allowed(module: str, source: str) -> None:
    assert violations(module, source, set(source_files())) == []


WITHOUT_QT = """
import importlib, sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"PySide6", "shiboken6", "pyqtgraph", "torch"}:
            raise ImportError(f"{name} cannot be loaded here")

sys.meta_path.insert(0, NoQt())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_everything_below_the_window_loads_without_qt_and_torch() -> None:
    modules = sorted(
        name
        for name in source_files()
        if not name.startswith("paramscope_gui") and not name.endswith("__main__")
    )
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT_QT, *modules],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "core",
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
