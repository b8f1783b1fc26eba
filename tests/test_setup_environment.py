"""The environment is made once, whole or not at all, and every failure comes with its cure."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap.environment import (
    MAKING,
    Checkout,
    ensure_environment,
    find_checkout,
    is_ready,
    must_be_remade,
    only_one,
    pip_failure,
    require_venv_module,
    stamp_of,
)
from bootstrap.errors import SetUpError

ROOT = Path(__file__).parents[1]
LOCKED_BUT_NOWHERE = f"no-such-package==1.0 --hash=sha256:{'0' * 64}\n"


def quiet(text: str) -> None:
    """Take a line of progress and leave it."""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout that needs no packages, in a folder with a space in its name."""
    root = tmp_path / "my checkout"
    for name in ("core", "gui", "assets"):
        (root / name).mkdir(parents=True)
    (root / "requirements.lock").write_text("# nothing\n")
    return find_checkout(root, {})


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip find no package index, as on a machine without network."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


def write_stamp(checkout: Checkout, stamp: str) -> None:
    """Leave an environment with this stamp, of which nothing else is there but its Python."""
    checkout.python.parent.mkdir(parents=True)
    checkout.python.touch()
    version = f"{sys.version_info.major}.{sys.version_info.minor}.1"
    (checkout.venv / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    checkout.stamp_file.write_text(stamp)


def test_a_set_up_makes_an_environment_that_sees_the_sources(checkout: Checkout) -> None:
    (checkout.root / "core/somewhere.py").write_text("here = True\n")
    ensure_environment(checkout, quiet)
    assert is_ready(checkout, stamp_of(checkout))
    finished = subprocess.run([checkout.python, "-c", "import somewhere"], check=False)
    assert finished.returncode == 0


def test_a_finished_environment_is_left_alone(checkout: Checkout) -> None:
    write_stamp(checkout, stamp_of(checkout))
    said: list[str] = []
    ensure_environment(checkout, said.append)
    assert said == []


def test_a_half_made_environment_is_made_anew(checkout: Checkout) -> None:
    write_stamp(checkout, MAKING)
    (checkout.venv / "half").touch()
    ensure_environment(checkout, quiet)
    assert not (checkout.venv / "half").exists()
    assert is_ready(checkout, stamp_of(checkout))


def test_an_environment_of_the_users_own_is_filled_not_removed(checkout: Checkout) -> None:
    checkout.venv.mkdir()
    (checkout.venv / "kept").touch()
    ensure_environment(checkout, quiet)
    assert (checkout.venv / "kept").exists()
    assert is_ready(checkout, stamp_of(checkout))


def test_without_network_the_set_up_says_so_and_starts_over_next_time(
    checkout: Checkout, unreachable: None
) -> None:
    checkout.lock_file.write_text(LOCKED_BUT_NOWHERE)
    with pytest.raises(SetUpError) as caught:
        ensure_environment(checkout, quiet)
    assert caught.value.what == (
        "The packages could not be downloaded: the package index was not reached."
    )
    assert "Connect to the network" in caught.value.cure
    assert must_be_remade(checkout)


def test_the_stamp_changes_with_lock_python_and_place(checkout: Checkout, tmp_path: Path) -> None:
    first = stamp_of(checkout)
    assert stamp_of(checkout) == first
    assert stamp_of(checkout, "3.99") != first
    assert stamp_of(Checkout(checkout.root, tmp_path / "elsewhere")) != first
    checkout.lock_file.write_text("numpy==2.0\n")
    assert stamp_of(checkout) != first


def test_a_changed_lock_renews_the_environment_in_place(checkout: Checkout) -> None:
    write_stamp(checkout, stamp_of(checkout))
    checkout.lock_file.write_text("# another\n")
    assert not is_ready(checkout, stamp_of(checkout))
    assert not must_be_remade(checkout)


def test_a_moved_checkout_has_its_environment_made_anew(checkout: Checkout, tmp_path: Path) -> None:
    write_stamp(checkout, stamp_of(checkout))
    checkout.root.rename(tmp_path / "moved")
    assert must_be_remade(find_checkout(tmp_path / "moved", {}))


def test_an_environment_of_another_checkout_is_refused_and_kept(
    checkout: Checkout, tmp_path: Path
) -> None:
    write_stamp(checkout, stamp_of(checkout))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/requirements.lock").write_text("# nothing\n")
    other = find_checkout(tmp_path / "other", {"PARAMSCOPE_VENV": str(checkout.venv)})
    with pytest.raises(SetUpError) as caught:
        ensure_environment(other, quiet)
    assert caught.value.what == f"The environment {checkout.venv} belongs to another checkout."
    assert "PARAMSCOPE_VENV" in caught.value.cure
    assert is_ready(checkout, stamp_of(checkout))


def test_an_environment_whose_checkout_is_gone_may_be_used_anew(
    checkout: Checkout, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    first = find_checkout(checkout.root, {"PARAMSCOPE_VENV": str(shared)})
    write_stamp(first, stamp_of(first))
    checkout.root.rename(tmp_path / "renamed")
    again = find_checkout(tmp_path / "renamed", {"PARAMSCOPE_VENV": str(shared)})
    ensure_environment(again, quiet)
    assert is_ready(again, stamp_of(again))


def test_an_environment_of_another_python_is_made_anew(checkout: Checkout) -> None:
    write_stamp(checkout, stamp_of(checkout))
    (checkout.venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.10.4\n")
    assert must_be_remade(checkout)


def test_a_place_that_cannot_be_written_is_named_with_the_cure(checkout: Checkout) -> None:
    blocked = find_checkout(checkout.root, {"PARAMSCOPE_VENV": os.path.join(os.devnull, "venv")})
    with pytest.raises(SetUpError) as caught:
        ensure_environment(blocked, quiet)
    assert caught.value.what.startswith("The environment cannot be written: ")
    assert "PARAMSCOPE_VENV" in caught.value.cure


def test_a_python_without_ensurepip_is_told_the_package_to_install() -> None:
    with pytest.raises(SetUpError) as caught:
        require_venv_module(quiet, lambda name: None, lambda name: None, is_root=False)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"sudo apt-get install -y python{version}-venv" in str(caught.value)


WAITS = """
import sys
from pathlib import Path
from bootstrap.environment import only_one
with only_one(Path(sys.argv[1]), lambda text: print(text, flush=True)):
    print("got it")
"""


def test_a_second_start_says_that_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    lock = tmp_path / ".venv.lock"
    with only_one(lock, quiet):
        second = subprocess.Popen(
            [sys.executable, "-c", WAITS, lock], stdout=subprocess.PIPE, text=True, cwd=ROOT / "gui"
        )
        assert second.stdout is not None
        assert second.stdout.readline() == "Another start is setting up; waiting for it.\n"
    rest, _ = second.communicate(timeout=30)
    assert rest == "got it\n"
    assert second.returncode == 0


@pytest.mark.parametrize(
    ("complaint", "what"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "A package that was downloaded is not"),
        ("WARNING: Retrying ... NewConnectionError\nERROR: No matching", "The packages could not"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "A package has no build for"),
        ("ERROR: something else", "pip could not install the packages."),
    ],
)
def test_what_pip_says_is_translated(complaint: str, what: str) -> None:
    failure = pip_failure(complaint.splitlines())
    assert failure.what.startswith(what)
    assert failure.cure
    assert complaint.splitlines()[-1] in str(failure)


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs one of the two commands from another folder, without a screen."""

    def run_command(*arguments: object, **environ: str) -> "subprocess.CompletedProcess[str]":
        kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
        kept.pop("QT_QPA_PLATFORM", None)
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env={**kept, **environ},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run_command


def test_the_window_without_a_display_ends_with_a_sentence(run: Run) -> None:
    finished = run(ROOT / "gui")
    assert finished.returncode == 4
    assert finished.stderr.startswith("There is no display here")


@pytest.mark.parametrize("command", ["gui", "tests"])
def test_help_needs_no_environment(run: Run, command: str) -> None:
    finished = run(ROOT / command, "--help", PARAMSCOPE_VENV="/dev/null/venv")
    assert finished.returncode == 0
    assert finished.stdout.startswith(f"usage: python3 {command} [")


@pytest.mark.parametrize("command", ["gui", "tests"])
def test_a_failed_set_up_ends_with_status_3(run: Run, command: str) -> None:
    finished = run(ROOT / command, "--demo", PARAMSCOPE_VENV="/dev/null/venv")
    assert finished.returncode == 3
    assert finished.stderr.startswith("The environment cannot be written")
    assert "Traceback" not in finished.stderr
