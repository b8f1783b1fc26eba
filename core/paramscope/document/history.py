"""Undo and redo as lists of documents: every state is an immutable value that is kept whole.

The window holds one `History`; views read ``document`` and send commands to `execute`.
"""

from dataclasses import dataclass

from paramscope.document.document import Command, Document

# Bounds of what is kept; the oldest states go first.
MOST_STEPS = 1_000
LARGEST_MEMORY = 64 * 1024 * 1024  # characters of source, roughly bytes


@dataclass(frozen=True, slots=True)
class _State:
    document: Document
    label: str  # of the command that led here
    merge_key: str | None


class History:
    """The document now, what it was before, and what was undone."""

    def __init__(self, document: Document) -> None:
        self._past: list[_State] = []
        self._now = _State(document, "", None)
        self._future: list[_State] = []
        self._saved: Document | None = document

    @property
    def document(self) -> Document:
        """The document as it is now."""
        return self._now.document

    @property
    def undo_label(self) -> str | None:
        """The command that `undo` takes back, or None."""
        return self._now.label if self._past else None

    @property
    def redo_label(self) -> str | None:
        """The command that `redo` makes again, or None."""
        return self._future[-1].label if self._future else None

    @property
    def is_dirty(self) -> bool:
        """Whether the document differs from what was last saved, judged by its content."""
        return self._now.document != self._saved

    def execute(self, command: Command, merge_key: str | None = None) -> Document:
        """Apply a command and return the new document.

        Commands given one after the other with the same ``merge_key`` make one step (a drag,
        a word being typed). A command that changes nothing makes no step.

        Raises: CommandRefused from the command; the document stays as it is.
        """
        document = command.apply(self._now.document)
        if document == self._now.document:
            return document
        if merge_key is not None and merge_key == self._now.merge_key and self._past:
            self._now = _State(document, self._now.label, merge_key)
        else:
            self._past.append(self._now)
            self._now = _State(document, command.label, merge_key)
            self._forget_oldest()
        self._future.clear()
        return document

    def end_merge(self) -> None:
        """Let the next command begin a step of its own (the mouse was released)."""
        self._now = _State(self._now.document, self._now.label, None)

    def undo(self) -> Document:
        """Go one step back, if there is one, and return the document."""
        if self._past:
            self._future.append(self._now)
            before = self._past.pop()
            self._now = _State(before.document, before.label, None)
        return self.document

    def redo(self) -> Document:
        """Go one step forward again, if there is one, and return the document."""
        if self._future:
            self._past.append(self._now)
            self._now = self._future.pop()
        return self.document

    def mark_saved(self, document: Document | None = None) -> None:
        """Note that ``document`` (by default the present one) is what the file holds."""
        self._saved = self.document if document is None else document

    def mark_unsaved(self) -> None:
        """Note that no file holds this document (it was restored, say)."""
        self._saved = None

    def restart(self, document: Document) -> None:
        """Begin anew with a document just opened."""
        self._past.clear()
        self._future.clear()
        self._now = _State(document, "", None)
        self._saved = document

    def _forget_oldest(self) -> None:
        surplus = len(self._past) - MOST_STEPS
        # States share their source where only the layout changed; those count once.
        size = 0
        last: str | None = None
        for index in range(len(self._past) - 1, -1, -1):
            source = self._past[index].document.source
            if source is not last:
                size += len(source)
                last = source
            if size > LARGEST_MEMORY:
                surplus = max(surplus, index + 1)
                break
        if surplus > 0:
            del self._past[:surplus]
