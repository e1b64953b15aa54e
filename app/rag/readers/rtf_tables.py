"""What the control words of RTF mean (Rich Text Format specification 1.9.1)."""

# Groups that are not part of the text. Others that begin with \* are left out too, unless they are in KEPT.
SKIPPED = frozenset({
    "annotation", "atnauthor", "atnid", "author", "bkmkend", "bkmkstart", "colortbl", "company", "datafield", "do",
    "falt", "fldinst", "footer", "footerf", "footerl", "footerr", "ftncn", "ftnsep", "ftnsepc", "aftnsep", "aftnsepc",
    "aftncn", "generator", "header", "headerf", "headerl", "headerr", "info", "listoverridetable", "listpicture",
    "listtable", "mmathPr", "nonesttables", "nonshppict", "objdata", "objclass", "panose", "pict", "private", "revtbl",
    "rsidtbl", "sn", "sp", "sv", "template", "themedata", "tc", "txe", "userprops", "xe", "xmlnstbl",
})  # fmt: skip
KEPT = frozenset({"annotation", "flymaincnt", "nesttableprops", "shpinst", "shptxt", "ud"})
CHARACTERS = {
    "tab": "\t", "line": "\n", "lbr": "\n", "page": "\f", "emdash": "—", "endash": "–", "emspace": " ", "enspace": " ",
    "qmspace": " ", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "nestcell": ", ",
    "nestrow": "; ", "column": "\n", "softline": "\n",
}  # fmt: skip
SYMBOLS = {"~": " ", "_": "-", "\\": "\\", "{": "{", "}": "}", "-": "", ":": "", "|": ""}
