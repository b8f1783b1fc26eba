"""Frames between the command and the process that runs files: a length, then msgpack."""

import struct
from typing import Any, BinaryIO

import msgspec

LENGTH = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()


def frame_of(message: msgspec.Struct) -> bytes:
    """Return ``message`` as one frame."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def body_in(data: bytes | bytearray) -> bytes | None:
    """Return the first frame's body once all of it is there, None before.

    >>> from paramscope.check.job import Ready
    >>> frame = frame_of(Ready("gradcore"))
    >>> body_in(frame[:-1]), decode(body_in(frame), Ready).engine
    (None, 'gradcore')
    """
    if len(data) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack_from(data)
    end = LENGTH.size + size
    return bytes(data[LENGTH.size : end]) if len(data) >= end else None


def read_body(stream: BinaryIO) -> bytes | None:
    """Read one frame's body from a blocking stream; None at its end, even within a frame."""
    head = _read(stream, LENGTH.size)
    if head is None:
        return None
    return _read(stream, LENGTH.unpack(head)[0])


def decode(body: bytes, kind: type[Any]) -> Any:
    """Return the message of this kind in a frame's body."""
    return msgspec.msgpack.decode(body, type=kind)


def _read(stream: BinaryIO, size: int) -> bytes | None:
    parts = []
    while size:
        part = stream.read(size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
