"""The fonts of an RTF document, which say what its bytes mean."""

import codecs

# \fcharset of a font -> code page.
CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "cp950", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
SYMBOL_CHARSET = 2
WINDOWS_NAMES = {10000: "mac_roman", 936: "gb18030", 65001: "utf-8"}


class Fonts:
    """Each font has a charset, or names a code page; one that does neither has the document's."""

    def __init__(self) -> None:
        self.described = 0  # the font that the font table speaks of
        self._charsets: dict[int, int] = {}
        self._pages: dict[int, str] = {}
        self._default_font: int | None = None
        self._default_page = "cp1252"

    def describe(self, *, charset: int | None = None, page: int | None = None) -> None:
        if charset is not None:
            self._charsets[self.described] = charset
        if name := _code_page(page):
            self._pages[self.described] = name

    def set_default(self, *, font: int | None = None, page: int | None = None) -> None:
        if font is not None:
            self._default_font = font
        self._default_page = _code_page(page) or self._default_page

    def decode(self, data: bytes, font: int | None) -> str:
        """`font` None: the default one."""
        font = self._default_font if font is None else font
        if font in self._pages:
            return data.decode(self._pages[font], "replace")
        charset = self._charsets.get(font or 0, 0)
        if charset == SYMBOL_CHARSET:
            return "".join(chr(byte) if 32 <= byte < 127 else "•" for byte in data)
        return data.decode(CHARSETS.get(charset) or self._plain_page(), "replace")

    def _plain_page(self) -> str:
        """Charset 0 is Western where other fonts say otherwise; writers that know no charsets mean the document's."""
        knows = any(charset in CHARSETS for charset in self._charsets.values())
        return "cp1252" if knows else self._default_page


def _code_page(number: int | None) -> str | None:
    if not number:
        return None
    try:
        return codecs.lookup(WINDOWS_NAMES.get(number, f"cp{number}")).name
    except LookupError:
        return None
