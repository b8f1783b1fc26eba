"""The tensors of a model as an item model: one group a Module, one row a tensor.

Built for 100,000 rows: indices hold integers only, every row is of one height, and a snapshot
signals no more rows than are visible.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from paramscope.census.rows import Kind, Stepping, TensorRow
from paramscope.rules.finding import Finding
from paramscope_gui.theme import FORGOTTEN, GRADIENT_LOOKS, KIND_LOOKS, STEPPING_LOOKS
from paramscope_gui.widgets import shape_text, values_text

Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = Qt.ItemDataRole.UserRole + 1
GROUP_ROLE = Qt.ItemDataRole.UserRole + 2
NO_INDEX = QModelIndex()


class Column(IntEnum):
    """The columns of the tree, left to right."""

    NAME = 0
    STATE = 1
    SHAPE = 2
    GRADIENT = 3
    STEPPED_BY = 4


TITLES = ("Name", "What it is", "Shape", "Gradient", "Stepped by")


@dataclass(slots=True)
class Group:
    """A Module with the tensors that it holds itself; ``path`` is ``""`` for the model."""

    path: str
    class_name: str
    rows: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What the group's line says."""
        return self.path or self.class_name or "model"


def group_of(row: TensorRow) -> str:
    """Return the path of the group that a tensor stands in: its Module.

    Modules in a list or a dict are unknown to their owner; what they hold stands below them
    all the same, as ``blocks.0.norm``.
    """
    start = len(row.owner) + 1 if row.owner else 0
    inner = row.path[start:].rpartition(".")[0]
    return ".".join(part for part in (row.owner, inner) if part)


def name_of(row: TensorRow) -> str:
    """Return how a tensor is called in its group."""
    group = group_of(row)
    return row.path[len(group) + 1 :] if group else row.path


def stepped_by(row: TensorRow) -> str:
    """Say who steps a tensor, in the words of the column."""
    if row.stepping is Stepping.IN_OPTIMIZER:
        which = "" if not row.optimizer_index else f"{row.optimizer_index + 1}."
        return f"group {which}{row.group or 0}"
    return STEPPING_LOOKS[row.stepping].word.lower() or "–"


def describe(row: TensorRow) -> str:
    """Say what a tensor is, what its gradient does and who steps it, a line each."""
    looks = [KIND_LOOKS[row.kind], GRADIENT_LOOKS[row.gradient], STEPPING_LOOKS[row.stepping]]
    lines = [row.path, f"{shape_text(row.shape)} · {row.dtype} · {values_text(row.count)}"]
    lines += [f"{look.word}: {look.meaning}" for look in looks if look.word]
    if row.lr is not None:
        lines.append(f"lr {row.lr:.3g}")
    if row.tied_with:
        lines.append("TIED with " + ", ".join(row.tied_with))
    if row.note:
        lines.append(row.note)
    return "\n".join(lines)


