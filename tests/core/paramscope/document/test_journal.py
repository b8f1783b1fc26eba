"""The journal: what it holds after any changes, torn lines, and a disk that fails."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paramscope.document import journal as journal_module
from paramscope.document.journal import Journal, read_journal

TEXTS = st.text(st.characters(codec=None), max_size=40)


def journal_at(folder: Path, base: str = "a = 1\n") -> Journal:
    """A journal of a file."""
    return Journal(folder / "j.journal", folder / "model.py", "model.py", base)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(base=TEXTS, texts=st.lists(TEXTS, min_size=1, max_size=8))
def test_the_last_text_comes_back_whatever_was_noted(
    tmp_path: Path, base: str, texts: list[str]
) -> None:
    journal = journal_at(tmp_path, base)
    for text in texts:
        journal.note(text)
    journal.close()
    kept = read_journal(journal.file)
    journal.remove()

    assert kept is not None
    assert (kept.base, kept.text) == (base, texts[-1])
    assert (kept.path, kept.name) == (tmp_path / "model.py", "model.py")


def test_no_file_is_made_before_the_first_change_and_none_is_left_after_a_save(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "journals"
    journal = journal_at(folder)
    assert not folder.exists()
    journal.note("a = 2\n")
    assert list(folder.iterdir()) == [journal.file]
    journal.remove()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("gone", range(1, 40, 3))
def test_a_torn_end_costs_only_the_last_change(tmp_path: Path, gone: int) -> None:
    journal = journal_at(tmp_path)
    journal.note("a = 2\n")
    journal.note("a = 2\nb = 'a line that is long enough to be torn anywhere'\n")
    journal.close()
    data = journal.file.read_bytes()
    journal.file.write_bytes(data[:-gone])
    kept = read_journal(journal.file)

    assert kept is not None
    assert kept.text == ("a = 2\n" if gone > 1 else kept.text)


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    journal = journal_at(tmp_path)
    journal.note("a = 2\n")
    journal.note("a = 3\n")
    journal.close()
    data = journal.file.read_bytes()
    journal.file.write_bytes(data.replace(b'"3"', b'"4"'))
    kept = read_journal(journal.file)

    assert kept is not None
    assert kept.text == "a = 2\n"


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"\x00" * 100, b"00000000 {}\n", b"zzz", b"[" * 200_000],
    ids=["empty", "line end", "zeros", "wrong sum", "no sum", "nested"],
)
def test_what_is_no_journal_holds_nothing(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "odd.journal"
    file.write_bytes(data)

    assert read_journal(file) is None


def test_after_a_full_disk_the_journal_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = journal_at(tmp_path)
    journal.note("a = 2\n")

    def half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "_write", half)
        with pytest.raises(OSError, match="No space"):
            journal.note("a = 3\n")
    torn = read_journal(journal.file)
    assert torn is not None
    assert torn.text == "a = 2\n"
    journal.note("a = 4\n")
    journal.close()
    kept = read_journal(journal.file)

    assert kept is not None
    assert kept.text == "a = 4\n"


def test_a_long_journal_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_MOST_GROWTH", 2_000)
    journal = journal_at(tmp_path)
    for number in range(500):
        journal.note(f"a = {number}\nb = {number * 7919}\n")
    journal.close()
    kept = read_journal(journal.file)

    assert journal.file.stat().st_size < 4_000
    assert kept is not None
    assert kept.text == f"a = 499\nb = {499 * 7919}\n"
