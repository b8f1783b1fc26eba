"""`python3 tests` passes only if pytest finished its session and the process ended well."""

import shutil
from pathlib import Path

import pytest

from bootstrap.suite import (
    COMPUTATION,
    DIED,
    coverage_options,
    run_pytest,
    verdict,
    with_suite,
)

TESTS = Path(__file__).parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with this project's conftest.py and no tests yet."""
    (tmp_path / "tests").mkdir()
    shutil.copy(TESTS / "conftest.py", tmp_path / "tests")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return tmp_path


def run(project: Path, source: str) -> int:
    """Return the status of a run over one test file with this ``source``."""
    (project / "tests/test_it.py").write_text(source)
    return run_pytest(project, ["-q", "-p", "no:cacheprovider", str(project / "tests")])


def test_a_run_that_passes_has_status_0(project: Path) -> None:
    assert run(project, "def test_it(): pass\n") == 0


def test_a_run_that_fails_has_status_1(project: Path) -> None:
    assert run(project, "def test_it(): assert False\n") == 1


def test_a_process_that_is_ended_from_inside_has_failed(project: Path) -> None:
    assert run(project, "import os\ndef test_it(): os._exit(0)\n") == DIED


def test_a_run_that_passes_and_then_aborts_has_failed(project: Path) -> None:
    source = "import atexit, os\ndef test_it(): atexit.register(os.abort)\n"
    assert run(project, source) == 128 + 6


@pytest.mark.parametrize("failing", [None, COMPUTATION[0], "gui"])
def test_the_whole_suite_fails_with_any_of_its_tests(
    project: Path, failing: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    for folder in (*COMPUTATION, "gui"):
        (project / "tests" / folder).mkdir(parents=True)
        (project / "tests" / folder / f"test_{Path(folder).name}.py").write_text(
            f"def test_it(): assert {folder != failing}\n"
        )
    status = int(failing is not None)
    assert run_pytest(project, ["-rA", "-p", "no:cacheprovider", "--no-cov"]) == status
    printed = capfd.readouterr().out
    assert (printed.count("PASSED "), printed.count("FAILED ")) == (
        len(COMPUTATION) + 1 - status,
        status,
    )


@pytest.mark.parametrize(
    ("returned", "told", "status"),
    [(0, "0", 0), (1, "1", 1), (0, None, DIED), (0, "1", DIED), (-11, "0", 139), (5, "5", 5)],
)
def test_the_verdict_needs_both_the_process_and_pytest(
    returned: int, told: str | None, status: int
) -> None:
    assert verdict(returned, told)[0] == status


def test_the_whole_suite_runs_unless_a_part_is_named(tmp_path: Path) -> None:
    assert with_suite(tmp_path, ["-x", "-k", "softmax"])[-1] == str(tmp_path / "tests")
    assert with_suite(tmp_path, ["tests/core", "-x"]) == ["tests/core", "-x"]
    assert with_suite(tmp_path, ["test_a.py::test_b"]) == ["test_a.py::test_b"]


def test_coverage_is_left_to_those_who_ask_when_a_part_is_named(tmp_path: Path) -> None:
    assert coverage_options(tmp_path, ["tests/core"]) == []
    assert coverage_options(tmp_path, ["--cov=x"]) == []
