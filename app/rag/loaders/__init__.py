"""The file types that can be read: media type -> loader. A new one is a file here and a line in each table."""

from collections.abc import Callable

from app.core.registry import Registry
from app.rag.pages import Loader

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"

LOADERS: Registry[Callable[[], Loader]] = Registry(
    "file type",
    {
        PDF: "app.rag.loaders.pdf:Pdf",
        DOCX: "app.rag.loaders.docx:Docx",
        HTML: "app.rag.loaders.html:Html",
        MARKDOWN: "app.rag.loaders.text:Text",
        PLAIN: "app.rag.loaders.text:Text",
    },
)
NAMES = {
    PDF: "PDF",
    DOCX: "Word (.docx)",
    HTML: "HTML",
    MARKDOWN: "Markdown",
    PLAIN: "plain text (.txt, .csv, .log and the like)",
}
