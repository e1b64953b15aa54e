"""Subtitles and transcripts: WebVTT and SubRip."""

import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.rag.readers.encoding import decode
from app.rag.readers.sections import SECTION_CHARS, Part, PartedWhole

PAGE_SECONDS = 600
CUE = re.compile(
    r"(?:(\d+):)?([0-5]?\d):([0-5]?\d)[.,]\d{1,3}[ \t]*-->[ \t]*(?:(\d+):)?([0-5]?\d):([0-5]?\d)[.,]\d{1,3}"
)
SPEAKER = re.compile(r"<v(?:\.[^ \t>]*)?[ \t]+([^>]{1,100})>")
TAG = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,50}\}")
ASIDES = ("NOTE", "STYLE", "REGION")  # blocks that nobody says


class Subtitles(PartedWhole):
    """What is said, speakers named. A page is about ten minutes, called `00:10:00-00:20:00`."""

    def read(self, path: Path) -> Iterable[Part]:
        text = decode(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
        page: list[str] = []
        began = ended = 0
        for start, end, said in _cues(text):
            if page and (start - began >= PAGE_SECONDS or sum(map(len, page)) > SECTION_CHARS // 2):
                yield _part(page, began, ended)
                page, began = [], start
            elif not page:
                began = start
            ended = max(ended, end)
            if said != page[-1:]:  # rolling captions repeat the line before
                page += [line for line in said if line not in page[-2:]]
        if page:
            yield _part(page, began, ended)


def _cues(text: str) -> Iterator[tuple[int, int, list[str]]]:
    for block in text.split("\n\n"):
        lines = block.strip().split("\n")
        number = next((n for n, line in enumerate(lines[:4]) if "-->" in line), None)
        if number is None or lines[0].startswith(ASIDES) or not (cue := CUE.search(lines[number])):
            continue
        said = [_words(line) for line in lines[number + 1 :]]
        yield _seconds(cue[1], cue[2], cue[3]), _seconds(cue[4], cue[5], cue[6]), list(filter(None, said))


def _words(line: str) -> str:
    named = SPEAKER.sub(lambda found: f"{found[1].strip()}: ", line)
    return html.unescape(TAG.sub("", named)).strip()


def _seconds(hours: str | None, minutes: str, seconds: str) -> int:
    return int((hours or "0")[:4]) * 3600 + int(minutes) * 60 + int(seconds)


def _part(lines: list[str], began: int, ended: int) -> Part:
    return Part(f"{_clock(began)}-{_clock(ended)}", "\n".join(lines))


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
