"""Readers of the user's own files: what they make of them, and how they refuse."""

import contextlib
import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paramscope.data import readers
from paramscope.data.description import DataError
from paramscope.data.readers import read_csv, read_idx, read_npz, read_text


def written(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def idx(array: np.ndarray, kind: int) -> bytes:
    head = struct.pack(">BBBB", 0, 0, kind, array.ndim)
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_the_last_column_of_a_csv_is_the_target(tmp_path: Path) -> None:
    measures, target = read_csv(written(tmp_path, "1.5,2,0\n3,4,1\n"))
    assert measures.tolist() == [[1.5, 2], [3, 4]]
    assert (target.tolist(), target.dtype) == ([0, 1], np.int64)


def test_a_line_of_names_is_recognised_and_a_target_is_found_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "species,width,length\nrose,1,2\nlily,3,4\nrose,5,6\n")
    measures, target = read_csv(path, target="species")
    assert measures.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert target.tolist() == [1, 0, 1]


def test_a_target_with_fractions_is_kept_as_numbers(tmp_path: Path) -> None:
    _, target = read_csv(written(tmp_path, "1,0.5\n2,1.5\n"))
    assert (target.tolist(), target.dtype) == ([0.5, 1.5], np.float32)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_commas_semicolons_and_tabs_are_recognised(tmp_path: Path, delimiter: str) -> None:
    measures, _ = read_csv(written(tmp_path, delimiter.join("123") + "\n"))
    assert measures.tolist() == [[1, 2]]


def test_blank_lines_quotes_and_a_byte_order_mark_are_no_matter(tmp_path: Path) -> None:
    measures, target = read_csv(written(tmp_path, '\ufeff1,"2",a\r\n\r\n3,4,"b"\r\n'))
    assert (measures.tolist(), target.tolist()) == ([[1, 2], [3, 4]], [0, 1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,2,0\n1,two,0\n", r"line 2: 'two' is no number\.\n  Measures must be numbers"),
        ("1,2,0\n1,0\n", r"line 2: 2 columns, the first line has 3\.\n  Every row needs"),
        ("1\n2\n", r"has only one column\.\n  At least one measure and one target"),
        ("", r"has no rows of data\.\n  Give a file"),
        ("a,b\n", r"has no rows of data"),
        (b"1,2\n\xff,3\n", r"line 2: byte 0xff is not UTF-8\.\n  Save the file as UTF-8"),
    ],
)
def test_a_csv_that_is_no_table_is_refused_with_its_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_csv(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        ("a,b\n1,2\n", "c", r"has no column 'c'\.\n  Its columns are: a, b\."),
        ("1,2\n", 2, r"has no column 2\.\n  Its columns are: numbers from 0 to 1"),
        ("1,2\n", "b", r"has no column 'b'\.\n  .*there is no line of names"),
    ],
)
def test_a_target_that_is_not_there_is_refused_with_the_columns(
    tmp_path: Path, content: str, target: str | int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_csv(written(tmp_path, content), target)


def test_npz_arrays_come_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", x=np.arange(3), y=np.ones((2, 2)))
    arrays = read_npz(tmp_path / "two.npz")
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "x": [0, 1, 2],
        "y": [[1, 1], [1, 1]],
    }


def test_an_npz_with_objects_is_refused_because_reading_them_runs_code(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", x=np.array([{}], dtype=object))
    with pytest.raises(DataError, match=r"holds Python objects.*\n.*never read, because"):
        read_npz(tmp_path / "objects.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_a_damaged_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"is no NPZ file, or is damaged: .*\n  Save it again with"):
        read_npz(written(tmp_path, content, "broken.npz"))


def test_an_npz_whose_header_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999,)}\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("x.npy", array)
    with pytest.raises(DataError):
        read_npz(tmp_path / "lie.npz")


def test_an_npz_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LARGEST_FILE", 2**20)
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros(2**18))
    with pytest.raises(DataError, match=r"holds more than 1 MiB of data"):
        read_npz(tmp_path / "bomb.npz")


@pytest.mark.parametrize(("kind", "dtype"), [(0x08, ">u1"), (0x0B, ">i2"), (0x0D, ">f4")])
def test_idx_files_keep_shape_type_and_values(tmp_path: Path, kind: int, dtype: str) -> None:
    expected = np.arange(24).reshape(2, 3, 4).astype(dtype)
    array = read_idx(written(tmp_path, idx(expected, kind), "images-idx3"))
    assert array.tolist() == expected.tolist()
    assert array.dtype.isnative


def test_a_packed_idx_file_is_unpacked(tmp_path: Path) -> None:
    content = gzip.compress(idx(np.array([7, 8], dtype=">u1"), 0x08))
    assert read_idx(written(tmp_path, content, "labels.gz")).tolist() == [7, 8]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"does not begin like an IDX file \(found nothing\)"),
        (b"\x89PNG....", r"does not begin like an IDX file \(found 89 50 4e 47\)"),
        (b"\0\0\x08\x02\0\0\0\x01", r"ends within its header"),
        (b"\0\0\x08\x01\0\0\0\x03ab", r"says it holds \(3,\), that is 3 bytes, but 2 follow"),
        (b"\0\0\x08\x01\xff\xff\xff\xff", r"that is 4,294,967,295 bytes, but 0 follow"),
        (b"\x1f\x8bnot gzip", r"is damaged: "),
    ],
)
def test_an_idx_file_that_does_not_fit_its_header_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_idx(written(tmp_path, content, "broken-idx"))


def test_a_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LARGEST_FILE", 2**20)
    bomb = gzip.compress(b"\0" * 2**21)
    with pytest.raises(DataError, match=r"holds more than .* MiB of data\.\n  Take a part"):
        read_text(written(tmp_path, bomb, "bomb.gz"))


@pytest.mark.parametrize("read", [read_csv, read_npz, read_idx, read_text])
def test_a_missing_file_and_a_folder_are_named(tmp_path: Path, read) -> None:
    with pytest.raises(DataError, match=r"absent does not exist\."):
        read(tmp_path / "absent")
    with pytest.raises(DataError, match=r"is a folder\."):
        read(tmp_path)


def test_text_is_read_as_utf8(tmp_path: Path) -> None:
    assert read_text(written(tmp_path, "über\n", "poem.txt")) == "über\n"


def sample_files() -> dict[str, bytes]:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(6.0).reshape(2, 3), y=np.arange(2))
    pixels = idx(np.arange(12, dtype=">u1").reshape(3, 4), 0x08)
    return {
        "npz": buffer.getvalue(),
        "idx": pixels,
        "gz": gzip.compress(pixels),
        "csv": b'a,b,c\n1,2,"x"\n3,4,y\n',
    }


SAMPLES = sample_files()
changes = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6)


@given(name=st.sampled_from(sorted(SAMPLES)), changed=changes, cut=st.integers(0, 600))
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    changed: list[tuple[int, int]],
    cut: int,
) -> None:
    content = bytearray(SAMPLES[name])
    for place, value in changed:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: len(content) - cut % len(content)])
    for read in (read_csv, read_npz, read_idx, read_text):
        with contextlib.suppress(DataError):
            read(path)
