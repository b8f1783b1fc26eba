"""One measured number with its unit and its goal, as the table and the JSON file show it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median


@dataclass(frozen=True)
class Figure:
    """A measured number: the median of ``samples``. ``goal`` is what it must not exceed.

    ``at_least`` turns the goal round.
    """

    name: str
    samples: Sequence[float]
    unit: str
    goal: float | None = None
    at_least: bool = False
    note: str = ""
    value: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", median(self.samples))

    @property
    def is_reached(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_dict(self) -> dict[str, object]:
        """Return the figure as plain values for JSON."""
        return {**asdict(self), "samples": list(self.samples), "is_reached": self.is_reached}

    def __str__(self) -> str:
        spread = ""
        if len(self.samples) > 1:
            spread = f"{min(self.samples):.4g} to {max(self.samples):.4g}, {len(self.samples)} runs"
        goal = ""
        if self.goal is not None:
            word = "at least" if self.at_least else "at most"
            goal = f"goal {word} {self.goal:g}: {'reached' if self.is_reached else 'MISSED'}"
        facts = "; ".join(part for part in (goal, self.note, spread) if part)
        value = f"{self.value:,.0f}" if abs(self.value) >= 1000 else f"{self.value:.4g}"
        return f"  {self.name:<46} {value:>10} {self.unit:<5} {facts}"
