from pathlib import Path

import pytest

from app.rag.loaders.csv import Csv, Tsv
from app.rag.pages import Page


def pages(path: Path, text: str | bytes, loader: type[Csv] = Csv) -> list[Page]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = list(loader().pages(path, 1))
    assert loader().page_count(path) == len(found)
    return found


def lines(path: Path, text: str | bytes, loader: type[Csv] = Csv) -> list[str]:
    (page,) = pages(path, text, loader)
    return page.text.split("\n")


PEOPLE = ["| name | age |", "| --- | --- |", "| Ada | 36 |", "| Alan | 41 |"]


@pytest.mark.parametrize(
    "text",
    [
        "name,age\nAda,36\nAlan,41\n",
        "name;age\r\nAda;36\r\nAlan;41",
        "name\tage\nAda\t36\nAlan\t41",
        "name|age\nAda|36\nAlan|41",
        "sep=;\nname;age\nAda;36\nAlan;41",
        '"name", "age"\n"Ada", "36"\n\n , \n"Alan","41"',
        "\ufeffname,age\nAda,36\nAlan,41\n",
        "name,age\nAda,36\nAlan,41\n".encode("utf-16"),
        b"name,age\nAda,36\nAlan,41\0\n",
    ],
)
def test_rows_are_cut_at_their_delimiter(tmp_path: Path, text: str | bytes) -> None:
    assert lines(tmp_path / "table.csv", text) == PEOPLE


def test_quotes_lines_and_bars_inside_cells(tmp_path: Path) -> None:
    found = lines(tmp_path / "table.csv", 'a,b\n"one, ""two""","three\nfour | five"\n')
    assert found[2:] == ['| one, "two" | three four \\| five |']


def test_a_tab_separated_table_may_hold_commas(tmp_path: Path) -> None:
    text = "a\tb\n1,2,3\t4,5,6\n7,8,9\t1,2,3\n"
    assert lines(tmp_path / "table.tsv", text, Tsv)[0] == "| a | b |"


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("1,2\n3,4\n5,6", "| Column 1 | Column 2 |"),
        ("country,2019,2020\nFrance,1,2\nPeru,3,4", "| country | 2019 | 2020 |"),
        ("a,b\nc,d\n", "| a | b |"),
        ("only\nnames\nhere", "| only |"),
    ],
)
def test_a_first_row_of_figures_is_no_header(tmp_path: Path, text: str, header: str) -> None:
    assert lines(tmp_path / "table.csv", text)[0] == header


def test_lines_before_the_table_are_its_caption(tmp_path: Path) -> None:
    found = lines(tmp_path / "table.csv", "Sales of 2024,,\n\nname,age,town\nAda,36,London\nAlan,41,Wilmslow\n")
    assert found == ["Sales of 2024", "", "| name | age | town |", "| --- | --- | --- |", *found[4:]]
    assert len(found) == 6


def test_rows_of_other_lengths_are_kept(tmp_path: Path) -> None:
    found = lines(tmp_path / "table.csv", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n1,2,3\n")
    assert found[3:5] == ["| 4 | 5 |  |", "| 6 | 7 | 8 | 9 |"]


def test_pages_are_called_by_their_rows_and_repeat_the_header(tmp_path: Path) -> None:
    text = "number,square\n" + "".join(f"{n},{n * n}\n" for n in range(1, 1202))
    found = pages(tmp_path / "table.csv", text)
    assert [page.label for page in found] == ["rows 1-500", "rows 501-1000", "rows 1001-1201"]
    assert all(page.text.startswith("| number | square |\n| --- | --- |\n") for page in found)
    assert found[2].text.endswith("| 1201 | 1442401 |")
    assert list(Csv().pages(tmp_path / "table.csv", 2)) == found[1:]


def test_a_wide_table_has_fewer_rows_on_a_page_and_is_not_cut_in_one(tmp_path: Path) -> None:
    text = "\n".join(",".join(f"cell {row} {column}" for column in range(60)) for row in range(60))
    labels = [page.label for page in pages(tmp_path / "table.csv", text)]
    assert len(labels) == len(set(labels)) > 2


def test_a_quote_that_never_ends_is_a_letter(tmp_path: Path) -> None:
    text = 'name,size\nscreen,5" wide\n"broken,1\n' + "".join(f"row {n},{n}\n" for n in range(20_000))
    found = pages(tmp_path / "table.csv", text)
    assert found[0].text.split("\n")[:4] == [
        "| name | size |",
        "| --- | --- |",
        '| screen | 5" wide |',
        '| "broken | 1 |',
    ]
    assert found[-1].text.endswith("| row 19999 | 19999 |")


@pytest.mark.parametrize("text", ["\n", ",,,\n,,,\n", "x", '"', "a,b", "sep=;", "\0\0"])
def test_next_to_nothing_does_no_harm(tmp_path: Path, text: str) -> None:
    assert sum(len(page.text) for page in pages(tmp_path / "table.csv", text)) < 30
