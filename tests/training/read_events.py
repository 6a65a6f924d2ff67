#!/usr/bin/env python3
"""Reads TensorBoard event files of a folder and prints `step tag value` a line: with TensorBoard's own reader where the package is installed (first line `tensorboard`),
and always with a decoder of its own, which checks every CRC: read_events.py FOLDER"""
import pathlib, struct, sys

sys.path.append(str(pathlib.Path(__file__).parents[2] / ".deps" / "tensorboard"))  # of cmake/install-deps --tests


def crc32c(data):  # bit by bit: nothing is shared with the library's table
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def check(data, stored, what):
    crc = crc32c(data)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked == struct.unpack("<I", stored)[0], f"the CRC of a record's {what} is wrong"


def records(blob):
    at = 0
    while at < len(blob):
        (size,) = struct.unpack("<Q", blob[at : at + 8])
        check(blob[at : at + 8], blob[at + 8 : at + 12], "length")
        data = blob[at + 12 : at + 12 + size]
        assert len(data) == size
        check(data, blob[at + 12 + size : at + 16 + size], "data")
        yield data
        at += 16 + size


def fields(data):
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        field, wire = key >> 3, key & 7
        if wire == 0:
            yield field, varint()
        elif wire == 2:
            size = varint()
            yield field, data[at : at + size]
            at += size
        else:
            size = {1: 8, 5: 4}[wire]
            yield field, struct.unpack("<d" if wire == 1 else "<f", data[at : at + size])[0]
            at += size


def own_reader(path):
    events = [dict(fields(r)) for r in records(path.read_bytes())]
    assert events[0][3] == b"brain.Event:2", "the first record is not a file version"
    assert events[1][7] == b"\x08\x01", "the second record is not a session's start"
    for event in events:
        assert event[1] > 1.5e9, "no wall time"
        for field, value in fields(event.get(5, b"")):
            one = dict(fields(value))
            yield event[2], one[1].decode(), one[2]


def tensorboard_reader(path):
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    for event in LegacyEventFileLoader(str(path)).Load():
        for value in event.summary.value:
            yield event.step, value.tag, value.simple_value


files = sorted(pathlib.Path(sys.argv[1]).glob("*tfevents*"))
own = [line for f in files for line in own_reader(f)]
try:
    theirs = [line for f in files for line in tensorboard_reader(f)]
    assert theirs == own, "TensorBoard's reader reads something else"
    print("tensorboard")
except ImportError:
    print("without")
for step, tag, value in own:
    print(step, tag, repr(value))
