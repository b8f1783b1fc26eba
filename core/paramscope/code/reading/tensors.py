"""Tensors carried by their shapes through layers, functions and methods while a source is read.

What a layer wants of an argument of ``forward`` that still is as it was given is noted as a
`Wish`; where shapes are known, they are computed by the contracts that the canvas uses too.
"""

import ast
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from paramscope.code.catalog import modules
from paramscope.code.operations import OPERATIONS, method_parameters
from paramscope.code.reading.values import UNKNOWN, Layer, Tensor, Wish
from paramscope.code.shape_rules import Misfit, Shape, broadcast, operation_shape

_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "ParameterList"})
_FACTORIES = frozenset({"randn", "rand", "zeros", "ones", "empty", "full"})
_RESHAPES = frozenset({"view", "reshape", "flatten", "unflatten"})
_MOVES = frozenset({"transpose", "permute", "unsqueeze", "squeeze", "t", "swapaxes", "movedim"})
_POOLS = {
    f"{one}_pool{n}d": f"{name}Pool{n}d"
    for n in (1, 2, 3)
    for one, name in (("max", "Max"), ("avg", "Avg"), ("adaptive_avg", "AdaptiveAvg"))
}
# Called with weights that the class keeps itself: the axis of those that the input meets.
_WEIGHTED = {"linear": ("Linear", "in_features"), "embedding": ("Embedding", "num_embeddings")}
_WEIGHTED |= {f"conv{n}d": (f"Conv{n}d", "in_channels") for n in (1, 2, 3)}
# Their contracts take any shape; their arguments tell which they want nevertheless.
_TELLING = frozenset({"Embedding", "LayerNorm", "RMSNorm"})
_KEEPING = frozenset({"contiguous", "float", "double", "half", "to", "clone", "cuda", "long"})


