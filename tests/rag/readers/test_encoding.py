"""Encodings are recognised: the beginning of a declaration that all peoples have in their own words, and its like."""

from pathlib import Path

import pytest

from app.rag.readers.byte_order import wide_encoding
from app.rag.readers.encoding import decode, detect_encoding

LANGUAGES = {
    "ru": (
        "Все люди рождаются свободными и равными в своём достоинстве и правах. Они наделены разумом и совестью и долж",
        "cp1251 koi8-r cp866 iso8859-5 mac_cyrillic",
    ),
    "uk": (
        "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю і повин",
        "cp1251 koi8-u",
    ),
    "bg": (
        "Всички хора се раждат свободни и равни по достойнство и права. Те са надарени с разум и съвест и следва да с",
        "cp1251",
    ),
    "de": (
        "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt u",
        "cp1252 latin-1 cp850 mac_roman",
    ),
    "fr": (
        "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de cons",
        "cp1252 cp850 mac_roman iso8859-15",
    ),
    "es": (
        "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conci",
        "cp1252 cp850 mac_roman",
    ),
    "pl": (
        "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem i s",
        "cp1250 iso8859-2 cp852",
    ),
    "cs": (
        "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni rozumem a svědomím a mají s",
        "cp1250 iso8859-2 cp852",
    ),
    "hu": (
        "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Az emberek, ésszel és lelkiismerettel",
        "cp1250 iso8859-2",
    ),
    "tr": (
        "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve birbirlerine",
        "cp1254 iso8859-9",
    ),
    "el": (
        "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι με λο",
        "cp1253 iso8859-7",
    ),
    "he": (
        "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג איש",
        "cp1255 iso8859-8",
    ),
    "ar": (
        "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. وقد وهبوا عقلا وضميرا وعليهم أن يعامل بعضهم بعضا بروح الإ",
        "cp1256 iso8859-6",
    ),
    "th": (
        "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมี",
        "cp874",
    ),
    "lt": (
        "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis. Jiems suteiktas protas ir sąžinė ir jie turi elgt",
        "cp1257 iso8859-13",
    ),
    "vi": (
        "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi. Mọi con người đều được tạo h",
        "",
    ),
    "ja": (
        "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授",
        "cp932 euc_jp iso2022_jp",
    ),
    "zh": (
        "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。人人有资格享有本宣言所载",
        "gb18030 gb2312 hz",
    ),
    "zht": (
        "人人生而自由,在尊嚴和權利上一律平等。他們賦有理性和良心,並應以兄弟關係的精神相對待。人人有資格享有本宣言所載",
        "big5 gb18030",
    ),
    "ko": (
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받",
        "euc_kr cp949",
    ),
    "da": (
        "Alle mennesker er født frie og lige i værdighed og rettigheder. De er udstyret med fornuft og samvittighed,",
        "cp1252 cp850",
    ),
    "en": (
        "All human beings are born free and equal in dignity and rights. They’re endowed with reason and conscience –",
        "cp1252 mac_roman",
    ),
}
UNICODE = "utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("times", [1, 8])
def test_texts_are_read_in_every_encoding_of_their_language(language: str, times: int, tmp_path: Path) -> None:
    text, encodings = LANGUAGES[language]
    text = " ".join([text] * times)
    path = tmp_path / "text.txt"
    for encoding in f"{encodings} {UNICODE}".split():
        path.write_bytes(text.encode(encoding, "ignore"))
        expected = text.encode(encoding, "ignore").decode(encoding)
        assert decode(path.read_bytes()) == expected, encoding
        assert path.read_text(detect_encoding(path)).removeprefix("\ufeff") == expected, encoding
        declared = f'<meta charset="{encoding.replace("_", "-")}">{expected}'
        assert decode(declared.encode(encoding)) == declared.encode(encoding).decode(encoding), encoding


@pytest.mark.parametrize(
    ("language", "encoding", "declared"),
    [
        ("ru", "cp1251", "iso-8859-1"),
        ("ru", "koi8-r", "windows-1252"),
        ("ru", "koi8-r", "windows-1251"),
        ("ru", "cp1251", "utf-8"),
        ("ru", "utf-8", "windows-1251"),
        ("ru", "cp1251", "gb2312"),
        ("ja", "cp932", "iso-8859-1"),
        ("ja", "euc_jp", "shift_jis"),
        ("zh", "gb18030", "windows-1252"),
        ("pl", "cp1250", "iso-8859-1"),
        ("de", "cp1252", "shift_jis"),
        ("ar", "cp1256", "utf-8"),
        ("he", "cp1255", "no-such-charset"),
        ("fr", "utf-8", "utf-16"),
    ],
)
def test_a_wrong_declaration_does_not_garble(language: str, encoding: str, declared: str) -> None:
    text = LANGUAGES[language][0]
    assert text in decode(f'<meta charset="{declared}"><p>{text}</p>'.encode(encoding))
    assert decode(text.encode(encoding), declared=declared) == text


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866"])
def test_capitals_are_words_too(encoding: str) -> None:
    text = "ДОГОВОР ПОСТАВКИ ТОВАРА ОТ ПЯТНАДЦАТОГО МАРТА"
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("text", ["20 °C ± 2; price £30 (§4).", "naïve", "“Quoted” – it’s", "Müller", "caf\xe9"])
def test_a_few_signs_are_western(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\0",
        b"ab",
        b"plain ASCII text",
        b"10203040" * 9,
        b"junk \0\1 here",
        b"one NUL\0 in a line of words",
        bytes(99),
    ],
)
def test_what_is_not_wide(head: bytes) -> None:
    assert wide_encoding(head) is None


def test_a_declared_encoding_with_states_is_used() -> None:
    text = LANGUAGES["ja"][0]
    assert decode(text.encode("iso2022_jp"), declared="ISO-2022-JP") == text
    assert decode("Häuser".encode("utf-7"), declared="utf-7") == "Häuser"
