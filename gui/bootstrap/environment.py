"""Makes the checkout's virtual environment once and starts programs in it.

Called by `gui/__main__.py` and `tests/__main__.py` with the Python the user has. A stamp in the
environment (a hash of the lock file, the Python version and the place) lets every later start
skip all of it. The stamp is written last, so a set-up that was cut off is recognised; a lock
file makes two starts at once wait for each other.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bootstrap.errors import SetUpError
from bootstrap.libraries import ALWAYS, X_WINDOW, apt_install, require_libraries

MAKING = "making"
SOURCE_ROOTS = ("core", "gui", "assets")
TORCH = "torch==2.13.0"
# Set for the process that runs inside the environment, which need not look again.
READY = "PARAMSCOPE_ENVIRONMENT_READY"


@dataclass(frozen=True)
class Checkout:
    """Where the project lies and where its environment is to be."""

    root: Path
    venv: Path

    @property
    def lock_file(self) -> Path:
        """The list of everything that is installed, with hashes."""
        return self.root / "requirements.lock"

    @property
    def stamp_file(self) -> Path:
        """Tells the state of the environment: `MAKING`, or the stamp it was finished with."""
        return self.venv / "paramscope-stamp"

    @property
    def python(self) -> Path:
        """The environment's own interpreter."""
        return self.venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def find_checkout(root: Path, environ: Mapping[str, str] = os.environ) -> Checkout:
    """Return the checkout at ``root``; PARAMSCOPE_VENV puts its environment elsewhere."""
    chosen = environ.get("PARAMSCOPE_VENV")
    return Checkout(root, Path(chosen).absolute() if chosen else root / ".venv")


def stamp_of(checkout: Checkout, version: str = sys.version) -> str:
    """Return what identifies the finished environment: lock, Python and, beside them, place."""
    digest = hashlib.sha256(checkout.lock_file.read_bytes() + version.encode()).hexdigest()
    return f"{digest} {place_of(checkout)}"


def place_of(checkout: Checkout) -> str:
    """Return where the environment and its sources lie; an environment cannot be moved."""
    return f"{checkout.venv} for {checkout.root}"


def is_ready(checkout: Checkout, stamp: str) -> bool:
    """Tell whether the environment was finished with this very ``stamp``."""
    try:
        written = checkout.stamp_file.read_text(encoding="utf-8")
        return written == stamp and checkout.python.exists()
    except OSError:
        return False


def ensure_environment(checkout: Checkout, say: Callable[[str], None]) -> None:
    """Make or renew the environment if it isn't ready; a second start waits for the first.

    Raises: `SetUpError` with the cure.
    """
    stamp = stamp_of(checkout)
    if is_ready(checkout, stamp):
        return
    if sys.platform == "linux":
        names = [*ALWAYS, *(X_WINDOW if os.environ.get("DISPLAY") else ())]
        require_libraries(names, say, is_root=os.geteuid() == 0)
    require_venv_module(say)
    try:
        checkout.venv.parent.mkdir(parents=True, exist_ok=True)
        with only_one(checkout.venv.with_name(checkout.venv.name + ".lock"), say):
            if not is_ready(checkout, stamp):
                make_environment(checkout, stamp, say)
    except OSError as error:
        raise SetUpError(
            f"The environment cannot be written: {error}.",
            [f"Its place is {checkout.venv}."],
            "Copy the checkout to a folder of yours, or set PARAMSCOPE_VENV to a folder that"
            " can be written.",
        ) from error


