"""How the code reads: the rules of CONTRIBUTING.md that a program can check.

Each check takes one file's text and yields (line, what is wrong); the tests run it over the
whole project, and on a planted violation, so that none passes by seeing nothing.
"""

import ast
import doctest
import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_FILE = 500
LONGEST_FUNCTION = 40
# File -> why it is better longer than `LONGEST_FILE`.
LONG_FILES: dict[str, str] = {}
# file:function -> why it is better longer than `LONGEST_FUNCTION`.
LONG_FUNCTIONS: dict[str, str] = {
    "core/gradcore/engine.py:run": "the loop of backward; a call for each part would double it",
    "core/gradcore/ops/calls.py:make_binary": "holds `call`",
    "core/gradcore/ops/calls.py:make_unary": "holds `call`",
    "core/gradcore/ops/calls.py:call": "every operation on small tensors spends its time here",
}
# Methods whose contract is told once, by the class they override.
TOLD_BY_THE_BASE = {"forward", "extra_repr", "step", "get_lr", "apply", "label", "check"}
# ... by Distribution, Transform, Pickler and Unpickler, lazy Modules and pruning methods.
TOLD_BY_THE_BASE |= {"mean", "mode", "variance", "stddev", "sample", "rsample", "log_prob", "cdf"}
TOLD_BY_THE_BASE |= {"icdf", "entropy", "expand", "enumerate_support", "log_abs_det_jacobian"}
TOLD_BY_THE_BASE |= {"inv", "persistent_id", "persistent_load", "reducer_override", "find_class"}
TOLD_BY_THE_BASE |= {"save_global", "reset_parameters", "initialize_parameters", "compute_mask"}
TOLD_BY_THE_BASE |= {"create_module", "exec_module"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Finding = tuple[int, str]
Check = Callable[[str, str], Iterable[Finding]]


def python_files(*folders: str) -> Iterator[tuple[str, str]]:
    """Yield (path from the root, text) of every Python file of ours in ``folders``."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if "/examples/" not in name:  # documents in the user's hand, not code of ours
                yield name, path.read_text(encoding="utf-8")


def run_check(check: Check, *folders: str) -> None:
    """Fail with file:line and the rule for everything that ``check`` finds in ``folders``."""
    found = [
        f"{name}:{line}: {what}"
        for name, text in python_files(*folders)
        for line, what in check(name, text)
    ]
    assert not found, f"{len(found)} places\n" + "\n".join(found)


def too_long_files(name: str, text: str) -> Iterator[Finding]:
    """Find a file that outgrew one subject."""
    count = text.count("\n")
    if count > LONGEST_FILE and name not in LONG_FILES:
        yield count, f"{count} lines; split it by subject, at {LONGEST_FILE} at most"


def too_long_functions(name: str, text: str) -> Iterator[Finding]:
    """Find functions that do more than one thing; the docstring does not count."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, FUNCTIONS) and node.end_lineno is not None:
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            count = node.end_lineno - body[0].lineno + 1
            if count > LONGEST_FUNCTION and f"{name}:{node.name}" not in LONG_FUNCTIONS:
                yield node.lineno, f"{node.name} has {count} lines; {LONGEST_FUNCTION} at most"


def hidden_imports(name: str, text: str) -> Iterator[Finding]:
    """Find imports in functions without a comment, on the line or above it, that says why."""
    lines = text.splitlines()
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, FUNCTIONS):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                beside, above = lines[node.lineno - 1], lines[node.lineno - 2].strip()
                if "#" not in beside and not above.startswith("#"):
                    yield node.lineno, f"import inside {function.name} without a reason beside it"


def missing_docstrings(name: str, text: str) -> Iterator[Finding]:
    """Find modules, and public classes, functions and methods, that say nothing of themselves."""
    module = ast.parse(text)
    if not ast.get_docstring(module) and module.body:
        yield 1, "the module has no docstring"
    in_gui = name.startswith("gui/")
    scopes: list[ast.Module | ast.ClassDef] = [module]
    while scopes:
        for node in scopes.pop().body:
            if not isinstance(node, (*FUNCTIONS, ast.ClassDef)) or node.name.startswith("_"):
                continue
            if isinstance(node, ast.ClassDef):
                scopes.append(node)
            elif speaks_for_itself(node, in_gui and node not in module.body):
                continue
            if not ast.get_docstring(node):
                yield node.lineno, f"{node.name} has no docstring"


def speaks_for_itself(node: ast.FunctionDef | ast.AsyncFunctionDef, may_be_of_qt: bool) -> bool:
    """Tell whether a function needs no docstring: an override, a setter, a signature only."""
    is_override = node.name in TOLD_BY_THE_BASE or (may_be_of_qt and node.name in qt_names())
    is_signature = ast.unparse(node.body[-1]) == "..."
    words = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return is_override or is_signature or bool(words & {"setter", "overload", "override"})


