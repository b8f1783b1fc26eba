"""The worker's side as Qt signals: state, curves, tensors and findings of the run.

The client calls `Live.receive` from its reader thread; what arrives is gathered and handed to
the window at most 30 times a second, so that no rate of snapshots can make the window stall.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal

from paramscope.census.rows import TensorRow
from paramscope.check.judgement import judged, placed
from paramscope.engine.protocol import (
    Alive,
    Event,
    Failed,
    Hello,
    Load,
    OperationRecord,
    Output,
    Pause,
    Phase,
    Play,
    Request,
    Reset,
    RunState,
    SetLearningRate,
    Snapshot,
    StateChanged,
    Step,
    StepPhase,
    TensorValues,
    Watch,
)
from paramscope.rules.finding import Finding
from paramscope_gui.bridge.curve import Curve, Marker
from paramscope_gui.bridge.workspace import Workspace

FRAME_MILLISECONDS = 33
EDIT_MILLISECONDS = 150
PULSE_MILLISECONDS = 1000
SILENCE = 4.0  # seconds without a sign of life after which a worker does not answer
BUSY = frozenset({RunState.STARTING, RunState.LOADING, RunState.RUNNING})


class Client(Protocol):
    """What Live needs of the worker's client; `paramscope.engine.client` has it."""

    def send(self, request: Request) -> None: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...
    def close(self) -> None: ...


