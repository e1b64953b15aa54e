"""JSON, JSON Lines and Jupyter notebooks."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from app.rag.pages import ParseError
from app.rag.readers.encoding import decode
from app.rag.readers.outline import Value, as_table, outline
from app.rag.readers.sections import Part, PartedWhole, lined

PAGE_ROWS = 500
MAX_BYTES = 100 << 20


class Json(PartedWhole):
    """Keys stay with their values. A list of records that are alike is a table; its pages are `items 1-500`.

    What is no JSON is read as JSON Lines, and else as the text that it is.
    """

    def read(self, path: Path) -> Iterable[Part]:
        if path.stat().st_size > MAX_BYTES:
            raise ParseError("too_much_text", f"the file has more than {MAX_BYTES >> 20} MB of JSON; split it")
        text = decode(path.read_bytes()).lstrip("\ufeff")
        try:
            value = _value(text)
        except ValueError:
            return _lines(text) or [Part(None, text)]
        except RecursionError:
            return [Part(None, text)]
        cells = value.get("cells") if isinstance(value, Mapping) and "nbformat" in value else None
        if isinstance(cells, list):
            return [Part(None, "\n\n".join(filter(None, _notebook(cells))))]
        if isinstance(value, list):
            return _records(value, "items")
        return [Part(None, "\n".join(outline(value)))]


def _value(text: str) -> Value:
    """Numbers stay as they are written."""
    value: Value = json.loads(text, parse_int=str, parse_float=str, parse_constant=str, strict=False)
    return value


def _lines(text: str) -> Iterable[Part] | None:
    """None when the first line is no JSON. Later ones that are none are kept as text."""
    records: list[Value] = []
    for line in text.splitlines():
        if not line or line.isspace():
            continue
        try:
            records.append(_value(line))
        except (ValueError, RecursionError):
            if not records:
                return None
            records.append(line)
    return _records(records, "records") if len(records) > 1 and isinstance(records[0], dict | list) else None


def _records(records: Sequence[Value], name: str) -> Iterable[Part]:
    table = as_table(records)
    if table is not None:
        header = [next(table), next(table)]
        return lined(table, name, most=PAGE_ROWS, before=header)
    return lined((_record(record) for record in records), name, most=PAGE_ROWS)


def _record(record: Value) -> str:
    """With a blank line after it, but for a single value."""
    text = "\n".join(outline(record))
    return f"{text}\n" if isinstance(record, Mapping | list) else text


def _notebook(cells: Iterable[Value]) -> Iterator[str]:
    for cell in cells:
        if not isinstance(cell, Mapping):
            continue
        source = _joined(cell.get("source"))
        yield source if cell.get("cell_type") != "code" else f"```\n{source}\n```"
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else []:
            if not isinstance(output, Mapping):
                continue
            data = output.get("data")
            yield _joined(output.get("text") or (data.get("text/plain") if isinstance(data, Mapping) else None))


def _joined(source: Value) -> str:
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""
