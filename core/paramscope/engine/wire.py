"""Frames on a pipe: four bytes of length, little-endian, then one message as msgpack."""

import struct
from typing import BinaryIO

import msgspec

from paramscope.engine.protocol import AnyEvent, AnyRequest, Event, ProtocolError, Request

MAX_FRAME = 256 * 1024 * 1024
_LENGTH = struct.Struct("<I")

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(AnyRequest)
_events: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(AnyEvent)


def frame_of(message: Request | Event) -> bytes:
    """Return ``message`` as one frame.

    >>> from paramscope.engine.protocol import Pause
    >>> decode_request(frame_of(Pause())[4:])
    Pause()
    """
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def read_frame(stream: BinaryIO) -> bytes | None:
    """Read one frame's body; None at the end of the stream.

    Raises: `ProtocolError` for a frame that is cut short or longer than any message can be.
    """
    head = _read(stream, _LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise ProtocolError("The stream ended within the length of a frame.")
    (size,) = _LENGTH.unpack(head)
    if size > MAX_FRAME:
        raise ProtocolError(f"A frame claims {size} bytes; no message is that long.")
    body = _read(stream, size)
    if len(body) < size:
        raise ProtocolError(f"The stream ended after {len(body)} of {size} bytes of a frame.")
    return body


def decode_request(body: bytes) -> Request:
    """Return the request in a frame's body, or raise `ProtocolError`."""
    try:
        return _requests.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"This is no request: {error}") from error


def decode_event(body: bytes) -> Event:
    """Return the event in a frame's body, or raise `ProtocolError`."""
    try:
        return _events.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"This is no event: {error}") from error


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read ``size`` bytes, or what is left before the end."""
    parts = []
    while size:
        part = stream.read(size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
