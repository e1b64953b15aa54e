"""Mail: MIME messages, mailboxes and Outlook's files."""

import struct
from collections.abc import Sequence
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from app.rag.loaders.email import Email
from app.rag.loaders.outlook import Outlook
from app.rag.pages import Page, ParseError
from tests.ole import Folder, ole

RTF = rb"{\rtf1\ansi\ansicpg1252\pard Caf\'e9 as RTF\par}"


def pages(path: Path, data: bytes) -> list[Page]:
    path.write_bytes(data)
    loader = Outlook() if path.suffix == ".msg" else Email()
    found = list(loader.pages(path, 1))
    assert loader.page_count(path) == len(found)
    return found


def parts(path: Path, data: bytes) -> list[tuple[str | None, str]]:
    return [(page.label, page.text.strip()) for page in pages(path, data)]


def message(text: str = "Hello Bob,\nwords.", subject: str = "Grüße") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ada Müller <a@example.org>", "b@example.org", subject
    made.set_content(text)
    return made


HEADERS = "From: Ada Müller <a@example.org>\nTo: b@example.org\nSubject: Grüße"


def test_headers_body_and_attached_texts(tmp_path: Path) -> None:
    made = message()
    made.add_alternative("<p>Hello in <b>HTML</b>", subtype="html")
    made.add_attachment("one,two\n", filename="Tabelle ä.csv", subtype="csv")
    made.add_attachment("<p>page", filename="x.html", subtype="html")
    made.add_attachment(b"\x89PNG\0", maintype="image", subtype="png", filename="photo.png")
    made.add_attachment(b"plain", maintype="application", subtype="octet-stream", filename="notes.txt")
    first, *others = parts(tmp_path / "x.eml", made.as_bytes(policy=policy.SMTP))
    attached = "Attachments: Tabelle ä.csv, x.html, photo.png, notes.txt"
    assert first == (None, f"{HEADERS}\n{attached}\n\nHello Bob,\nwords.")
    assert others == [
        ("Attachment Tabelle ä.csv", "one,two"),
        ("Attachment x.html", "page"),
        ("Attachment notes.txt", "plain"),
    ]


def test_an_html_body_is_read_when_the_plain_one_is_empty(tmp_path: Path) -> None:
    made = message(" \n")
    made.add_alternative("<p>Only <b>HTML</b>", subtype="html")
    assert parts(tmp_path / "x.eml", made.as_bytes()) == [(None, f"{HEADERS}\n\nOnly HTML")]


def test_messages_in_messages_are_pages(tmp_path: Path) -> None:
    inner = message("The inner words.", "Inner")
    inner.add_attachment("deep", filename="deep.txt")
    made = message("See below.", "Outer")
    made.add_attachment(inner)
    found = parts(tmp_path / "x.eml", made.as_bytes())
    assert [label for label, _ in found] == [None, "Message 2", "Attachment deep.txt"]
    assert "The inner words." in found[1][1]


def test_a_mailbox_has_a_page_for_each_message(tmp_path: Path) -> None:
    box = b"".join(
        b"From a@example.org Mon Jan  1 00:00:00 2024\n" + message(f"Mail {n}\n>From here").as_bytes() + b"\n"
        for n in range(3)
    )
    found = parts(tmp_path / "x.mbox", box)
    assert [label for label, _ in found] == [None, "Message 2", "Message 3"]
    assert found[2][1].endswith("Mail 2\nFrom here")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Subject: =?iso-8859-1?Q?caf=E9?= =?utf-8?B?4oKs?=\n\nx", "Subject: café€\n\nx"),
        ("Subject: Привет всем\n\nКак дела у вас".encode("koi8-r"), "Subject: Привет всем\n\nКак дела у вас"),
        (b"Subject: =?no-such?Q?a?=\n\nx", "Subject: a\n\nx"),
        (b"Content-Type: text/plain; charset=no-such\n\n\xc3\xa9", "é"),
        (b"Content-Type: text/plain; charset=us-ascii\n\nWar\xe9 caf\xe9", "Waré café"),
        ("Content-Type: text/plain; charset=iso-2022-jp\n\n日本語".encode("iso2022_jp"), "日本語"),
        (b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n!!!", ""),
        (b"Content-Type: multipart/mixed\n\nno boundary", ""),
        (b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\npart one\n--x\n\ncut off", "part one\n\ncut off"),
        (b"Subject: a\r\n b\r\nTo\n\nbody", None),
        (b"no mail at all", None),
    ],
)
def test_broken_mail_gives_what_there_is(tmp_path: Path, raw: bytes, expected: str | None) -> None:
    ((label, text),) = parts(tmp_path / "x.eml", raw)
    assert label is None
    assert expected is None or text == expected


