"""A running document: load, step, phase, reset, observe; the same on every engine.

A session runs in the process it is in and sends nothing anywhere; the worker and the command
line drive it. It keeps the old model until a new one stands, so that a source with an error
in it never costs a weight.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from paramscope.census.census import optimizer_groups
from paramscope.census.rows import TensorRow
from paramscope.census.walk import Walk
from paramscope.engine.adapters.base import Adapter, Slice, listening
from paramscope.engine.build_tracer import BuildTracer
from paramscope.engine.explanation import Explanation, explain_loading, explain_running
from paramscope.engine.failures import CannotTrainError, Raised, describe_failure, has_frames
from paramscope.engine.metrics import Metrics
from paramscope.engine.observation import Observer, Pacer
from paramscope.engine.program import Program, Runner
from paramscope.engine.protocol import Failed, OperationRecord, Phase, TensorValues
from paramscope.engine.readings import renewed
from paramscope.engine.training import Trainer
from paramscope.engine.values import values_of
from paramscope.engine.weights import Kept, learning_rates
from paramscope.rules.finding import Finding

METRIC_INTERVAL = 0.5
METRIC_SHARE = 0.02
SPEED_WINDOW = 1.0


@dataclass(slots=True)
class News:
    """What has come up since it was last taken. None means: as before."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    rows: tuple[TensorRow, ...] | None = None
    operations: tuple[OperationRecord, ...] | None = None
    findings: tuple[Finding, ...] | None = None


