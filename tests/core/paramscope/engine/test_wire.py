"""Frames: what is sent arrives, and nonsense is refused with a typed error."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paramscope.census.rows import Gradient, Kind, Statistics, Stepping, TensorRow
from paramscope.code.graph import Span
from paramscope.engine.protocol import (
    Load,
    OperationRecord,
    Phase,
    ProtocolError,
    Snapshot,
    TensorValues,
)
from paramscope.engine.wire import (
    MAX_FRAME,
    decode_event,
    decode_request,
    frame_of,
    read_frame,
)
from paramscope.rules.finding import Finding, OfferedEdit

SNAPSHOT = Snapshot(
    revision=3,
    step=7,
    phase=Phase.BACKWARD,
    losses=((6, 0.5), (7, float("inf"))),
    metrics={"accuracy": ((7, 0.9),)},
    lr=0.1,
    tensors=(
        TensorRow(
            path="a.weight",
            kind=Kind.PARAMETER,
            shape=(2, 3),
            dtype="float32",
            requires_grad=True,
            gradient=Gradient.FLOWS,
            stepping=Stepping.IN_OPTIMIZER,
            value_statistics=Statistics(1.0, 0.0, -1.0, 1.0, 0, 0),
        ),
    ),
    operations=(OperationRecord(Span(1, 2, 3, 4), "", "add", (2,), "float32", True),),
    findings=(Finding("REG01", "a", "E", "m", edits=(OfferedEdit("l", "register", "Net", "a"),)),),
    watched=(TensorValues("a.weight", (2,), b"\0" * 8),),
)


def test_messages_arrive_as_they_were_sent() -> None:
    load = Load(1, "x = 'ä'\n", "model.py", keep_weights=True)
    stream = io.BytesIO(frame_of(load) + frame_of(SNAPSHOT))
    assert decode_request(read_frame(stream)) == load
    assert decode_event(read_frame(stream)) == SNAPSHOT
    assert read_frame(stream) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\1\0", "ended within the length"),
        (struct.pack("<I", 9) + b"abc", "ended after 3 of 9 bytes"),
        (struct.pack("<I", MAX_FRAME + 1), "no message is that long"),
    ],
)
def test_broken_frame_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read_frame(io.BytesIO(data))


def test_event_is_no_request() -> None:
    with pytest.raises(ProtocolError, match="This is no request"):
        decode_request(frame_of(SNAPSHOT)[4:])


@given(st.binary(max_size=200))
def test_nonsense_never_gets_through_as_anything_else(body: bytes) -> None:
    for decode in (decode_event, decode_request):
        try:
            decode(body)
        except ProtocolError:
            pass
