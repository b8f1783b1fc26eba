"""The functions that a file with a bare class lacks: its model, a sample batch, a loss.

`target` writes calls of these behind the source, so they run in the process that runs the
file, where ``torch`` means the engine that was asked for.
"""

import builtins
import difflib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

LEARNING_RATE = 1e-4  # small: the steps are there to be watched, not to train


def building(names: dict[str, Any], expression: str) -> Callable[[], Any]:
    """Return ``build`` for an expression: a class, a call, a function or a model of the file.

    ``names`` are the file's globals.
    """

    def build() -> Any:
        torch = sys.modules["torch"]
        try:
            made = eval(expression, names)
        except NameError as error:
            if error.name != expression.partition("(")[0].partition(".")[0]:
                raise
            raise NameError(_no_such_name(error.name, names, torch)) from None
        if isinstance(made, torch.nn.Module):
            return made
        if callable(made):
            needed = _needed_by(made)
            if needed:
                raise TypeError(
                    f"`{expression}` needs arguments: {', '.join(needed)}.\n"
                    "  It was asked for without any.\n"
                    "  Write them behind its name: "
                    f"FILE.py:'{expression}({', '.join(f'{name}=...' for name in needed)})'."
                )
            made = made()
        return made

    return build


def giving(names: Mapping[str, Any], sample: str) -> Callable[[], tuple[Any, None]]:
    """Return ``batch`` for a sample input such as ``randn(4, 8)``; there is no target.

    Functions of the library need no ``torch.`` before them; each batch is drawn anew.
    """

    def batch() -> tuple[Any, None]:
        torch = sys.modules["torch"]
        known = {name: value for name, value in vars(torch).items() if not hasattr(builtins, name)}
        known |= {**names, "torch": torch, "nn": torch.nn, "_given": lambda *given: given}
        return eval(f"_given({sample})", known), None

    return batch


def made_up_loss(model: Any, x: tuple[Any, ...], _: None) -> Any:
    """Return a loss in which every value that the model returns takes part.

    So a Parameter that gets no gradient from it is cut off within the model. It tells tensors by
    what they can do: looking for ``torch`` in ``sys`` would keep the step from being recorded.
    """
    pending: list[Any] = [model(*x)]
    total: Any = 0.0
    count = 0
    while pending and count < 1000:
        value = pending.pop()
        if _is_tensor(value):
            if value.is_floating_point() and value.numel():
                # Off zero, so that symmetric outputs have a gradient as well.
                total, count = total + ((value - 0.5) ** 2).mean(), count + 1
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list | tuple):
            pending.extend(value)
        elif hasattr(value, "__dict__") and not hasattr(value, "named_parameters"):
            pending.extend(value.__dict__.values())
    if not count:
        raise TypeError(
            "The model returns no tensor of floating-point numbers, so there is no loss.\n"
            "  It was called with the sample input.\n"
            "  Give the file a function loss(model, x, y)."
        )
    return total if total.requires_grad else _with_gradient(total, x)


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "is_floating_point") and hasattr(value, "numel")


def _with_gradient(total: Any, x: tuple[Any, ...]) -> Any:
    """Let ``backward`` run although nothing of the model is in the loss: that is for rules to say.

    The input takes part with nothing: a batch is allowed to ask for its gradient.
    """
    inputs = [v for v in x if _is_tensor(v) and v.is_floating_point() and v.is_leaf]
    leaf = inputs[0] if inputs else total.new_zeros(1)
    return total + 0.0 * leaf.requires_grad_().sum()


def made_up_optimizer(model: Any) -> Any:
    """Return an optimizer of everything that is to be trained, None if nothing is."""
    torch = sys.modules["torch"]
    trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
    return torch.optim.SGD(trained, lr=LEARNING_RATE) if trained else None


def _needed_by(made: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments without which ``made`` cannot be called."""
    try:
        parameters = inspect.signature(made).parameters.values()
    except (TypeError, ValueError):
        return []  # calling it says what it needs
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    return [p.name for p in parameters if p.default is p.empty and p.kind in kinds]


def _no_such_name(name: str, names: Mapping[str, Any], torch: Any) -> str:
    classes = [
        key
        for key, value in names.items()
        if isinstance(value, type) and issubclass(value, torch.nn.Module)
    ]
    near = difflib.get_close_matches(name, classes, 1)
    if near:
        has = f"Did you mean {near[0]}?"
        return f"There is no `{name}` in this file.\n  It was asked for behind the colon.\n  {has}"
    has = f"It has {', '.join(classes)}." if classes else "It has no class of a Module."
    return f"There is no `{name}` in this file.\n  It was asked for behind the colon.\n  {has}"
