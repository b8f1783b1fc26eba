"""Cyclic garbage is collected in the window's thread, without a long pause."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from paramscope_gui.garbage import GarbageCollector


class Knot:
    """Refers to itself, so only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector(qtbot: QtBot) -> Iterator[GarbageCollector]:
    made = GarbageCollector()
    made.start()
    yield made
    made.stop()


def allocate() -> list[list[int]]:
    return [[number] for number in range(10 * gc.get_threshold()[0])]


def test_a_thread_that_allocates_frees_nothing(collector: GarbageCollector) -> None:
    knot = weakref.ref(Knot())
    thread = threading.Thread(target=allocate)
    thread.start()
    thread.join()
    assert knot() is not None


def test_the_event_loop_frees_it(collector: GarbageCollector, qtbot: QtBot) -> None:
    collector.settle()
    knot = weakref.ref(Knot())
    kept = allocate()
    qtbot.waitUntil(lambda: knot() is None)
    assert kept


def test_what_was_there_at_the_start_is_not_looked_through_again(
    collector: GarbageCollector,
) -> None:
    kept = Knot()
    assert any(one is kept for one in gc.get_objects())
    collector.settle()
    assert not any(one is kept for one in gc.get_objects())


def test_python_collects_again_after_the_stop(collector: GarbageCollector) -> None:
    collector.stop()
    assert gc.isenabled()
