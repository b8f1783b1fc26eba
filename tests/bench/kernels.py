"""The arithmetic of some workloads written by hand in NumPy: what a step costs without a library.

The gate relates gradcore's modes to these, in the same process and in turns, so that limits hold
on machines of any speed. They are plain, not tuned: yardsticks, not rivals.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from peers.adam import Adam
from workloads import Array, Problem

Update = Callable[[], float]
ONE = np.float32(1)


def chain(problem: Problem) -> Update:
    """Ten times three operations, and back."""
    w, scale, shift = problem.weights.values()

    def update() -> float:
        h, kept = problem.x, []
        assert h is not None
        for _ in range(10):
            product = h @ w
            kept.append((h, product))
            h = product * scale + shift
        g = np.ones_like(h)
        gw, gscale, gshift = np.zeros_like(w), np.zeros_like(scale), np.zeros_like(shift)
        for before, product in reversed(kept):
            gshift += g.sum(0)
            gscale += (g * product).sum(0)
            g = g * scale
            gw += before.T @ g
            g = g @ w.T
        return float(h.sum())

    return update


def cross_entropy(scores: Array, y: Array) -> tuple[float, Array]:
    """Return the loss and the gradient of ``scores``."""
    rows = np.arange(len(y))
    powers = np.exp(scores - scores.max(1, keepdims=True))
    chances = powers / powers.sum(1, keepdims=True)
    loss = -np.log(chances[rows, y]).mean()
    chances[rows, y] -= ONE
    return float(loss), chances / np.float32(len(y))


def mlp(problem: Problem, is_tanh: bool) -> Update:
    """Three linear layers with tanh or relu between them."""
    weights = [value.copy() for value in problem.weights.values()]
    adam = Adam(weights, problem.lr)
    x, y = problem.x, problem.y
    assert x is not None and y is not None

    def update() -> float:
        inputs, h = [x], x
        for i in (0, 2):
            z = h @ weights[i].T + weights[i + 1]
            h = np.tanh(z) if is_tanh else np.maximum(z, 0)
            inputs.append(h)
        loss, g = cross_entropy(h @ weights[4].T + weights[5], y)
        gradients: list[Any] = [None] * 6
        for i in (4, 2, 0):
            before = inputs[i // 2]
            gradients[i], gradients[i + 1] = g.T @ before, g.sum(0)
            if i:
                slope = (ONE - before * before) if is_tanh else (before > 0)
                g = (g @ weights[i]) * slope
        adam.step(gradients)
        return loss

    return update


def cnn(problem: Problem) -> Update:
    """Two convolutions by gathered windows, with pooling, and a linear layer."""
    weights = [value.copy() for value in problem.weights.values()]
    adam = Adam(weights, problem.lr)
    x, y = problem.x, problem.y
    assert x is not None and y is not None

    def update() -> float:
        h, steps = x, []
        for i in (0, 2):
            columns = windows(h)
            n, c, height, width = h.shape
            z = columns @ weights[i].reshape(len(weights[i]), -1).T + weights[i + 1]
            z = z.reshape(n, height // 2, 2, width // 2, 2, -1)
            pooled = z.max((2, 4), keepdims=True)
            h = np.maximum(pooled, 0)[:, :, 0, :, 0].transpose(0, 3, 1, 2)
            steps.append((columns, (n, c, height, width), (z == pooled) & (pooled > 0)))
        flat = np.ascontiguousarray(h).reshape(len(y), -1)
        loss, g = cross_entropy(flat @ weights[4].T + weights[5], y)
        gradients: list[Any] = [None] * 4 + [g.T @ flat, g.sum(0)]
        g = (g @ weights[4]).reshape(h.shape)
        for i in (2, 0):
            columns, shape, chosen = steps[i // 2]
            spread = chosen * g.transpose(0, 2, 3, 1)[:, :, None, :, None]
            spread = spread.reshape(-1, spread.shape[-1])
            gradients[i] = (spread.T @ columns).reshape(weights[i].shape)
            gradients[i + 1] = spread.sum(0)
            if i:
                g = scattered(spread @ weights[i].reshape(len(weights[i]), -1), shape)
        adam.step(gradients)
        return loss

    return update


def windows(x: Array) -> Array:
    """Return the 3 x 3 windows around every place, one a row."""
    n, c, height, width = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return views.transpose(0, 2, 3, 1, 4, 5).reshape(n * height * width, c * 9)


def scattered(columns: Array, shape: tuple[int, ...]) -> Array:
    """Add windows back to where `windows` took them from."""
    n, c, height, width = shape
    parts = columns.reshape(n, height, width, c, 3, 3)
    out = np.zeros((n, c, height + 2, width + 2), np.float32)
    for i in range(3):
        for j in range(3):
            out[:, :, i : i + height, j : j + width] += parts[..., i, j].transpose(0, 3, 1, 2)
    return out[:, :, 1:-1, 1:-1]


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x))."""
    powers: Array = np.float32(0.5) * (np.tanh(np.float32(0.5) * x) + ONE)
    return powers


