"""What a lesson looks at: the document's source and how far the run has come, as plain values."""

from dataclasses import dataclass

from paramscope.census.rows import Kind, TensorRow
from paramscope.engine.protocol import Phase
from paramscope.rules.finding import Finding

KEPT_LOSSES = 20
"""How many of the last losses are kept; their mean is what a lesson compares."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A run as far as it has come; whoever follows it (the window, a test) makes one at each look.

    ``losses`` are those of the last steps, `KEPT_LOSSES` at most; ``loss`` is their mean, so that
    one lucky batch reaches no goal.
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
