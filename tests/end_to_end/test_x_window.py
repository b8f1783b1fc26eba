"""Story 1 in a real X window: keys and clicks come from outside, as from a user's hands."""

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 40.0
# Runs the application as its users get it; it answers on standard output where a widget lies,
# and what the document and the run look like, for each line it is sent.
DRIVEN = """
import sys
from PySide6.QtCore import QPoint, QSocketNotifier
from PySide6.QtWidgets import QWidget
from paramscope_gui.app import Application, make_application

app = make_application()
application = Application(app)
window = application.window
window.may_close = lambda: True


def answer():
    words = sys.stdin.readline().split()
    if not words or words[0] == "quit":
        window.close()
        app.quit()
    elif words[0] == "where":
        widget = window.findChild(QWidget, words[1])
        if widget is None or not widget.isVisible():
            print("nowhere", flush=True)
        else:
            place = widget.mapToGlobal(widget.rect().center())
            print(place.x(), place.y(), flush=True)
    elif words[0] == "state":
        live = application.live
        row = live.rows.get("scale")
        kind = str(row.kind).replace(" ", "_") if row else "-"
        tail = live.losses.values[-20:]
        loss = float(tail.mean()) if len(tail) else float("nan")
        text = "nn.Parameter(torch.ones(1))" in application.workspace.document.source
        print(live.step_count, loss, kind, text, flush=True)
    elif words[0] == "sizes":
        print(window.themes.scale, window.canvas.view.zoom_factor, flush=True)


notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
notifier.activated.connect(answer)
application.loaded.connect(lambda: print("loaded", flush=True))
application.open_when_ready()
sys.exit(app.exec())
"""


class Driver:
    """The application in a window of an X server, driven by xdotool."""

    def __init__(self, process: subprocess.Popen[str], display: str) -> None:
        self._process = process
        self._environment = {**os.environ, "DISPLAY": display}

    def read(self) -> str:
        """Return the next line that the application says."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        assert ready, "the application does not answer"
        return self._process.stdout.readline().strip()

    def ask(self, question: str) -> list[str]:
        """Ask the application something."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return self.read().split()

    def click(self, name: str) -> None:
        """Move the pointer onto a widget and press the left button."""
        place = self.until(lambda: self.ask(f"where {name}"), lambda words: words != ["nowhere"])
        self._tool("mousemove", "--sync", *place, "click", "1")

    def key(self, keys: str) -> None:
        """Press keys."""
        self._tool("key", keys)

    def until(self, ask, is_so):  # type: ignore[no-untyped-def]  # any question
        """Ask until the answer is right; each question waits for its answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = ask()
            if is_so(answer):
                return answer
            assert time.monotonic() < deadline, answer
            select.select([], [], [], 0.05)

    def state(self) -> tuple[int, float, str, bool]:
        """Return step, mean loss, what `scale` is, and whether the source has it registered."""
        step, loss, kind, text = self.ask("state")
        return int(step), float(loss), kind, text == "True"

    def _tool(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env=self._environment, check=True, timeout=20)


@pytest.fixture
def display(tmp_path: Path) -> Iterator[str]:
    """An X server of its own; its number is its own choice."""
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("Xvfb and xdotool are not installed: apt-get install xvfb xdotool")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], PATIENCE)
        number = os.read(reading, 16).decode().strip() if ready else ""
        if not number:
            pytest.skip("Xvfb does not start here")
        yield f":{number}"
    finally:
        os.close(reading)
        server.terminate()
        server.wait(10)


@pytest.fixture
def driver(display: str, tmp_path: Path) -> Iterator[Driver]:
    """The application, loaded, in a real window."""
    environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    roots = [str(ROOT / name) for name in ("core", "gui", "assets")]
    environment["PYTHONPATH"] = os.pathsep.join(roots)
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVEN],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    made = Driver(process, display)
    try:
        if made.read() != "loaded":
            _, said = process.communicate(timeout=10)
            if "platform plugin" in said:
                pytest.skip("Qt cannot open an X window here: its xcb libraries are missing")
            pytest.fail(said)
        yield made
        _, said = process.communicate("quit\n", timeout=15)
        assert process.returncode == 0, said
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.mark.xwindow
def test_the_seed_in_a_real_window(driver: Driver) -> None:
    driver.click("welcome_lesson_forgotten_tensor")
    driver.until(driver.state, lambda state: state[2] != "-")
    driver.click("run_play_button")
    driver.until(driver.state, lambda state: state[0] > 400)
    _, loss, kind, _ = driver.state()
    assert loss > 1.3
    assert kind == "FORGOTTEN_TENSOR"
    driver.click("problem_0_edit_register")
    driver.until(driver.state, lambda state: state[3] and state[2] == "PARAMETER")
    driver.until(driver.state, lambda state: state[1] < 0.1)
    driver.key("ctrl+z")
    driver.until(driver.state, lambda state: not state[3] and state[2] == "FORGOTTEN_TENSOR")
    driver.click("canvas")
    zoom = float(driver.ask("sizes")[1])
    driver.key("ctrl+shift+equal")  # what the keyboard makes of it is "+", which zooms as well
    scale, now = driver.until(lambda: driver.ask("sizes"), lambda sizes: float(sizes[0]) > 1)
    assert float(now) == zoom
    driver.key("ctrl+equal")
    driver.until(lambda: driver.ask("sizes"), lambda sizes: float(sizes[1]) > zoom)
    assert driver.ask("sizes")[0] == scale
