"""docs/openai.md says what the code does."""

from pathlib import Path

from app.api.openai.errors import NO_MODEL, SHAPES

TEXT = (Path(__file__).parents[3] / "docs" / "openai.md").read_text()


def test_every_error_is_described_once() -> None:
    rows = [line.strip("| ").split(" | ") for line in TEXT.split("## Errors")[1].splitlines() if line.startswith("| ")]
    described = [(int(row[0]), row[1].strip("`"), row[2].strip("`")) for row in rows[1:]]
    shapes = {(shape.status, shape.type, shape.code or "null") for shape in (*SHAPES.values(), NO_MODEL)}
    assert sorted(described) == sorted(shapes)
