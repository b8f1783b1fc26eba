"""Recurrent layers: whole sequences (RNN, LSTM, GRU) and single steps (the cells)."""

import math
import warnings
from functools import partial
from typing import Any

from gradcore.creation import empty, zeros
from gradcore.errors import ShapeError
from gradcore.nn import functional as F
from gradcore.nn import init
from gradcore.nn.catalog import module, sample
from gradcore.nn.module import Module
from gradcore.nn.packed import through_packed
from gradcore.nn.parameter import Parameter
from gradcore.nn.utils.rnn import PackedSequence
from gradcore.ops.recurrent import gru_sequence, lstm_projected, lstm_sequence, rnn_sequence
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What the three recurrent layers share: their parameters, and the walk over the layers."""

    __constants__ = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._check_arguments(mode, hidden_size, num_layers, dropout, proj_size)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        directions = 2 if bidirectional else 1
        height = _GATES[mode] * hidden_size
        for layer in range(num_layers):
            width = input_size if layer == 0 else self._state_size * directions
            for suffix in self._suffixes(layer):
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (height, width),
                    "weight_hh": (height, self._state_size),
                }
                if bias:
                    shapes |= {"bias_ih": (height,), "bias_hh": (height,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for kind, shape in shapes.items():
                    values = empty(shape, device=device, dtype=dtype)
                    setattr(self, f"{kind}_{suffix}", Parameter(values))
        self.reset_parameters()

    @staticmethod
    def _check_arguments(
        mode: str, hidden_size: int, num_layers: int, dropout: float, proj_size: int
    ) -> None:
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        if not isinstance(hidden_size, int):
            raise TypeError(f"hidden_size should be of type int, got: {type(hidden_size).__name__}")
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={num_layers}",
                stacklevel=4,
            )
        if proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    @property
    def _state_size(self) -> int:
        """How many values of a hidden state a layer hands on."""
        return self.proj_size or self.hidden_size

    def _suffixes(self, layer: int) -> tuple[str, ...]:
        return (f"l{layer}", f"l{layer}_reverse") if self.bidirectional else (f"l{layer}",)

    def reset_parameters(self) -> None:
        """Draw all weights and biases anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: the weights need not lie next to each other here."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction."""
        kinds = ["weight_ih", "weight_hh"] + (["bias_ih", "bias_hh"] if self.bias else [])
        kinds += ["weight_hr"] if self.proj_size else []
        return [
            [getattr(self, f"{kind}_{suffix}") for kind in kinds]
            for layer in range(self.num_layers)
            for suffix in self._suffixes(layer)
        ]

    def _checked(self, input: Tensor, hidden: Any) -> None:
        name = type(self).__name__
        if input.dim() not in (2, 3):
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        if input.size(-1) != self.input_size:
            raise ShapeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.size(-1)}",
                "",
                f"Set input_size={input.size(-1)}, or change what feeds it.",
                shapes=(tuple(input.shape),),
            )
        if hidden is not None and hidden.dim() != input.dim():
            batched = "batched" if input.dim() == 3 else "unbatched"
            raise RuntimeError(
                f"For {batched} {input.dim()}-D input, hx should also be {input.dim()}-D "
                f"but got {hidden.dim()}-D tensor"
            )

    def _start(self, given: Tensor | None, input: Tensor, batched: bool, kind: int) -> Tensor:
        """Return the first hidden state (or, of kind 1, cell): the one given, or zeros."""
        directions = 2 if self.bidirectional else 1
        size = self.hidden_size if kind else self._state_size
        wanted = (self.num_layers * directions, input.size(1), size)
        if given is None:
            result: Tensor = zeros(wanted, dtype=input.dtype)
            return result
        state = given if batched else given.unsqueeze(1)
        if tuple(state.shape) != wanted:
            raise ShapeError(
                f"Expected hidden size {wanted}, got {list(state.shape)}",
                "",
                "A hidden state is (layers * directions, batch, hidden_size), also with "
                "batch_first.",
                shapes=(tuple(state.shape), wanted),
            )
        return state

    def _gates(self, x: Tensor, suffix: str) -> Tensor:
        """Multiply inputs by their weights, for all times at once.

        Only a GRU needs to know the two biases apart; else their sum is added with the states.
        """
        has_bias = self.bias and self.mode == "GRU"
        bias = getattr(self, f"bias_ih_{suffix}") if has_bias else None
        result: Tensor = F.linear(x, getattr(self, f"weight_ih_{suffix}"), bias)
        return result

    def _step_through(
        self, gates: Tensor, states: tuple[Tensor, ...], suffix: str, reverse: bool
    ) -> tuple[Tensor, ...]:
        """Run one layer in one direction: return its outputs and its last states."""
        weight = getattr(self, f"weight_hh_{suffix}")
        bias = getattr(self, f"bias_hh_{suffix}") if self.bias else None
        if bias is not None and self.mode != "GRU":
            bias = bias + getattr(self, f"bias_ih_{suffix}")
        if self.proj_size:
            hidden, cell = states
            projection = getattr(self, f"weight_hr_{suffix}")
            found = lstm_projected(gates, hidden, cell, weight, bias, projection, reverse)
        elif self.mode == "LSTM":
            found = lstm_sequence(gates, *states, weight, bias, reverse)
        elif self.mode == "GRU":
            found = gru_sequence(gates, *states, weight, bias, reverse)
        else:
            found = rnn_sequence(gates, *states, weight, bias, self.mode == "RNN_RELU", reverse)
        result: tuple[Tensor, ...] = found
        return result

    def _run(self, input: Tensor, states: tuple[Tensor | None, ...]) -> tuple[Tensor, list[Tensor]]:
        """Run all layers; return the outputs and each kind of last state."""
        batched = input.dim() == 3
        x = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            x = x.transpose(0, 1)
        starts = [self._start(state, x, batched, kind) for kind, state in enumerate(states)]
        last: list[list[Tensor]] = [[] for _ in states]
        for layer in range(self.num_layers):
            outputs = []
            for direction, suffix in enumerate(self._suffixes(layer)):
                place = len(last[0])
                gates = self._gates(x, suffix)
                begin = tuple(start[place] for start in starts)
                found = self._step_through(gates, begin, suffix, direction == 1)
                outputs.append(found[0])
                for kind, state in zip(last, found[1:], strict=True):
                    kind.append(state)
            x = outputs[0] if len(outputs) == 1 else FUNCTIONS["cat"](outputs, -1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout)
        stacked = [FUNCTIONS["stack"](kind, 0) for kind in last]
        if not batched:
            return x.squeeze(1), [state.squeeze(1) for state in stacked]
        return (x.transpose(0, 1) if self.batch_first else x), stacked

    def _run_packed(
        self, packed: PackedSequence, states: tuple[Tensor | None, ...]
    ) -> tuple[PackedSequence, list[Tensor]]:
        """Run all layers on packed sequences; outputs are packed likewise."""
        sizes = packed.batch_sizes._a.tolist()
        rows = packed.data[: sizes[0]].unsqueeze(0)
        starts = [self._start(state, rows, True, kind) for kind, state in enumerate(states)]
        if packed.sorted_indices is not None:
            starts = [start.index_select(1, packed.sorted_indices) for start in starts]
        x = packed.data
        last: list[list[Tensor]] = [[] for _ in states]
        for layer in range(self.num_layers):
            outputs = []
            for direction, suffix in enumerate(self._suffixes(layer)):
                place = len(last[0])
                gates = self._gates(x, suffix)
                begin = tuple(start[place] for start in starts)
                step = partial(self._step_through, suffix=suffix, reverse=direction == 1)
                found = through_packed(step, gates, begin, sizes, direction == 1)
                outputs.append(found[0])
                for kind, state in zip(last, found[1], strict=True):
                    kind.append(state)
            x = outputs[0] if len(outputs) == 1 else FUNCTIONS["cat"](outputs, -1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout)
        stacked = [FUNCTIONS["stack"](kind, 0) for kind in last]
        if packed.unsorted_indices is not None:
            stacked = [state.index_select(1, packed.unsorted_indices) for state in stacked]
        return packed.with_data(x), stacked

    def _pass(self, input: Any, states: tuple[Tensor | None, ...]) -> tuple[Any, list[Tensor]]:
        """Check the input and run it, packed or not."""
        if isinstance(input, PackedSequence):
            self._checked(input.data, None)
            return self._run_packed(input, states)
        self._checked(input, states[0])
        return self._run(input, states)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.batch_first is not False:
            text += f", batch_first={self.batch_first}"
        if self.dropout != 0:
            text += f", dropout={self.dropout}"
        if self.bidirectional is not False:
            text += f", bidirectional={self.bidirectional}"
        return text


