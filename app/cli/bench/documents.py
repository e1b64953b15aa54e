"""Documents to ingest: sentences of common words, always the same for one seed, as text or as PDF."""

import random
import zlib
from collections.abc import Iterator
from typing import Final

VOCABULARY: Final = """
account agreement analysis annual answer area assembly balance board bridge budget capital change chapter charge
citizen committee company contract council country court credit current customer damage decision delay demand
department design development director district effect energy engine equipment evidence exchange expense factory
figure forest future government growth harbour health history income increase industry interest island journal
labour language library machine management market material measure member method minister money morning mountain
nation nature number office operation order owner paper payment period person plan policy population power practice
pressure price principle process product programme project property public purpose quality quarter question railway
rate reason record region report research reserve result revenue river road science season section service share
society state statement station street structure student subject supply surface system table teacher technology
theory trade traffic training transport treasury treatment value vessel village water
"""
SMALL_WORDS: Final = "the of and to in for with on by from at under over between after before"
FONT: Final = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
LINES_PER_PAGE: Final = 40
LINE_CHARS: Final = 75


def sentences(seed: int) -> Iterator[str]:
    chance = random.Random(seed)  # noqa: S311
    nouns, small = VOCABULARY.split(), SMALL_WORDS.split()
    while True:
        words = [chance.choice(nouns if n % 2 else small) for n in range(chance.randrange(8, 26))]
        yield " ".join(words).capitalize() + f" {chance.randrange(1900, 2030)}."


def text(size_bytes: int, *, seed: int) -> bytes:
    """Paragraphs, at least so many bytes."""
    parts: list[str] = []
    length = 0
    for number, sentence in enumerate(sentences(seed), 1):
        parts.append(sentence + ("\n\n" if number % 6 == 0 else " "))
        length += len(parts[-1])
        if length >= size_bytes:
            break
    return "".join(parts).encode()


def pdf(pages: int, *, seed: int) -> bytes:
    """Pages of about 3,000 characters."""
    source = sentences(seed)
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", FONT]
    kids = []
    for _ in range(pages):
        content = zlib.compress(_page(source))
        kids.append(b"%d 0 R" % (len(objects) + 1))
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>/Contents %d 0 R>>"
            % (len(objects) + 2)
        )
        objects.append(b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(content), content))
    objects[1] = b"<</Type/Pages/Kids[%b]/Count %d>>" % (b" ".join(kids), pages)
    return _file(objects)


def _page(source: Iterator[str]) -> bytes:
    """A content stream: 40 full lines."""
    shown: list[str] = []
    line = ""
    while len(shown) < LINES_PER_PAGE:
        for word in next(source).split():
            if len(line) + len(word) >= LINE_CHARS:
                shown.append(f"({line}) Tj T*")
                line = ""
            line += f"{word} "
    return "\n".join(["BT /F 11 Tf 16 TL 72 740 Td", *shown[:LINES_PER_PAGE], "ET"]).encode("ascii")


def _file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
