"""What of a document is run: kept in its layout, so that it is asked only once.

A document with a ``build()`` needs none of it. For any other file, ``model`` is the Python that
makes the model from the file's names, and ``input`` what its ``forward`` is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from paramscope.document.document import Document, Layout

_KEY = "run"  # of the table in the layout block
_LONGEST = 2_000  # characters of one entry
ENGINES = ("gradcore", "torch")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """``model`` and ``input`` are Python, empty where the file itself says it."""

    model: str = ""
    input: str = ""
    engine: str = "gradcore"


def run_settings(layout: Layout) -> RunSettings:
    """Return what a layout says of running; whatever is not usable is as if it were not there."""
    table = layout.extra.get(_KEY)
    if not isinstance(table, Mapping):
        return RunSettings()
    engine = _text(table, "engine")
    return RunSettings(
        _text(table, "model"),
        _text(table, "input"),
        engine if engine in ENGINES else ENGINES[0],
    )


def with_run_settings(layout: Layout, settings: RunSettings) -> Layout:
    """Return the layout with these settings; those of every document leave nothing in it."""
    default = RunSettings()
    table = {
        name: getattr(settings, name)
        for name in ("model", "input", "engine")
        if getattr(settings, name) != getattr(default, name)
    }
    extra = {key: value for key, value in layout.extra.items() if key != _KEY}
    if table:
        extra[_KEY] = table
    return replace(layout, extra=extra)


@dataclass(frozen=True, slots=True)
class SetRun:
    """Choose what is run, with which input, on which engine. The source stays as it is."""

    settings: RunSettings

    @property
    def label(self) -> str:
        """What the command does, in words."""
        if self.settings.model:
            return f"Look at {self.settings.model.partition('(')[0]}"
        return f"Run on {self.settings.engine}"

    def apply(self, document: Document) -> Document:
        """Return the document with the choice in its layout."""
        return replace(document, layout=with_run_settings(document.layout, self.settings))


def _text(table: Mapping[str, object], name: str) -> str:
    value = table.get(name, "")
    return value if isinstance(value, str) and len(value) <= _LONGEST else ""