class Live(QObject):
    """The run that belongs to the workspace's document.

    ``connect_worker`` starts a client on an engine; it calls back from its own thread. Nothing
    of the user's runs before `is_trusted`; `trust_needed` is emitted instead.
    """

    state_changed = Signal()
    snapshot_arrived = Signal()
    output_arrived = Signal(str, str)
    failed = Signal()
    trust_needed = Signal()
    _woken = Signal()

    def __init__(
        self,
        workspace: Workspace,
        connect_worker: Callable[[Callable[[Event], None], str], Client],
        parent: QObject | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._clock = clock
        self._workspace = workspace
        self._connect_worker = connect_worker
        self._client: Client | None = None
        self._engine = ""  # that of the client
        self._lock = threading.Lock()
        self._inbox: deque[Event] = deque()
        self._is_woken = False
        self._is_trusted = True
        self._entrance = object()
        self._watched_paths: tuple[str, ...] = ()
        self._loaded_source: str | None = None
        self._wants_play = False
        self._has_made_up_training = False
        self._clear_run()
        self.state = RunState.EMPTY
        self.engine_name = ""
        self.is_silent = False
        self._heard: float | None = None  # when it last gave a sign of life, if it gives any
        self.worker_pid: int | None = None
        self._since_drain = QElapsedTimer()
        self._drain_timer = QTimer(self)
        self._drain_timer.setSingleShot(True)
        self._drain_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._drain_timer.timeout.connect(self._drain)
        self._edit_timer = QTimer(self)
        self._edit_timer.setSingleShot(True)
        self._edit_timer.setInterval(EDIT_MILLISECONDS)
        self._edit_timer.timeout.connect(self._load_edit)
        self._pulse_timer = QTimer(self)
        self._pulse_timer.setInterval(PULSE_MILLISECONDS)
        self._pulse_timer.timeout.connect(self.feel_pulse)
        self._woken.connect(self._on_woken, Qt.ConnectionType.QueuedConnection)
        workspace.opened.connect(self._on_workspace_opened)
        workspace.document_changed.connect(self._on_workspace_document_changed)

    def _clear_run(self) -> None:
        self.phase = Phase.IDLE
        self.step_count = 0
        self._rows: Mapping[str, TensorRow] = MappingProxyType({})
        self.operations: tuple[OperationRecord, ...] = ()
        self.findings: tuple[Finding, ...] = ()
        self.losses = Curve()
        self.metrics: dict[str, Curve] = {}
        self.markers: tuple[Marker, ...] = ()
        self._awaited: tuple[int, Marker] | None = None  # the revision it dates, and the marker
        self.lr: float | None = None
        self.optimizer = ""
        self.steps_per_second = 0.0
        self.mode = ""
        self.mode_reason = ""
        self.failure: Failed | None = None
        self._failed_source: str | None = None
        self.watched: Mapping[str, TensorValues] = MappingProxyType({})

    # What views read

    @property
    def rows(self) -> Mapping[str, TensorRow]:
        """The tensors of the model by dotted path, in the model's order."""
        return self._rows

    @property
    def is_busy(self) -> bool:
        """Whether the worker is at work, so that Stop has something to stop."""
        return self.state in BUSY

    @property
    def is_loss_made_up(self) -> bool:
        """Whether the loss that is shown is none of the document's."""
        return self._loaded_source is not None and self._has_made_up_training

    @property
    def filename(self) -> str:
        """The name under which the worker knows the document."""
        return self._workspace.filename

    @property
    def is_trusted(self) -> bool:
        """Whether the document's code may run."""
        return self._is_trusted

    @property
    def failed_here(self) -> Failed | None:
        """The failure, as long as the source is the one that failed: its lines still hold."""
        same = self._source() == self._failed_source
        return self.failure if same else None

    @property
    def loss(self) -> float | None:
        """The last loss."""
        return float(self.losses.values[-1]) if len(self.losses) else None

    # What the user does

    def set_trusted(self, trusted: bool) -> None:
        """Allow or forbid that the code of the document to be opened next runs."""
        self._is_trusted = trusted

    def start_worker(self, engine: str = "") -> None:
        """Start the worker before it is needed, so that the first Play finds it ready.

        One of another engine than the document's, or than the one that it will probably have,
        is put in its place.
        """
        engine = engine or self._workspace.run_settings.engine
        if self._client is not None and self._engine != engine:
            self._leave_worker()
        if self._client is None:
            self._engine = engine
            self._client = self._connect_worker(self._receiver(), engine)
            self._pulse_timer.start()
            if self._watched_paths:
                self._client.send(Watch(self._watched_paths))

    def _receiver(self) -> Callable[[Event], None]:
        """Return the way in for one client, which is closed when that client is left."""
        self._entrance = entrance = object()

        def receive(event: Event) -> None:
            if self._entrance is entrance:
                self.receive(event)

        return receive

    def _leave_worker(self) -> None:
        """End the worker beside what the window does; what it still says is not heard."""
        client, self._client = self._client, None
        self._entrance = object()
        with self._lock:
            self._inbox.clear()
            self._heard = None
        self.engine_name, self.worker_pid = "", None
        self.state = RunState.STARTING  # until the next one says what it is at
        self.state_changed.emit()
        if client is not None:
            threading.Thread(target=client.close, name="leaving", daemon=True).start()

    def run_document(self) -> None:
        """Allow the present document's code to run, and load it."""
        self._is_trusted = True
        self._load(keep_weights=False)

    def play(self) -> None:
        """Train until told otherwise."""
        if self._is_ready_to_run():
            self.send(Play())

    def pause(self) -> None:
        """Finish the step that runs, then wait."""
        self.send(Pause())

    def toggle(self) -> None:
        """Play, or pause what plays."""
        if self.state is RunState.RUNNING:
            self.pause()
        else:
            self.play()

    def step(self) -> None:
        """Run to the end of one training step."""
        if self._is_ready_to_run():
            self.send(Step())

    def step_phase(self) -> None:
        """Run the next phase of a step."""
        if self._is_ready_to_run():
            self.send(StepPhase())

    def reset(self) -> None:
        """Build the model anew from the source, at step 0."""
        if not self._is_ready_to_run():
            return
        self.losses.clear()
        self.metrics = {}
        self.markers = ()
        self.step_count = 0
        self.failure = None
        self.send(Reset())
        self.snapshot_arrived.emit()

    def stop(self) -> None:
        """End whatever the worker does, at once; the document and the last snapshot stay."""
        self._edit_timer.stop()
        if self._client is not None:
            self._client.kill()

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate of every group from the next step on, and note it."""
        if self.lr is not None and lr != self.lr:
            self.mark(f"lr {self.lr:.3g} → {lr:.3g}", replace="lr ")
        self.lr = lr
        self.send(SetLearningRate(lr))

    def watch(self, paths: tuple[str, ...]) -> None:
        """Have the full values of these tensors sent with each snapshot."""
        self.watched = MappingProxyType({})
        self._watched_paths = paths
        if self._client is not None:
            self.send(Watch(paths))

    def mark(self, text: str, replace: str = "") -> None:
        """Note an intervention at the present step.

        A note at the same step that starts with ``replace`` is written over, so that a
        dragged slider leaves one marker.
        """
        markers = self.markers
        if replace and markers and markers[-1].step == self.step_count:
            if markers[-1].text.startswith(replace):
                text = f"{markers[-1].text.rsplit(' → ', 1)[0]} → {text.rsplit(' → ', 1)[-1]}"
                markers = markers[:-1]
        self.markers = (*markers, Marker(self.step_count, text))

    def send(self, request: Request) -> None:
        """Send a request to the worker, starting one where there is none."""
        self.start_worker()
        if self._client is not None:
            self._client.send(request)

    def close(self) -> None:
        """End the worker and every timer; nothing arrives afterwards."""
        self._edit_timer.stop()
        self._drain_timer.stop()
        self._pulse_timer.stop()
        client, self._client = self._client, None
        if client is not None:
            client.close()
        with self._lock:
            self._inbox.clear()

    # What the worker says

    def receive(self, event: Event) -> None:
        """Take an event from any thread; it reaches the window's thread with the next frame."""
        with self._lock:
            self._note_life(event)
            if isinstance(event, Alive):
                return
            self._inbox.append(event)
            if self._is_woken:
                return
            self._is_woken = True
        self._woken.emit()

    def feel_pulse(self) -> None:
        """See whether the worker still gives signs of life, and tell if that has changed."""
        with self._lock:
            heard = self._heard
        is_silent = heard is not None and self._clock() - heard > SILENCE
        if is_silent != self.is_silent:
            self.is_silent = is_silent
            self.state_changed.emit()

    def _note_life(self, event: Event) -> None:
        """Take any event as a sign of life, from a worker that gives them regularly."""
        if isinstance(event, Hello):
            self._heard = self._clock() if event.heartbeat else None
        elif isinstance(event, StateChanged) and event.state is RunState.STOPPED:
            self._heard = None
        elif self._heard is not None:
            self._heard = self._clock()

    def _on_woken(self) -> None:
        elapsed = self._since_drain.elapsed() if self._since_drain.isValid() else FRAME_MILLISECONDS
        if elapsed >= FRAME_MILLISECONDS:
            self._drain()
        elif not self._drain_timer.isActive():
            self._drain_timer.start(FRAME_MILLISECONDS - int(elapsed))

    def _drain(self) -> None:
        with self._lock:
            events = tuple(self._inbox)
            self._inbox.clear()
            self._is_woken = False
        self._since_drain.start()
        output: dict[str, list[str]] = {}
        has_snapshot = has_state = has_failure = False
        for event in events:
            if isinstance(event, Snapshot):
                self._take_snapshot(event)
                has_snapshot = True
            elif isinstance(event, StateChanged):
                self.state, self.phase = event.state, event.phase
                self.step_count = max(event.step, 0)
                self._date_marker(event)
                has_state = True
            elif isinstance(event, Hello):
                self.engine_name, self.worker_pid = event.engine, event.pid
                has_state = True
            elif isinstance(event, Output):
                output.setdefault(event.stream, []).append(event.text)
            elif isinstance(event, Failed):
                self._take_failure(event)
                has_failure = True
        for stream, texts in output.items():
            self.output_arrived.emit(stream, "".join(texts))
        if has_snapshot:
            self.snapshot_arrived.emit()
        if has_state:
            self.state_changed.emit()
        if has_failure:
            self.failed.emit()

    def _date_marker(self, event: StateChanged) -> None:
        """Move the marker of an edit to the step at which the worker took it over."""
        awaited = self._awaited
        if awaited is None or event.state is not RunState.LOADING or event.revision != awaited[0]:
            return
        self._awaited = None
        dated = awaited[1]._replace(step=event.step)
        self.markers = tuple(dated if one is awaited[1] else one for one in self.markers)

    def _take_failure(self, failure: Failed) -> None:
        """Keep the failure that explains most: the end of a worker often follows its cause."""
        before = self.failure
        if before is not None and failure.during == "worker" and before.text and not failure.text:
            return
        self.failure = failure
        self._failed_source = self._loaded_source

    def _take_snapshot(self, snapshot: Snapshot) -> None:
        self.step_count, self.phase = snapshot.step, snapshot.phase
        self.steps_per_second = snapshot.steps_per_second
        self.mode, self.mode_reason = snapshot.mode, snapshot.mode_reason
        self.losses.extend(snapshot.losses)
        for name, points in snapshot.metrics.items():
            self.metrics.setdefault(name, Curve()).extend(points)
        if snapshot.lr is not None:
            self.lr = snapshot.lr
        self.optimizer = snapshot.optimizer or self.optimizer
        if snapshot.tensors:
            rows = placed(snapshot.tensors, self._workspace.document.source)
            self._rows = MappingProxyType({row.path: row for row in rows})
        if snapshot.operations:
            self.operations = snapshot.operations
        if snapshot.findings is not None:
            self.findings = judged(
                snapshot.findings,
                self._workspace.document.source,
                is_made_up=self._has_made_up_training,
            )
        if snapshot.watched:
            self.watched = MappingProxyType({item.path: item for item in snapshot.watched})

    # Following the document

    def _is_ready_to_run(self) -> bool:
        if not self._is_trusted:
            self.trust_needed.emit()
            return False
        if self._edit_timer.isActive():
            self._load_edit()
        elif self._loaded_source is None or self.state is RunState.STOPPED:
            self._load(keep_weights=False)
        return True

    def _load(self, keep_weights: bool) -> None:
        self._edit_timer.stop()
        workspace = self._workspace
        if not self._is_trusted or workspace.source_error is not None:
            return
        if not keep_weights:
            self._clear_run()
        self.failure = None
        self._loaded_source = source = self._source()
        self._has_made_up_training = workspace.has_made_up_training
        self.send(
            Load(
                revision=workspace.revision,
                source=source,
                filename=workspace.filename,
                keep_weights=keep_weights,
            )
        )
        if not keep_weights:
            self.snapshot_arrived.emit()
        self.state_changed.emit()

    def _load_edit(self) -> None:
        self._edit_timer.stop()
        is_other_engine = self._workspace.run_settings.engine != self._engine
        if self._source() != self._loaded_source or is_other_engine:
            keeps = self._loaded_source is not None and not is_other_engine
            if keeps and self.step_count:
                self.mark(self._workspace.last_label)
                self._awaited = (self._workspace.revision, self.markers[-1])
            self._load(keep_weights=keeps)

    def _source(self) -> str:
        """Return what is run: the document's source, and what it lacks behind it."""
        return self._workspace.document.source + self._workspace.harness

    def _on_workspace_opened(self) -> None:
        was_loaded = self._loaded_source is not None
        self._loaded_source = None
        self._clear_run()
        self.snapshot_arrived.emit()
        self._load(keep_weights=False)
        if was_loaded and self._loaded_source is None and self._client is not None:
            # The new document may not or cannot run: nothing of the old one may go on.
            with self._lock:
                self._inbox.clear()
            if self._engine == self._workspace.run_settings.engine:
                self._client.restart()
        if self._client is not None:
            self.start_worker()  # of the document's engine, if that is another

    def _on_workspace_document_changed(self) -> None:
        workspace = self._workspace
        if self._loaded_source is None or workspace.source_error is not None:
            return
        is_other_engine = workspace.run_settings.engine != self._engine
        if self._source() != self._loaded_source or is_other_engine:
            self._edit_timer.start()
