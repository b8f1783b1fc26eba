"""How a tensor prints: PyTorch's format, character by character."""

import math
from typing import Any

import numpy as np

from gradcore import dtypes
from gradcore.dtypes import Array


class Options:
    """What ``set_printoptions`` sets."""

    precision = 4
    threshold: float = 1000
    edgeitems = 3
    linewidth = 80
    sci_mode: bool | None = None


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print."""
    profiles: dict[str, tuple[int, float, int]] = {
        "default": (4, 1000, 3),
        "short": (2, 1000, 2),
        "full": (4, math.inf, 3),
    }
    if profile is not None:
        Options.precision, Options.threshold, Options.edgeitems = profiles[profile]
        Options.linewidth = 80
    Options.precision = Options.precision if precision is None else precision
    Options.threshold = Options.threshold if threshold is None else threshold
    Options.edgeitems = Options.edgeitems if edgeitems is None else edgeitems
    Options.linewidth = Options.linewidth if linewidth is None else linewidth
    Options.sci_mode = sci_mode


class Formatter:
    """How the numbers of one tensor are written, all in the same width."""

    def __init__(self, values: Array) -> None:
        self.is_float = values.dtype.kind == "f"
        self.whole = True
        self.scientific = False
        self.width = 1
        if self.is_float:
            self._fit_floats(values)
        else:
            self.width = max((len(str(value)) for value in values.reshape(-1).tolist()), default=1)
        if Options.sci_mode is not None:
            self.scientific = Options.sci_mode

    def _fit_floats(self, values: Array) -> None:
        flat = values.reshape(-1)
        shown = flat[np.isfinite(flat) & (flat != 0)].astype(np.float64)
        if shown.size == 0:
            return
        size = np.abs(shown)
        largest, smallest = float(size.max()), float(size.min())
        self.whole = bool(np.all(np.ceil(shown) == shown))
        if self.whole:
            # Whole numbers print without decimals, unless they span too wide a range.
            self.scientific = largest / smallest > 1000.0 or largest > 1.0e8
        else:
            self.scientific = largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4
        if Options.sci_mode is not None:
            self.scientific = Options.sci_mode
        digits = Options.precision
        if self.scientific:
            pattern = "{:." + str(digits) + "e}"
        elif self.whole:
            pattern = "{:.0f}."
        else:
            pattern = "{:." + str(digits) + "f}"
        self.width = max(len(pattern.format(x)) for x in shown.tolist())

    def text(self, value: Any) -> str:
        """Return one value, padded on the left."""
        if self.is_float:
            if self.scientific:
                made = f"{value:.{Options.precision}e}"
            elif self.whole:
                made = f"{value:.0f}"
                if math.isfinite(value):
                    made += "."
            else:
                made = f"{value:.{Options.precision}f}"
        else:
            made = str(value)
        return made.rjust(self.width)


def _text(value: Any, first: Formatter, second: Formatter | None) -> str:
    if second is None:
        return first.text(value)
    real, imaginary = first.text(value.real), second.text(value.imag).lstrip()
    # A negative imaginary part brings its own sign.
    return real + (imaginary if imaginary.startswith("-") else "+" + imaginary) + "j"


def _vector(a: Array, indent: int, summarise: bool, formatters: Any) -> str:
    first, second = formatters
    width = first.width + (second.width + 1 if second is not None else 0) + 2
    per_line = max(1, (Options.linewidth - indent) // width)
    if summarise and not Options.edgeitems:
        values = ["..."]
    elif summarise and a.shape[0] > 2 * Options.edgeitems:
        edge = Options.edgeitems
        values = [_text(x, first, second) for x in a[:edge].tolist()]
        values += [" ..."]
        values += [_text(x, first, second) for x in a[-edge:].tolist()]
    else:
        values = [_text(x, first, second) for x in a.tolist()]
    lines = [values[i : i + per_line] for i in range(0, len(values), per_line)] or [[]]
    return "[" + (",\n" + " " * (indent + 1)).join(", ".join(line) for line in lines) + "]"


def _nested(a: Array, indent: int, summarise: bool, formatters: Any) -> str:
    if a.ndim == 0:
        return _text(a.item(), *formatters)
    if a.ndim == 1:
        return _vector(a, indent, summarise, formatters)
    edge = Options.edgeitems
    if summarise and a.shape[0] > 2 * edge:
        rows = [_nested(row, indent + 1, summarise, formatters) for row in a[:edge]]
        rows += ["..."]
        rows += [_nested(row, indent + 1, summarise, formatters) for row in a[-edge:]]
    else:
        rows = [_nested(row, indent + 1, summarise, formatters) for row in a]
    return "[" + ("," + "\n" * (a.ndim - 1) + " " * (indent + 1)).join(rows) + "]"


def _edges(a: Array) -> Array:
    """Return only the values that a summary shows."""
    edge = Options.edgeitems
    for i, size in enumerate(a.shape):
        if size > 2 * edge:
            keep = np.r_[0:edge, size - edge : size]
            a = np.take(a, keep, axis=i)
    return a


def values_text(a: Array, indent: int) -> str:
    """Return the values in brackets, lines after the first indented."""
    if a.size == 0:
        return "[]"
    summarise = a.size > Options.threshold
    shown = _edges(a) if summarise else a
    if a.dtype.kind == "c":
        formatters: Any = (Formatter(shown.real), Formatter(shown.imag))
    else:
        formatters = (Formatter(shown), None)
    return _nested(a, indent, summarise, formatters)


_INNER = "torch::autograd::"


def _suffixes(t: Any) -> list[str]:
    found = []
    a = t._a
    kind = dtypes.of(a)
    default = dtypes.get_default_dtype()
    implied = (default, dtypes.int64, dtypes.bool_, default.to_complex())
    if a.size == 0:
        if a.ndim != 1:
            found.append(f"size=({', '.join(map(str, a.shape))}{',' if a.ndim == 1 else ''})")
        if kind is not default:
            found.append(f"dtype={kind}")
    elif kind not in implied:
        found.append(f"dtype={kind}")
    node = t.grad_fn
    if node is not None:
        found.append(f"grad_fn=<{node.name().removeprefix(_INNER)}>")
    elif t._rg:
        found.append("requires_grad=True")
    return found


def tensor_text(t: Any, prefix: str = "tensor(") -> str:
    """Return the whole text, as ``tensor([1., 2.], requires_grad=True)``."""
    indent = len(prefix)
    body = values_text(t._a, indent)
    text = prefix + body
    last = len(text) - text.rfind("\n") - 1 if "\n" in text else len(text)
    for suffix in _suffixes(t):
        if last + len(suffix) + 2 > Options.linewidth:
            text += ",\n" + " " * indent + suffix
            last = indent + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text + ")"
