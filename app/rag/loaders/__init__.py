"""The file types that can be read: media type -> loader. A new one is a file here and a line in each table."""

from collections.abc import Callable

from app.core.registry import Registry
from app.rag.pages import Loader
from app.rag.readers.languages import LANGUAGES, code_type

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSB = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
EPUB = "application/epub+zip"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
PPT = "application/vnd.ms-powerpoint"
RTF = "application/rtf"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
XML = "application/xml"
EMAIL = "message/rfc822"
OUTLOOK = "application/vnd.ms-outlook"
SUBTITLES = "text/vtt"
PLAIN = "text/plain"

LOADERS: Registry[Callable[[], Loader]] = Registry(
    "file type",
    {
        PDF: "app.rag.loaders.pdf:Pdf",
        DOCX: "app.rag.loaders.docx:Docx",
        PPTX: "app.rag.loaders.pptx:Pptx",
        XLSX: "app.rag.loaders.xlsx:Xlsx",
        XLSB: "app.rag.loaders.xls:Xls",
        ODT: "app.rag.loaders.odt:Odt",
        ODS: "app.rag.loaders.ods:Ods",
        ODP: "app.rag.loaders.odp:Odp",
        EPUB: "app.rag.loaders.epub:Epub",
        DOC: "app.rag.loaders.doc:Doc",
        XLS: "app.rag.loaders.xls:Xls",
        PPT: "app.rag.loaders.ppt:Ppt",
        RTF: "app.rag.loaders.rtf:Rtf",
        HTML: "app.rag.loaders.html:Html",
        MARKDOWN: "app.rag.loaders.text:Text",
        CSV: "app.rag.loaders.csv:Csv",
        TSV: "app.rag.loaders.csv:Tsv",
        JSON: "app.rag.loaders.json:Json",
        XML: "app.rag.loaders.xml:Xml",
        EMAIL: "app.rag.loaders.email:Email",
        OUTLOOK: "app.rag.loaders.outlook:Outlook",
        SUBTITLES: "app.rag.loaders.subtitles:Subtitles",
        PLAIN: "app.rag.loaders.text:Text",
        **{code_type(language): "app.rag.loaders.code:Code" for language in LANGUAGES},
    },
)
NAMES = {
    PDF: "PDF",
    DOCX: "Word (.docx)",
    PPTX: "PowerPoint (.pptx)",
    XLSX: "Excel (.xlsx)",
    XLSB: "binary Excel (.xlsb)",
    ODT: "OpenDocument text (.odt)",
    ODS: "OpenDocument spreadsheet (.ods)",
    ODP: "OpenDocument presentation (.odp)",
    EPUB: "EPUB book",
    DOC: "old Word (.doc)",
    XLS: "old Excel (.xls)",
    PPT: "old PowerPoint (.ppt)",
    RTF: "RTF",
    HTML: "HTML",
    MARKDOWN: "Markdown",
    CSV: "CSV",
    TSV: "TSV",
    JSON: "JSON",
    XML: "XML",
    EMAIL: "email (.eml)",
    OUTLOOK: "Outlook email (.msg)",
    SUBTITLES: "subtitles (.vtt, .srt)",
    PLAIN: "plain text (.txt, .log and the like)",
    **{code_type(language): "source code" for language in LANGUAGES},
}
