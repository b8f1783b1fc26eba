"""Which edits may mend the findings of which rule; every one is proved by running it."""

from collections.abc import Callable, Iterable, Mapping

from paramscope.rules.finding import Finding

# From a finding and the source to (what the edit is called, the source with it).
MendSource = Callable[[Finding, str], Iterable[tuple[str, str]]]

MENDS: Mapping[str, tuple[MendSource, ...]] = {}
