"""New members and new calls: where their lines go and what they are called."""

import ast
import keyword
import re

from paramscope.code.commands.imports import dotted_name, expression_tree, localized
from paramscope.code.commands.statements import first_line, inserted_after
from paramscope.code.commands.values import fresh_name
from paramscope.code.commands.workspace import Workspace, refuse
from paramscope.code.members import ClassInfo, self_attributes, self_name
from paramscope.code.names import is_module_base, statements_of
from paramscope.code.operations import OPERATIONS, OPERATORS, Operation
from paramscope.code.syntax import walk
from paramscope.code.text_edit import Edit

# Attribute names that people give to layers of these classes.
_USUAL_NAMES = {
    "Linear": "fc",
    "Bilinear": "bilinear",
    "Embedding": "embed",
    "Sequential": "layers",
    "ModuleList": "layers",
    "ModuleDict": "layers",
    "MultiheadAttention": "attention",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "PReLU": "prelu",
}
_NAME_PARTS = (
    ("Conv", "conv"),
    ("Norm", "norm"),
    ("Pool", "pool"),
    ("Dropout", "dropout"),
    ("Loss", "criterion"),
)
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z][a-z]+\d*|[a-z]+\d*")
# Attributes of every Module; a member of this name would break it.
MODULE_NAMES = frozenset(
    {
        "add_module",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "compile",
        "cpu",
        "cuda",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "half",
        "ipu",
        "load_state_dict",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_module",
        "register_parameter",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
        "T_destination",
    }
)
# Values for arguments that an operation must be given, so that it runs once it is wired.
_FIRST_VALUES = {
    "dim": "-1",
    "dim0": "-2",
    "dim1": "-1",
    "dims": "(1, 0)",
    "shape": "(-1,)",
    "chunks": "2",
    "split_size_or_sections": "1",
    "kernel_size": "2",
    "exponent": "2",
}


def owner_of(space: Workspace, graph: str) -> ClassInfo:
    """The class whose canvas a graph is; refuses the program's canvas."""
    owner = space.drawing(graph).owner
    if owner is None:
        refuse("Layers and tensors belong to a class; enter the model first (double-click it).")
    return owner


def module_of(space: Workspace, expression: str) -> str | None:
    """The full class name if the expression makes a Module, else None."""
    tree = expression_tree(expression)
    if isinstance(tree, ast.Call):
        dotted = dotted_name(space, tree.func)
        if dotted is None:
            return None
        if dotted in space.analysis.context.classes or is_module_base(dotted):
            return dotted
    return None


def check_name(space: Workspace, owner: ClassInfo, name: str) -> None:
    """Refuse what cannot be the name of a member."""
    if not name.isidentifier():
        refuse(f"`{name}` is not a Python name: letters, digits and _ only, no digit first.")
    if keyword.iskeyword(name):
        refuse(f"`{name}` is a word of Python's own; choose another name.")
    if name in MODULE_NAMES:
        refuse(f"`{name}` is something that every Module has; choose another name.")
    if name in taken_names(space, owner):
        refuse(f"`{owner.name}` has a `{name}` already; choose another name.")


def taken_names(space: Workspace, owner: ClassInfo) -> set[str]:
    """Attributes that a class has, of its own or from its bases here."""
    names = {*owner.members, *owner.methods}
    for method in owner.methods.values():
        written = (a for a in self_attributes(method) if isinstance(a.ctx, ast.Store))
        names |= {attribute.attr for attribute in written}
    return names


def usual_name(class_name: str) -> str:
    """What people call a layer of a class."""
    if class_name in _USUAL_NAMES:
        return _USUAL_NAMES[class_name]
    for part, name in _NAME_PARTS:
        if part in class_name:
            return name
    return "_".join(_WORD.findall(class_name)).lower() or "layer"


def new_member(space: Workspace, graph: str, expression: str, name: str | None) -> str:
    """Write ``self.name = expression`` into ``__init__`` and return the name."""
    owner = owner_of(space, graph)
    dotted = module_of(space, expression) or expression
    if name is None:
        usual = usual_name(dotted.rpartition(".")[2])
        name = fresh_name(usual, taken_names(space, owner) | MODULE_NAMES)
    else:
        check_name(space, owner, name)
    if dotted == owner.name:
        refuse(f"`{dotted}` cannot contain itself.")
    written = localized(space, expression)
    define(space, graph, f"self.{name} = {written}")
    return name


