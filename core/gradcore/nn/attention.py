"""Multi-head attention."""

import math
from typing import Any

import numpy as np

from gradcore.creation import empty
from gradcore.errors import ShapeError
from gradcore.graph import work_out
from gradcore.nn import functional as F
from gradcore.nn import init
from gradcore.nn.catalog import derive_error, module, sample
from gradcore.nn.linear import NonDynamicallyQuantizableLinear
from gradcore.nn.module import Module
from gradcore.nn.parameter import Parameter
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor


def as_added(mask: Tensor | None, dtype: Any) -> Tensor | None:
    """Return a mask as something to add to scores: True in a boolean one means "leave out"."""
    if mask is None or mask._a.dtype.kind != "b":
        return mask
    result: Tensor = work_out(np.where, mask, dtype.type(-np.inf), dtype.type(0))
    return result


def _attention_sizes(arguments: Any, bound: Any) -> dict[str, Any]:
    """Return the sizes of the attention weights: (batch, queries, keys)."""
    for name in ("kdim", "vdim"):
        wanted = arguments["embed_dim"] if arguments[name] is None else arguments[name]
        if isinstance(bound.get(name), int) and bound[name] != wanted:
            raise derive_error(
                f"got {bound[name]} features as {name[0]}, MultiheadAttention wants {wanted}",
                f"Set {name}={bound[name]}, or change what feeds it.",
                repair={name: bound[name]},
            )
    outer, inner = bound["[A]"], bound["B"]
    if not outer:
        return {"weights": (inner, _grown(bound.get("D", inner), arguments))}
    key_outer, key_inner = bound.get("[C]", outer), bound.get("D", inner)
    if arguments["batch_first"]:
        return {"weights": (outer[0], inner, _grown(key_inner, arguments))}
    keys = key_outer[0] if key_outer else key_inner
    return {"weights": (inner, outer[0], _grown(keys, arguments))}


def _grown(keys: Any, arguments: Any) -> Any:
    """Count the learned and the zero key with the others."""
    if not isinstance(keys, int):
        return keys
    return keys + bool(arguments["add_bias_kv"]) + bool(arguments["add_zero_attn"])