def sleeps(name: str, text: str) -> Iterator[Finding]:
    """Find fixed waits: a test waits for what it wants, not for a while."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            last = called.rpartition(".")[2]
            if last in ("sleep", "qWait", "qSleep", "msleep") or called == "qtbot.wait":
                yield node.lineno, f"{called}: wait for the event, with waitUntil or waitSignal"


@cache
def qt_names() -> frozenset[str]:
    """Return the name of every method of Qt's and pyqtgraph's classes."""
    modules = [f"PySide6.{part}" for part in ("QtCore", "QtGui", "QtWidgets", "QtSvg")]
    names: set[str] = set()
    for module in [*modules, "pyqtgraph"]:
        library = importlib.import_module(module)
        for name in dir(library):  # Qt's classes are made when they are first asked for
            value = getattr(library, name)
            names.update(dir(value) if isinstance(value, type) else ())
    return frozenset(names)


def foreign_camel_case(name: str, text: str) -> Iterator[Finding]:
    """Find camelCase methods that override nothing of Qt's."""
    for node in ast.walk(ast.parse(text)):
        is_camel = isinstance(node, FUNCTIONS) and re.fullmatch(r"[a-z]+[A-Z]\w*", node.name)
        if is_camel and node.name not in qt_names():
            yield node.lineno, f"{node.name} is camelCase and overrides no Qt method"


def forbidden_words(name: str, text: str) -> Iterator[Finding]:
    """Find places of one machine, notes to oneself, and silenced checks that give no reason."""
    patterns = {
        r"/(work|root|home)/\w+": "a path of one machine",
        r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b": "a note to oneself; do it or file it",
        r"# type: ignore(?!\[[\w, -]+\]\s+(#|-) ?\w)": "type: ignore without code and reason",
        r"# noqa(?!: \w+(, \w+)*\s+(#|-|\() ?\w)": "noqa without code and reason",
        r"^(<{7}|>{7}) ": "a mark of a merge",
    }
    if name != "tests/test_style.py":
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, what in patterns.items():
                if re.search(pattern, line):
                    yield number, what


def test_files_are_of_readable_length() -> None:
    run_check(too_long_files, "core", "gui", "tests", "assets")


def test_functions_are_of_readable_length() -> None:
    run_check(too_long_functions, "core", "gui", "tests", "assets")


def test_imports_in_functions_say_why() -> None:
    run_check(hidden_imports, "core", "gui")


def test_public_things_have_docstrings() -> None:
    run_check(missing_docstrings, "core", "gui", "assets")


def test_tests_do_not_sleep() -> None:
    run_check(sleeps, "tests")


def test_camel_case_is_for_overrides_of_qt_methods() -> None:
    run_check(foreign_camel_case, "gui")


def test_files_hold_no_forbidden_words() -> None:
    run_check(forbidden_words, "core", "gui", "tests", "assets")


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
)
def test_documents_hold_no_forbidden_words(name: str) -> None:
    assert list(forbidden_words(name, (ROOT / name).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("check", "planted"),
    [
        (too_long_files, "x = 1\n" * 501),
        (too_long_functions, "def f():\n" + "    x = 1\n" * 41),
        (hidden_imports, "def f():\n    import torch\n"),
        (missing_docstrings, '"""Module."""\ndef f(x):\n    return x\n'),
        (
            missing_docstrings,
            '"""Module."""\nclass A:\n    """A."""\n    def f(self):\n        pass\n',
        ),
        (missing_docstrings, "x = 1\n"),
        (sleeps, "import time\ntime.sleep(1)\n"),
        (sleeps, "def test(qtbot):\n    qtbot.wait(100)\n"),
        (foreign_camel_case, "class A:\n    def computeThings(self): ...\n"),
        (forbidden_words, "x = 1  # type: ignore\n"),
        (forbidden_words, "open('/home/me/x')\n"),
    ],
)
def test_a_planted_violation_is_found(check: Check, planted: str) -> None:
    assert len(list(check("planted.py", planted))) == 1


@pytest.mark.parametrize(
    ("check", "planted"),
    [
        (too_long_functions, 'def f():\n    """Do.\n' + "    word\n" * 50 + '    """\n    x = 1\n'),
        (
            hidden_imports,
            "def f():\n    import torch  # a second of loading, only on this engine\n",
        ),
        (foreign_camel_case, "class A:\n    def paintEvent(self, event): ...\n"),
        (forbidden_words, "x = f()  # type: ignore[no-any-return]  # untyped library\n"),
    ],
)
def test_what_the_rules_allow_passes(check: Check, planted: str) -> None:
    assert list(check("planted.py", planted)) == []


def modules_with_examples() -> Iterator[str]:
    """Yield the names of the core's modules that show an example with its result."""
    for name, text in python_files("core"):
        if ">>> " in text:
            module = name.removeprefix("core/").removesuffix(".py").replace("/", ".")
            yield module.removesuffix(".__init__")


@pytest.mark.parametrize("module", list(modules_with_examples()))
def test_examples_in_docstrings_print_what_they_say(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize(
    "command",
    [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)],
    ids=["ruff check", "ruff format", "mypy"],
)
def test_the_tools_find_nothing(command: tuple[str, ...]) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
