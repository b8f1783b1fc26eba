"""Documents and the disk: opening, saving, and noticing what other programs change.

Every way in which that can fail is a `FileError` that says what happened, where, and what to
do; a file is never left half written.
"""

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from paramscope.document.atomic import write_atomically
from paramscope.document.document import Document
from paramscope.document.layout_block import LayoutNotice, join, read

LARGEST_FILE = 8 * 1024 * 1024  # bytes; a network of 10,000 layers has a tenth of it
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_CURES = {
    errno.ENOSPC: ("the disk is full", "Free some space, or save elsewhere."),
    errno.EDQUOT: ("your quota is used up", "Free some space, or save elsewhere."),
    errno.EACCES: ("permission is denied", "Change its permissions, or save elsewhere."),
    errno.EPERM: ("permission is denied", "Change its permissions, or save elsewhere."),
    errno.EROFS: ("the disk is read-only", "Save elsewhere."),
    errno.EIO: ("the disk reports an error", "Save elsewhere, and check the disk."),
    errno.ENOENT: ("its folder does not exist", "Choose another folder."),
    errno.ENOTDIR: ("a part of its path is no folder", "Choose another folder."),
    errno.EISDIR: ("it is a folder", "Choose a file."),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter name."),
    errno.ELOOP: ("its links go round in a circle", "Mend the link, or choose another file."),
}


class FileError(OSError):
    """A file cannot be opened or saved; ``reason`` and ``cure`` are in the user's words."""

    def __init__(self, what: str, path: Path, reason: str, cure: str) -> None:
        super().__init__(f"{path.name} cannot be {what}: {reason}.\n  It is {path}.\n  {cure}")
        self.path = path
        self.reason = reason
        self.cure = cure


class Stamp(NamedTuple):
    """What a file held when it was last read or written: the hash of its bytes."""

    digest: str


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file as a document, with what is needed to save it the way it was.

    ``notices`` say what of its layout could not be used. ``has_bom`` is for `save_file`.
    """

    path: Path
    document: Document
    stamp: Stamp
    has_bom: bool = False
    notices: tuple[LayoutNotice, ...] = ()


def open_file(path: Path) -> OpenedFile:
    """Read a file without running it; a source that is no Python opens as text.

    Raises: FileError for what is no UTF-8 text of a sensible size.
    """
    data = _bytes_of(path)
    has_bom = data.startswith(_BOM)
    body = data[len(_BOM) :] if has_bom else data
    if b"\0" in body or data.startswith(_UTF_16):
        reason, cure = "it holds NUL bytes, so it is no text", "Choose a Python file."
        if data.startswith(_UTF_16):
            reason, cure = "it is UTF-16", "Save it as UTF-8 in an editor first."
        raise FileError("opened", path, reason, cure)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        reason = f"line {line} is not UTF-8 (byte 0x{body[error.start]:02X})"
        raise FileError("opened", path, reason, "Save it as UTF-8 in an editor first.") from None
    document, notices = read(text)
    return OpenedFile(path, document, _stamp(data), has_bom, notices)


def save_file(path: Path, document: Document, has_bom: bool = False) -> Stamp:
    """Write a document with its layout and return the stamp of what the file now holds.

    It returns only when the file was read back and is right.

    Raises: FileError; the old file is then byte for byte as it was.
    """
    text = join(document)
    try:
        data = (_BOM if has_bom else b"") + text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        reason = f"line {line} holds half a surrogate pair, which no file can"
        raise FileError("saved", path, reason, "Remove that character.") from None
    if len(data) > LARGEST_FILE:
        reason = f"it would have {len(data):,} bytes, more than {LARGEST_FILE:,}"
        raise FileError("saved", path, reason, "Move data into a file of its own.")
    try:
        write_atomically(path, data)
    except OSError as error:
        raise _file_error("saved", path, error) from error
    return _stamp(data)


def changed_outside(path: Path, known: Stamp) -> bool:
    """Whether the file holds something else than when it was stamped, or is gone."""
    try:
        return _stamp(_bytes_of(path)) != known
    except FileError:
        return True


def _bytes_of(path: Path) -> bytes:
    """The content of a regular file of sensible size."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise FileError("opened", path, "it is a folder", "Choose a Python file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise FileError("opened", path, "it is a device or a pipe", "Choose a Python file.")
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise FileError("opened", path, "there is no such file", "Check the name.") from None
    except FileError:
        raise
    except (OSError, ValueError) as error:
        raise _file_error("opened", path, error) from error
    if len(data) > LARGEST_FILE:
        size = f"{status.st_size / 1e6:,.1f} MB"
        reason = f"it has {size}, and {LARGEST_FILE // 1024 // 1024} MiB are the most"
        raise FileError("opened", path, reason, "A model's source is small; is this the file?")
    return data


def _stamp(data: bytes) -> Stamp:
    return Stamp(hashlib.sha256(data).hexdigest())


def _file_error(what: str, path: Path, error: OSError | ValueError) -> FileError:
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        if isinstance(error, PermissionError):
            number = errno.EACCES
        elif isinstance(error, IsADirectoryError):
            number = errno.EISDIR
    fallback = (str(error).rstrip("."), "Choose another place.")
    reason, cure = _CURES.get(number, fallback) if number is not None else fallback
    if what == "saved":
        cure += " The document stays open and unsaved; the file is as it was."
    elif number == errno.EACCES:
        cure = "Change its permissions, or open another file."
    return FileError(what, path, reason, cure)
