"""Operations by name: what their ports and arguments are called, and what the palette offers.

Modules come from gradcore's catalogue; functions and methods have no constructor to ask, so
their PyTorch signatures stand here: inputs (wires) first, then arguments with defaults.
"""

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """A function of PyTorch: ``inputs`` take wires, ``arguments`` are (name, default) pairs.

    A default of None means that the argument must be given. ``variadic`` operations take a
    list of tensors as their first input. ``method`` says that tensors have it as a method.
    """

    name: str
    dotted: str
    family: str
    inputs: tuple[str, ...]
    arguments: tuple[tuple[str, str | None], ...] = ()
    summary: str = ""
    aliases: tuple[str, ...] = ()
    variadic: bool = False
    method: bool = True
    in_palette: bool = True

    @property
    def parameters(self) -> tuple[str, ...]:
        """All parameter names in the order of the signature."""
        return (*self.inputs, *(name for name, _ in self.arguments))

    def default(self, name: str) -> str | None:
        """The default of an argument as source, or None."""
        return dict(self.arguments).get(name)


# dotted name | inputs | arguments with defaults | aliases | summary.
# `*tensors` is a list of tensors; `-` before the name keeps it out of the palette.
_TABLE = """
@activation
torch.relu | input | | rectifier | Keeps what is positive, makes the rest zero.
torch.sigmoid | input | | logistic | Squeezes each value into 0 to 1.
torch.tanh | input | | | Squeezes each value into -1 to 1.
torch.softmax | input | dim | probabilities | Makes probabilities along one axis.
torch.log_softmax | input | dim | | Logarithms of probabilities along one axis.
torch.nn.functional.gelu | input | approximate='none' | | Gaussian error linear unit.
torch.nn.functional.silu | input | inplace=False | swish | Value times its sigmoid.
torch.nn.functional.leaky_relu | input | negative_slope=0.01, inplace=False | | ReLU with a slope.
torch.nn.functional.elu | input | alpha=1.0, inplace=False | | Exponential linear unit.
torch.nn.functional.softplus | input | beta=1, threshold=20 | | A smooth ReLU.
-torch.nn.functional.relu | input | inplace=False | |
-torch.nn.functional.softmax | input | dim=None | |
-torch.nn.functional.log_softmax | input | dim=None | |
-torch.nn.functional.sigmoid | input | | |
-torch.nn.functional.tanh | input | | |
-torch.nn.functional.glu | input | dim=-1 | |
-torch.nn.functional.normalize | input | p=2.0, dim=1, eps=1e-12 | |
@arithmetic
torch.add | input, other | alpha=1 | plus sum + residual | Adds two tensors, with broadcasting.
torch.sub | input, other | alpha=1 | minus difference - | Subtracts the second tensor.
torch.mul | input, other | | times multiply product * | Multiplies element by element.
torch.div | input, other | rounding_mode=None | divide / | Divides element by element.
torch.pow | input, exponent | | power ** | Raises each value to a power.
torch.matmul | input, other | | @ dot product mm | Matrix product, with batches.
torch.bmm | input, mat2 | | | Matrix product of two batches.
torch.exp | input | | | Exponential of each value.
torch.log | input | | ln | Natural logarithm of each value.
torch.sqrt | input | | root | Square root of each value.
torch.square | input | | | Square of each value.
torch.abs | input | | absolute | Absolute value.
torch.neg | input | | negative | Changes the sign.
torch.sin | input | | sine | Sine of each value.
torch.cos | input | | cosine | Cosine of each value.
torch.clamp | input | min=None, max=None | clip limit | Limits each value to a range.
torch.maximum | input, other | | | The larger of two values.
torch.minimum | input, other | | | The smaller of two values.
torch.where | condition, input, other | | choose | Chooses element by element.
-torch.mm | input, mat2 | | |
-torch.mv | input, vec | | |
-torch.outer | input, vec2 | | |
-torch.baddbmm | input, batch1, batch2 | beta=1, alpha=1 | |
-torch.addmm | input, mat1, mat2 | beta=1, alpha=1 | |
-torch.lerp | input, end | weight | |
-torch.masked_fill | input, mask | value | |
-torch.nn.functional.linear | input, weight, bias | | |
-torch.nn.functional.conv1d | input, weight, bias | \
stride=1, padding=0, dilation=1, groups=1 | |
-torch.nn.functional.conv2d | input, weight, bias | \
stride=1, padding=0, dilation=1, groups=1 | |
-torch.nn.functional.embedding | input, weight | padding_idx=None | |
-torch.nn.functional.layer_norm | input | normalized_shape, weight=None, bias=None, eps=1e-05 | |
-torch.nn.functional.pad | input | pad, mode='constant', value=None | |
-torch.nn.functional.interpolate | input | size=None, scale_factor=None, mode='nearest' | |
-torch.nn.functional.scaled_dot_product_attention | query, key, value, attn_mask | dropout_p=0.0 | |
@reduction
torch.sum | input | dim=None, keepdim=False | total | Sum of all values or along an axis.
torch.mean | input | dim=None, keepdim=False | average | Mean of all values or along an axis.
torch.amax | input | dim, keepdim=False | max | Largest value along an axis.
torch.amin | input | dim, keepdim=False | min | Smallest value along an axis.
torch.var | input | dim=None, correction=1, keepdim=False | variance | Variance along an axis.
torch.std | input | dim=None, correction=1, keepdim=False | deviation | Standard deviation.
torch.logsumexp | input | dim, keepdim=False | | Logarithm of the sum of exponentials.
torch.cumsum | input | dim | | Running sum along an axis.
torch.argmax | input | dim=None, keepdim=False | | Index of the largest value.
-torch.max | input | dim, keepdim=False | |
-torch.min | input | dim, keepdim=False | |
-torch.topk | input | k, dim=-1, largest=True, sorted=True | |
-torch.norm | input | p='fro', dim=None, keepdim=False | |
@shape
torch.flatten | input | start_dim=0, end_dim=-1 | reshape | Makes one axis of several.
torch.reshape | input | shape | view resize | The same values in another shape.
torch.cat | *tensors | dim=0 | concat join concatenate | Joins tensors along an axis.
torch.stack | *tensors | dim=0 | | Joins tensors along a new axis.
torch.transpose | input | dim0, dim1 | swap | Swaps two axes.
torch.permute | input | dims | axes | Puts the axes in another order.
torch.squeeze | input | dim | | Removes an axis of size 1.
torch.unsqueeze | input | dim | expand_dims | Adds an axis of size 1.
torch.chunk | input | chunks, dim=0 | split | Cuts an axis into parts.
torch.split | input | split_size_or_sections, dim=0 | | Cuts an axis into parts of a size.
-torch.gather | input | dim, index | |
-torch.roll | input | shifts, dims=None | |
-torch.flip | input | dims | |
-torch.tril | input | diagonal=0 | |
-torch.triu | input | diagonal=0 | |
-torch.unbind | input | dim=0 | |
-torch.repeat_interleave | input | repeats, dim=None | |
@pooling
torch.nn.functional.max_pool2d | input | \
kernel_size, stride=None, padding=0 | | Largest in a window.
torch.nn.functional.avg_pool2d | input | kernel_size, stride=None, padding=0 | | Mean of a window.
-torch.nn.functional.adaptive_avg_pool2d | input | output_size | |
@dropout
torch.nn.functional.dropout | input | \
p=0.5, training=True, inplace=False | | Zeroes values at random.
@loss
torch.nn.functional.mse_loss | input, target | \
reduction='mean' | squared error | Mean squared error.
torch.nn.functional.cross_entropy | input, target | weight=None, ignore_index=-100, \
reduction='mean', label_smoothing=0.0 | | Loss of class scores against class numbers.
torch.nn.functional.l1_loss | input, target | reduction='mean' | mae | Mean absolute error.
torch.nn.functional.nll_loss | input, target | reduction='mean' | | Loss of log-probabilities.
torch.nn.functional.binary_cross_entropy_with_logits | input, target | weight=None, \
reduction='mean' | bce | Loss of yes-or-no scores.
-torch.nn.functional.binary_cross_entropy | input, target | weight=None, reduction='mean' | |
-torch.nn.functional.smooth_l1_loss | input, target | reduction='mean', beta=1.0 | |
-torch.nn.functional.huber_loss | input, target | reduction='mean', delta=1.0 | |
-torch.nn.functional.kl_div | input, target | reduction='mean', log_target=False | |
@tensor
-torch.zeros_like | input | | |
-torch.ones_like | input | | |
-torch.randn_like | input | | |
-torch.rand_like | input | | |
-torch.einsum | | equation | |
"""