def lstm(problem: Problem) -> Update:
    """A recurrent layer over time, and back."""
    weights = [value.copy() for value in problem.weights.values()]
    inner, recurrent, *biases = weights
    adam = Adam(weights, problem.lr)
    x, y = problem.x, problem.y
    assert x is not None and y is not None

    def update() -> float:
        states, kept = lstm_states(x @ inner.T + (biases[0] + biases[1]), recurrent)
        gap = states - y
        gates = lstm_back(gap * np.float32(2 / gap.size), kept, recurrent)
        rows = gates.reshape(-1, gates.shape[-1])
        before = np.stack([one[-1] for one in kept], 1).reshape(len(rows), -1)
        sums = rows.sum(0)
        adam.step([rows.T @ x.reshape(len(rows), -1), rows.T @ before, sums, sums])
        return float((gap * gap).mean())

    return update


def lstm_states(inputs: Array, recurrent: Array) -> tuple[Array, list[tuple[Array, ...]]]:
    """Return the states over time, and for each time what its gradient needs."""
    size, time, n = inputs.shape[0], inputs.shape[1], recurrent.shape[1]
    h = c = np.zeros((size, n), np.float32)
    states, kept = np.empty((size, time, n), np.float32), []
    for t in range(time):
        gates = inputs[:, t] + h @ recurrent.T
        gates[:, : 2 * n] = sigmoid(gates[:, : 2 * n])
        gates[:, 2 * n : 3 * n] = np.tanh(gates[:, 2 * n : 3 * n])
        gates[:, 3 * n :] = sigmoid(gates[:, 3 * n :])
        i, f, g, o = np.split(gates, 4, axis=1)
        before, c = c, f * c + i * g
        bent = np.tanh(c)
        kept.append((i, f, g, o, before, bent, h))
        h = states[:, t] = o * bent
    return states, kept


def lstm_back(back: Array, kept: list[tuple[Array, ...]], recurrent: Array) -> Array:
    """Return the gradients of all gates from those of the states."""
    size, time, n = back.shape
    gates = np.empty((size, time, 4 * n), np.float32)
    gh = gc = np.zeros((size, n), np.float32)
    for t in reversed(range(time)):
        i, f, g, o, before, bent, _ = kept[t]
        gh = gh + back[:, t]
        gc = gc + gh * o * (ONE - bent * bent)
        gates[:, t, :n] = gc * g * i * (ONE - i)
        gates[:, t, n : 2 * n] = gc * before * f * (ONE - f)
        gates[:, t, 2 * n : 3 * n] = gc * i * (ONE - g * g)
        gates[:, t, 3 * n :] = gh * bent * o * (ONE - o)
        gc, gh = gc * f, gates[:, t] @ recurrent
    return gates


