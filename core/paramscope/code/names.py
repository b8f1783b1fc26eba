"""What the names of a file mean: imports, aliases, and how the file spells PyTorch.

`Imports.resolve` turns `nn.Linear` into ``torch.nn.Linear`` whatever the file calls it;
gradcore counts as torch, since a document may name either.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

# Where statements have statements inside, in source order.
BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
_STAR_PACKAGES = frozenset({"torch", "torch.nn", "torch.nn.functional", "torch.optim"})


@dataclass(slots=True)
class Imports:
    """The names that a file imports, each with the dotted thing it stands for."""

    names: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)

    def resolve(self, expression: ast.AST) -> str | None:
        """The full dotted name that an expression like ``nn.Linear`` means, or None."""
        parts: list[str] = []
        while isinstance(expression, ast.Attribute):
            parts.append(expression.attr)
            expression = expression.value
        if not isinstance(expression, ast.Name):
            return None
        head = self.names.get(expression.id, expression.id)
        return ".".join([head, *reversed(parts)])

    def spelling(self, dotted: str) -> str | None:
        """How this file can write ``dotted`` with what it imports; None if it cannot."""
        best: str | None = None
        for name, target in self.names.items():
            if target == dotted:
                written = name
            elif dotted.startswith(target + "."):
                written = name + dotted[len(target) :]
            else:
                continue
            if best is None or (written.count("."), len(written)) < (best.count("."), len(best)):
                best = written
        if best is None and dotted.rpartition(".")[0] in self.stars:
            best = dotted.rpartition(".")[2]
        return best


def imports_of(tree: ast.Module) -> Imports:
    """Collect the imports of a whole file, those inside of `try` and functions included."""
    imports = Imports()
    for statement in statements_of(tree):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.asname:
                    imports.names[alias.asname] = _canonical(alias.name)
                else:
                    head = alias.name.split(".")[0]
                    imports.names[head] = _canonical(head)
        elif isinstance(statement, ast.ImportFrom):
            _import_from(statement, imports)
    return imports


def statements_of(tree: ast.AST) -> Iterator[ast.stmt]:
    """All statements below ``tree`` in source order, however deep, without recursion."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.stmt):
            yield node
        blocks: list[ast.AST] = []
        for name in BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                blocks.extend(block)
        stack.extend(reversed(blocks))


def is_defined_by(statement: ast.stmt, name: str) -> bool:
    """Whether a statement makes, assigns or imports something of this name."""
    if isinstance(statement, ast.FunctionDef):
        return statement.name == name
    if isinstance(statement, ast.Assign):
        return any(isinstance(t, ast.Name) and t.id == name for t in statement.targets)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return any((alias.asname or alias.name) == name for alias in statement.names)
    return False


def is_module_base(dotted: str) -> bool:
    """Whether a base class of this full name is a Module of PyTorch's."""
    head, _, last = dotted.rpartition(".")
    if last == "Module":
        return True
    return (head == "torch.nn" or head.startswith("torch.nn.modules")) and last[:1].isupper()


def _import_from(statement: ast.ImportFrom, imports: Imports) -> None:
    package = "." * statement.level + (statement.module or "")
    package = _canonical(package)
    for alias in statement.names:
        if alias.name == "*":
            if package in _STAR_PACKAGES:
                imports.stars.append(package)
        else:
            name = f"{package}.{alias.name}" if not package.endswith(".") else package + alias.name
            imports.names[alias.asname or alias.name] = name


def _canonical(dotted: str) -> str:
    head, dot, rest = dotted.partition(".")
    return "torch" + dot + rest if head == "gradcore" else dotted
