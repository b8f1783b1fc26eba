"""The census as text: one line for each tensor, in columns."""

from collections.abc import Sequence

from paramscope.census.rows import Stepping, TensorRow

_HEAD = ("tensor", "what it is", "gradient", "who steps it", "shape", "note")


def census_table(rows: Sequence[TensorRow]) -> str:
    """Return the rows as a table, with the totals of what is trained below it.

    >>> from paramscope.census.rows import Kind
    >>> print(census_table([TensorRow("w", Kind.PARAMETER, (2, 3), "float32", True)]))
    tensor  what it is  gradient  who steps it  shape  note
    w       PARAMETER                           2x3
    1 tensor, 6 values, 0 of them in an optimizer
    """
    lines = [_HEAD]
    for row in rows:
        lines.append((row.path, row.kind, row.gradient, _stepping(row), _shape(row), _note(row)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    shown = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*shown, _totals(rows)])


def _is_module(row: TensorRow) -> bool:
    """Tell the row of a hidden Module, which has a class where tensors have a dtype."""
    return row.dtype[:1].isupper()


def _shape(row: TensorRow) -> str:
    if _is_module(row):
        return ""
    return "x".join(str(size) for size in row.shape) or "scalar"


def _stepping(row: TensorRow) -> str:
    if row.stepping is not Stepping.IN_OPTIMIZER:
        return str(row.stepping)
    several = f"optimizer {row.optimizer_index}, " if row.optimizer_index else ""
    rate = f", lr {row.lr:g}" if row.lr is not None else ""
    return f"{several}group {row.group}{rate}"


def _note(row: TensorRow) -> str:
    words = []
    if row.tied_with:
        words.append(f"TIED with {', '.join(row.tied_with)}")
    if row.shadowed:
        words.append("SHADOWED")
    if row.note:
        words.append(row.note)
    return "; ".join(words)


def _totals(rows: Sequence[TensorRow]) -> str:
    # A tied tensor has a row for each of its names, and counts once.
    distinct = [
        row
        for row in rows
        if not _is_module(row) and not any(name < row.path for name in row.tied_with)
    ]
    count = sum(row.count for row in distinct)
    stepped = sum(row.count for row in distinct if row.stepping is Stepping.IN_OPTIMIZER)
    tensors = "1 tensor" if len(distinct) == 1 else f"{len(distinct)} tensors"
    return f"{tensors}, {count:,} values, {stepped:,} of them in an optimizer"
