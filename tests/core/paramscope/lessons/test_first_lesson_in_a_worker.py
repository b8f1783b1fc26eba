"""The first lesson as a user plays it: a real worker process, requests, one edit, undo."""

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from paramscope.census.rows import Kind
from paramscope.document.document import Document
from paramscope.engine.client import Client
from paramscope.engine.protocol import (
    Event,
    Failed,
    Load,
    Play,
    Request,
    RunState,
    Snapshot,
    StateChanged,
)
from paramscope.lessons.catalog import lessons
from paramscope.lessons.lesson import LessonRun
from paramscope.lessons.progress import KEPT_LOSSES, Progress

PATIENCE = 30.0  # seconds, on a machine with much else to do


class Worker:
    """A client, and what its snapshots have told so far."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.run = LessonRun(lessons()["forgotten_tensor"])
        self.state = RunState.STARTING
        self.revision = 0
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.client = Client(self._events.put, with_spare=False)
        self.client.start()

    def wait(self, is_there: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not is_there():
            event = self._events.get(timeout=max(0.0, end - time.monotonic()))
            assert not isinstance(event, Failed), event.text
            if isinstance(event, StateChanged):
                self.state = event.state
            elif isinstance(event, Snapshot):
                self.look(event)

    def look(self, snapshot: Snapshot) -> None:
        """Take in what a snapshot tells; it leaves out what has not changed."""
        before = self.progress
        if snapshot.revision != before.revision or snapshot.step < before.step:
            before = Progress()
        losses = before.losses + tuple(loss for _, loss in snapshot.losses)
        self.progress = replace(
            before,
            revision=snapshot.revision,
            step=snapshot.step,
            losses=losses[-KEPT_LOSSES:],
            tensors=snapshot.tensors or before.tensors,
            findings=before.findings if snapshot.findings is None else snapshot.findings,
        )
        self.run = self.run.after(self.progress)

    def load(self, document: Document, keep_weights: bool) -> None:
        self.revision += 1
        self.client.send(
            Load(self.revision, document.source, "lesson.py", keep_weights=keep_weights)
        )
        self.wait(lambda: self.progress.revision == self.revision and bool(self.progress.tensors))

    def play(self, steps: int) -> None:
        goal = self.progress.step + steps
        self.client.send(Play(steps))
        self.wait(lambda: self.progress.step >= goal and self.state is RunState.PAUSED)

    def kind(self) -> Kind:
        row = self.progress.row("scale")
        assert row is not None
        return row.kind


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.client.close()


def test_the_forgotten_tensor_is_found_mended_and_trained(worker: Worker) -> None:
    broken = document = Document(worker.run.lesson.document)
    worker.load(document, keep_weights=False)
    for action in worker.run.lesson.script:
        if isinstance(action, Play):
            worker.play(action.steps or 0)
        elif not isinstance(action, Request):
            assert worker.kind() is Kind.FORGOTTEN_TENSOR
            assert [finding.rule for finding in worker.progress.findings] == ["REG01"]
            assert worker.progress.loss is not None
            assert worker.progress.loss > 1.6
            document = action.apply(document)
            worker.load(document, keep_weights=True)
            assert worker.kind() is Kind.PARAMETER
    assert worker.run.is_reached
    assert worker.progress.findings == ()

    worker.load(broken, keep_weights=True)  # what undo does: the value before
    worker.play(20)
    assert worker.kind() is Kind.FORGOTTEN_TENSOR
    assert [finding.rule for finding in worker.progress.findings] == ["REG01"]