def badges_of(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return the worst verdict on each place that one is about, by its path."""
    found: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda one: "EWH".find(one.severity)):
        found.setdefault(finding.where, finding)
    return found


class Filter:
    """Words that all must match a row; ``state:unused`` and ``kind:buffer`` ask for states."""

    def __init__(self, text: str) -> None:
        self._words: list[str] = []
        self._states: list[str] = []
        for word in text.lower().split():
            key, colon, value = word.partition(":")
            if colon and key in ("state", "kind") and value:
                self._states.append(value)
            else:
                self._words.append(word)

    def __bool__(self) -> bool:
        return bool(self._words or self._states)

    def matches(self, row: TensorRow) -> bool:
        """Whether a tensor is to be shown."""
        if not all(word in row.path.lower() for word in self._words):
            return False
        if not self._states:
            return True
        state = f"{row.kind} {row.gradient} {row.stepping}".lower()
        if row.tied_with:
            state += " tied"
        if row.shadowed:
            state += " shadowed"
        return all(value in state or value in state.replace(" ", "") for value in self._states)


class TensorModel(QAbstractItemModel):
    """Groups and rows under a filter. ``path_at`` and ``index_of`` speak in dotted paths."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: Mapping[str, TensorRow] = {}
        self._signature: list[tuple[str, Kind]] = []
        self._groups: list[Group] = []
        self._places: dict[str, tuple[int, int]] = {}
        self._filter = Filter("")
        self.longest_name = ""
        self.badges: Mapping[str, Finding] = {}
        self._group_paths: frozenset[str] = frozenset()

    @property
    def groups(self) -> Sequence[Group]:
        """The groups that are shown."""
        return self._groups

    def show_rows(self, rows: Mapping[str, TensorRow]) -> bool:
        """Take the rows of a snapshot; return whether the structure changed (a reset)."""
        signature = [(path, row.kind) for path, row in rows.items()]
        self._all = rows
        if signature == self._signature and not self._filter:
            return False
        places = self._places if self._filter else None
        if places is not None and signature == self._signature and self._same_matches():
            return False
        self._signature = signature
        self._rebuild()
        return True

    def set_filter(self, text: str) -> None:
        """Show only what the text asks for."""
        self._filter = Filter(text)
        self._rebuild()

    def path_at(self, index: Index) -> str | None:
        """The dotted path of the tensor at an index; None for a group."""
        group = index.internalId()
        if not index.isValid() or group == 0:
            return None
        return self._groups[group - 1].rows[index.row()]

    def row_at(self, index: Index) -> TensorRow | None:
        """The tensor at an index; None for a group."""
        path = self.path_at(index)
        return None if path is None else self._all.get(path)

    def index_of(self, path: str) -> QModelIndex:
        """The index of a tensor, invalid if it isn't shown."""
        place = self._places.get(path)
        if place is None:
            return QModelIndex()
        return self.createIndex(place[1], 0, place[0] + 1)

    def badge_path(self, index: Index) -> str:
        """The path of the tensor or Module whose badge stands at an index; empty if none does."""
        if not index.isValid():
            return ""
        group = index.internalId()
        path = self.path_at(index) if group else self._groups[index.row()].path
        return path if path and self.badge_of(path) is not None else ""

    def badge_of(self, path: str) -> Finding | None:
        """The verdict on a tensor or Module: its own, or that on a container without a line."""
        place = path
        while place:
            if place in self.badges and (place == path or place not in self._group_paths):
                return self.badges[place]
            place = place.rpartition(".")[0]
        return None

    def signal_rows(self, indices: Iterable[QModelIndex]) -> None:
        """Tell the view that these rows have new numbers."""
        for index in indices:
            last = index.siblingAtColumn(len(Column) - 1)
            self.dataChanged.emit(index.siblingAtColumn(0), last)

    def _same_matches(self) -> bool:
        matching = {path for path, row in self._all.items() if self._filter.matches(row)}
        return matching == set(self._places)

    def _rebuild(self) -> None:
        self.beginResetModel()
        groups: dict[str, Group] = {}
        for path, row in self._all.items():
            if self._filter and not self._filter.matches(row):
                continue
            place = group_of(row)
            group = groups.get(place)
            if group is None:
                class_name = row.owner_class if place == row.owner else ""
                group = groups[place] = Group(place, class_name)
            group.rows.append(path)
        for group in groups.values():
            if any(self._all[path].kind in FORGOTTEN for path in group.rows):
                group.rows.sort(key=lambda path: self._all[path].kind not in FORGOTTEN)
        names = [name_of(self._all[path]) for group in groups.values() for path in group.rows]
        self.longest_name = max(names, key=len, default="")
        # What a list or a dict holds has its sign on each row: the list itself is no Module.
        self._group_paths = frozenset(path for path, one in groups.items() if one.class_name)
        # The model's own tensors come first, as in named_parameters().
        self._groups = sorted(groups.values(), key=lambda group: group.path != "")
        self._places = {
            path: (number_of_group, position)
            for number_of_group, group in enumerate(self._groups)
            for position, path in enumerate(group.rows)
        }
        self.endResetModel()

    def _text(self, row: TensorRow, column: int) -> str:
        if column == Column.NAME:
            return name_of(row)
        if column == Column.STATE:
            return KIND_LOOKS[row.kind].word
        if column == Column.SHAPE:
            return "–" if row.kind is Kind.FORGOTTEN_MODULE else shape_text(row.shape)
        if column == Column.GRADIENT:
            return GRADIENT_LOOKS[row.gradient].word.lower() or "–"
        return stepped_by(row)

    # Overrides of Qt methods

    def index(self, row: int, column: int, parent: Index = NO_INDEX) -> QModelIndex:
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, parent.row() + 1 if parent.isValid() else 0)

    def parent(self, child: Index = NO_INDEX) -> Any:  # overloads QObject.parent()
        group = child.internalId() if child.isValid() else 0
        return QModelIndex() if group == 0 else self.createIndex(group - 1, 0, 0)

    def rowCount(self, parent: Index = NO_INDEX) -> int:
        if not parent.isValid():
            return len(self._groups)
        if parent.internalId() != 0 or parent.column() != 0:
            return 0
        return len(self._groups[parent.row()].rows)

    def columnCount(self, parent: Index = NO_INDEX) -> int:
        return len(Column)

    def hasChildren(self, parent: Index = NO_INDEX) -> bool:
        return not parent.isValid() or (parent.internalId() == 0 and parent.column() == 0)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if index.internalId() == 0:
            return self._group_data(self._groups[index.row()], index.column(), role)
        row = self.row_at(index)
        if row is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, index.column())
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.ToolTipRole:
            finding = self.badge_of(row.path)
            told = describe(row)
            return told if finding is None else f"{finding.message}\n\n{told}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.path}, {self._text(row, index.column())}"
        return None

    def _group_data(self, group: Group, column: int, role: int) -> Any:
        if role == GROUP_ROLE:
            return group
        if column != Column.NAME:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return group.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{group.title}: {group.class_name}, {len(group.rows)} tensors"
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return TITLES[section]
        return None