def layer_norm(x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
    """Return the normalized rows and what their gradient needs."""
    x = x - x.mean(1, keepdims=True)
    scale = ONE / np.sqrt((x * x).mean(1, keepdims=True) + np.float32(1e-5))
    x = x * scale
    return x * weight + bias, (x, scale)


def layer_norm_back(g: Array, weight: Array, kept: tuple[Array, Array]) -> tuple[Array, ...]:
    """Return the gradients of rows, weight and bias."""
    x, scale = kept
    inner = g * weight
    spread = inner - inner.mean(1, keepdims=True) - x * (inner * x).mean(1, keepdims=True)
    return spread * scale, (g * x).sum(0), g.sum(0)


def attention(joined: Array, shape: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
    """Return the mixed values as rows, and what their gradient needs; ``shape``: B, T, 3, H, D."""
    factor = np.float32(1 / math.sqrt(shape[-1]))
    q, k, v = np.ascontiguousarray(joined.reshape(shape).transpose(2, 0, 3, 1, 4))
    scores = (q @ k.swapaxes(2, 3)) * factor
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    chances = powers / powers.sum(-1, keepdims=True)
    mixed = (chances @ v).transpose(0, 2, 1, 3).reshape(len(joined), -1)
    return mixed, (q, k, v, chances, factor)


def attention_back(g: Array, shape: tuple[int, ...], kept: tuple[Any, ...]) -> Array:
    """Return the gradient of what `attention` was given."""
    q, k, v, chances, factor = kept
    size, time, _, heads, width = shape
    parts = g.reshape(size, time, heads, width).swapaxes(1, 2)
    gv, gchances = chances.swapaxes(2, 3) @ parts, parts @ v.swapaxes(2, 3)
    gscores = chances * (gchances - (gchances * chances).sum(-1, keepdims=True)) * factor
    joined = np.stack([gscores @ k, gscores.swapaxes(2, 3) @ q, gv])
    return joined.transpose(1, 3, 0, 2, 4).reshape(len(g), -1)


def transformer(problem: Problem) -> Update:
    """One encoder layer, normalized after each half, and back."""
    w = {name: value.copy() for name, value in problem.weights.items()}
    adam = Adam(list(w.values()), problem.lr)
    x, y = problem.x, problem.y
    assert x is not None and y is not None
    shape = (*x.shape[:2], 3, 4, x.shape[2] // 4)
    rows = x.reshape(-1, x.shape[2])

    def linear(name: str, h: Array) -> Array:
        return h @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def update() -> float:
        joined = rows @ w["self_attn.in_proj_weight"].T + w["self_attn.in_proj_bias"]
        mixed, kept = attention(joined, shape)
        out = linear("self_attn.out_proj", mixed)
        first, kept1 = layer_norm(rows + out, w["norm1.weight"], w["norm1.bias"])
        inner = np.maximum(linear("linear1", first), 0)
        second = first + linear("linear2", inner)
        last, kept2 = layer_norm(second, w["norm2.weight"], w["norm2.bias"])
        gap = last - y.reshape(last.shape)
        g: dict[str, Any] = {}

        def linear_back(name: str, back: Array, before: Array) -> Array:
            g[f"{name}.weight"], g[f"{name}.bias"] = back.T @ before, back.sum(0)
            return back @ w[f"{name}.weight"]

        back = gap * np.float32(2 / gap.size)
        back, g["norm2.weight"], g["norm2.bias"] = layer_norm_back(back, w["norm2.weight"], kept2)
        hidden = linear_back("linear2", back, inner) * (inner > 0)
        back = back + linear_back("linear1", hidden, first)
        back, g["norm1.weight"], g["norm1.bias"] = layer_norm_back(back, w["norm1.weight"], kept1)
        flat = attention_back(linear_back("self_attn.out_proj", back, mixed), shape, kept)
        g["self_attn.in_proj_weight"], g["self_attn.in_proj_bias"] = flat.T @ rows, flat.sum(0)
        adam.step([g[name] for name in w])
        return float((gap * gap).mean())

    return update


def adam_alone(problem: Problem) -> Update:
    """Adam, tensor by tensor."""
    weights = [value.copy() for value in problem.weights.values()]
    adam = Adam(weights, problem.lr)

    def update() -> float:
        adam.step(problem.gradients)
        return float((weights[0] ** 2).sum())

    return update


KERNELS: dict[str, Callable[[Problem], Update]] = {
    "chain": chain,
    "demo_mlp": lambda problem: mlp(problem, True),
    "mlp_64": lambda problem: mlp(problem, False),
    "cnn": cnn,
    "lstm": lstm,
    "transformer": transformer,
    "adam_small": adam_alone,
    "adam_medium": adam_alone,
}
