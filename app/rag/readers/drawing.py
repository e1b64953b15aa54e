"""Draws one page of a PDF as a grey picture on its standard output. Run by `ocr` in a process of its own: a page that
takes a minute to draw, or ends the process, costs that page and no other.
"""

import math
import sys
from pathlib import Path
from typing import BinaryIO

import pypdfium2 as pdfium

DPI = 300
POINTS_PER_INCH = 72
MAX_PIXELS = 9_000_000  # a little more than A4


def main() -> None:
    """Arguments: path, page number."""
    path, number = sys.argv[1:]
    draw(Path(path), int(number), sys.stdout.buffer)


def draw(path: Path, number: int, out: BinaryIO) -> None:
    """A PGM image. Pages that are larger than A4 are drawn coarser. Raises PdfiumError."""
    page = pdfium.PdfDocument(path)[number - 1]
    width, height = page.get_size()
    scale = min(DPI / POINTS_PER_INCH, math.sqrt(MAX_PIXELS / max(1.0, width * height)))
    bitmap = page.render(scale=scale, grayscale=True)
    pixels = memoryview(bitmap.buffer)
    out.write(b"P5 %d %d 255\n" % (bitmap.width, bitmap.height))
    rows = range(0, bitmap.height * bitmap.stride, bitmap.stride)
    out.writelines(pixels[start : start + bitmap.width] for start in rows)


if __name__ == "__main__":
    main()
