"""Which kind of text a file is: as it says itself, else as its name says; a bare `.txt` or no name is looked into."""

import codecs
import json
import re
from pathlib import PurePath

from app.rag.loaders import CSV, EMAIL, HTML, JSON, MARKDOWN, PLAIN, RTF, SUBTITLES, TSV, XML
from app.rag.readers.byte_order import wide_encoding
from app.rag.readers.languages import SUFFIXES, code_type, language_of

SNIFF_BYTES = 8192
KINDS = {
    MARKDOWN: ".md .markdown .mdown .mkd .mkdn",
    HTML: ".html .htm .xhtml .xht .shtml",
    CSV: ".csv",
    TSV: ".tsv .tab",
    JSON: ".json .jsonl .ndjson .geojson .ipynb .har .webmanifest .jsonld .topojson",
    XML: ".xml .rss .atom .xsd .wsdl .svg .kml .gpx .fb2 .opml .xlf .xliff .tmx .dita .dbk .docbook .rdf .owl .plist",
    EMAIL: ".eml .mht .mhtml .mbox .emlx",
    SUBTITLES: ".vtt .srt",
    PLAIN: ".txt .text .log .rst .adoc .asciidoc .org",
}
BY_SUFFIX = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes.split()}
TEXT_SUFFIXES = frozenset(BY_SUFFIX) | frozenset(SUFFIXES)
RTF_START = re.compile(rb"\s*\{\\rtf")
HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*)*+<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
XML_START = re.compile(rb"\s*<\?xml\s")
VTT_START = re.compile(rb"WEBVTT(?:[ \t\r\n]|$)")
JSON_START = re.compile(rb'\s*(?:\[\s*)?\{\s*"(?:[^"\\]|\\.){0,200}"\s*:')
HEADER = re.compile(rb"([A-Za-z][A-Za-z0-9-]{1,60}):(?:[ \t]|\r?\n[ \t])|(From )")
# No text begins with several of these by chance.
MAIL_HEADERS = frozenset({
    b"received", b"return-path", b"message-id", b"mime-version", b"delivered-to", b"from", b"to", b"subject", b"date",
    b"content-type", b"reply-to", b"sender", b"dkim-signature", b"x-mailer", b"in-reply-to",
})  # fmt: skip
MAIL_ENOUGH = 3
INTERPRETER = re.compile(rb"#!.{0,100}?\b(python|bash|zsh|sh|perl|node|ruby|php|lua|Rscript|groovy)")
INTERPRETED = {b"bash": "shell", b"zsh": "shell", b"sh": "shell", b"node": "javascript", b"Rscript": "r"}
CONTROL = bytes([*range(9), *range(14, 27), *range(28, 32), 127])


def text_type(head: bytes, name: str) -> str:
    """The media type of a text."""
    if wide := wide_encoding(head):
        head = head.decode(wide, "ignore").encode()
    head = head.removeprefix(codecs.BOM_UTF8)
    if RTF_START.match(head):
        return RTF
    suffix, language = PurePath(name).suffix.lower(), language_of(name)
    kind = BY_SUFFIX.get(suffix, PLAIN)
    if kind != EMAIL and HTML_START.match(head) and not (language and b"<?php" in head):
        return HTML
    if kind == EMAIL:
        return EMAIL if _mail_headers(head) else PLAIN
    if kind != PLAIN:
        return kind
    return code_type(language) if language else _looked_into(head)


def is_text(head: bytes, name: str) -> bool:
    """Text has next to no control characters. In valid UTF-8 some are tolerated: the loader removes them."""
    if head.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or wide_encoding(head):
        return True
    if RTF_START.match(head):
        return True  # pictures may stand in it as they are
    control = len(head) - len(head.translate(None, CONTROL))
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return control * 100 <= len(head)
    return control * (3 if PurePath(name).suffix.lower() in TEXT_SUFFIXES else 10) <= len(head)


def _looked_into(head: bytes) -> str:
    if XML_START.match(head):
        return XML
    if VTT_START.match(head):
        return SUBTITLES
    if _mail_headers(head) >= MAIL_ENOUGH:
        return EMAIL
    if JSON_START.match(head) and _is_json(head):
        return JSON
    if found := INTERPRETER.match(head):
        return code_type(INTERPRETED.get(found[1], found[1].decode()))
    return PLAIN


def _mail_headers(head: bytes) -> int:
    """How many kinds of mail headers the first lines are; 0 when something else is among them."""
    found: set[bytes] = set()
    for line in head.lstrip().split(b"\n"):
        if not line.strip():
            break
        if line[:1] in b" \t" and found:
            continue
        header = HEADER.match(line + b"\n ")
        if header is None:
            return 0 if len(found) < MAIL_ENOUGH else len(found)
        found |= {(header[1] or b"").lower()} & MAIL_HEADERS
    return len(found)


def _is_json(head: bytes) -> bool:
    """A short file is read; the beginning of a long one is believed."""
    if len(head) >= SNIFF_BYTES:
        return True
    for text in (head, head.lstrip().partition(b"\n")[0]):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            continue
        return True
    return False