def define(space: Workspace, graph: str, line: str) -> None:
    """Add a statement to ``__init__``, behind the members that it makes so far."""
    owner = owner_of(space, graph)
    init = owner.own_methods.get("__init__")
    if init is None:
        _add_init(space, owner, line)
        return
    me = self_name(init) or "self"
    line = line.replace("self.", f"{me}.", 1) if line.startswith("self.") else line
    place = init.body[-1]
    made = {id(member.statement) for member in owner.own_members.values()}
    makers = [item for item in init.body if _makes_member(item, made) or _is_super(item)]
    place = makers[-1] if makers else place
    if isinstance(place, ast.Pass):
        space.edit([Edit(*space.text.node_range(place), line)])
    else:
        space.edit([inserted_after(space.text, place, [line])])


def operation_text(space: Workspace, expression: str) -> str:
    """A call with ``...`` at its inputs: of ``torch.relu``, ``+``, or ``torch.sum(..., dim=1)``."""
    text = expression.strip()
    symbols = {symbol.replace("×", "*") for symbol, _ in OPERATORS.values()}
    if text in symbols - {"not", "and", "or", "is", "in", "−"}:
        return f"... {text} ..."
    tree = expression_tree(text)
    if not isinstance(tree, ast.Name | ast.Attribute):
        nodes = ast.walk(tree)
        if not any(isinstance(node, ast.Constant) and node.value is ... for node in nodes):
            refuse(f"`{text}` has no place for a wire; write `...` where the value goes.")
        return localized(space, text)
    operation = operation_named(dotted_name(space, tree) or text)
    if operation is None:
        return localized(space, f"{text}(...)")
    return localized(space, template_of(operation))


def operation_named(name: str) -> Operation | None:
    """An operation by its full or last name; ``torch`` comes before ``torch.nn.functional``."""
    for dotted in (name, f"torch.{name}", f"torch.nn.functional.{name}"):
        if dotted in OPERATIONS:
            return OPERATIONS[dotted]
    return None


def template_of(operation: Operation) -> str:
    """The call of an operation with holes for its inputs."""
    inputs = ", ".join("..." for _ in operation.inputs)
    if operation.variadic:
        inputs = "[..., ...]"
    given = [
        f"{name}={_FIRST_VALUES[name]}"
        for name, default in operation.arguments
        if default is None and name in _FIRST_VALUES
    ]
    written = operation.dotted.replace("torch.nn.functional.", "F.")
    return f"{written}({', '.join([inputs, *given])})"


def _makes_member(statement: ast.stmt, made: set[int]) -> bool:
    return any(id(item) in made for item in statements_of(statement))


def _is_super(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == "__init__" for node in walk(statement)
    )


def _add_init(space: Workspace, owner: ClassInfo, line: str) -> None:
    text = space.text
    inherited = owner.methods.get("__init__")
    passes = inherited is not None and len(inherited.args.args) > 1
    arguments = ", *args, **kwargs" if passes else ""
    given = "*args, **kwargs" if passes else ""
    methods = [
        item for item in owner.node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    first = methods[0] if methods else owner.node.body[-1]
    if first.lineno == owner.node.lineno:
        refuse(f"`class {owner.name}` stands on one line; give its body lines of its own first.")
    indentation = text.indentation(first_line(first))
    step = _indentation_step(space, indentation)
    newline = text.newline(first.lineno)
    body = (
        f"{indentation}def __init__(self{arguments}):{newline}"
        f"{indentation}{step}super().__init__({given}){newline}"
        f"{indentation}{step}{line}"
    )
    if isinstance(first, ast.Pass) and not methods:
        start = text.line_start(first.lineno)
        space.edit([Edit(start, text.line_end(first.lineno), body)])
    elif methods:
        place = text.line_start(first_line(first))
        space.edit([Edit(place, place, f"{body}{newline}{newline}")])
    else:
        place = text.line_end(first.end_lineno or first.lineno)
        space.edit([Edit(place, place, f"{newline}{newline}{body}")])


def _indentation_step(space: Workspace, outer: str) -> str:
    """One level of indentation as the file has it."""
    if "\t" in outer:
        return "\t"
    return outer if outer else "    "
