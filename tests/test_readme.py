"""What the README shows is true: its programs print what it says, its files are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
# A program, and directly below it what it prints.
SHOWN = re.findall(r"```python\n(.*?)```\n```\n(.*?)```", README, re.DOTALL)
FORGOTTEN = SHOWN[0][0]
CHECKED = re.findall(
    r"```\n\$ \.venv/bin/python -m (paramscope check \S+)\n(.*?)```", README, re.DOTALL
)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the project in ``folder``, as the README's commands do."""
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=False, cwd=folder
    )


def test_the_readme_is_short_and_shows_programs() -> None:
    table = README.partition("<!-- bench: begin -->")[2].partition("<!-- bench: end -->")[0]
    assert README.count("\n") - table.count("\n") <= 130
    assert len(SHOWN) == README.count("```python") == 2
    assert len(CHECKED) == 1


@pytest.mark.parametrize(("program", "printed"), SHOWN, ids=["forgotten tensor", "gradcore"])
def test_a_program_in_the_readme_prints_what_it_says(
    program: str, printed: str, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    finished = run(tmp_path, "gradcore", "program.py")
    lines = [line for line in printed.splitlines() if not line.startswith("$ ")]
    assert finished.stdout.splitlines() == lines, finished.stderr
    assert finished.returncode == 0


@pytest.mark.parametrize(("command", "printed"), CHECKED)
def test_the_check_in_the_readme_finds_what_it_says(
    command: str, printed: str, tmp_path: Path
) -> None:
    (tmp_path / "forgotten.py").write_text(FORGOTTEN, encoding="utf-8")
    finished = run(tmp_path, *command.split())
    # The README shows where it begins.
    assert finished.stdout.startswith(printed), finished.stdout + finished.stderr
    assert finished.returncode == 1


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_links_to_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://)([^)#]+)\)", text)
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_commands_of_the_readme_are_there() -> None:
    for command in re.findall(r"python3 (\w+)", README):
        assert (ROOT / command / "__main__.py").is_file()


def test_the_readme_tells_the_oldest_python_that_is_supported() -> None:
    packaging = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest = re.search(r'requires-python = ">=([\d.]+)"', packaging)
    assert oldest is not None
    assert f"Python {oldest[1]} or newer" in README
