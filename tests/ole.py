"""Compound files (OLE) that the tests write themselves: folders of streams, as old Office files and messages are."""

import struct

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
SECTOR = 512
SMALLEST = 4096  # shorter streams would live in a file system of their own; these are filled up with zeros

Folder = dict[str, "bytes | Folder"]


def ole(root: Folder) -> bytes:
    """A version 3 file. Entries hang on each other like a list: readers do not mind."""
    entries: list[list[object]] = []
    streams: list[tuple[int, bytes]] = []
    _enter("Root Entry", root, entries, streams)
    directory_sectors = -(-len(entries) // 4)
    total = directory_sectors + sum(len(data) // SECTOR for _, data in streams)
    fat_sectors = -(-total // 127)
    fat = [FAT] * fat_sectors
    _chain(fat, directory_sectors)
    for number, data in streams:
        entries[number][2] = len(fat)
        _chain(fat, len(data) // SECTOR)
    fat += [FREE] * (fat_sectors * 128 - len(fat))
    header = struct.pack("<8s16xHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 62, 3, 0xFFFE, 9, 6,
                         0, fat_sectors, fat_sectors, 0, SMALLEST, END, 0, END, 0)  # fmt: skip
    header += struct.pack("<109I", *range(fat_sectors), *[FREE] * (109 - fat_sectors))
    rows = b"".join(_row(*entry) for entry in entries).ljust(directory_sectors * SECTOR, b"\0")
    return header + struct.pack(f"<{len(fat)}I", *fat) + rows + b"".join(data for _, data in streams)


def _enter(name: str, item: "bytes | Folder", entries: list[list[object]], streams: list[tuple[int, bytes]]) -> int:
    number = len(entries)
    kind = 5 if not entries else 1 if isinstance(item, dict) else 2
    entries.append([name, kind, END if kind != 1 else 0, 0, FREE, FREE])
    if isinstance(item, bytes):
        data = item + bytes(-len(item) % SECTOR if len(item) >= SMALLEST else SMALLEST - len(item))
        entries[number][3] = max(len(item), SMALLEST)
        streams.append((number, data))
        return number
    before = None
    for inner, content in item.items():
        child = _enter(inner, content, entries, streams)
        if before is None:
            entries[number][4] = child
        else:
            entries[before][5] = child
        before = child
    return number


def _chain(fat: list[int], length: int) -> None:
    start = len(fat)
    fat += [*range(start + 1, start + length), END]


def _row(name: str, kind: int, start: int, size: int, child: int, right: int) -> bytes:
    said = (name + "\0").encode("utf-16-le")
    return struct.pack("<64sHBBIII16xI8x8xIII", said, len(said), kind, 1, FREE, right, child, 0, start, size, 0)
