"""Ready-made parametrizations: `torch.nn.utils.parametrizations`."""

from typing import Any

from gradcore.creation import eye
from gradcore.modes import no_grad
from gradcore.nn import functional as F
from gradcore.nn.module import Module
from gradcore.nn.utils.parametrize import register_parametrization
from gradcore.nn.utils.reparametrized import as_matrix, norm_except_dim, turn_towards_largest
from gradcore.ops.linear_algebra import LINALG
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Any:
        return weight_v * (weight_g / norm_except_dim(weight_v, 2, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the length and the direction of a weight."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Give a weight a length and a direction that train apart."""
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        self.dim = dim if dim >= 0 else dim + weight.dim()
        self.eps = eps
        if weight.dim() > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = as_matrix(weight, self.dim)
                height, width = matrix.shape
                u = F.normalize(matrix.new_empty(height).normal_(0, 1), dim=0, eps=eps)
                v = F.normalize(matrix.new_empty(width).normal_(0, 1), dim=0, eps=eps)
                self.register_buffer("_u", u)
                self.register_buffer("_v", v)
                turn_towards_largest(matrix.detach(), u, v, 15, eps)

    def forward(self, weight: Tensor) -> Any:
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            values = matrix.detach()
            turn_towards_largest(values, self._u, self._v, self.n_power_iterations, self.eps)
        return weight / self._u.clone().dot(matrix.mv(self._v.clone()))

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return the weight itself."""
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value."""
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    made = _SpectralNorm(getattr(module, name), n_power_iterations, dim, eps)
    return register_parametrization(module, name, made)


class _Orthogonal(Module):
    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, trivialize: bool) -> None:
        super().__init__()
        self.orthogonal_map = orthogonal_map
        if trivialize:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.size(-2) < X.size(-1)
        x: Tensor = (X.mT if wide else X).tril()
        n, k = x.size(-2), x.size(-1)
        if n != k:
            fill = x.new_zeros((*x.shape[:-1], n - k))
            x = FUNCTIONS["cat"]([x, fill], -1)
        skew = x - x.mT
        if self.orthogonal_map == "matrix_exp":
            q = FUNCTIONS["matrix_exp"](skew)
        else:
            unit = eye(n, dtype=skew.dtype)
            q = LINALG["solve"](unit - 0.5 * skew, unit + 0.5 * skew)
        q = q[..., :k]
        if "base" in self._buffers and self.base is not None:
            q = self.base @ q
        result: Tensor = q.mT if wide else q
        return result

    def right_inverse(self, Q: Tensor) -> Tensor:
        """Return what gives an orthogonal matrix near Q; the base takes it in."""
        if "base" not in self._buffers:
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley "
                "parametrizations when use_trivialization=False."
            )
        wide = Q.size(-2) < Q.size(-1)
        given = Q.mT if wide else Q
        n, k = given.size(-2), given.size(-1)
        if n != k:
            fill = given.new_empty((*given.shape[:-1], n - k)).normal_(0, 1)
            given = FUNCTIONS["cat"]([given, fill], -1)
        q, r = LINALG["qr"](given)
        self.base = q * FUNCTIONS["diagonal"](r, 0, -2, -1).sgn().unsqueeze(-2)
        result: Tensor = -eye(n, k, dtype=Q.dtype).expand((*given.shape[:-2], n, k))
        return result.mT if wide else result


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a weight orthogonal: its columns (or rows) of length 1, at right angles."""
    weight = getattr(module, name)
    if weight.dim() < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions."
        )
    chosen = orthogonal_map or "matrix_exp"
    if chosen not in ("matrix_exp", "cayley"):
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, chosen, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