def make_environment(checkout: Checkout, stamp: str, say: Callable[[str], None]) -> None:
    """Create the environment, or renew one, and stamp it when everything is in it."""
    refuse_what_is_not_ours(checkout)
    say(f"Setting up {checkout.venv} (once; about 500 MB)")
    if must_be_remade(checkout):
        shutil.rmtree(checkout.venv)
    is_new = not checkout.python.exists()
    checkout.venv.mkdir(exist_ok=True)
    checkout.stamp_file.write_text(MAKING, encoding="utf-8")
    if is_new:
        create_venv(checkout.venv)
    run_pip(
        checkout,
        [
            "install",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-r",
            str(checkout.lock_file),
        ],
    )
    add_source_roots(checkout)
    finished = checkout.stamp_file.with_suffix(".new")
    finished.write_text(stamp, encoding="utf-8")
    finished.replace(checkout.stamp_file)
    say("The environment is ready.")


def refuse_what_is_not_ours(checkout: Checkout) -> None:
    """Leave an environment alone that another checkout has made and still uses.

    Raises: `SetUpError` with the cure.
    """
    if not checkout.stamp_file.exists():
        return
    place = checkout.stamp_file.read_text(encoding="utf-8").partition(" ")[2]
    venv, _, root = place.rpartition(" for ")
    if not venv or Path(root) == checkout.root or not Path(root).exists():
        return
    if Path(venv).exists() and Path(venv).samefile(checkout.venv):
        raise SetUpError(
            f"The environment {checkout.venv} belongs to another checkout.",
            [f"It was made for {root}."],
            "Unset PARAMSCOPE_VENV, or let it name a folder that no other checkout uses.",
        )


def must_be_remade(checkout: Checkout) -> bool:
    """Tell whether the environment is one of ours that is unfinished, moved or of another Python.

    One without any stamp was made by the user: it is filled, never removed.
    """
    if not checkout.stamp_file.exists():
        return False
    stamp = checkout.stamp_file.read_text(encoding="utf-8")
    if stamp == MAKING or not checkout.python.exists():
        return True
    return not stamp.endswith(" " + place_of(checkout)) or not is_of_this_python(checkout.venv)


