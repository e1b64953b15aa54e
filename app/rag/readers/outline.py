"""Nested values as text that people read: `key: value` lines, deeper ones set in; records alike as a table."""

from collections.abc import Iterator, Mapping, Sequence

from app.rag.readers.tables import table_lines

Value = Mapping[str, "Value"] | Sequence["Value"] | str | int | float | bool | None
MAX_INDENT = 12
INLINE_CHARS = 200
MAX_COLUMNS = 30
MIN_FILLED = 0.6


def outline(value: Value) -> Iterator[str]:
    """Lines. Every key is kept; deeper than a dozen levels lines are set in no further. Not recursive."""
    stack: list[tuple[str, int, Value]] = [("", 0, value)]
    while stack:
        lead, level, current = stack.pop()
        indent = "  " * min(level, MAX_INDENT)
        short = inline(current)
        if short is not None:
            yield indent + (f"{lead} {short}".strip() if lead else short)
            continue
        if lead:
            yield indent + lead
        deeper = level + 1 if lead else level
        if isinstance(current, Mapping):
            stack += [(f"{key}:", deeper, inner) for key, inner in reversed(list(current.items()))]
        elif isinstance(current, Sequence):
            stack += [("-", deeper, inner) for inner in reversed(current)]


def inline(value: Value) -> str | None:
    """A scalar, or a short list of them, on one line; else None."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n") if value else '""'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return str(value)
    if len(value) == 0:
        return "{}" if isinstance(value, Mapping) else "[]"
    if isinstance(value, Mapping) or len(value) > INLINE_CHARS // 2:
        return None
    parts = [inline(inner) for inner in value if not isinstance(inner, Mapping | list | tuple)]
    if len(parts) != len(value) or sum(len(part or "") for part in parts) > INLINE_CHARS:
        return None
    return ", ".join(part or "" for part in parts)


def as_table(records: Sequence[Value]) -> Iterator[str] | None:
    """The lines of a Markdown table when the records have the same few keys and short values; else None."""
    names: dict[str, None] = {}
    filled = 0
    for record in records:
        if not isinstance(record, Mapping):
            return None
        for key, value in record.items():
            short = inline(value)
            if short is None or len(short) > INLINE_CHARS:
                return None
            names[key] = None
        filled += len(record)
        if len(names) > MAX_COLUMNS:
            return None
    if len(records) < 2 or len(names) < 2 or filled < MIN_FILLED * len(names) * len(records):
        return None
    return table_lines([list(names), *([_cell(record, name) for name in names] for record in records)], len(names))


def _cell(record: Value, name: str) -> str:
    found = record.get(name) if isinstance(record, Mapping) else None
    return "" if found is None else inline(found) or ""
