"""Letters beyond ASCII by language, and code pages with the languages that are written in them, likeliest first."""

# The most frequent letters first.
LATIN = {
    "de": "üäößé", "fr": "éèàêçôùîâûëïœ", "es": "óíáéñúü", "pt": "ãçáéõíóêúâàô", "it": "àèùòéìó", "nl": "ëéïèöüá",
    "nordic": "äöåøæéü", "is": "íáðöéóúþýæ", "pl": "łąęóżśćńź", "cs": "íáěéýčšžřůúťďňó", "sk": "áíéúčýžšťľňôäďóĺŕ",
    "hu": "áéöóőíüúű", "ro": "ăâîșțşţ", "hr": "čšžćđ", "tr": "ıüşçğöâîû", "lt": "ėšįųžąūčę", "lv": "āīēšūņļžčķģ",
    "et": "äõüöšž", "ca": "àéèíóòçúïü",
}  # fmt: skip
LATIN_WORDS = frozenset("àéèóáíőîÀÉÈÓÁÍ")  # of one letter
FREQUENT_LETTERS = 4  # of a language; each four more count a little less
# The letters that make up two thirds of a text, and in Cyrillic the rare ones.
FREQUENT = {
    "cyrillic": frozenset("оеаинтсрвлі"), "greek": frozenset("αοιετσνηυρςάόίέ"), "hebrew": frozenset("יוהלאמרתבש"),
    "arabic": frozenset("اليمونترب"), "thai": frozenset("านรอกเงมยลวท่้ี"),
}  # fmt: skip
RARE = frozenset("цщэфёєґўјљњћџђѓќѕ")
WEST = ("de", "fr", "es", "pt", "it", "nl", "nordic", "is", "ca")
CENTRAL = ("pl", "cs", "sk", "hu", "ro", "hr", "de")
CYRILLIC_WORDS = frozenset("аиоуявксэыіўАИОУЯВКСІ")  # of one letter
# Ranges of the alphabets that have one to themselves, and what they do not have at all or only at the end of a word.
SCRIPTS = {
    "greek": (0x370, 0x3FF),
    "hebrew": (0x5D0, 0x5EA),
    "arabic": (0x600, 0x6FF),
    "thai": (0xE00, 0xE7F),
    "cyrillic": (0x400, 0x4FF),
}
UNUSED = frozenset("ΐΰ")
LAST = frozenset("ςךםןףץىة")
DEPENDENT = frozenset("ัิีึืฺุู็่้๊๋์ํ๎ำาะๅ")  # Thai signs that stand on or after a letter
PAGES: dict[str, tuple[str, ...]] = {
    "cp1252": WEST,
    "cp1251": ("cyrillic",),
    "cp1250": CENTRAL,
    "cp1254": ("tr", *WEST),
    "cp1253": ("greek",),
    "cp1255": ("hebrew",),
    "cp1256": ("arabic",),
    "cp1257": ("lt", "lv", "et", "pl"),
    "cp874": ("thai",),
    "koi8_r": ("cyrillic",),
    "koi8_u": ("cyrillic",),
    "cp866": ("cyrillic",),
    "iso8859_2": CENTRAL,
    "iso8859_5": ("cyrillic",),
    "iso8859_6": ("arabic",),
    "iso8859_7": ("greek",),
    "iso8859_15": WEST,
    "cp850": WEST,
    "cp437": WEST,
    "mac_roman": WEST,
    "cp852": CENTRAL,
    "mac_cyrillic": ("cyrillic",),
    "mac_latin2": CENTRAL,
    "cp857": ("tr",),
    "cp862": ("hebrew",),
    "cp737": ("greek",),
    "cp775": ("lt", "lv", "et"),
}
# What stands between words in any language: in English nothing else may tell.
QUOTES = frozenset("«»„“”‘’–—…€")
MARKS = frozenset("«»„“”‘’‚‹›–—…•€£¥°§№©®™·¿¡\xa0\xad±½¼¾²³×´`§ªºµ÷")
