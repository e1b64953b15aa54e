"""Lists of documents: what they name, and for what is wrong the file, the line and the way out."""

from pathlib import Path

import pytest

from app.cli.ingest.plan import Document, plan
from app.core.errors import AppError, SettingsError, ValidationFailed

GOOD = """
collection: Books
tags: {lang: en}
documents:
  - path: one.txt
    tags: {grade: 5, lang: de}
    page_tags:
      - {pages: "12-40, 50", tags: {subject: math, grade: "5"}}
  - path: sub/*.md
  - path: sub
  - url: http://localhost/page
  - path: s3://bucket/key.pdf
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one.txt", "sub/b.md", "sub/a.md", "sub/.hidden", "other/deep/c.pdf", "other/.git/config"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def listed(folder: Path, text: str) -> list[Document]:
    path = folder / "list.yaml"
    path.write_text(text)
    return plan([str(path)])


def test_a_list_names_documents_with_their_tags(folder: Path) -> None:
    found = listed(folder, GOOD.replace("  - path: sub\n", ""))
    assert [document.source.removeprefix(f"{folder}/") for document in found] == [
        *("one.txt", "sub/a.md", "sub/b.md"),
        *("http://localhost/page", "s3://bucket/key.pdf"),
    ]
    assert found[0].tags == {"lang": "de", "grade": "5"} | {"grade": 5}
    assert [(each.pages, each.tags) for each in found[0].page_tags] == [
        ("12-40, 50", {"subject": "math", "grade": "5"})
    ]
    assert [(document.is_local, document.is_web) for document in found[2:]] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    assert {(document.collection, document.tags["lang"]) for document in found[1:]} == {("Books", "en")}


def test_a_list_may_be_no_more_than_names(folder: Path) -> None:
    found = listed(folder, "- one.txt\n- sub/*.md\n- http://localhost/page\n- {path: other, tags: {a: b}}\n")
    assert [document.source.removeprefix(f"{folder}/") for document in found] == [
        *("one.txt", "sub/a.md", "sub/b.md", "http://localhost/page", "other/deep/c.pdf")
    ]
    assert found[-1].tags == {"a": "b"}
    with pytest.raises(SettingsError, match=r"list\.yaml:2: .*there is no such entry; known: path"):
        listed(folder, "- one.txt\n- {path: one.txt, nonsense: 1}\n")
    with pytest.raises(ValidationFailed, match="there is no document"):
        listed(folder, "[]")
    with pytest.raises(ValidationFailed, match="cannot be used"):
        plan(["a" * 300])


def test_documents_beside_the_list_have_short_names(folder: Path) -> None:
    """Unless a link leads elsewhere: what stands beside its target is another file than what stands beside it."""
    (folder / "other/deep/up").symlink_to(folder / "sub", target_is_directory=True)
    (found,) = listed(folder, "- sub/../other/../one.txt\n")
    assert found.source == found.shown == str(folder / "one.txt")
    (linked,) = listed(folder, "- other/deep/up/../one.txt\n")
    assert Path(linked.source).read_text() == "one.txt"


def test_folders_and_files_are_named_as_they_are(folder: Path) -> None:
    found = plan([str(folder / "other"), str(folder / "one.txt"), "https://localhost/x"])
    names = [document.shown.removeprefix(f"{folder}/") for document in found]
    assert names == ["other/deep/c.pdf", "one.txt", "https://localhost/x"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("documents: [\n", "list.yaml:2: it is not YAML"),
        ("documents: 5", "list.yaml:1: documents: Input should be a valid list"),
        ("tags: {}", "list.yaml:1: documents: Field required"),
        (
            "documents:\n  - path: one.txt\n    tag: {}",
            "list.yaml:3: documents.0.tag: there is no such entry; known: path, url",
        ),
        ("documents:\n  - tags: {}", "list.yaml:2: documents.0: give either path or url"),
        ("documents:\n  - path: one.txt\n    url: http://h/", "list.yaml:2: documents.0: give either path or url"),
        ("documents:\n  - url: ftp://h/", "list.yaml:2: documents.0: url 'ftp://h/' begins with none of http://"),
        (
            "documents:\n  - path: one.txt\n  - path: none.txt",
            "list.yaml:3: there is no file 'none.txt' beside the list",
        ),
        (
            "documents:\n  - path: sub\n    pages: [{pages: 1, tags: {a: b}}]",
            "list.yaml:2: path 'sub' names 2 files; tags of pages are for one",
        ),
        *(
            (
                f"documents:\n  - path: one.txt\n    page_tags:\n      - {{pages: {pages!r}, tags: {{a: b}}}}",
                f"list.yaml:4: documents.0.page_tags.0.pages: {said}",
            )
            for pages, said in [
                ("40-12", "pages '40-12'"),
                ("0", "pages '0'"),
                ("a", "pages 'a'"),
                ("1-", "pages '1-'"),
                ("", "pages ''"),
            ]
        ),
        ("documents:\n  - path: one.txt\n    tags: {a: {b: c}}", "list.yaml:3: documents.0.tags.a"),
        (
            "documents:\n  - path: one.txt\n    page_tags: [{pages: 1}]",
            "list.yaml:3: documents.0.page_tags.0.tags: Field required",
        ),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(folder: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        listed(folder, text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["none"], "there is no file 'none'"),
        (["one.txt", "one.txt"], "'one.txt' is named twice"),
        (["empty"], "there is no file 'empty'"),
    ],
)
def test_targets_that_cannot_be_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, targets: list[str], said: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    with pytest.raises(ValidationFailed, match=said):
        plan(targets)


def test_an_empty_list(folder: Path) -> None:
    with pytest.raises(AppError, match="there is no document in"):
        listed(folder, "documents: []")
