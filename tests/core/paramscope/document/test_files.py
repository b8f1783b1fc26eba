"""Opening and saving: what is refused and how, and that a file is never half written."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paramscope.document import atomic, files
from paramscope.document.document import Document, Layout, Point
from paramscope.document.files import FileError, changed_outside, open_file, save_file

LAYOUT = Layout({"Net/fc": Point(1, 2)})


@pytest.mark.parametrize(
    "data",
    [b"", b"x = 1\n", b"x = 1\r\ny = 2\n", b"\xef\xbb\xbfx = 1\n", b"caf\xc3\xa9 = 1", b"def (:\n"],
)
def test_a_file_opened_and_saved_is_the_same_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.py"
    path.write_bytes(data)
    opened = open_file(path)
    save_file(path, opened.document, opened.has_bom)

    assert path.read_bytes() == data


def test_the_layout_goes_into_the_file_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    save_file(path, Document("x = 1\n", LAYOUT))

    assert open_file(path).document == Document("x = 1\n", LAYOUT)
    assert path.read_text().startswith("x = 1\n\n# /// script\n")


@pytest.mark.parametrize(
    "data, words",
    [
        (b"x = '\xff'\n", "line 1 is not UTF-8 (byte 0xFF)"),
        (b"a = 1\nb = '\xe9'\n", "line 2 is not UTF-8 (byte 0xE9)"),
        (b"a\0b", "NUL bytes"),
        ("x = 1".encode("utf-16"), "UTF-16"),
        (b"#" * (files.LARGEST_FILE + 1), "8 MiB"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(
    tmp_path: Path, data: bytes, words: str
) -> None:
    path = tmp_path / "model.py"
    path.write_bytes(data)
    with pytest.raises(FileError) as caught:
        open_file(path)

    assert words in caught.value.reason
    assert str(path) in str(caught.value)


def test_a_folder_a_pipe_and_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="it is a folder"):
        open_file(tmp_path)
    with pytest.raises(FileError, match="no such file"):
        open_file(tmp_path / "gone.py")
    with pytest.raises(FileError):
        open_file(tmp_path / "nul\0.py")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileError, match="a device or a pipe"):
            open_file(tmp_path / "pipe")


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    real = tmp_path / "real.py"
    real.write_text("x = 1\n")
    real.chmod(0o754)
    link = tmp_path / "link.py"
    link.symlink_to("real.py")
    save_file(link, Document("x = 2\n"))

    assert link.is_symlink()
    assert real.read_text() == "x = 2\n"
    assert real.stat().st_mode & 0o777 == 0o754


def _old_file(folder: Path) -> Path:
    path = folder / "models" / "model.py"
    path.parent.mkdir()
    path.write_text("old\n")
    return path


def _failing(number: int) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open", "fchmod"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO, errno.EROFS])
def test_a_failing_disk_leaves_the_old_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = _old_file(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(atomic.os, call, _failing(number))
        with pytest.raises(FileError) as caught:
            save_file(path, Document("new\n"))

    assert path.read_text() == "old\n"
    assert os.listdir(path.parent) == ["model.py"]
    assert "the file is as it was" in caught.value.cure


def test_a_disk_that_swallows_bytes_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.py"
    path.write_text("old\n")
    real_write = os.write

    def short(descriptor: int, data: bytes) -> int:
        real_write(descriptor, bytes(len(data)))
        return len(data)

    with monkeypatch.context() as broken:
        broken.setattr(atomic.os, "write", short)
        with pytest.raises(FileError, match="reads back differently"):
            save_file(path, Document("new\n"))

    assert path.read_text() == "old\n"


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.py"
    path.write_text("old\n")
    monkeypatch.setattr(atomic.os, "access", lambda *_: False)
    with pytest.raises(FileError, match="permission is denied"):
        save_file(path, Document("new\n"))

    assert path.read_text() == "old\n"


def test_half_a_surrogate_pair_is_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("old\n")
    with pytest.raises(FileError, match="line 2 holds half a surrogate pair"):
        save_file(path, Document("x = 1\ny = '\ud800'\n"))

    assert path.read_text() == "old\n"


_KILLED = """
import os, sys
from pathlib import Path
from paramscope.document import atomic
from paramscope.document.document import Document
from paramscope.document.files import save_file
call, path = sys.argv[1:]
setattr(atomic.os, call, lambda *_: os._exit(9))
save_file(Path(path), Document("new\\n"))
"""


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_process_that_dies_while_saving_leaves_the_old_file(tmp_path: Path, call: str) -> None:
    path = _old_file(tmp_path)
    core = Path(files.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, call, str(path)],
        env={**os.environ, "PYTHONPATH": str(core)},
        check=False,
    )

    assert done.returncode == 9
    assert path.read_text() == "old\n"
    assert len(os.listdir(path.parent)) == 2
    save_file(path, Document("newer\n"))
    assert os.listdir(path.parent) == ["model.py"]


def test_a_change_from_outside_is_noticed_by_content(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    stamp = save_file(path, Document("x = 1\n"))

    assert not changed_outside(path, stamp)
    os.utime(path, (1, 1))
    assert not changed_outside(path, stamp)
    path.write_text("x = 2\n")
    assert changed_outside(path, stamp)
    path.unlink()
    assert changed_outside(path, stamp)