def _outputs(kinds: int) -> Any:
    """Return the function that computes a recurrent layer's output sizes."""

    def derive(arguments: Any, bound: Any) -> dict[str, Any]:
        directions = 2 if arguments["bidirectional"] else 1
        batch = bound["[A]"]
        if batch and not arguments["batch_first"]:
            batch = (bound["B"],)
        layers = (arguments["num_layers"] * directions,)
        width = arguments.get("proj_size") or arguments["hidden_size"]
        return {"width": width * directions, "state": (*layers, *batch)}

    return derive


_SHAPE = "([A], B, input_size) -> ([A], B, width), (state, hidden_size)"
_SEQUENCE_SAMPLES = [
    sample(3, 4, inputs=[(5, 2, 3)]),
    sample(3, 4, num_layers=2, bidirectional=True, inputs=[(5, 2, 3)]),
    sample(3, 4, batch_first=True, bias=False, inputs=[(2, 5, 3)]),
    sample(3, 4, inputs=[(5, 3)]),
    sample(3, 4, inputs=[(5, 2, 3), (1, 2, 4)]),
]


@module(
    family="recurrent",
    shape=_SHAPE,
    derive=_outputs(1),
    summary="Carries a hidden state along a sequence.",
    aliases=("elman",),
    samples=[*_SEQUENCE_SAMPLES, sample(3, 4, nonlinearity="relu", inputs=[(5, 2, 3)])],
)
class RNN(RNNBase):
    """Compute `h = tanh(W_ih x + b_ih + W_hh h + b_hh)` along a sequence.

    Shape:      (L, N, input_size), with batch_first (N, L, input_size)
    Attributes: weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k], all drawn uniformly
        between -k and k with k = 1 / sqrt(hidden_size).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(
            mode,
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._pass(input, (hx,))
        return output, last


@module(
    family="recurrent",
    shape=_SHAPE,
    derive=_outputs(1),
    summary="A recurrent layer with an update and a reset gate.",
    samples=_SEQUENCE_SAMPLES,
)
class GRU(RNNBase):
    """Carry a hidden state along a sequence through an update and a reset gate."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._pass(input, (hx,))
        return output, last


@module(
    family="recurrent",
    shape="([A], B, input_size) -> ([A], B, width), (state, hidden_size), (state, hidden_size)",
    derive=_outputs(2),
    summary="A recurrent layer with a cell that remembers.",
    samples=_SEQUENCE_SAMPLES[:4],
)
class LSTM(RNNBase):
    """Carry a hidden state and a cell along a sequence through three gates."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        hidden, cell = (None, None) if hx is None else hx
        output, (last, last_cell) = self._pass(input, (hidden, cell))
        return output, (last, last_cell)