# Methods of tensors whose arguments have names; the receiver is `input`.
_METHODS = {
    "view": ("shape",),
    "reshape": ("shape",),
    "expand": ("sizes",),
    "repeat": ("repeats",),
    "permute": ("dims",),
    "size": ("dim",),
    "to": ("dtype",),
    "add_": ("other",),
    "mul_": ("other",),
}

OPERATORS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Add: ("+", "add"),
    ast.Sub: ("-", "sub"),
    ast.Mult: ("×", "mul"),
    ast.Div: ("/", "div"),
    ast.FloorDiv: ("//", "floordiv"),
    ast.Mod: ("%", "mod"),
    ast.Pow: ("**", "pow"),
    ast.MatMult: ("@", "matmul"),
    ast.BitAnd: ("&", "and"),
    ast.BitOr: ("|", "or"),
    ast.BitXor: ("^", "xor"),
    ast.LShift: ("<<", "lshift"),
    ast.RShift: (">>", "rshift"),
    ast.USub: ("−", "neg"),
    ast.UAdd: ("+", "pos"),
    ast.Invert: ("~", "invert"),
    ast.Not: ("not", "not"),
    ast.And: ("and", "and"),
    ast.Or: ("or", "or"),
    ast.Eq: ("==", "eq"),
    ast.NotEq: ("!=", "ne"),
    ast.Lt: ("<", "lt"),
    ast.LtE: ("<=", "le"),
    ast.Gt: (">", "gt"),
    ast.GtE: (">=", "ge"),
    ast.Is: ("is", "is"),
    ast.IsNot: ("is not", "isnot"),
    ast.In: ("in", "in"),
    ast.NotIn: ("not in", "notin"),
}


