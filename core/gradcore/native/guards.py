"""The guards of a native step, asked of memory at once: see ``watching``.

Made where the guards themselves have just said that everything is as it was when the step was
recorded. As long as this says so, too, they need not be asked.
"""

from operator import call, is_
from typing import Any

from gradcore import dtypes
from gradcore.native.clipping import Clip
from gradcore.native.optimizing import NativeGroup
from gradcore.native.watching import Words, known
from gradcore.nn.hooks import GLOBAL_HOOKS
from gradcore.nn.module import edits
from gradcore.optim.state import edits as state_edits
from gradcore.optim.state import is_watched
from gradcore.replay.captured import _CELL


class Unchanged:
    """What a recorded step relies on, and whether it is still as it is now."""

    def __init__(self, replay: Any, groups: list[NativeGroup], clips: list[Clip]) -> None:
        world = replay.world
        self._world, self._groups = world, groups
        self._added = [t._grad for t in replay._added]
        # Held here, so that no later count can come to lie in the place of these.
        self._edits = (edits[0], state_edits[0])
        self._float = dtypes.default_float()
        reads = list(zip(*world._reads, world._found, strict=True))
        words = Words()
        words.items(edits)
        words.items(state_edits)
        for name in ("_a", "_more", "_rg"):
            words.slots(world.tensors, name)
        words.slots(replay._empty, "_grad")
        words.slots(replay._added, "_grad")
        words.lengths([*world.hooks, *vars(GLOBAL_HOOKS).values()])
        words.cells(item for read, item, _ in reads if read is _CELL)
        for items, _ in world._lists:
            words.items(items)
        others = [
            one for one in reads if one[0] is not _CELL and not _is_watched_entry(words, *one)
        ]
        self._reads = [[one[i] for one in others] for i in range(3)]
        self._dicts = [one for one in world._dicts if not words.entries(one[0])]
        for group in groups:
            group.watch(words)
        for clip in clips:
            clip.watch(words)
        words.note()
        self.words = words

    @staticmethod
    def can_watch(groups: list[NativeGroup]) -> bool:
        """Tell whether every change of what optimizers keep would be noticed."""
        return known and all(is_watched(group.optimizer.state) for group in groups)

    def holds(self) -> bool:
        """Tell whether everything is as it was when this was made."""
        return self.words.same() and self.holds_rest()

    def holds_rest(self) -> bool:
        """Tell whether that holds which its words of memory do not tell."""
        if dtypes.default_float() is not self._float:
            return False
        functions, things, found = self._reads
        if found and not all(map(is_, map(call, functions, things), found)):
            return False
        for entries, keys, values in self._dicts:
            if len(entries) != len(keys) or not all(map(is_, entries, keys)):
                return False
            if not all(map(is_, entries.values(), values)):
                return False
        return all(group.holds_rest() for group in self._groups)


def _is_watched_entry(words: Words, read: Any, key: Any, value: Any) -> bool:
    """Watch what a dictionary has for a key, if that is what is read."""
    entries = getattr(read, "__self__", None)
    if type(entries) is not dict or read != entries.get or value is None:
        return False
    return words.entry(entries, key)
