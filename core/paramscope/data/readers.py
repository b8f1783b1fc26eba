"""Reads files of one's own into NumPy arrays: CSV, NPZ, IDX (MNIST's format) and plain text.

A document calls these with a path::

    from paramscope.data.readers import read_csv

    measures, species = read_csv("flowers.csv", target="species")

Nothing here runs code from a file (pickled arrays are refused), and nothing reads more than
`LARGEST_FILE` bytes, packed or unpacked. Every refusal is a `DataError` that says what was
found, in which file and line, and what to do.
"""

import csv
import gzip
import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramscope.data.description import DataError

LARGEST_FILE = 512 * 1024 * 1024
"""Bytes; all of MNIST unpacked is 55 million."""
LARGEST_CSV = 32 * 1024 * 1024
"""Bytes; as Python text a table takes about twenty times its size in the file."""
GZIP_MAGIC = b"\x1f\x8b"
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_csv(path: str | Path, target: str | int = -1) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Read a table of numbers; the column ``target`` (name or number) is what is to be learned.

    A first line of names is recognised by itself. A target of whole numbers or of words
    becomes class numbers (``int64``; words in alphabetical order), any other ``float32``.

    Raises: `DataError` on a file that is no such table, with the line.
    """
    rows = _csv_rows(Path(path))
    names = _header(rows)
    body = rows[1:] if names else rows
    if not body:
        raise DataError(f"{path} has no rows of data.\n  Give a file with one row a line.")
    column = _column(path, names, len(body[0][1]), target)
    measures = [[cell for i, cell in enumerate(cells) if i != column] for _, cells in body]
    numbers = [
        _number_row(path, line, cells) for (line, _), cells in zip(body, measures, strict=True)
    ]
    return np.array(numbers, dtype=np.float32), _as_target([cells[column] for _, cells in body])


def read_npz(path: str | Path) -> dict[str, NDArray[Any]]:
    """Read every array of an NPZ file, by name. Pickled objects are refused.

    Raises: `DataError` on a damaged file, on objects, and where the arrays would be too large.
    """
    source = Path(path)
    _check_size(source)
    try:
        with zipfile.ZipFile(source) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            _check_total(source, size, LARGEST_FILE)
        with np.load(source, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except DataError:
        raise
    # Damage makes zipfile and NumPy raise errors of a dozen unrelated classes.
    except Exception as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path} holds Python objects, not only arrays of numbers.\n"
                "  Save plain arrays; objects are never read, because reading them runs code."
            ) from error
        raise DataError(
            f"{path} is no NPZ file, or is damaged: {error}\n  Save it again with np.savez."
        ) from error


def read_idx(path: str | Path) -> NDArray[Any]:
    """Read an IDX file, the format of MNIST, packed with gzip or not.

    Source: the description of the format on the page of the MNIST database, Y. LeCun and others.
    Raises: `DataError` if the header does not fit the content.
    """
    source = Path(path)
    content = unpacked(_read_bytes(source), str(path))
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES:
        raise DataError(
            f"{path} does not begin like an IDX file (found {content[:4].hex(' ') or 'nothing'}).\n"
            "  MNIST's files are of this kind, for instance train-images-idx3-ubyte.gz."
        )
    dtype, dimensions = np.dtype(IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(f"{path} ends within its header.\n  Fetch the file again.")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, 4))
    expected = math.prod(shape) * dtype.itemsize
    if len(content) - start != expected:
        raise DataError(
            f"{path} says it holds {shape}, that is {expected:,} bytes, but "
            f"{len(content) - start:,} follow.\n  The file is cut off or damaged; fetch it again."
        )
    return (
        np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
    )


def read_text(path: str | Path) -> str:
    """Read a UTF-8 text, for models that learn characters.

    Raises: `DataError` if it is not UTF-8, with the place.
    """
    content = unpacked(_read_bytes(Path(path)), str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: byte {content[error.start]:#04x} is not UTF-8.\n"
            "  Save the file as UTF-8."
        ) from error


def unpacked(content: bytes, name: str) -> bytes:
    """Return ``content``, unpacked if gzip packed it, never more than `LARGEST_FILE`.

    Raises: `DataError` if it is damaged or unpacks to more.
    """
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            result = stream.read(LARGEST_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is damaged: {error}\n  Fetch the file again.") from error
    _check_total(name, len(result), LARGEST_FILE)
    return result


def parse_numbers(text: str, name: str) -> NDArray[np.float64]:
    """Parse lines of numbers with commas between into a table."""
    try:
        return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise DataError(
            f"{name} is no table of numbers: {error}\n  Fetch the file again."
        ) from error


def _check_total(path: str | Path, size: int, limit: int) -> None:
    if size > limit:
        raise DataError(
            f"{path} holds more than {limit // 2**20} MiB of data.\n"
            "  Take a part of it; this reader keeps everything in memory."
        )


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be read: {error.strerror}.\n  See who may read it, or give another file."
    )


def _check_size(path: Path) -> None:
    try:
        if not path.is_file():
            reason = "is a folder" if path.is_dir() else "does not exist"
            raise DataError(f"{path} {reason}.\n  Give the path of a data file.")
        _check_total(path, path.stat().st_size, LARGEST_FILE)
    except OSError as error:
        raise _unreadable(path, error) from error


def _read_bytes(path: Path) -> bytes:
    _check_size(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return (line, cells) of every row that is not blank, all of one length."""
    text = read_text(path)
    _check_total(path, len(text), LARGEST_CSV)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}.\n  Is it a CSV file?") from error
    for line, cells in rows:
        if len(cells) != len(rows[0][1]):
            raise DataError(
                f"{path}, line {line}: {len(cells)} columns, the first line has "
                f"{len(rows[0][1])}.\n  Every row needs the same number of columns."
            )
    if rows and len(rows[0][1]) < 2:
        raise DataError(
            f"{path} has only one column.\n"
            "  At least one measure and one target are needed, with `,`, `;` or tabs between."
        )
    return rows


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _header(rows: list[tuple[int, list[str]]]) -> list[str]:
    """Return the names in the first row, or nothing if it is data.

    Only a row without a single number is one of names: a target may be a word in any row.
    """
    if not rows or any(_number(cell) is not None for cell in rows[0][1]):
        return []
    return rows[0][1]


def _column(path: str | Path, names: list[str], count: int, target: str | int) -> int:
    if isinstance(target, int) and -count <= target < count:
        return target % count
    if target in names:
        return names.index(str(target))
    known = (
        ", ".join(names) if names else f"numbers from 0 to {count - 1} (there is no line of names)"
    )
    raise DataError(f"{path} has no column {target!r}.\n  Its columns are: {known}.")


def _number_row(path: str | Path, line: int, cells: list[str]) -> list[float]:
    numbers = [_number(cell) for cell in cells]
    for number, cell in zip(numbers, cells, strict=True):
        if number is None:
            raise DataError(
                f"{path}, line {line}: {cell!r} is no number.\n"
                "  Measures must be numbers; only the target may be a word."
            )
    return [number for number in numbers if number is not None]


def _as_target(cells: list[str]) -> NDArray[Any]:
    numbers = [_number(cell) for cell in cells]
    values = [number for number in numbers if number is not None]
    if len(values) < len(cells):
        return np.unique(cells, return_inverse=True)[1].astype(np.int64)
    if all(math.isfinite(value) and value == int(value) for value in values):
        return np.array(values).astype(np.int64)
    return np.array(values, dtype=np.float32)