@module(
    family="attention",
    shape="([A], B, embed_dim), ([C], D, kdim), ([C], D, vdim) -> ([A], B, embed_dim), (weights)",
    derive=_attention_sizes,
    summary="Lets each place look at all others, with several heads.",
    aliases=("mha", "self attention", "transformer"),
    samples=[
        sample(4, 2, batch_first=True, inputs=[(2, 3, 4)] * 3),
        sample(4, 2, bias=False, inputs=[(3, 2, 4)] * 3),
        sample(4, 1, inputs=[(3, 4)] * 3),
        sample(4, 2, kdim=3, vdim=5, inputs=[(3, 2, 4), (6, 2, 3), (6, 2, 5)]),
        sample(4, 2, add_bias_kv=True, add_zero_attn=True, inputs=[(3, 2, 4)] * 3),
    ],
)
class MultiheadAttention(Module):
    """Let each query look at all keys, in several heads, and return the values it finds.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762
    """

    __constants__ = ["batch_first"]
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, "
                f"got embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        self.embed_dim = embed_dim
        self.kdim = kdim if kdim is not None else embed_dim
        self.vdim = vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        self._make_projections(bias, {"device": device, "dtype": dtype})
        if add_bias_kv:
            self.bias_k = Parameter(empty((1, 1, embed_dim), device=device, dtype=dtype))
            self.bias_v = Parameter(empty((1, 1, embed_dim), device=device, dtype=dtype))
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _make_projections(self, bias: bool, options: dict[str, Any]) -> None:
        width = self.embed_dim
        apart = {"q_proj_weight": width, "k_proj_weight": self.kdim, "v_proj_weight": self.vdim}
        together = self._qkv_same_embed_dim
        if together:
            self.in_proj_weight = Parameter(empty((3 * width, width), **options))
        for name, size in apart.items():
            made = None if together else Parameter(empty((width, size), **options))
            self.register_parameter(name, made)
        if not together:
            self.register_parameter("in_proj_weight", None)
        if bias:
            self.in_proj_bias = Parameter(empty(3 * width, **options))
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(width, width, bias=bias, **options)

    def _reset_parameters(self) -> None:
        names = ["in_proj_weight"]
        if not self._qkv_same_embed_dim:
            names = ["q_proj_weight", "k_proj_weight", "v_proj_weight"]
        for name in names:
            init.xavier_uniform_(getattr(self, name))
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        if self.bias_k is not None:
            init.xavier_normal_(self.bias_k)
        if self.bias_v is not None:
            init.xavier_normal_(self.bias_v)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the output and, if asked for, the weights averaged over the heads."""
        batched = query.dim() == 3
        self._check(query, key, value)
        given = [t if batched else t.unsqueeze(1) for t in (query, key, value)]
        if batched and self.batch_first:
            given = [t.transpose(0, 1) for t in given]
        if is_causal and attn_mask is None:
            raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
        length, count = given[0].shape[:2]
        q, k, v = self._projected(*given)
        bias = self._bias(key_padding_mask, attn_mask, (count, length, k.size(0)), k._a.dtype)
        k, v, bias = self._extended(k, v, bias)
        out, weights = self._attend(q, k, v, bias, need_weights)
        out = self.out_proj(out.reshape(length, count, self.embed_dim))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            return out.squeeze(1), None if weights is None else weights.squeeze(0)
        return (out.transpose(0, 1) if self.batch_first else out), weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        if query.dim() not in (2, 3) or key.dim() != query.dim() or value.dim() != query.dim():
            raise ShapeError(
                "query should be unbatched 2D or batched 3D tensor, with key and value alike, but "
                f"received {query.dim()}-D, {key.dim()}-D and {value.dim()}-D tensors",
                shapes=(tuple(query.shape), tuple(key.shape), tuple(value.shape)),
            )
        if query.size(-1) != self.embed_dim:
            raise ShapeError(
                f"was expecting embedding dimension of {self.embed_dim}, but got {query.size(-1)}",
                "",
                f"Set embed_dim={query.size(-1)}, or change what feeds it.",
                shapes=(tuple(query.shape),),
            )

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        width = self.embed_dim
        if self._qkv_same_embed_dim and query is key and key is value:
            joined = F.linear(query, self.in_proj_weight, self.in_proj_bias)
            return tuple(joined.chunk(3, -1))
        if self._qkv_same_embed_dim:
            weights = self.in_proj_weight.chunk(3, 0)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        biases: Any = (None,) * 3
        if self.in_proj_bias is not None:
            biases = tuple(self.in_proj_bias[i * width : (i + 1) * width] for i in range(3))
        return tuple(
            F.linear(given, weight, bias)
            for given, weight, bias in zip((query, key, value), weights, biases, strict=True)
        )

    def _bias(
        self,
        key_padding_mask: Tensor | None,
        attn_mask: Tensor | None,
        sizes: tuple[int, int, int],
        dtype: Any,
    ) -> Tensor | None:
        """Return what to add to the scores (batch, heads, queries, keys), if anything."""
        count, queries, keys = sizes
        total = as_added(attn_mask, dtype)
        if total is not None:
            if tuple(total.shape) == (queries, keys):
                total = total.reshape(1, 1, queries, keys)
            elif tuple(total.shape) == (count * self.num_heads, queries, keys):
                total = total.reshape(count, self.num_heads, queries, keys)
            else:
                raise RuntimeError(
                    f"The shape of the attn_mask is {total.shape}, but should be "
                    f"{(queries, keys)} or {(count * self.num_heads, queries, keys)}."
                )
        padding = as_added(key_padding_mask, dtype)
        if padding is not None:
            padding = padding.reshape(count, 1, 1, keys)
            total = padding if total is None else total + padding
        return total

    def _extended(
        self, k: Tensor, v: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Append the learned and the zero key and value, where asked for."""
        count = k.size(1)
        extra: list[tuple[Any, Any]] = []
        if self.bias_k is not None and self.bias_v is not None:
            extra.append((self.bias_k.repeat(1, count, 1), self.bias_v.repeat(1, count, 1)))
        if self.add_zero_attn:
            zero = k.new_zeros((1, count, self.embed_dim))
            extra.append((zero, zero))
        for more_k, more_v in extra:
            k = FUNCTIONS["cat"]([k, more_k], 0)
            v = FUNCTIONS["cat"]([v, more_v], 0)
            if bias is not None:
                bias = F.pad(bias, (0, 1))
        return k, v, bias

    def _heads(self, tensor: Tensor) -> Tensor:
        length, count = tensor.shape[:2]
        apart = tensor.reshape(length, count, self.num_heads, self.head_dim)
        result: Tensor = apart.permute(1, 2, 0, 3)
        return result

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        q, k, v = self._heads(q), self._heads(k), self._heads(v)
        p = self.dropout if self.training else 0.0
        if not need_weights:
            out = F.scaled_dot_product_attention(q, k, v, bias, p)
            return out.permute(2, 0, 1, 3), None
        scores = (q * (1.0 / math.sqrt(self.head_dim))) @ k.transpose(-2, -1)
        if bias is not None:
            scores = scores + bias
        weights = scores.softmax(-1)
        if p > 0.0:
            weights = F.dropout(weights, p)
        return (weights @ v).permute(2, 0, 1, 3), weights
