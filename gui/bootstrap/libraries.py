"""The shared libraries of the system that Qt's wheels need on Linux and don't bring along.

`environment` asks for them before it downloads anything. Which are needed was read from the
wheels' own ELF headers (PySide6-Essentials 6.11, the platform plugins `offscreen` and `xcb`).
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping

from bootstrap.errors import SetUpError

# File to load -> Debian packages that hold it, the newest name first (Debian 13 and Ubuntu
# 24.04 renamed some with the move to 64-bit time).
ALWAYS: Mapping[str, tuple[str, ...]] = {
    "libEGL.so.1": ("libegl1",),
    "libGL.so.1": ("libgl1",),
    "libX11.so.6": ("libx11-6",),
    "libdbus-1.so.3": ("libdbus-1-3",),
    "libfontconfig.so.1": ("libfontconfig1",),
    "libfreetype.so.6": ("libfreetype6",),
    "libglib-2.0.so.0": ("libglib2.0-0t64", "libglib2.0-0"),
    "libgthread-2.0.so.0": ("libglib2.0-0t64", "libglib2.0-0"),
    "libxkbcommon.so.0": ("libxkbcommon0",),
    "libz.so.1": ("zlib1g",),
    "libzstd.so.1": ("libzstd1",),
}
X_WINDOW: Mapping[str, tuple[str, ...]] = {
    "libX11-xcb.so.1": ("libx11-xcb1",),
    "libxcb-cursor.so.0": ("libxcb-cursor0",),
    "libxcb-icccm.so.4": ("libxcb-icccm4",),
    "libxcb-image.so.0": ("libxcb-image0",),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1",),
    "libxcb-randr.so.0": ("libxcb-randr0",),
    "libxcb-render-util.so.0": ("libxcb-render-util0",),
    "libxcb-render.so.0": ("libxcb-render0",),
    "libxcb-shape.so.0": ("libxcb-shape0",),
    "libxcb-shm.so.0": ("libxcb-shm0",),
    "libxcb-sync.so.1": ("libxcb-sync1",),
    "libxcb-util.so.1": ("libxcb-util1",),
    "libxcb-xfixes.so.0": ("libxcb-xfixes0",),
    "libxcb-xkb.so.1": ("libxcb-xkb1",),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0",),
}


def missing_libraries(
    names: Iterable[str], load: Callable[[str], object] = ctypes.CDLL
) -> list[str]:
    """Return those of ``names`` that the dynamic loader doesn't find.

    They are really loaded: `ctypes.util.find_library` asks tools that a bare machine lacks.
    """
    missing = []
    for name in names:
        try:
            load(name)
        except OSError:
            missing.append(name)
    return missing


def debian_packages(libraries: Iterable[str], is_known: Callable[[str], bool]) -> list[str]:
    """Return the packages that hold ``libraries``, by the names this release knows them by."""
    table = {**ALWAYS, **X_WINDOW}
    chosen = []
    for library in libraries:
        names = table[library]
        chosen.append(next((name for name in names if is_known(name)), names[-1]))
    return sorted(set(chosen))


def install_line(
    libraries: list[str], which: Callable[[str], str | None], known: Callable[[str], bool]
) -> str:
    """Return the one line that installs ``libraries``, in the words of this system's installer."""
    if which("apt-get"):
        return "sudo apt-get install -y " + " ".join(debian_packages(libraries, known))
    for installer in ("dnf", "zypper"):
        if which(installer):
            # Both know packages by the files they bring.
            return f"sudo {installer} install " + " ".join(
                f"'{name}()(64bit)'" for name in libraries
            )
    return "Install the packages of your system that bring " + ", ".join(libraries) + "."


def apt_knows(package: str) -> bool:
    """Tell whether apt's lists hold ``package`` under this very name."""
    shown = subprocess.run(["apt-cache", "show", package], capture_output=True, check=False)
    return shown.returncode == 0


def apt_install(packages: list[str], say: Callable[[str], None]) -> None:
    """Install ``packages`` with apt-get, as root; refresh its lists first if they are needed."""
    say("Installing system packages: " + " ".join(packages))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for command in (install, ["apt-get", "update", "-q"], install):
        result = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if command is install and result.returncode == 0:
            return
    raise SetUpError(
        f"apt-get could not install {' '.join(packages)}.",
        (result.stderr.strip() or result.stdout.strip()).splitlines()[-3:],
        "Run `apt-get update` and the same line by hand, then start again.",
    )


def require_libraries(
    names: Iterable[str],
    say: Callable[[str], None],
    *,
    is_root: bool,
    load: Callable[[str], object] = ctypes.CDLL,
    which: Callable[[str], str | None] = shutil.which,
) -> None:
    """Make sure that ``names`` can be loaded: install them as root, else say how it is done.

    Raises: `SetUpError` with the one line to run.
    """
    missing = missing_libraries(names, load)
    if not missing:
        return
    known = apt_knows if which("apt-get") else lambda package: False
    if is_root and which("apt-get"):
        apt_install(debian_packages(missing, apt_knows), say)
        missing = missing_libraries(missing, load)
        if not missing:
            return
    raise SetUpError(
        f"Qt needs shared libraries that this system lacks: {', '.join(missing)}.",
        ["They belong to the system and don't come with Python packages."],
        install_line(missing, which, known),
    )
