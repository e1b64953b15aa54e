"""What a benchmark prints: aligned columns, with a sentence about what is over its budget."""

from collections.abc import Sequence
from dataclasses import dataclass, field

Cell = str | float | int | None


@dataclass(slots=True)
class Table:
    """`rows` have a cell for each column; None is shown as a dash. `faults`: what makes the run a failed one."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        shown = [list(self.columns), *([_shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[column]) for row in shown) for column in range(len(self.columns))]
        lines = ["  ".join(_aligned(cell, width) for cell, width in zip(row, widths, strict=True)) for row in shown]
        return "\n".join(
            [self.title, *(f"  {line}".rstrip() for line in lines), *(f"  FAULT: {f}" for f in self.faults)]
        )

    def plain(self) -> dict[str, object]:
        """For JSON."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "faults": self.faults}


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.{0 if abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2}f}"
    return str(cell)


def _aligned(cell: str, width: int) -> str:
    is_number = cell[:1].isdigit() or cell[:1] in {"-", "<"}
    return cell.rjust(width) if is_number else cell.ljust(width)
