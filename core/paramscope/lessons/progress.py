"""What a lesson looks at: the document's source and how far the run has come, as plain values."""

from dataclasses import dataclass, replace

from paramscope.census.rows import Kind, TensorRow
from paramscope.engine.protocol import Phase, Snapshot
from paramscope.rules.finding import Finding

KEPT_LOSSES = 20
"""How many of the last losses are kept; their mean is what a lesson compares."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A run as far as it has come: the last snapshots of the worker, folded into one value.

    A snapshot leaves out what has not changed; this is the whole. ``loss`` is the mean of the
    last losses, so that one lucky batch reaches no goal.
    """

    source: str = ""
    revision: int = -1
    step: int = 0
    phase: Phase = Phase.IDLE
    losses: tuple[float, ...] = ()
    tensors: tuple[TensorRow, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def loss(self) -> float | None:
        """Mean of the last losses, None before the first."""
        return sum(self.losses) / len(self.losses) if self.losses else None

    def after(self, snapshot: Snapshot) -> "Progress":
        """Return the progress with ``snapshot`` taken in.

        Another revision of the source, or a step count that went back, is another run:
        nothing of the one before says anything about it.
        """
        is_same_run = snapshot.revision == self.revision and snapshot.step >= self.step
        before = self if is_same_run else Progress(self.source)
        losses = before.losses + tuple(loss for _, loss in snapshot.losses)
        return Progress(
            source=self.source,
            revision=snapshot.revision,
            step=snapshot.step,
            phase=snapshot.phase,
            losses=losses[-KEPT_LOSSES:],
            tensors=snapshot.tensors or before.tensors,
            findings=before.findings if snapshot.findings is None else snapshot.findings,
        )

    def with_source(self, source: str) -> "Progress":
        """Return the progress after an edit; what ran before still counts until it is reloaded."""
        return replace(self, source=source)

    def row(self, path: str) -> TensorRow | None:
        """Return the row of the tensor at ``path``, None while the model has none there."""
        return next((row for row in self.tensors if row.path == path), None)

    def is_trained(self, path: str) -> bool:
        """Tell whether the tensor at ``path`` is a Parameter that an optimizer holds.

        Whether it moves is another question: at the goal there may be nothing left to learn.
        """
        row = self.row(path)
        return row is not None and row.kind is Kind.PARAMETER and row.optimizer_index is not None

    def is_below(self, limit: float) -> bool:
        """Tell whether enough steps have run and their mean loss is under ``limit``."""
        return len(self.losses) == KEPT_LOSSES and sum(self.losses) < limit * KEPT_LOSSES