class Session:
    """One document on one engine.

    The document's code may raise anything, `SystemExit` and `KeyboardInterrupt` too: whatever
    comes out of it is caught and becomes ``failure``.

    ``mode`` says how steps may run that nobody watches: ``eager``, ``replay``, or ``auto``, with
    machine code as soon as that is there; when that is, the clock decides, and with it the last
    bits of the numbers.
    """

    def __init__(
        self,
        adapter: Adapter,
        clock: Callable[[], float] = time.perf_counter,
        observed: bool = True,
        mode: str = "replay",
        is_quiet: bool = False,
    ) -> None:
        """``is_quiet``: the census and the rules wait until `look` asks for them, or an error."""
        self.adapter = adapter
        self.revision = 0
        self.news = News()
        self.failure: Failed | None = None
        self._unloaded: Failed | None = None  # why the last source cannot be trained
        self._clock = clock
        self._observed = observed
        self._mode = mode
        self._is_quiet = is_quiet
        self._has_just_looked = False
        self._runner = Runner(adapter)
        self._source = ""
        self._filename = ""
        self._seed = 0
        self._program: Program | None = None
        self._observer: Observer | None = None
        self._trainer: Trainer | None = None
        self._metrics: Metrics | None = None
        self._first_rates: list[float] = []
        self._findings: tuple[Finding, ...] | None = None
        self._last_loss_step = -1
        self._is_look_wanted = False
        self._looks = Pacer(clock)
        self._measures = Pacer(clock, METRIC_INTERVAL, METRIC_SHARE)
        self._readings = Pacer(clock)
        self._rows: tuple[TensorRow, ...] = ()
        self._marks: deque[tuple[float, int]] = deque()

    # What it is

    @property
    def step(self) -> int:
        """How many training steps are done."""
        return self._trainer.step_number if self._trainer else 0

    @property
    def phase(self) -> Phase:
        """The part of a step that was done last."""
        return self._trainer.phase if self._trainer else Phase.IDLE

    @property
    def note(self) -> str:
        """What the document lacks to be trained, empty if it can be."""
        return self._program.note if self._program else ""

    @property
    def walk(self) -> Walk:
        """What the model held at the last look."""
        return self._observer.walk if self._observer is not None else Walk()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the rules said at the last look."""
        return self._findings or ()

    @property
    def learning_rate(self) -> float | None:
        """``lr`` of the first group of the first optimizer."""
        rates = learning_rates(self._program.optimizers) if self._program else []
        return rates[0] if rates else None

    @property
    def optimizer_words(self) -> str:
        """Name the optimizers and their groups in words: ``Adam, 2 groups``."""
        words = []
        for optimizer in self._program.optimizers if self._program else []:
            count = len(optimizer_groups(optimizer))
            words.append(f"{type(optimizer).__name__}, {count} group{'s' if count != 1 else ''}")
        return "; ".join(words)

    @property
    def steps_per_second(self) -> float:
        """Speed over the last second of training, 0 while at rest."""
        if len(self._marks) < 2:
            return 0.0
        (first, start), (last, end) = self._marks[0], self._marks[-1]
        return (end - start) / (last - first) if last > first else 0.0

    @property
    def mode(self) -> str:
        """How the last unwatched step ran; nothing on an engine with one mode only."""
        return self._trainer.mode if self._trainer else ""

    @property
    def mode_reason(self) -> str:
        """Why the last unwatched step ran in no faster mode; nothing if there is none."""
        return self._trainer.reason if self._trainer else ""

    # What it does

    def load(
        self,
        source: str,
        filename: str,
        revision: int = 0,
        seed: int = 0,
        keep_weights: bool = False,
    ) -> bool:
        """Run ``source`` and build its model; on failure the last model stays for the next try."""
        self.revision = revision
        self._source, self._filename, self._seed = source, filename, seed
        self.failure = None
        adapter = self.adapter
        kept = self._keep() if keep_weights else None
        step = self.step if kept is not None else 0
        adapter.seed(seed)
        tracer = BuildTracer(adapter, filename)
        during = "loading"
        try:
            with (
                adapter.record(tracer),
                adapter.watch_build(tracer),
                listening(adapter.backward_listeners, tracer),
            ):
                program = self._runner.run(source, filename)
                during = "optimizer"
                optimizer_error = self._make_optimizer(program)
        except BaseException as error:
            self._fail(error, during, has_loaded=False)
            self._unloaded = self.failure
            return False
        self._unloaded = None
        self._program = program
        self._observer = Observer(adapter, program, tracer)
        self._trainer = None
        self._metrics = Metrics(adapter, program) if program.model is not None else None
        self._first_rates = learning_rates(program.optimizers)
        if kept is not None:
            kept.restore(self._observer.walk, program.optimizers, self._first_rates)
        if optimizer_error is None and not program.note:
            self._trainer = Trainer(adapter, program, step, self._mode)
        self._start_over(is_same_run=kept is not None)
        if optimizer_error is not None:
            self._fail(optimizer_error, "optimizer")
            self._unloaded = self.failure
        return optimizer_error is None

    def reset(self, seed: int | None = None) -> bool:
        """Build the model anew from the loaded source; step 0."""
        number = self._seed if seed is None else seed
        return self.load(self._source, self._filename, self.revision, number)

    def run_step(self) -> bool:
        """Run one step, traced if a look is due. False: it failed, and `failure` says how."""
        return self._run(-math.inf, self.step + 1)

    def run_slice(self, until: float, last_step: float = math.inf) -> bool:
        """Run steps until the clock shows ``until``. False: a step failed."""
        while self.step < last_step:
            if not self._run(until, last_step):
                return False
            if self._clock() >= until:
                break
        if self._metrics and self._observed and self._measures.is_due():
            self.measure()
        self._mark()
        return self.failure is None

    def run_phase(self) -> bool:
        """Run the next phase of a step and show it. False: it failed."""
        trainer, observer = self._trainer, self._observer
        if trainer is None or observer is None or self.failure is not None:
            return self._refuse()
        if not trainer.is_within_step:
            observer.look_again()
        try:
            phase, operations = trainer.run_phase(observer.walk)
        except BaseException as error:
            self._fail(error, "phase")
            return False
        self.news.operations = operations
        if phase is Phase.LOSS:
            self._add_loss(trainer.step_number + 1, trainer.loss)
        is_finished = phase is Phase.OPTIMIZER
        if trainer.tracer is not None:
            observer.add_step(trainer.tracer.record, is_finished)
        if phase in (Phase.BACKWARD, Phase.OPTIMIZER):
            self._look(step=trainer.step_number if is_finished else trainer.step_number + 1)
        return True

    def request_look(self) -> None:
        """Have the very next step traced: it is run on its own and will be looked at."""
        self._is_look_wanted = True

    def look(self) -> None:
        """Take the census of what stands now, between two steps."""
        if self._observer is not None:
            if not self._has_just_looked:
                self._observer.look_again()
            self._look()

    def measure(self) -> None:
        """Call the document's metric functions."""
        if not self._metrics:
            return
        start = self._clock()
        try:
            measured = self._metrics.measure()
        except BaseException as error:
            self._fail(error, "evaluate")
            return
        for name, value in measured.items():
            self.news.metrics.setdefault(name, []).append((self.step, value))
        self._measures.note_cost(self._clock() - start)

    def set_learning_rate(self, lr: float) -> None:
        """Set ``lr`` of every group of every optimizer from the next step on."""
        for optimizer in self._program.optimizers if self._program else []:
            for group in optimizer_groups(optimizer):
                if "lr" in group:
                    group["lr"] = lr

    def values(self, paths: tuple[str, ...]) -> tuple[TensorValues, ...]:
        """Return the values of the tensors at ``paths``, those that exist."""
        if self._observer is None or not paths:
            return ()
        return values_of(self.adapter, self._observer.walk, paths)

    def take_news(self) -> News:
        """Return what has come up, and begin anew."""
        news, self.news = self.news, News()
        return news

    def clear_failure(self) -> None:
        """Let training go on after a failed step, as the user asks to."""
        self.failure = None

    def pause_clock(self) -> None:
        """Forget the speed: what follows is another run."""
        self._marks.clear()

    # Private

    def _run(self, until: float, last_step: float) -> bool:
        """Run one traced step, or unwatched ones until a look is due. False: one failed."""
        trainer, observer = self._trainer, self._observer
        if trainer is None or observer is None or self.failure is not None:
            return self._refuse()
        slice_ = Slice(trainer.step_number, last_step, until, self._clock)
        try:
            if trainer.is_within_step:
                trainer.finish_step(observer.walk)
                self._look()
            elif self._is_look_due(trainer, observer):
                self._run_traced(trainer, observer)
            elif self._is_reading_due(trainer):
                self._run_measured(trainer, observer, slice_)
            else:
                if self._observed and trainer.is_settled:
                    due = self._readings.due if trainer.can_measure else math.inf
                    slice_.until = min(until, self._looks.due, due)
                elif self._observed:
                    slice_.last = trainer.step_number + 1
                self._has_just_looked = False
                trainer.run(slice_)
        except BaseException as error:
            self._add_losses(slice_)
            trainer.abandon_step()
            self._fail(error, "step")
            return False
        trainer.phase = Phase.IDLE
        self._add_losses(slice_)
        self._add_loss(trainer.step_number, trainer.loss)
        return True

    def _is_look_due(self, trainer: Trainer, observer: Observer) -> bool:
        if not self._observed:
            return False
        if self._is_look_wanted or observer.is_fresh:
            return True
        return trainer.is_settled and self._looks.is_due()

    def _is_reading_due(self, trainer: Trainer) -> bool:
        if not self._observed or self._is_quiet or not trainer.is_settled:
            return False
        return trainer.can_measure and self._readings.is_due()

    def _run_measured(self, trainer: Trainer, observer: Observer, slice_: Slice) -> None:
        """Run one step that tells what it leaves of tensors, for the rows of the last look."""
        start = self._clock()
        slice_.last = trainer.step_number + 1
        self._has_just_looked = False
        readings = trainer.run_measured(slice_, observer.walk)
        self._rows = self.news.rows = renewed(self._rows, observer.walk, readings)
        self._readings.note_cost(self._clock() - start)

    def _run_traced(self, trainer: Trainer, observer: Observer) -> None:
        self._is_look_wanted = False
        start = self._clock()
        if not self._has_just_looked:
            observer.look_again()
        with observer.evaluating():
            tracer = trainer.run_traced_step(observer.walk)
        observer.add_step(tracer.record)
        self.news.operations = tracer.operations()
        # The step may have put new tensors in place of those that were there before.
        observer.look_again()
        self._has_just_looked = self._is_quiet  # nothing runs before the next step
        if not self._is_quiet:
            self._look()
        self._looks.note_cost(self._clock() - start)

    def _add_loss(self, step: int, loss: float) -> None:
        # A step that was split shows its loss before it is done.
        if step != self._last_loss_step:
            self._last_loss_step = step
            self.news.losses.append((step, loss))

    def _add_losses(self, slice_: Slice) -> None:
        if slice_.losses:
            first = slice_.done + 1
            self._last_loss_step = slice_.done + len(slice_.losses)
            self.news.losses += zip(
                range(first, self._last_loss_step + 1), slice_.losses, strict=True
            )

    def _look(self, step: int | None = None) -> None:
        observer = self._observer
        assert observer is not None
        number = self.step if step is None else step
        self._rows = self.news.rows = observer.rows(number)
        self._readings.note_cost(0.0)
        findings = observer.findings(number)
        if findings != self._findings:
            self._findings = self.news.findings = findings

    def _make_optimizer(self, program: Program) -> BaseException | None:
        try:
            self._runner.make_optimizer(program)
        except Exception as error:
            return error
        return None

    def _keep(self) -> Kept | None:
        if self._program is None or self._observer is None or self._program.model is None:
            return None
        if self._trainer is not None and self._trainer.is_within_step:
            self._trainer.abandon_step()
        self._observer.look_again()
        return Kept(self.adapter, self._observer.walk, self._program.optimizers, self._first_rates)

    def _start_over(self, is_same_run: bool) -> None:
        if is_same_run:
            # The curve goes on: what it has not shown yet is still to come.
            self.news = News(losses=self.news.losses, metrics=self.news.metrics)
        else:
            self.news = News()
            self._last_loss_step = -1
        self._findings = None
        self._has_just_looked = False
        self._marks.clear()
        self._looks = Pacer(self._clock)
        self._measures = Pacer(self._clock, METRIC_INTERVAL, METRIC_SHARE)
        if not self._is_quiet:
            self._look()

    def _mark(self) -> None:
        now = self._clock()
        self._marks.append((now, self.step))
        while len(self._marks) > 2 and self._marks[1][0] < now - SPEED_WINDOW:
            self._marks.popleft()

    def _refuse(self) -> bool:
        """Nothing can be trained: say why, once more, as a failure of its own."""
        if self.failure is None:
            self.failure = self._unloaded
        if self.failure is None:
            message = self.note or "Nothing is loaded yet.\n  The worker is empty.\n  Open a file."
            self._fail(CannotTrainError(message), "play")
        return False

    def _fail(self, error: BaseException, during: str, has_loaded: bool = True) -> None:
        """Tell of an error, with what the rules say of it beside what they said before."""
        if self._is_quiet and has_loaded and self._observer is not None:
            self._look()
        raised = Raised(error, during, self._filename, self._source)
        explained = self._explain(raised, has_loaded)
        self.failure = describe_failure(
            raised, self.revision, self.step, explained.place, explained.findings
        )
        known = (self._findings or ()) if has_loaded else ()
        places = {(finding.rule, finding.where) for finding in known}
        added = (f for f in explained.findings if (f.rule, f.where) not in places)
        findings = (*known, *added)
        if findings != self._findings:
            self._findings = self.news.findings = findings

    def _explain(self, raised: Raised, has_loaded: bool) -> Explanation:
        try:
            if not has_loaded or self._observer is None:
                return explain_loading(raised, self.adapter)
            tracer = self._trainer.tracer if self._trainer is not None else None
            if tracer is not None and tracer.record.number != self.step + 1:
                tracer = None  # it has seen an earlier step
            if tracer is None and self._trainer is not None and raised.during == "step":
                if not has_frames(raised.error, self._filename):
                    # A backward failed in a step that nobody watched.
                    self._observer.look_again()
                    tracer = self._trainer.trace_backward(self._observer.walk)
            names = vars(self._program.module) if self._program is not None else {}
            return explain_running(raised, self.adapter, self._observer, tracer, self.step, names)
        except Exception:
            # Odd objects of the user's may defy any look; the error itself must be told.
            return Explanation()
