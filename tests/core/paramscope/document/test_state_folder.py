"""Recent files and layouts kept outside of the user's files."""

from pathlib import Path

import pytest

from paramscope.document.document import Layout, Point
from paramscope.document.layout_store import LayoutStore
from paramscope.document.recent import MOST_RECENT, RecentFiles

LAYOUT = Layout({"Net/fc": Point(1, 2)}, {"zoom": 2.0}, {"frames": [1]})


def test_recent_files_are_newest_first_and_without_repeats(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.py" for name in "abc"]
    for path in paths:
        path.touch()
    recent = RecentFiles(tmp_path / "state")
    for path in [*paths, paths[0]]:
        recent.add(path)

    assert recent.paths() == (paths[0], paths[2], paths[1])
    assert RecentFiles(tmp_path / "state").paths() == recent.paths()


def test_recent_files_that_are_gone_are_not_shown(tmp_path: Path) -> None:
    recent = RecentFiles(tmp_path)
    recent.add(tmp_path / "gone.py")

    assert recent.paths() == ()


def test_the_list_of_recent_files_is_short(tmp_path: Path) -> None:
    recent = RecentFiles(tmp_path)
    for number in range(MOST_RECENT + 5):
        path = tmp_path / f"{number}.py"
        path.touch()
        recent.add(path)

    assert len(recent.paths()) == MOST_RECENT


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[1, null]", b"\xff", b"[" * 100_000])
def test_a_broken_list_of_recent_files_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recent.json").write_bytes(content)
    recent = RecentFiles(tmp_path)

    assert recent.paths() == ()
    (tmp_path / "a.py").touch()
    recent.add(tmp_path / "a.py")
    assert recent.paths() == (tmp_path / "a.py",)


def test_a_layout_is_kept_by_resolved_path(tmp_path: Path) -> None:
    (tmp_path / "model.py").touch()
    (tmp_path / "link.py").symlink_to("model.py")
    store = LayoutStore(tmp_path / "state")

    assert store.get(tmp_path / "model.py") is None
    assert store.put(tmp_path / "model.py", LAYOUT)
    assert store.get(tmp_path / "link.py") == LAYOUT
    assert store.drop(tmp_path / "link.py")
    assert store.get(tmp_path / "model.py") is None


def test_an_empty_layout_is_not_kept(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    store.put(tmp_path / "a.py", LAYOUT)
    store.put(tmp_path / "a.py", Layout())

    assert store.get(tmp_path / "a.py") is None


@pytest.mark.parametrize("content", [b"", b"[]", b'{"path": 3}', b"\xff", b"[" * 100_000])
def test_a_broken_layout_is_as_if_it_were_not_there(tmp_path: Path, content: bytes) -> None:
    store = LayoutStore(tmp_path)
    store.put(tmp_path / "a.py", LAYOUT)
    next((tmp_path / "layouts").iterdir()).write_bytes(content)

    assert store.get(tmp_path / "a.py") is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")

    RecentFiles(tmp_path / "state").add(tmp_path / "a.py")
    assert not LayoutStore(tmp_path / "state").put(tmp_path / "a.py", LAYOUT)
