"""The OpenAPI document's description of bodies that msgspec reads."""

from typing import Any

import msgspec


def request_body(kind: type[msgspec.Struct], examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """For a route's `openapi_extra`."""
    shown = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": inlined(kind), "examples": shown}}
    return {"requestBody": {"required": True, "content": content}}


def inlined(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON schema of a type, without references."""
    (schema,), parts = msgspec.json.schema_components([kind])
    found = _resolved(schema, parts)
    assert isinstance(found, dict)  # noqa: S101 - a struct's schema is an object
    return found


def _resolved(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: _resolved(value, parts) for name, value in schema.items() if name != "title"}
