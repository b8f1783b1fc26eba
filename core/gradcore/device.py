"""``device``: gradcore computes on the CPU, and says so under PyTorch's name."""

from typing import Any

from gradcore.errors import UnsupportedError

_KNOWN = ("cpu", "cuda", "mps", "xpu", "meta")


class device:
    """Where a tensor lies. ``device("cuda")`` can be named, but nothing can be put there."""

    __slots__ = ("type", "index")

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type = str(type)
        if isinstance(type, int):
            type, index = "cuda", type
        name, _, number = str(type).partition(":")
        if name not in _KNOWN or (number and not number.isdigit()):
            raise UnsupportedError(
                f"Expected one of {', '.join(_KNOWN)} device type at start of device string: "
                f"{type}",
                "",
                "gradcore computes on 'cpu'.",
            )
        self.type = name
        self.index = int(number) if number else index

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> Any:
        return device, (self.type, self.index)

    def __enter__(self) -> "device":
        check(self)
        return self

    def __exit__(self, *args: object) -> None:
        return None


CPU = device("cpu")


def check(where: Any) -> None:
    """Refuse any device but the CPU."""
    if where is None or where == "cpu":
        return
    wanted = where if isinstance(where, device) else device(where)
    if wanted.type != "cpu":
        raise UnsupportedError(
            f"gradcore has no device '{wanted}'",
            "",
            "It computes on 'cpu'; choose the device with torch.cuda.is_available(), which is "
            "False here.",
        )
