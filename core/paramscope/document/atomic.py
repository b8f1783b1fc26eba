"""Writing a file so that it is whole at every moment: the old text or the new, nothing between.

A temporary in the same folder is written, flushed to the disk and read back; only then does
it take the file's place. A process killed on the way leaves a temporary, which the next
write to the same file removes.
"""

import os
import re
import secrets
import stat
import time
from pathlib import Path

_SUFFIX = ".paramscope-tmp"
_OLDEST_TEMPORARY = 3600.0  # seconds; then it is stale whoever has its process number now
_MODE_OF_NEW_FILES = 0o666
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_atomically(path: Path, data: bytes) -> None:
    """Put ``data`` into the file at ``path``; links and permissions stay as they are.

    Raises: OSError when any step fails; the old file is then as it was.
    """
    target = Path(os.path.realpath(path))
    _remove_stale(target)
    mode = _mode_of(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}")
    try:
        _write(temporary, data, mode)
        if _read(temporary) != data:
            raise OSError(f"what was written to {temporary} reads back differently")
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise
    _flush_folder(target.parent)
    if _read(target) != data:
        raise OSError(f"what was written to {target} reads back differently")


def _write(path: Path, data: bytes, mode: int | None) -> None:
    descriptor = os.open(path, _CREATE, _MODE_OF_NEW_FILES if mode is None else 0o600)
    try:
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(descriptor, mode)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, _READ)
    try:
        parts = []
        while part := os.read(descriptor, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _mode_of(target: Path) -> int | None:
    """The permissions to keep; refuses to replace what the user may not write."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"{target} is a folder")
    if not os.access(target, os.W_OK):
        raise PermissionError(f"{target} is read-only")
    return stat.S_IMODE(status.st_mode)


def _flush_folder(folder: Path) -> None:
    """Make the new name survive a loss of power; systems without that do it by themselves."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # a folder that may be written but not listed
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems cannot flush a folder
    finally:
        os.close(descriptor)


def _remove_stale(target: Path) -> None:
    pattern = re.compile(re.escape(f".{target.name}.") + r"(\d+)-[0-9a-f]+" + re.escape(_SUFFIX))
    try:
        names = os.listdir(target.parent)
    except OSError:
        return
    for name in names:
        found = pattern.fullmatch(name)
        if found is not None and _is_stale(target.parent / name, int(found.group(1))):
            try:
                os.unlink(target.parent / name)
            except OSError:
                pass  # it is in use, or not ours to remove


def _is_stale(temporary: Path, process: int) -> bool:
    try:
        if time.time() - os.stat(temporary).st_mtime > _OLDEST_TEMPORARY:
            return True
    except OSError:
        return False
    if os.name != "posix" or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
