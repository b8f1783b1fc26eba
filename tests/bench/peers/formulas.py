"""The models written out on a library with NumPy's names: autograd, JAX, MyGrad.

``np`` is the library's namespace, ``own`` its functions for neural networks. Each loss takes the
weights by PyTorch's names, and one batch.
"""

import math
from collections.abc import Callable
from typing import Any

Weights = dict[str, Any]
Loss = Callable[[Weights, Any, Any], Any]


class Models:
    """The losses of all workloads on one library."""

    def __init__(self, np: Any, own: Any) -> None:
        self.np = np
        self.own = own
        self.losses: dict[str, Loss] = {
            "chain": self.chain,
            "demo_mlp": lambda w, x, y: self.mlp(w, x, y, np.tanh),
            "mlp_64": lambda w, x, y: self.mlp(w, x, y, own.relu),
            "mlp_512": lambda w, x, y: self.mlp(w, x, y, own.relu),
            "cnn": self.cnn,
            "norm_cnn": self.norm_cnn,
            "lstm": lambda w, x, y: self.mean_square(own.lstm(w, x), y),
            "gru": lambda w, x, y: self.mean_square(own.gru(w, x), y),
            "transformer": lambda w, x, y: self.mean_square(self.block(w, "", x, 4), y),
            "words": self.words,
            "char_transformer": self.char_transformer,
        }

    def chain(self, w: Weights, x: Any, _: Any) -> Any:
        """Ten times three operations on 16 x 16 numbers."""
        for _ in range(10):
            x = (x @ w["weight"]) * w["scale"] + w["shift"]
        return x.sum()

    def mlp(self, w: Weights, x: Any, y: Any, activation: Any) -> Any:
        """Three linear layers."""
        x = activation(self.linear(w, "0", x))
        x = activation(self.linear(w, "2", x))
        return self.own.cross_entropy(self.linear(w, "4", x), y)

    def linear(self, w: Weights, name: str, x: Any) -> Any:
        """One linear layer; ``name`` is the prefix of its weights."""
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def cnn(self, w: Weights, x: Any, y: Any) -> Any:
        """Two convolutions, pooled."""
        own = self.own
        for name in ("0", "3"):
            bias = w[f"{name}.bias"].reshape(1, -1, 1, 1)
            x = own.max_pool(own.relu(own.convolve(x, w[f"{name}.weight"]) + bias))
        return own.cross_entropy(self.linear(w, "7", x.reshape(x.shape[0], -1)), y)

    def norm_cnn(self, w: Weights, x: Any, y: Any) -> Any:
        """Two convolutions, normalized over the batch and pooled."""
        own = self.own
        for convolution, norm in (("0", "1"), ("4", "5")):
            x = own.convolve(x, w[f"{convolution}.weight"])
            x = self.batch_norm(x, w[f"{norm}.weight"], w[f"{norm}.bias"])
            x = own.max_pool(own.relu(x))
        return own.cross_entropy(self.linear(w, "9", x.reshape(x.shape[0], -1)), y)

    def batch_norm(self, x: Any, weight: Any, bias: Any) -> Any:
        """Normalize each channel over batch and places."""
        x = x - x.mean(axis=(0, 2, 3), keepdims=True)
        spread = (x * x).mean(axis=(0, 2, 3), keepdims=True)
        scale = weight.reshape(1, -1, 1, 1) / self.np.sqrt(spread + 1e-5)
        return x * scale + bias.reshape(1, -1, 1, 1)

    def mean_square(self, x: Any, y: Any) -> Any:
        """Return the mean squared difference."""
        gap = x - y
        return (gap * gap).mean()

    def layer_norm(self, w: Weights, name: str, x: Any) -> Any:
        """Normalize over the last axis."""
        x = x - x.mean(axis=-1, keepdims=True)
        spread = (x * x).mean(axis=-1, keepdims=True)
        return x / self.np.sqrt(spread + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def block(self, w: Weights, prefix: str, x: Any, heads: int, mask: Any = None) -> Any:
        """One layer of a transformer, normalized after each half."""
        attended = self.attention(w, f"{prefix}self_attn.", x, heads, mask)
        x = self.layer_norm(w, f"{prefix}norm1", x + attended)
        inner = self.own.relu(self.linear(w, f"{prefix}linear1", x))
        return self.layer_norm(w, f"{prefix}norm2", x + self.linear(w, f"{prefix}linear2", inner))

    def attention(self, w: Weights, prefix: str, x: Any, heads: int, mask: Any) -> Any:
        """Attention of all positions to all, or to those before."""
        size, time, width = x.shape
        joined = x @ w[f"{prefix}in_proj_weight"].T + w[f"{prefix}in_proj_bias"]
        parts = joined.reshape(size, time, 3, heads, width // heads).transpose((2, 0, 3, 1, 4))
        q, k, v = parts[0], parts[1], parts[2]
        scores = (q @ k.transpose((0, 1, 3, 2))) * (1 / math.sqrt(width // heads))
        if mask is not None:
            scores = scores + mask
        mixed = (self.own.softmax(scores) @ v).transpose((0, 2, 1, 3)).reshape(size, time, width)
        return self.linear(w, f"{prefix}out_proj", mixed)

    def words(self, w: Weights, x: Any, y: Any) -> Any:
        """The mean of embedded words, and a linear layer."""
        return self.own.cross_entropy(self.linear(w, "1", w["0.weight"][x].mean(axis=1)), y)

    def char_transformer(self, w: Weights, x: Any, y: Any) -> Any:
        """Two causal layers over embedded characters."""
        h = w["words.weight"][x] + w["places"]
        for prefix in ("first.", "second."):
            h = self.block(w, prefix, h, 4, self.own.future(x.shape[1]))
        scores = self.linear(w, "out", h)
        return self.own.cross_entropy(scores.reshape(-1, scores.shape[-1]), y.reshape(-1))

    def lstm(self, w: Weights, x: Any, concatenate: Any) -> Any:
        """The states of an LSTM over time, in a loop."""
        np, sigmoid = self.np, self.own.sigmoid
        inner, recurrent = w["weight_ih_l0"].T, w["weight_hh_l0"].T
        bias = w["bias_ih_l0"] + w["bias_hh_l0"]
        n = recurrent.shape[0]
        h = c = self.own.zeros((x.shape[0], n))
        states = []
        for t in range(x.shape[1]):
            gates = x[:, t] @ inner + h @ recurrent + bias
            i, f = sigmoid(gates[:, :n]), sigmoid(gates[:, n : 2 * n])
            g, o = np.tanh(gates[:, 2 * n : 3 * n]), sigmoid(gates[:, 3 * n :])
            c = f * c + i * g
            h = o * np.tanh(c)
            states.append(h)
        return concatenate(states)

    def gru(self, w: Weights, x: Any, concatenate: Any) -> Any:
        """The states of a GRU over time, in a loop."""
        np, sigmoid = self.np, self.own.sigmoid
        inner, recurrent = w["weight_ih_l0"].T, w["weight_hh_l0"].T
        before, bias = w["bias_ih_l0"], w["bias_hh_l0"]
        n = recurrent.shape[0]
        h = self.own.zeros((x.shape[0], n))
        states = []
        for t in range(x.shape[1]):
            a, b = x[:, t] @ inner + before, h @ recurrent + bias
            r, z = sigmoid(a[:, :n] + b[:, :n]), sigmoid(a[:, n : 2 * n] + b[:, n : 2 * n])
            new = np.tanh(a[:, 2 * n :] + r * b[:, 2 * n :])
            h = new + z * (h - new)
            states.append(h)
        return concatenate(states)
