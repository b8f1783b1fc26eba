"""Killed at any moment: a file is the old one or the new one, and unsaved work comes back."""

import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paramscope.document.files import open_file
from paramscope.document.journal import read_journal

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0
SAVES = 40  # kills of a process that saves
CRASHES = 3  # kills of the application
LOSS = 1.0  # second of typing that a crash may cost

SAVING = """
import sys
from pathlib import Path
from paramscope.document.document import Document
from paramscope.document.files import save_file

path, number = Path(sys.argv[1]), int(sys.argv[2])
while True:
    number += 1
    save_file(path, Document(f"number = {number}\\n" + "# filler\\n" * 2000))
    print(number, flush=True)
"""
TYPING = """
import sys
from pathlib import Path
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from paramscope_gui.app import Application, make_application

app = make_application()
application = Application(app, Path(sys.argv[1]))
typed = 0


def type_on():
    global typed
    typed += 1
    QTest.keyClicks(application.window.code.editor, f"# {typed} #")
    print(typed, flush=True)


def begin():
    application.window.code.editor.setFocus()
    timer.start()


timer = QTimer()
timer.setInterval(15)
timer.timeout.connect(type_on)
application.loaded.connect(begin)
application.open_when_ready(Path(sys.argv[2]))
app.exec()
"""


def start(script: str, *words: object) -> subprocess.Popen[bytes]:
    """Run a script with the project's sources, its output unbuffered in a pipe."""
    roots = os.pathsep.join(str(ROOT / name) for name in ("core", "gui", "assets"))
    environment = {**os.environ, "PYTHONPATH": roots, "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and what it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Output:
    """The numbers that a process says, with the time at which each came."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout
        self._stream = self._pipe.fileno()
        self._rest = b""
        self.numbers: list[tuple[float, int]] = []

    def read(self, until: float) -> bool:
        """Read until a moment; tell whether anything came."""
        came = False
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self._stream], [], [], left)
            if not ready:
                break
            data = os.read(self._stream, 65536)
            if not data:
                break
            came = True
            *lines, self._rest = (self._rest + data).split(b"\n")
            now = time.monotonic()
            self.numbers += [(now, int(line)) for line in lines if line.isdigit()]
        return came

    def close(self) -> None:
        """Read no more."""
        self._pipe.close()

    def wait_for(self, count: int) -> None:
        """Read until so many numbers have come."""
        deadline = time.monotonic() + PATIENCE
        while len(self.numbers) < count:
            assert time.monotonic() < deadline, "nothing comes"
            self.read(min(deadline, time.monotonic() + 0.05))


def number_in(path: Path) -> int:
    """The number that a whole file holds."""
    source = open_file(path).document.source
    found = re.fullmatch(r"number = (\d+)\n(?:# filler\n){2000}", source)
    assert found is not None, source[:80]
    return int(found.group(1))


def test_a_process_killed_while_saving_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    chance = random.Random(7)
    last = 0
    for _ in range(SAVES):
        process = start(SAVING, path, last)
        output = Output(process)
        try:
            output.wait_for(1)
            output.read(time.monotonic() + chance.uniform(0.0, 0.03))
        finally:
            end(process)
        output.read(time.monotonic() + 1.0)  # what was said before the end
        output.close()
        acknowledged = output.numbers[-1][1]
        last = number_in(path)
        assert last >= acknowledged
    process = start(SAVING, path, last)
    output = Output(process)
    try:
        output.wait_for(1)
    finally:
        end(process)
        output.close()
    # The next save has cleared away what the killed ones left; only the last may be there.
    assert len([file for file in tmp_path.iterdir() if file.is_file()]) <= 2


@pytest.mark.parametrize("seed", range(CRASHES))
def test_a_killed_window_has_lost_a_second_of_typing_at_most(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "model.py"
    path.write_text("import torch\n")
    process = start(TYPING, tmp_path / "state", path)
    output = Output(process)
    try:
        output.wait_for(20)
        # Killed beyond the first second, at a moment of chance, while keys are still pressed.
        output.read(time.monotonic() + LOSS + random.Random(seed).uniform(0.2, 1.2))
        killed_at = time.monotonic()
    finally:
        end(process)
        output.close()
    journals = list((tmp_path / "state" / "journals").glob("*.journal"))
    assert len(journals) == 1
    kept = read_journal(journals[0])
    assert kept is not None
    assert kept.path == path
    safe = [number for moment, number in output.numbers if moment < killed_at - LOSS]
    assert f"# {safe[-1]} #" in kept.text
    assert path.read_text() == "import torch\n"