class Calls:
    """What is done to tensors. ``wishes`` and ``ranks`` are of the arguments of ``forward``."""

    def __init__(self) -> None:
        self.wishes: dict[str, Wish] = {}
        self.ranks: dict[str, int] = {}
        self.misfit: Misfit | None = None

    def note_rank(self, tensor: Tensor, count: int) -> None:
        """Note that the file takes the shape of an argument apart into so many sizes."""
        if tensor.input and not tensor.is_flat and count > 1:
            self.ranks.setdefault(tensor.input, count)

    # Layers

    def make_layer(self, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """Return a layer of the library with its arguments by name."""
        if name in _CONTAINERS:
            return Layer(name, {}, _items_of(arguments, keywords))
        entry = modules().get(name)
        if entry is None:
            return Layer(name, dict(keywords))
        names = [argument.name for argument in entry.arguments]
        return Layer(name, {**dict(zip(names, arguments, strict=False)), **keywords})

    def layer(
        self,
        layer: Layer,
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        node: ast.expr | None,
    ) -> Any:
        """Return what a layer gives, noting what it wishes of what it takes."""
        given = [*arguments, *keywords.values()]
        for port, value in enumerate(given):
            if isinstance(value, Tensor):
                self._wish(value, layer, port, node)
        entry = modules().get(layer.name)
        if entry is not None and entry.family in ("activation", "dropout") and given:
            return given[0]  # the same axes
        shapes = []
        for value in given:
            if not isinstance(value, Tensor) or value.shape is None:
                break
            shapes.append(value.shape)
        found = self._inferred(layer, shapes) if shapes else None
        if entry is None or entry.shape is None:
            return UNKNOWN
        count = len(entry.shape.outputs)
        if count == 1:
            return Tensor(found)
        several = found if found is not None else (None,) * count
        results = tuple(Tensor(_plain(shape)) for shape in several)
        if layer.name == "LSTM" and len(results) == 3:
            return results[0], (results[1], results[2])
        return results

    def layer_attribute(self, layer: Layer, name: str) -> Any:
        """Return what a layer keeps under a name: an argument, or a weight of unknown shape."""
        if name == "weight" and layer.name == "Embedding":
            sizes = [layer.arguments.get(n) for n in ("num_embeddings", "embedding_dim")]
            return Tensor(_sizes(sizes))
        if name in ("weight", "bias"):
            return Tensor()
        return layer.arguments.get(name, UNKNOWN)

    def _wish(self, value: Tensor, layer: Layer, port: int, node: ast.expr | None) -> None:
        entry = modules().get(layer.name)
        if not value.input or value.input in self.wishes or entry is None:
            return
        if layer.name not in _TELLING:
            contract = entry.shape
            if contract is None or port >= len(contract.inputs):
                return
            if all(axis.text in ("*", "N") for axis in contract.inputs[port]):
                return  # it takes any shape, and so says nothing of it
        place = "" if node is None else _place(node)
        line = 0 if node is None else node.lineno
        known = dict(entry.completed(_known(layer.arguments)))
        self.wishes[value.input] = Wish(layer.name, place, line, port, known, value.is_flat)

    def _inferred(self, layer: Layer, shapes: Sequence[Shape]) -> Any:
        entry = modules().get(layer.name)
        if entry is None or entry.shape is None:
            return None
        if layer.name == "Flatten":
            start = layer.arguments.get("start_dim", 1)
            end = layer.arguments.get("end_dim", -1)
            return operation_shape("flatten", shapes, {"start_dim": start, "end_dim": end})
        try:
            return entry.infer(_named(layer.arguments), *shapes)
        except RuntimeError as error:
            fields = getattr(error, "fields", {})
            raise Misfit(fields.get("reason") or str(error).partition("\n")[0]) from None
        except (TypeError, ValueError, KeyError, ArithmeticError, IndexError, AttributeError):
            return None  # arithmetic on a size that is not known

    # Functions and methods

    def function(
        self,
        name: str,
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        node: ast.expr | None,
    ) -> Any:
        """Return what a function of the torch namespace gives."""
        if name in _FACTORIES:
            return Tensor(_sizes(_flat_sizes(arguments)))
        if name in ("arange", "linspace"):
            count = arguments[-1] if arguments else UNKNOWN
            if name == "arange" and len(arguments) == 2 and _are_sizes(arguments):
                count = arguments[1] - arguments[0]
            return Tensor(_sizes([count]))
        if name in ("randint", "tensor", "as_tensor", "from_numpy"):
            size = next((one for one in arguments if isinstance(one, tuple)), None)
            return Tensor(_sizes(size) if size is not None and name == "randint" else None)
        if name in ("cat", "concat", "concatenate", "stack") and arguments:
            parts = arguments[0] if isinstance(arguments[0], list | tuple) else []
            dim = keywords.get("dim", arguments[1] if len(arguments) > 1 else 0)
            joined = "stack" if name == "stack" else "cat"
            return self.operation(joined, parts, {"dim": dim}, node)
        if name in _WEIGHTED and len(arguments) > 1:
            return self._weighted(name, arguments, node)
        if arguments and isinstance(arguments[0], Tensor):
            return self.method(arguments[0], name, list(arguments[1:]), keywords, node)
        return UNKNOWN if not any(isinstance(one, Tensor) for one in arguments) else Tensor()

    def method(
        self,
        tensor: Tensor,
        name: str,
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        node: ast.expr | None,
    ) -> Any:
        """Return what a method of a tensor gives."""
        if name in ("size", "dim"):
            return self._size_of(tensor, name, arguments)
        if name in _KEEPING:
            return tensor
        if name in _POOLS:
            entry = modules().get(_POOLS[name])
            names = [argument.name for argument in entry.arguments] if entry is not None else []
            known = {**dict(zip(names, arguments, strict=False)), **keywords}
            return self.layer(Layer(_POOLS[name], known), [tensor], {}, node)
        if name in ("chunk", "split", "unbind"):
            return UNKNOWN if name != "chunk" else _chunks(tensor, arguments, keywords)
        if name in ("expand", "repeat", "expand_as"):
            return Tensor()
        if name in _RESHAPES:
            return self._reshaped(tensor, name, arguments, keywords)
        operation = OPERATIONS.get(f"torch.{name}") or OPERATIONS.get(f"torch.nn.functional.{name}")
        values: dict[str, Any] = dict(keywords)
        others: list[Any] = []
        if name == "permute" and arguments and not isinstance(arguments[0], tuple | list):
            values["dims"] = tuple(arguments)
        elif operation is not None:
            listed = method_parameters(name) or operation.parameters[1:]
            for one, value in zip(listed, arguments, strict=False):
                if one in operation.inputs:
                    others.append(value)
                else:
                    values[one] = tuple(value) if isinstance(value, list) else value
        elif name.endswith("_") and not arguments:
            return tensor
        made = self.operation(name, [tensor, *others], values, node)
        if name in _MOVES and isinstance(made, Tensor) and tensor.input:
            return Tensor(made.shape, tensor.input, is_flat=True)
        return made

    def operation(
        self, name: str, given: Sequence[Any], arguments: Mapping[str, Any], node: ast.AST | None
    ) -> Any:
        """Return what an operation gives. Raises: Misfit where the shapes don't fit."""
        tensors = [value for value in given if isinstance(value, Tensor)]
        if name == "matmul" and len(tensors) == 2:
            self._wish_of_matmul(tensors, node)
        first = tensors[0] if tensors else None
        if any(tensor.shape is None for tensor in tensors) or len(tensors) != len(given):
            keeps = operation_shape(name, [(2, 3)], {}) == (2, 3) and len(given) == 1
            return first if keeps and first is not None else Tensor()
        shapes = [tensor.shape for tensor in tensors if tensor.shape is not None]
        shape = operation_shape(name, shapes, arguments)
        return Tensor(shape)

    def combined(self, left: Any, right: Any, node: ast.AST) -> Any:
        """Return what two values give element by element. Raises: Misfit."""
        tensors = [value for value in (left, right) if isinstance(value, Tensor)]
        if len(tensors) == 1:
            return tensors[0]
        one, other = tensors
        for tensor, weight in ((one, other), (other, one)):
            if tensor.input and not weight.input and tensor.shape is None and weight.shape:
                known = {"shape": weight.shape}
                wish = Wish("*", _place(node), getattr(node, "lineno", 0), 0, known)
                self.wishes.setdefault(tensor.input, wish)
        if one.shape is None or other.shape is None:
            return Tensor()
        return Tensor(broadcast([one.shape, other.shape]))

    def indexed(self, tensor: Tensor, parts: Sequence[Any]) -> Any:
        """Return what ``tensor[a, b:c]`` gives."""
        if tensor.shape is None:
            if len(parts) > 1 and tensor.input and None not in parts:
                self.note_rank(tensor, len([part for part in parts if part is not ...]))
            return Tensor()
        shape: list[Any] = []
        left = list(tensor.shape)
        for part in parts:
            if part is None:
                shape.append(1)
            elif part is ... or not left:
                return Tensor()
            elif isinstance(part, slice):
                size = left.pop(0)
                shape.append(len(range(size)[part]) if isinstance(size, int) else size)
            elif isinstance(part, int):
                left.pop(0)
            else:
                return Tensor()
        return Tensor((*shape, *left))

    # Inside

    def _wish_of_matmul(self, tensors: Sequence[Tensor], node: ast.AST | None) -> None:
        left, right = tensors
        if left.input and right.shape and len(right.shape) > 1:
            known = {"in_features": right.shape[-2]}
            line = getattr(node, "lineno", 0)
            wish = Wish("@", _place(node), line, 0, known, left.is_flat)
            self.wishes.setdefault(left.input, wish)

    def _weighted(self, name: str, arguments: Sequence[Any], node: ast.expr | None) -> Any:
        """``F.linear(x, self.weight)``: the weight says what the input must be."""
        layer, wanted = _WEIGHTED[name]
        weight = arguments[1]
        if isinstance(weight, Tensor) and weight.shape is not None and len(weight.shape) > 1:
            axis = 0 if name == "embedding" else 1
            if isinstance(arguments[0], Tensor):
                self._wish(arguments[0], Layer(layer, {wanted: weight.shape[axis]}), 0, node)
        return Tensor()

    def _size_of(self, tensor: Tensor, name: str, arguments: Sequence[Any]) -> Any:
        if tensor.shape is None:
            if name == "size" and not arguments:
                return tensor  # it may be taken apart, which tells its rank
            if name == "size" and isinstance(arguments[0], int) and arguments[0] > 0:
                return UNKNOWN
            return UNKNOWN
        if name == "dim":
            return len(tensor.shape)
        if not arguments:
            return tensor.shape
        try:
            return tensor.shape[arguments[0]]
        except (TypeError, IndexError):
            return UNKNOWN

    def _reshaped(
        self,
        tensor: Tensor,
        name: str,
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
    ) -> Any:
        if tensor.shape is None:
            return Tensor(None, tensor.input, is_flat=True)
        if name == "flatten":
            values = dict(zip(("start_dim", "end_dim"), arguments, strict=False)) | dict(keywords)
            return Tensor(operation_shape("flatten", [tensor.shape], values))
        if name == "unflatten":
            return Tensor()
        sizes = _flat_sizes(arguments)
        if not all(isinstance(size, int) for size in sizes) or not sizes:
            return Tensor()
        whole = prod(size for size in tensor.shape if isinstance(size, int))
        if -1 not in sizes and all(isinstance(s, int) for s in tensor.shape):
            if prod(sizes) != whole:
                raise Misfit(f"{tensor.shape} cannot become {tuple(sizes)}")
        return Tensor(operation_shape("reshape", [tensor.shape], {"shape": tuple(sizes)}))


def tensor_attribute(tensor: Tensor, name: str) -> Any:
    """Return an attribute of a tensor as far as its shape tells."""
    if name == "shape":
        return tensor.shape if tensor.shape is not None else tensor
    if name in ("ndim",):
        return UNKNOWN if tensor.shape is None else len(tensor.shape)
    if name in ("T", "mT") and tensor.shape is not None:
        return Tensor(operation_shape(name, [tensor.shape], {}))
    return tensor if name == "data" else UNKNOWN


def _items_of(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a container holds by index or key."""
    if len(arguments) == 1 and isinstance(arguments[0], dict):
        return {str(key): item for key, item in arguments[0].items()}
    listed: Sequence[Any] = arguments
    if len(arguments) == 1 and isinstance(arguments[0], list | tuple):
        listed = arguments[0]
        if listed and all(isinstance(one, tuple) and len(one) == 2 for one in listed):
            return {str(key): item for key, item in listed}
    return {str(index): item for index, item in enumerate(listed)} | dict(keywords)


def _known(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not UNKNOWN}


def _named(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What is not known stands under its own name and fits everywhere."""
    return {name: name if v is UNKNOWN else v for name, v in arguments.items()}


def _plain(shape: Any) -> Shape | None:
    return tuple(shape) if shape is not None else None


def _flat_sizes(arguments: Sequence[Any]) -> list[Any]:
    if len(arguments) == 1 and isinstance(arguments[0], tuple | list):
        return list(arguments[0])
    return list(arguments)


def _are_sizes(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def _sizes(values: Sequence[Any]) -> Shape | None:
    return tuple(values) if values and _are_sizes(values) else None


def _chunks(tensor: Tensor, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    count = arguments[0] if arguments else keywords.get("chunks")
    dim = keywords.get("dim", arguments[1] if len(arguments) > 1 else 0)
    if not isinstance(count, int) or not 0 < count < 100:
        return UNKNOWN
    shape = list(tensor.shape) if tensor.shape is not None else None
    try:
        if shape is not None:
            shape[dim] = shape[dim] // count
    except (TypeError, IndexError):
        shape = None
    return [Tensor(tuple(shape) if shape is not None else None) for _ in range(count)]


def _place(node: ast.AST | None) -> str:
    """Return what the file calls the layer or function at a call."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).removeprefix("self.")
    return "" if node is None else ast.unparse(node)[:40]
