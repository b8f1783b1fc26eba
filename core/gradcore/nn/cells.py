"""Single steps of recurrent layers, for loops that the user writes."""

import math
from typing import Any

from gradcore.creation import empty, zeros
from gradcore.nn import functional as F
from gradcore.nn import init
from gradcore.nn.catalog import module, sample
from gradcore.nn.module import Module
from gradcore.nn.parameter import Parameter
from gradcore.tensor import Tensor


class RNNCellBase(Module):
    """What the cells share: their four parameters."""

    __constants__ = ["input_size", "hidden_size", "bias"]
    weight_ih: Tensor
    weight_hh: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        height = num_chunks * hidden_size
        options = {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(empty((height, input_size), **options))
        self.weight_hh = Parameter(empty((height, hidden_size), **options))
        if bias:
            self.bias_ih = Parameter(empty(height, **options))
            self.bias_hh = Parameter(empty(height, **options))
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights and biases anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _gates(self, input: Tensor) -> Tensor:
        if input.dim() not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 1D or 2D, got {input.dim()}D instead"
            )
        return F.linear(input, self.weight_ih, self.bias_ih)

    def _state(self, given: Tensor | None, input: Tensor) -> Tensor:
        if given is not None:
            return given
        result: Tensor = zeros((*input.shape[:-1], self.hidden_size), dtype=input.dtype)
        return result

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = self.__dict__.get("nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"


_CELL_SHAPE = "([N], input_size), ([N], hidden_size) -> ([N], hidden_size)"
_CELL_SAMPLES = [
    sample(3, 4, inputs=[(2, 3)]),
    sample(3, 4, inputs=[(2, 3), (2, 4)]),
    sample(3, 4, bias=False, inputs=[(3,)]),
]


@module(
    family="recurrent",
    shape=_CELL_SHAPE,
    summary="One step of an RNN.",
    samples=[*_CELL_SAMPLES, sample(3, 4, nonlinearity="relu", inputs=[(2, 3)])],
)
class RNNCell(RNNCellBase):
    """Compute one step of an RNN."""

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        hidden = self._state(hx, input)
        total = self._gates(input) + F.linear(hidden, self.weight_hh, self.bias_hh)
        if self.nonlinearity == "tanh":
            result: Tensor = total.tanh()
            return result
        if self.nonlinearity == "relu":
            return F.relu(total)
        raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")


@module(
    family="recurrent",
    shape="([N], input_size) -> ([N], hidden_size), ([N], hidden_size)",
    summary="One step of an LSTM.",
    samples=[sample(3, 4, inputs=[(2, 3)]), sample(3, 4, bias=False, inputs=[(3,)])],
)
class LSTMCell(RNNCellBase):
    """Compute one step of an LSTM."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        given, given_cell = (None, None) if hx is None else hx
        hidden, cell = self._state(given, input), self._state(given_cell, input)
        total = self._gates(input) + F.linear(hidden, self.weight_hh, self.bias_hh)
        enter, keep, new, leave = total.chunk(4, -1)
        cell = keep.sigmoid() * cell + enter.sigmoid() * new.tanh()
        return leave.sigmoid() * cell.tanh(), cell


@module(
    family="recurrent",
    shape=_CELL_SHAPE,
    summary="One step of a GRU.",
    samples=_CELL_SAMPLES,
)
class GRUCell(RNNCellBase):
    """Compute one step of a GRU."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        hidden = self._state(hx, input)
        from_input = self._gates(input).chunk(3, -1)
        from_hidden = F.linear(hidden, self.weight_hh, self.bias_hh).chunk(3, -1)
        reset = (from_input[0] + from_hidden[0]).sigmoid()
        update = (from_input[1] + from_hidden[1]).sigmoid()
        new = (from_input[2] + reset * from_hidden[2]).tanh()
        result: Tensor = (1 - update) * new + update * hidden
        return result
