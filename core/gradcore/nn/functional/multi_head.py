"""Attention in several heads with weights that the caller holds."""

from functools import partial
from typing import Any

from gradcore.errors import UnsupportedError
from gradcore.nn.attention import MultiheadAttention
from gradcore.nn.functional.linear import linear
from gradcore.nn.module import Module
from gradcore.tensor import Tensor


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return what `nn.MultiheadAttention` with these weights would: (output, weights)."""
    if static_k is not None or static_v is not None:
        raise UnsupportedError(
            "gradcore's multi_head_attention_forward has no static_k and static_v",
            "",
            "Give keys and values, and let them be projected.",
        )
    width = query.size(-1)
    if width != embed_dim_to_check:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}"
        )
    layer = MultiheadAttention.__new__(MultiheadAttention)
    Module.__init__(layer)
    # Plain attributes: the weights stay the caller's, and are no parameters of this layer.
    layer.__dict__.update(
        embed_dim=width,
        num_heads=num_heads,
        head_dim=width // num_heads,
        dropout=dropout_p,
        batch_first=False,
        add_zero_attn=add_zero_attn,
        training=training,
        bias_k=bias_k,
        bias_v=bias_v,
        in_proj_weight=in_proj_weight,
        in_proj_bias=in_proj_bias,
        q_proj_weight=q_proj_weight,
        k_proj_weight=k_proj_weight,
        v_proj_weight=v_proj_weight,
        _qkv_same_embed_dim=not use_separate_proj_weight,
        out_proj=partial(linear, weight=out_proj_weight, bias=out_proj_bias),
    )
    options: dict[str, Any] = {
        "key_padding_mask": key_padding_mask,
        "need_weights": need_weights,
        "attn_mask": attn_mask,
        "average_attn_weights": average_attn_weights,
        "is_causal": is_causal,
    }
    return layer.forward(query, key, value, **options)
