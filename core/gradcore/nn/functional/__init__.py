"""Layers and losses as functions: `torch.nn.functional`."""

from typing import TYPE_CHECKING

from gradcore.later import later
from gradcore.nn.functional.linear import bilinear, embedding, embedding_bag, linear, one_hot

if TYPE_CHECKING:
    from gradcore.nn.functional.activation import *
    from gradcore.nn.functional.alignment import *
    from gradcore.nn.functional.attention import *
    from gradcore.nn.functional.fractional import *
    from gradcore.nn.functional.loss import *
    from gradcore.nn.functional.multi_head import *
    from gradcore.nn.functional.normalization import *
    from gradcore.nn.functional.sampling import *
    from gradcore.nn.functional.spatial import *
    from gradcore.nn.functional.vision import *

_PARTS = {
    "activation": """
        alpha_dropout celu dropout dropout1d dropout2d dropout3d elu elu_
        feature_alpha_dropout gelu glu gumbel_softmax hardshrink hardsigmoid hardswish
        hardtanh hardtanh_ leaky_relu leaky_relu_ log_softmax logsigmoid mish prelu relu
        relu6 relu_ rrelu selu sigmoid silu softmax softmin softplus softshrink softsign
        tanh tanhshrink threshold threshold_
    """,
    "alignment": "ctc_loss multilabel_margin_loss pdist triplet_margin_with_distance_loss",
    "attention": "scaled_dot_product_attention",
    "fractional": "fractional_max_pool2d fractional_max_pool3d",
    "loss": """
        binary_cross_entropy binary_cross_entropy_with_logits cosine_embedding_loss
        cosine_similarity cross_entropy gaussian_nll_loss hinge_embedding_loss huber_loss
        kl_div l1_loss margin_ranking_loss mse_loss multi_margin_loss
        multilabel_soft_margin_loss nll_loss pairwise_distance poisson_nll_loss
        smooth_l1_loss soft_margin_loss triplet_margin_loss
    """,
    "multi_head": "multi_head_attention_forward",
    "normalization": """
        batch_norm group_norm instance_norm layer_norm local_response_norm normalize
        rms_norm
    """,
    "sampling": "affine_grid fold grid_sample lp_pool1d lp_pool3d max_unpool1d max_unpool3d",
    "spatial": """
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
        adaptive_max_pool2d adaptive_max_pool3d avg_pool1d avg_pool2d avg_pool3d conv1d
        conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d lp_pool2d
        max_pool1d max_pool2d max_pool3d max_unpool2d pad
    """,
    "vision": """
        channel_shuffle interpolate native_channel_shuffle pixel_shuffle pixel_unshuffle
        unfold upsample
    """,
}
"""The names of each part, which is imported when one of them is first asked for."""

__getattr__, __dir__ = later(__name__, "torch.nn.functional", _PARTS)

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "elu_",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_head_attention_forward",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "native_channel_shuffle",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rms_norm",
    "rrelu",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
    "upsample",
]
