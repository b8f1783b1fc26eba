"""Adam in NumPy, for the peers that bring gradients but no optimizer."""

import numpy as np

from workloads import Array


class Adam:
    """Moves arrays in place by their gradients, as PyTorch's Adam does."""

    def __init__(self, values: list[Array], lr: float) -> None:
        self.values = values
        self.lr = lr
        self.means = [np.zeros_like(value) for value in values]
        self.squares = [np.zeros_like(value) for value in values]
        self.count = 0

    def step(self, gradients: list[Array]) -> None:
        """Take one step."""
        self.count += 1
        rate = self.lr / (1 - 0.9**self.count)
        root = np.sqrt(np.float32(1 - 0.999**self.count))
        for value, g, mean, square in zip(
            self.values, gradients, self.means, self.squares, strict=True
        ):
            mean += np.float32(0.1) * (g - mean)
            square += np.float32(0.001) * (g * g - square)
            value -= np.float32(rate) * mean / (np.sqrt(square) / root + np.float32(1e-8))
