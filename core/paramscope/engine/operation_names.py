"""Names of operations by what they mean to the one who watches; the same on both engines."""

_RANDOM = "rand randn rand_like randn_like normal poisson bernoulli"
_RANDOM_FILLS = """
    normal_ uniform_ trunc_normal_ kaiming_uniform_ kaiming_normal_ xavier_uniform_
    xavier_normal_ orthogonal_ sparse_ exponential_ cauchy_ log_normal_ random_
"""
_UNFILLED = "empty empty_like empty_strided new_empty new_empty_strided"
_PLAIN_FILLS = "zero_ fill_ constant_ ones_ zeros_ eye_ dirac_"
_KEEPS_RANDOM = """
    add sub mul div neg clone view reshape t transpose permute unsqueeze squeeze to float double
    half contiguous clamp normalize detach data expand repeat cat stack getitem tanh sigmoid
    softmax linalg_qr qr svd matmul mm T mT flatten unflatten chunk split pow sqrt abs view_as
    reshape_as type_as cpu narrow select movedim swapaxes as_tensor tensor
"""
# Looks at a tensor, and the engine's own book-keeping: neither a step nor a read of its values.
_LOOKS = """
    size dim numel ndimension nelement element_size stride storage_offset data_ptr
    is_floating_point is_complex is_contiguous is_signed is_inference is_tensor get_device type
    untyped_storage storage register_hook register_post_accumulate_grad_hook retain_grad backward
    requires_grad_ __hash__ __repr__ __str__ __format__ __len__ __dir__ __reduce_ex__
    __deepcopy__ __iter__ __contains__ _has_compatible_shallow_copy_type is_same_size is_nonzero
    has_names is_shared is_conj is_neg resolve_conj resolve_neg is_storage is_pinned
"""
_SAME_VALUES = """
    view reshape squeeze unsqueeze transpose t permute contiguous flatten clone to float double
    getitem movedim swapaxes view_as reshape_as type_as
"""
_LOSSES = """
    cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy
    binary_cross_entropy_with_logits kl_div
"""
_DROPOUTS = """
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout
    scaled_dot_product_attention
"""
# Of their first input (or of all), only the shape is used.
_SHAPES = """
    zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros
    new_ones new_full new_empty new_empty_strided
"""
_SHAPES_OF_OTHERS = "expand_as view_as reshape_as type_as"
# Beside values they give positions, which have no gradient.
_GIVES_POSITIONS = "topk sort max min median nanmedian mode kthvalue cummax cummin"
# Steps: their slope is zero everywhere.
_FLAT = "round floor ceil trunc fix sign sgn heaviside round_ floor_ ceil_ trunc_ fix_ sign_"
# Below a threshold they give nothing, and have no slope.
_GATES = """
    relu relu_ relu6 relu6_ hardtanh hardtanh_ clamp clamp_ clamp_min clamp_min_ threshold
    threshold_
"""

RANDOM = frozenset(_RANDOM.split())
RANDOM_FILLS = frozenset(_RANDOM_FILLS.split())
UNFILLED = frozenset(_UNFILLED.split())
PLAIN_FILLS = frozenset(_PLAIN_FILLS.split())
KEEPS_RANDOM = frozenset(_KEEPS_RANDOM.split())
"""Through these a random start stays one: the result still looks like a weight."""
LOOKS = frozenset(_LOOKS.split())
LEADS_OUT = frozenset({"numpy", "__array__", "array"})
"""After these, NumPy may write to the memory unseen."""
SAME_VALUES = frozenset(_SAME_VALUES.split())
"""These rearrange values, and change none."""
DROPOUTS = frozenset(_DROPOUTS.split())
"""These take random numbers only while they train."""
LOSSES = frozenset(_LOSSES.split())
"""Their first input is the prediction, their second the target."""
SHAPES = frozenset(_SHAPES.split())
SHAPES_OF_OTHERS = frozenset(_SHAPES_OF_OTHERS.split())
GIVES_POSITIONS = frozenset(_GIVES_POSITIONS.split())
FLAT = frozenset(_FLAT.split())
GATES = frozenset(_GATES.split())