def test_mail_that_nests_without_end_is_cut(tmp_path: Path) -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(300))
    assert len(parts(tmp_path / "x.eml", deep + b"\nwords")) == 1
    wrapped = b"Content-Type: message/rfc822\n\n" * 200 + b"Subject: deep\n\nwords"
    with suppress(RecursionError):  # of the standard library; the parsing child says that parts nest too deeply
        assert len(parts(tmp_path / "x.eml", wrapped)) <= 25


def text(words: str) -> bytes:
    return words.encode("utf-16-le")


def properties(entries: Sequence[tuple[int, int, int]], header: int = 32) -> bytes:
    return bytes(header) + b"".join(struct.pack("<HHIQ", kind, key, 6, value) for kind, key, value in entries)


def outlook(body: Folder, *, header: int = 32, inner: Folder | None = None) -> Folder:
    times = [(0x40, 0x39, 133_500_000_000_000_000), (3, 0x3FFD, 1251)]
    return {
        "__properties_version1.0": properties(times, header),
        "__substg1.0_0037001F": text("Grüße"),
        "__substg1.0_0C1A001F": text("Ada Müller"),
        "__substg1.0_5D01001F": text("a@example.org"),
        "__substg1.0_0E04001F": text("Bob"),
        **body,
        **(inner or {}),
    }


SHOWN = "From: Ada Müller <a@example.org>\nTo: Bob\nDate: 2024-01-17 21:20 UTC\nSubject: Grüße"
PACKED = struct.pack("<II4sI", len(RTF) + 12, len(RTF), b"MELA", 0) + RTF
# "{\rtf1\ansi\ansicpg1252\pard" and so on, all letters as they are: a control byte of 0 before each eight of them.
LITERAL = struct.pack("<II4sI", 0, len(RTF), b"LZFu", 0) + b"".join(
    b"\0" + RTF[n : n + 8] for n in range(0, len(RTF), 8)
)
# The example of [MS-OXRTFCP] 4.1.1, which repeats parts of the dictionary.
EXAMPLE = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c0900206277" + "05b06c647d0a800fa0"
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"__substg1.0_1000001F": text("Plain words.\r\nMore.")}, "Plain words.\nMore."),
        ({"__substg1.0_1000001E": "Привет всем, как дела".encode("cp1251")}, "Привет всем, как дела"),
        ({"__substg1.0_10130102": b"<p>In <b>HTML</b>"}, "In HTML"),
        ({"__substg1.0_10090102": PACKED}, "Café as RTF"),
        ({"__substg1.0_10090102": LITERAL}, "Café as RTF"),
        ({"__substg1.0_10090102": EXAMPLE}, "hello world"),
        ({}, ""),
    ],
)
def test_an_outlook_message_is_read(tmp_path: Path, body: Folder, expected: str) -> None:
    assert parts(tmp_path / "x.msg", ole(outlook(body))) == [(None, f"{SHOWN}\n\n{expected}".strip())]


def test_what_is_attached_to_an_outlook_message(tmp_path: Path) -> None:
    attached: Folder = {
        "__attach_version1.0_#00000000": {
            "__substg1.0_3707001F": text("notes.txt"),
            "__substg1.0_37010102": b"Attached words. " * 300,
        },
        "__attach_version1.0_#00000001": {
            "__substg1.0_3704001F": text("photo.png"),
            "__substg1.0_37010102": b"\x89PNG",
        },
        "__attach_version1.0_#00000002": {
            "__substg1.0_3001001F": text("Inner"),
            "__substg1.0_3701000D": outlook({"__substg1.0_1000001F": text("Inner words")}, header=24),
        },
    }
    found = parts(tmp_path / "x.msg", ole(outlook({"__substg1.0_1000001F": text("Outer")}, inner=attached)))
    assert [label for label, _ in found] == [None, "Attachment notes.txt", "Message 2"]
    assert "Attachments: notes.txt, photo.png, Inner" in found[0][1]
    assert found[1][1].startswith("Attached words.")
    assert found[2][1] == f"{SHOWN}\n\nInner words"


@pytest.mark.parametrize(
    "data", [ole({"WordDocument": b"x"}), ole({})[:600], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 200]
)
def test_what_is_no_message_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        pages(tmp_path / "x.msg", data)
    assert caught.value.code == "damaged"
