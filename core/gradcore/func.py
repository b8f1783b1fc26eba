"""Functions of functions: `torch.func` (grad, vmap, Jacobians, calls without state).

`vmap` runs the function once for each entry of the batch and stacks what it returns: the same
values as in PyTorch, without its speed.
"""

from collections.abc import Callable, Sequence
from typing import Any

from gradcore import differentiate
from gradcore.autograd import functional
from gradcore.creation import zeros_like
from gradcore.modes import enable_grad
from gradcore.nn.module import Module
from gradcore.nn.utils.stateless import functional_call
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor

__all__ = [
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "vjp",
    "vmap",
]


# --- trees of tensors


def _leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in _leaves(tree[key])]
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in _leaves(part)]
    return [tree]


def _mapped(function: Callable[..., Any], *trees: Any) -> Any:
    """Return a tree of what ``function`` makes of the leaves of trees of one form."""
    first = trees[0]
    if isinstance(first, dict):
        made = {key: _mapped(function, *(tree[key] for tree in trees)) for key in first}
        return type(first)(made)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(_mapped(function, *parts) for parts in zip(*trees, strict=True)))
    if isinstance(first, (tuple, list)):
        return type(first)(_mapped(function, *parts) for parts in zip(*trees, strict=True))
    return function(*trees)


# --- gradients


