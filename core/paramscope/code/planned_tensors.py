"""Which tensors a Module of the library will have, by its class and written arguments.

The canvas shows them before anything has run, and for files that have not been trusted to
run. What a census of the living model says replaces them. A size that the source does not
tell stands as it is written.
"""

from collections.abc import Callable, Mapping

from paramscope.code.graph import NodeKind
from paramscope.code.shape_rules import Arguments, Shape, Size

Planned = tuple[str, NodeKind, Shape]


def planned_tensors(title: str, arguments: Arguments) -> tuple[Planned, ...]:
    """Return name, kind and shape of each tensor; ``()`` for classes that have none or are unknown.

    ``arguments`` holds constructor arguments by name, defaults included.

    >>> planned_tensors("Linear", {"in_features": 2, "out_features": "n", "bias": False})
    (('weight', <NodeKind.PARAMETER: 'parameter'>, ('n', 2)),)
    """
    rule = _RULES.get(title)
    if rule is None:
        return ()
    try:
        return tuple(rule(arguments))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return ()  # arguments that no run would accept either


def _size(arguments: Arguments, name: str) -> Size:
    value = arguments[name]
    return value if isinstance(value, int) else str(value)


def _parameter(name: str, *shape: Size) -> Planned:
    return name, NodeKind.PARAMETER, shape


def _times(factor: int, size: Size) -> Size:
    return factor * size if isinstance(size, int) else f"{factor}·{size}"


def _linear(arguments: Arguments) -> list[Planned]:
    outputs = _size(arguments, "out_features")
    planned = [_parameter("weight", outputs, _size(arguments, "in_features"))]
    return planned + _bias(arguments, outputs)


def _bilinear(arguments: Arguments) -> list[Planned]:
    outputs = _size(arguments, "out_features")
    inputs = (_size(arguments, "in1_features"), _size(arguments, "in2_features"))
    return [_parameter("weight", outputs, *inputs), *_bias(arguments, outputs)]


def _bias(arguments: Arguments, size: Size) -> list[Planned]:
    return [_parameter("bias", size)] if arguments.get("bias", True) is not False else []


def _convolution(axes: int, *, transposed: bool) -> Callable[[Arguments], list[Planned]]:
    def rule(arguments: Arguments) -> list[Planned]:
        kernel = arguments["kernel_size"]
        sizes: Shape = (
            tuple(size if isinstance(size, int) else str(size) for size in kernel)
            if isinstance(kernel, tuple | list)
            else (_size(arguments, "kernel_size"),) * axes
        )
        inputs, outputs = _size(arguments, "in_channels"), _size(arguments, "out_channels")
        groups = arguments.get("groups", 1)
        first, second = (inputs, outputs) if transposed else (outputs, inputs)
        if isinstance(groups, int) and isinstance(second, int):
            second //= groups
        return [_parameter("weight", first, second, *sizes), *_bias(arguments, outputs)]

    return rule


def _batch_norm(arguments: Arguments) -> list[Planned]:
    size = _size(arguments, "num_features")
    planned: list[Planned] = []
    if arguments.get("affine", True) is not False:
        planned += [_parameter("weight", size), _parameter("bias", size)]
    if arguments.get("track_running_stats", True) is not False:
        planned += [(name, NodeKind.BUFFER, (size,)) for name in ("running_mean", "running_var")]
        planned.append(("num_batches_tracked", NodeKind.BUFFER, ()))
    return planned


def _layer_norm(arguments: Arguments) -> list[Planned]:
    shape = arguments["normalized_shape"]
    sizes: Shape = (
        tuple(shape) if isinstance(shape, tuple | list) else (_size(arguments, "normalized_shape"),)
    )
    if arguments.get("elementwise_affine", True) is False:
        return []
    planned = [_parameter("weight", *sizes)]
    if "bias" in arguments and arguments["bias"] is not False:
        planned.append(_parameter("bias", *sizes))
    return planned


def _group_norm(arguments: Arguments) -> list[Planned]:
    size = _size(arguments, "num_channels")
    if arguments.get("affine", True) is False:
        return []
    return [_parameter("weight", size), _parameter("bias", size)]


def _embedding(arguments: Arguments) -> list[Planned]:
    sizes = (_size(arguments, "num_embeddings"), _size(arguments, "embedding_dim"))
    return [_parameter("weight", *sizes)]


def _prelu(arguments: Arguments) -> list[Planned]:
    return [_parameter("weight", _size(arguments, "num_parameters"))]


def _attention(arguments: Arguments) -> list[Planned]:
    size = _size(arguments, "embed_dim")
    planned = []
    if arguments.get("kdim") is None and arguments.get("vdim") is None:
        planned.append(_parameter("in_proj_weight", _times(3, size), size))
    else:
        for letter, name in (("q", "embed_dim"), ("k", "kdim"), ("v", "vdim")):
            width = size if arguments.get(name) is None else _size(arguments, name)
            planned.append(_parameter(f"{letter}_proj_weight", size, width))
    has_bias = arguments.get("bias", True) is not False
    if has_bias:
        planned.append(_parameter("in_proj_bias", _times(3, size)))
    if arguments.get("add_bias_kv") is True:
        planned += [_parameter("bias_k", 1, 1, size), _parameter("bias_v", 1, 1, size)]
    planned.append(_parameter("out_proj.weight", size, size))
    return [*planned, _parameter("out_proj.bias", size)] if has_bias else planned


def _recurrent(gates: int) -> Callable[[Arguments], list[Planned]]:
    def rule(arguments: Arguments) -> list[Planned]:
        hidden = _size(arguments, "hidden_size")
        inputs = _size(arguments, "input_size")
        layers = arguments.get("num_layers", 1)
        both = arguments.get("bidirectional", False) is True
        rows = _times(gates, hidden) if gates > 1 else hidden
        planned: list[Planned] = []
        for layer in range(layers if isinstance(layers, int) else 1):
            columns = inputs if layer == 0 else _times(2, hidden) if both else hidden
            for suffix in ("", "_reverse") if both else ("",):
                end = f"l{layer}{suffix}"
                planned.append(_parameter(f"weight_ih_{end}", rows, columns))
                planned.append(_parameter(f"weight_hh_{end}", rows, hidden))
                if arguments.get("bias", True) is not False:
                    planned.append(_parameter(f"bias_ih_{end}", rows))
                    planned.append(_parameter(f"bias_hh_{end}", rows))
        return planned

    return rule


_RULES: Mapping[str, Callable[[Arguments], list[Planned]]] = {
    "Linear": _linear,
    "Bilinear": _bilinear,
    **{f"Conv{axes}d": _convolution(axes, transposed=False) for axes in (1, 2, 3)},
    **{f"ConvTranspose{axes}d": _convolution(axes, transposed=True) for axes in (1, 2, 3)},
    **{f"BatchNorm{axes}d": _batch_norm for axes in (1, 2, 3)},
    "LayerNorm": _layer_norm,
    "RMSNorm": _layer_norm,
    "GroupNorm": _group_norm,
    "Embedding": _embedding,
    "EmbeddingBag": _embedding,
    "PReLU": _prelu,
    "MultiheadAttention": _attention,
    "RNN": _recurrent(1),
    "GRU": _recurrent(3),
    "LSTM": _recurrent(4),
}
