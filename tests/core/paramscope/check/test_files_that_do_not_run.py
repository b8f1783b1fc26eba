"""Files that fail, hang, print, fork or reach out: each is bounded, and told in its own words."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paramscope.check.client import Checker
from paramscope.check.job import Job, Verdict
from paramscope.check.target import TargetError, parse_target, read_target
from paramscope.check.text import user_traceback

Run = Callable[..., Verdict]


def test_failing_import_is_told_by_the_users_own_lines(run: Run) -> None:
    failure = run("import torch\n\ndef make():\n    return 1 / 0\n\nmake()\n").failure
    lines = [frame.span.line for frame in failure.frames]
    assert (failure.kind, lines) == ("ZeroDivisionError", [6, 4])
    assert "return 1 / 0" in user_traceback(failure)
    assert "paramscope" not in user_traceback(failure)


def test_syntax_error_names_its_line(run: Run) -> None:
    failure = run("import torch\nclass Net(\n").failure
    assert (failure.kind, failure.frames[-1].span.line) == ("SyntaxError", 2)


def test_missing_module_is_told(run: Run) -> None:
    failure = run("import surely_not_installed_anywhere\n").failure
    assert failure.kind == "ModuleNotFoundError"
    assert "surely_not_installed_anywhere" in failure.message


def test_class_that_needs_arguments_is_told_how_to_give_them(run: Run, net: str) -> None:
    source = net.replace("width=3", "width")
    failure = run(source, "Net").failure
    assert failure.message.splitlines()[0] == "`Net` needs arguments: width."
    assert "FILE.py:'Net(width=...)'" in failure.message


def test_name_that_is_not_there_is_told_with_those_that_are(run: Run, net: str) -> None:
    failure = run(net, "Missing").failure
    assert "There is no `Missing` in this file." in failure.message
    assert "It has Net." in failure.message


def test_misspelt_name_is_told_with_the_one_that_was_meant(run: Run, net: str) -> None:
    failure = run(net, "Nett").failure
    assert failure.message.splitlines()[-1] == "  Did you mean Net?"


def test_notebook_is_told_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    path.write_text("{}", "utf-8")
    with pytest.raises(TargetError, match="is a notebook, and no Python file"):
        read_target(parse_target(str(path)))


def test_training_that_never_ends_is_told_with_its_line(run: Run, net: str, training: str) -> None:
    loop = "\nmodel = build()\nwhile True:\n    loss(model, *batch()).backward()\n"
    failure = run(net + training + loop, timeout=1.5).failure
    assert failure.kind == "TimeoutError"
    assert failure.frames[0].text.strip() == "loss(model, *batch()).backward()"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("import sys\nsys.exit(3)", "SystemExit", "sys.exit(3)"),
        ("import os\nos._exit(7)", "ChildProcessError", "status 7"),
        ("import os\nos.abort()", "ChildProcessError", "aborted"),
        ("import os\nos.kill(os.getpid(), 9)", "ChildProcessError", "SIGKILL"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("def deep(n):\n    return deep(n + 1)\ndeep(0)", "RecursionError", "recursion"),
        ("raise MemoryError('no room')", "MemoryError", "no room"),
    ],
)
def test_file_that_ends_its_process_is_told(
    run: Run, code: str, kind: str, words: str, training: str
) -> None:
    verdict = run(code + training)
    assert verdict.failure.kind == kind
    assert words in verdict.failure.message


def test_crash_in_c_is_told_with_its_line(run: Run) -> None:
    failure = run("import ctypes\ndef crash():\n    ctypes.string_at(0)\ncrash()\n").failure
    assert "segmentation fault" in failure.message
    assert [frame.span.line for frame in failure.frames] == [4, 3]


@pytest.mark.parametrize(
    "code",
    [
        "def turn():\n    while True:\n        pass\nturn()",
        "while True:\n    try:\n        1 / 0\n    except BaseException:\n        pass",
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
        "while True:\n    print('x' * 1000)",
        "import threading\nthreading.Event().wait()",
        "import torch\ndef build():\n    while True: pass",
    ],
    ids=["loop", "catching loop", "C code", "flood", "waiting", "in build"],
)
def test_file_that_never_ends_is_ended_and_told_with_its_line(run: Run, code: str) -> None:
    failure = run(code + "\n", timeout=1.0).failure
    assert failure.kind == "TimeoutError"
    assert "did not end within 1 s" in failure.message
    assert failure.frames and failure.frames[-1].span.line >= 1


def test_next_file_is_judged_as_if_nothing_had_happened(run: Run, net: str, training: str) -> None:
    run("import os\nos.abort()\n")
    run("import torch\ntorch.nn.Linear.forward = None\ntorch.manual_seed = None\n")
    assert [f.rule for f in run(net + training).findings] == ["REG01"]


def test_fork_of_the_file_does_not_answer_in_its_place(run: Run, net: str, training: str) -> None:
    verdict = run("import os\nchild = os.fork()\n" + net + training)
    assert [f.rule for f in verdict.findings] == ["REG01"]


def test_process_that_the_file_leaves_behind_is_ended(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    run(
        "import subprocess, sys, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'],"
        " start_new_session=True)\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_download_is_refused_in_the_users_line(run: Run) -> None:
    failure = run(
        "import urllib.request\n\n\ndef load():\n"
        "    return urllib.request.urlopen('http://example.invalid/weights.pt')\n\n\nload()\n"
    ).failure
    assert "without the network" in failure.message
    assert [frame.span.line for frame in failure.frames] == [8, 5]


def test_file_has_no_screen_and_no_keyboard(run: Run) -> None:
    failure = run("import os\nassert 'DISPLAY' not in os.environ\ninput()\n").failure
    assert failure.kind == "EOFError"


def test_training_below_the_main_guard_is_not_run(run: Run, net: str, training: str) -> None:
    source = net + training + "\nif __name__ == '__main__':\n    while True: pass\n"
    assert run(source).failure is None


def test_what_the_file_prints_is_kept_for_a_failure(run: Run) -> None:
    verdict = run("import os\nprint('loading')\nos.system('echo from a shell')\n1 / 0\n")
    assert set(verdict.output.split("\n")) >= {"loading", "from a shell"}


def test_script_without_a_model_is_told_what_is_missing(run: Run) -> None:
    verdict = run("import torch\nx = torch.ones(3)\n")
    assert not verdict.has_model
    assert "no build()" in verdict.note


def test_file_of_that_folder_does_not_stand_in_for_a_library(
    tmp_path: Path, net: str, training: str
) -> None:
    (tmp_path / "ctypes.py").write_text("raise RuntimeError('the wrong one')\n")
    (tmp_path / "model.py").write_text(net + training)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "paramscope", "check", "model.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("", ""),
        ("print('x' * 100_000)", ""),
        ("1 / 0", "ZeroDivisionError"),
        ("import os\nos.abort()", "ChildProcessError"),
        ("import os\nos._exit(7)", "ChildProcessError"),
        ("while True:\n    pass", "TimeoutError"),
    ],
    ids=["sound", "prints", "fails", "aborts", "exits", "never ends"],
)
def test_a_process_for_each_file_does_without_forks(
    tmp_path: Path, job_of: Callable[..., Job], net: str, training: str, code: str, kind: str
) -> None:
    path = tmp_path / "model.py"
    path.write_text(code + "\n" + net + training)
    with Checker("gradcore", forks=False) as checker:
        job = job_of(read_target(parse_target(str(path))), checker, 1.5 if kind else 30.0)
        for _ in range(2):
            verdict = checker.run(job)
            assert (verdict.failure.kind if verdict.failure else "") == kind
            assert [f.rule for f in verdict.findings] == ([] if kind else ["REG01"])


def test_sample_input_does_without_the_files_own_loss_and_step(
    run: Run, net: str, training: str
) -> None:
    step = "\n\ndef train_step(model, optimizer, x, y):\n    raise ValueError(y)\n"
    verdict = run(net + training + step, name="Net(2)", sample="randn(5, 3)")
    assert verdict.failure is None
    assert [(f.rule, f.where) for f in verdict.findings] == [("REG01", "scale")]
