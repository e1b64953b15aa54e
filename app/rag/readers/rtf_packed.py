"""The compressed RTF of Outlook ([MS-OXRTFCP])."""

import struct

from app.rag.pages import ParseError

COMPRESSED, PLAIN = b"LZFu", b"MELA"
WINDOW = 4096
MAX_BYTES = 50 << 20
BEGINNING = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def unpacked(data: bytes) -> bytes:
    """The RTF. A stream that is cut off gives what there is of it."""
    if len(data) < 16:
        return b""
    _size, raw_size, kind = struct.unpack_from("<II4s", data)
    if kind == PLAIN:
        return data[16 : 16 + raw_size]
    if kind != COMPRESSED:
        raise ParseError("damaged", "the text of the message is compressed in an unknown way; save it again as .eml")
    return _unpack(data, min(raw_size, MAX_BYTES))


def _unpack(data: bytes, size: int) -> bytes:
    window = bytearray(BEGINNING.ljust(WINDOW, b"\0"))
    write, out, position = len(BEGINNING), bytearray(), 16
    while position < len(data) and len(out) < size:
        control = data[position]
        position += 1
        for bit in range(8):
            if control >> bit & 1:
                if position + 1 >= len(data):
                    return bytes(out)
                reference = data[position] << 8 | data[position + 1]
                position += 2
                start = reference >> 4
                if start == write % WINDOW:
                    return bytes(out)
                for step in range((reference & 15) + 2):
                    window[write % WINDOW] = window[(start + step) % WINDOW]
                    out.append(window[write % WINDOW])
                    write += 1
            elif position < len(data):
                out.append(data[position])
                window[write % WINDOW] = data[position]
                write += 1
                position += 1
    return bytes(out[:size])