def is_of_this_python(folder: Path) -> bool:
    """Tell whether the environment in ``folder`` was made by a Python of this minor version."""
    try:
        lines = (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    entries = dict(line.partition(" = ")[::2] for line in lines)
    return entries.get("version", "").split(".")[:2] == [str(part) for part in sys.version_info[:2]]


def create_venv(folder: Path) -> None:
    """Create a virtual environment with pip in ``folder``, around the stamp it may hold."""
    import venv  # brings logging and more, which every later start would wait for

    try:
        venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(folder)
    except subprocess.CalledProcessError as error:
        output = error.output or b""
        text = output if isinstance(output, str) else output.decode(errors="replace")
        raise SetUpError(
            f"Python could not make a virtual environment in {folder}.",
            text.strip().splitlines()[-3:],
            "See that this Python is complete (Debian, Ubuntu: apt-get install python3-venv).",
        ) from error


def require_venv_module(
    say: Callable[[str], None],
    find: Callable[[str], object | None] = importlib.util.find_spec,
    which: Callable[[str], str | None] = shutil.which,
    is_root: bool | None = None,
) -> None:
    """Make sure that this Python can make virtual environments; Debian splits that part off.

    Raises: `SetUpError` with the line to run.
    """
    if find("ensurepip"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if is_root is None:
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and which("apt-get"):
        apt_install([package], say)
        importlib.invalidate_caches()
        if find("ensurepip"):
            return
    raise SetUpError(
        "This Python cannot make virtual environments: its module `ensurepip` is missing.",
        [f"The Python that runs is {sys.executable}."],
        f"sudo apt-get install -y {package}   (Debian, Ubuntu; elsewhere install Python whole)",
    )


@contextlib.contextmanager
def only_one(lock_file: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold ``lock_file`` for this process; wait for another that holds it, and say so.

    The system frees it when the holder ends, however it ends.
    """
    with open(lock_file, "a+b") as handle:
        if not _try_lock(handle.fileno()):
            say("Another start is setting up; waiting for it.")
            _wait_for_lock(handle.fileno())
        yield


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _wait_for_lock(descriptor: int) -> None:
        # LK_LOCK gives up after ten tries of a second each.
        while True:
            with contextlib.suppress(OSError):
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
                return
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _wait_for_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def add_source_roots(checkout: Checkout) -> None:
    """Put the project's source roots on the path of every process of the environment."""
    place = subprocess.run(
        [checkout.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environ(),
    ).stdout.strip()
    lines = [str(checkout.root / name) for name in SOURCE_ROOTS]
    encoding = "utf-8" if sys.version_info >= (3, 13) else "locale"
    Path(place, "paramscope.pth").write_text("\n".join(lines) + "\n", encoding=encoding)


def clean_environ() -> dict[str, str]:
    """Return the environment without what would lead pip or Python out of ours."""
    away = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_HASHES")
    kept = {name: value for name, value in os.environ.items() if name not in away}
    return {**kept, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run_pip(checkout: Checkout, arguments: list[str]) -> None:
    """Run the environment's pip; its complaints are kept, and a failure becomes a `SetUpError`."""
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    command = [str(checkout.python), "-m", "pip", *arguments, "--no-input", *quiet]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=clean_environ(),
    ) as process:
        assert process.stderr is not None
        complaints = [line.rstrip() for line in process.stderr]
    if process.returncode:
        raise pip_failure(complaints)


# What pip says -> what it means and what helps; the first that fits is taken.
FAILURES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("No space left",),
        "The disk is full: the packages need about 500 MB.",
        "Make room, or set PARAMSCOPE_VENV to a folder on another disk; then start again.",
    ),
    (
        ("DO NOT MATCH THE HASHES",),
        "A package that was downloaded is not the one that requirements.lock names.",
        "Do not install it. Try another network, or `pip cache purge`, then start again.",
    ),
    (
        (
            "Temporary failure",
            "NewConnectionError",
            "ConnectionError",
            "Max retries",
            "SSLError",
            "Connection broken",
            "timed out",
            "ProxyError",
            "Network is unreachable",
            "Failed to establish",
            "NameResolutionError",
        ),
        "The packages could not be downloaded: the package index was not reached.",
        "Connect to the network (behind a proxy: set HTTPS_PROXY) and start again; what was"
        " downloaded is kept.",
    ),
    (
        ("No matching distribution", "Could not find a version"),
        "A package has no build for this Python or system.",
        "Use Python 3.11 to 3.14 on Linux, macOS or Windows (64 bit).",
    ),
)


def pip_failure(complaints: list[str]) -> SetUpError:
    """Return the error that says in the user's words what ``complaints`` of pip mean."""
    text = "\n".join(complaints)
    errors = [line for line in complaints if line.startswith("ERROR")][-3:] or complaints[-3:]
    for marks, what, cure in FAILURES:
        if any(mark in text for mark in marks):
            return SetUpError(what, errors, cure)
    return SetUpError(
        "pip could not install the packages.", complaints[-8:], "Mend that and start again."
    )


def ensure_torch(checkout: Checkout, say: Callable[[str], None]) -> None:
    """Install the PyTorch that the parity tests compare with, unless it is there."""
    probe = [
        str(checkout.python),
        "-c",
        "from importlib.metadata import version; print(version('torch'))",
    ]
    found = subprocess.run(probe, capture_output=True, text=True, check=False, env=clean_environ())
    if found.stdout.strip().partition("+")[0] == TORCH.partition("==")[2]:
        return
    say(f"Installing {TORCH} for the parity tests")
    run_pip(checkout, ["install", TORCH])


def run_in_environment(checkout: Checkout, arguments: list[str]) -> NoReturn:
    """Become the environment's Python running ``arguments`` (on Windows: wait for it)."""
    environ = {**os.environ, READY: "1"}
    command = [str(checkout.python), *arguments]
    sys.stdout.flush()
    if os.name == "nt":
        sys.exit(subprocess.run(command, env=environ, check=False).returncode)
    os.execve(command[0], command, environ)
