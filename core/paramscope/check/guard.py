"""What a file under check may not do to the machine it is checked on.

It has no terminal, opens no window and downloads nothing; and what it forks never answers in
its place.
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

# Variables by which libraries find a screen; without them they draw to memory or say so.
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "MIR_SOCKET")
_SETTINGS = {
    "MPLBACKEND": "Agg",
    "QT_QPA_PLATFORM": "offscreen",
    "SDL_VIDEODRIVER": "dummy",
    "SDL_AUDIODRIVER": "dummy",
    "HF_HUB_OFFLINE": "1",
    "WANDB_MODE": "offline",
    "TQDM_DISABLE": "1",
    "PYTHONIOENCODING": "utf-8",
}
_OFFLINE = ("HF_HUB_OFFLINE", "WANDB_MODE")


class NetworkRefusedError(ConnectionError):
    """The file's code tried to reach another machine."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"The code wants to connect to {place}.\n"
            "  `paramscope check` runs files without the network.\n"
            "  Load what it needs beforehand, or allow it with --network."
        )


def guarded_environment(base: Mapping[str, str], allows_network: bool) -> dict[str, str]:
    """Return the environment in which files are run."""
    environment = {name: value for name, value in base.items() if name not in _SCREENS}
    for name, value in _SETTINGS.items():
        if not (allows_network and name in _OFFLINE):
            environment[name] = value
    return environment


def refuse_network() -> None:
    """Have every connection to another machine raise, from now on, in this whole process."""
    sys.addaudithook(_on_event)


def silence_forks(on_fork: Callable[[], None]) -> None:
    """Have ``on_fork`` run in each process that the file's code forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=on_fork)


def refused_place(event: str, arguments: tuple[Any, ...]) -> str:
    """Return the other machine that an event of the interpreter is about; empty if it is none."""
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and address and not _is_local(address[0]):
            return ":".join(str(part) for part in address[:2])
    elif event == "socket.getaddrinfo" and not _is_local(arguments[0]):
        return f"{_text(arguments[0])}:{arguments[1]}"
    return ""


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    place = refused_place(event, arguments) if event.startswith("socket.") else ""
    if place:
        raise NetworkRefusedError(place)


def _is_local(host: object) -> bool:
    """Tell whether a host is this very machine, as processes that train together use it."""
    if host is None:
        return True
    name = _text(host)
    return name in ("", "localhost", "::1", "0.0.0.0", "::", _OWN_NAME) or name.startswith("127.")


def _text(host: object) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)


_OWN_NAME = socket.gethostname()