def _fresh(tree: Any) -> Any:
    """Return the tree with its float tensors as new places to take a gradient at."""

    def make(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or leaf._a.dtype.kind not in "fc":
            return leaf
        # A view keeps the history that an outer derivative needs.
        return leaf.view_as(leaf) if leaf.requires_grad else leaf.detach().requires_grad_()

    return _mapped(make, tree)


def _numbers(argnums: Any, count: int) -> tuple[int, ...]:
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for number in numbers:
        if not -count <= number < count:
            raise RuntimeError(f"Got argnum={number}, but only {count} positional inputs")
    return tuple(number % count for number in numbers)


def _gradients(output: Tensor, tree: Any, outer: bool) -> Any:
    wanted = [leaf for leaf in _leaves(tree) if isinstance(leaf, Tensor) and leaf.requires_grad]
    if not output.requires_grad:
        found: Any = [zeros_like(leaf) for leaf in wanted]
    else:
        found = differentiate.grad(
            output, wanted, create_graph=True, allow_unused=True, materialize_grads=True
        )
    by_leaf = {
        id(leaf): (g if outer else g.detach()) for leaf, g in zip(wanted, found, strict=True)
    }
    return _mapped(lambda leaf: by_leaf.get(id(leaf)), tree)


def grad_and_value(
    func: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns the gradient of ``func`` and its value."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with enable_grad():
            numbers = _numbers(argnums, len(args))
            outer = any(
                isinstance(leaf, Tensor) and leaf.requires_grad for leaf in _leaves(list(args))
            )
            places = {number: _fresh(args[number]) for number in numbers}
            given = [places.get(i, arg) for i, arg in enumerate(args)]
            result = func(*given, **kwargs)
            value, aux = result if has_aux else (result, None)
            if not isinstance(value, Tensor):
                raise RuntimeError(
                    f"Expected f(*args) to return only tensors, got unsupported type {type(value)}"
                )
            if value.dim() != 0:
                raise RuntimeError(
                    "Expected the function given to grad to return a scalar tensor, got tensor "
                    f"with {value.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs "
                    "instead?"
                )
            trees = tuple(places[number] for number in numbers)
            found = _gradients(value, trees, outer)
        gradient = found[0] if isinstance(argnums, int) else found
        shown = value if outer else value.detach()
        return (gradient, (shown, aux)) if has_aux else (gradient, shown)

    return call


def grad(
    func: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns the gradient of ``func``, which returns one value."""
    both = grad_and_value(func, argnums, has_aux)

    def call(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return call


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return the value of ``func`` and a function from its gradient to that of the inputs."""
    with enable_grad():
        places = tuple(_fresh(primal) for primal in primals)
        result = func(*places)
        output, aux = result if has_aux else (result, None)
    roots = _leaves(output)
    wanted = [leaf for leaf in _leaves(places) if isinstance(leaf, Tensor)]

    def back(*cotangents: Any) -> Any:
        given = cotangents[0] if isinstance(output, Tensor) else cotangents
        found = differentiate.grad(
            roots,
            wanted,
            _leaves(given),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        by_leaf = {id(leaf): g for leaf, g in zip(wanted, found, strict=True)}
        made = tuple(_mapped(lambda leaf: by_leaf[id(leaf)], place) for place in places)
        return made

    shown = _mapped(lambda leaf: leaf.detach(), output)
    return (shown, back, aux) if has_aux else (shown, back)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, **_: Any) -> tuple[Any, Any]:
    """Return the value of ``func`` and how it moves where its inputs move along ``tangents``."""
    value, moved = functional.jvp(func, tuple(primals), tuple(tangents))
    return value, moved


def _jacobian(func: Callable[..., Any], argnums: Any, has_aux: bool) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        numbers = _numbers(argnums, len(args))

        def of_places(*places: Any) -> Any:
            given = list(args)
            for number, place in zip(numbers, places, strict=True):
                given[number] = place
            result = func(*given)
            return result[0] if has_aux else result

        places = tuple(args[number] for number in numbers)
        outer = any(isinstance(item, Tensor) and item.requires_grad for item in places)
        found = functional.jacobian(of_places, places, create_graph=outer)
        several = isinstance(found[0], tuple)
        if isinstance(argnums, int):
            found = tuple(row[0] for row in found) if several else found[0]
        return (found, func(*args)[1]) if has_aux else found

    return call


def jacrev(
    func: Callable[..., Any], argnums: int | Sequence[int] = 0, *, has_aux: bool = False, **_: Any
) -> Callable[..., Any]:
    """Return a function that returns the Jacobian of ``func``."""
    return _jacobian(func, argnums, has_aux)


def jacfwd(
    func: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """Return a function that returns the Jacobian of ``func``."""
    return _jacobian(func, argnums, has_aux)


def hessian(func: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that returns the second derivatives of ``func``."""
    return _jacobian(_jacobian(func, argnums, False), argnums, False)


# --- batches


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that maps ``func`` over a dimension of its inputs."""

    def call(*args: Any, **kwargs: Any) -> Any:
        dims = _spread(in_dims, list(args))
        sizes = {
            leaf.shape[dim]
            for leaf, dim in zip(_leaves(list(args)), dims, strict=True)
            if dim is not None
        }
        if not sizes:
            raise ValueError(
                "vmap: at least one of the inputs must have a dimension to map over: in_dims is "
                f"{in_dims}"
            )
        if len(sizes) > 1:
            raise ValueError(
                "vmap: Expected all tensors to have the same size in the mapped dimension, got "
                f"sizes {sorted(sizes)} for the mapped dimension"
            )
        results = []
        for i in range(sizes.pop()):
            left = iter(dims)

            def pick(leaf: Any, i: int = i, left: Any = left) -> Any:
                dim = next(left)
                return leaf if dim is None else FUNCTIONS["select"](leaf, dim, i)

            results.append(func(*_mapped(pick, list(args)), **kwargs))
        outs = iter(_spread(out_dims, results[0]))
        return _mapped(lambda *parts: _stacked(parts, next(outs)), *results)

    return call


def _stacked(parts: tuple[Any, ...], dim: int | None) -> Any:
    if dim is None:
        return parts[0]
    if not isinstance(parts[0], Tensor):
        raise ValueError(
            f"vmap: the mapped function must only return Tensors, got type {type(parts[0])}"
        )
    return FUNCTIONS["stack"](list(parts), dim)


def _spread(dims: Any, tree: Any) -> list[Any]:
    """Return one dimension for each leaf of a tree, from what may be given for whole branches."""
    if dims is None or isinstance(dims, int):
        return [
            dims if isinstance(leaf, Tensor) or dims is None else None for leaf in _leaves(tree)
        ]
    if isinstance(tree, dict):
        return [dim for key in tree for dim in _spread(dims[key], tree[key])]
    if not isinstance(tree, (list, tuple)) or len(dims) != len(tree):
        raise ValueError(
            f"vmap: in_dims or out_dims {dims} is not compatible with the structure of the inputs "
            "or outputs"
        )
    pairs = zip(dims, tree, strict=True)
    return [dim for branch, part in pairs for dim in _spread(branch, part)]


# --- models


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the Parameters and the buffers of several models of one form, stacked."""
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({type(model) for model in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(tables: list[dict[str, Any]], leaf: bool) -> dict[str, Any]:
        made = {}
        for name in tables[0]:
            members = [table[name] for table in tables]
            values = FUNCTIONS["stack"](members).detach()
            made[name] = values.requires_grad_(leaf and members[0].requires_grad)
        return made

    parameters = stacked([dict(model.named_parameters()) for model in models], True)
    return parameters, stacked([dict(model.named_buffers()) for model in models], False)


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """Return the function as it is: gradcore needs no rewriting."""
    return func
