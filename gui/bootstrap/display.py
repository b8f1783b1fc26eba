"""Whether there is a screen to open a window on; asked before Qt is, which would abort."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path

ADVICE = (
    "  To see it without a screen:  python3 gui --demo   (plays a lesson offscreen, prints what\n"
    "  it finds and leaves pictures). Over ssh, connect with `ssh -X`."
)


def x_server_answers(display: str) -> bool:
    """Tell whether an X server listens at ``display`` (``:0``, ``host:10.0``)."""
    host, _, number = display.rpartition(":")
    port = number.partition(".")[0]
    if not port.isdigit():
        return False
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{port}"
        return any(_unix_socket_answers(address) for address in (path, "\0" + path))
    if host.startswith("/"):
        return Path(display).exists() or Path(host).exists()
    try:
        socket.create_connection((host, 6000 + int(port)), timeout=3).close()
    except OSError:
        return False
    return True


def _unix_socket_answers(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(address)
        except OSError:
            return False
    return True


def display_problem(
    platform: str,
    environ: Mapping[str, str],
    answers: Callable[[str], bool] = x_server_answers,
) -> str | None:
    """Return why no window can be opened, with what to do instead, or None if one can."""
    if platform in ("win32", "cygwin", "darwin"):
        return None
    chosen = environ.get("QT_QPA_PLATFORM", "")
    if environ.get("WAYLAND_DISPLAY") or (chosen and not chosen.startswith("xcb")):
        return None
    display = environ.get("DISPLAY", "")
    if not display:
        return (
            "There is no display here: neither DISPLAY nor WAYLAND_DISPLAY is set, so no window"
            " can be opened.\n" + ADVICE
        )
    if not answers(display):
        return f"No X server answers at DISPLAY={display}, so no window can be opened.\n" + ADVICE
    return None
