"""requirements.lock pins what pyproject.toml asks for, with hashes and without addresses."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WANTED = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["native"],
    *PROJECT["dependency-groups"]["dev"],
]
MACHINES = {"linux": "x86_64", "darwin": "arm64", "win32": "AMD64"}
PINS = [
    Requirement(line.removesuffix("\\"))
    for line in LOCK.splitlines()
    if line and not line.startswith((" ", "#"))
]


def pins_for(python: str, system: str) -> dict[str, str]:
    """Return name -> pinned version for one Python and system."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "sys_platform": system,
        "platform_machine": MACHINES[system],
        "platform_python_implementation": "CPython",
    }
    fitting = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate(environment)]
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in fitting}


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_dependency_is_pinned_within_its_bounds(python: str, system: str) -> None:
    pins = pins_for(python, system)
    environment = {
        "python_version": python,
        "sys_platform": system,
        "platform_machine": MACHINES[system],
    }
    for wanted in map(Requirement, WANTED):
        if wanted.marker is None or wanted.marker.evaluate(environment):
            assert pins[canonicalize_name(wanted.name)] in wanted.specifier


def test_each_pin_has_hashes() -> None:
    entries = re.split(r"\n(?=\w)", LOCK.partition("\n\n")[0])
    pinned = [entry for entry in entries if "==" in entry]
    assert len(pinned) == len(PINS) > 20
    assert [entry for entry in pinned if "--hash=sha256:" not in entry] == []


def test_the_lock_names_no_address() -> None:
    assert re.findall(r"https?:|file:|--index|--find-links", LOCK) == []


def test_pytorch_is_not_in_the_lock() -> None:
    assert "torch" not in pins_for("3.11", "linux")