def _parsed(table: str) -> dict[str, Operation]:
    operations: dict[str, Operation] = {}
    family = ""
    for line in table.replace("\\\n", "").strip().splitlines():
        if line.startswith("@"):
            family = line[1:]
            continue
        dotted, inputs, arguments, aliases, summary = (part.strip() for part in line.split("|"))
        shown = not dotted.startswith("-")
        dotted = dotted.removeprefix("-")
        names = [part.strip() for part in inputs.split(",") if part.strip()]
        pairs: list[tuple[str, str | None]] = []
        for part in arguments.split(","):
            name, equals, default = part.strip().partition("=")
            if name:
                pairs.append((name, default if equals else None))
        operations[dotted] = Operation(
            name=dotted.rpartition(".")[2],
            dotted=dotted,
            family=family,
            inputs=tuple(name.removeprefix("*") for name in names),
            arguments=tuple(pairs),
            summary=summary,
            aliases=tuple(aliases.split()),
            variadic=any(name.startswith("*") for name in names),
            method=dotted.count(".") == 1,
            in_palette=shown,
        )
    return operations


OPERATIONS: dict[str, Operation] = _parsed(_TABLE)


def operation_of(dotted: str | None) -> Operation | None:
    """The operation of this full dotted name (``torch.relu``), or None."""
    return OPERATIONS.get(dotted) if dotted else None


def method_parameters(name: str) -> tuple[str, ...]:
    """Names of a tensor method's parameters after the tensor itself; () where unknown."""
    known = OPERATIONS.get(f"torch.{name}")
    if known is not None and name not in _METHODS:
        return known.parameters[1:]
    return _METHODS.get(name, ())
