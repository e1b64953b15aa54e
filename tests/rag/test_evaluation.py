"""Measures of retrieval by hand-made rankings, and collections that cannot be read."""

import json
import math
from pathlib import Path

import pytest

from app.core.errors import ValidationFailed
from app.rag.evaluation import collections, load
from app.rag.measures import Cost, Quality, Ranking, cost, first_rank, mean, ndcg, quality, recall

GRADES = {"a": 2, "b": 1, "c": 0}


def test_ndcg_is_one_for_the_best_order_and_discounts_the_rest() -> None:
    best = 2 + 1 / math.log2(3)
    assert ndcg(["a", "b", "c"], GRADES, 10) == 1
    assert ndcg(["b", "x", "a"], GRADES, 10) == pytest.approx((1 + 2 / math.log2(4)) / best)
    assert ndcg(["x"] * 10 + ["a"], GRADES, 10) == 0
    assert ndcg(["b", "a"], GRADES, 1) == 0.5
    assert ndcg(["a"], {"c": 0}, 10) == 0


def test_recall_counts_relevant_documents_alone() -> None:
    assert recall(["c", "a"], GRADES, 10) == 0.5
    assert recall(["c", "a"], GRADES, 1) == 0
    assert recall(["b", "a"], GRADES, 2) == 1
    assert recall(["c"], {"c": 0}, 10) == 0


def test_quality_is_the_mean_over_queries_and_then_over_collections() -> None:
    grades = {"q": {"a": 1}, "r": {"b": 1}}
    late = [[f"x{number}"] for number in range(10)] + [["b"]]
    found = quality({"q": Ranking([["a"]]), "r": Ranking(late)}, grades)
    assert found == Quality(
        ndcg_10=0.5, recall_10=0.5, recall_100=1, mrr=pytest.approx((1 + 1 / 11) / 2), hit_1=0.5, hit_5=0.5, hit_10=0.5
    )
    assert mean([found, Quality(ndcg_10=1, hit_1=1)]) == Quality(
        ndcg_10=0.75, recall_10=0.25, recall_100=0.5, mrr=found.mrr / 2, hit_1=0.75, hit_5=0.25, hit_10=0.25
    )


def test_a_passage_hits_by_any_page_that_it_touches() -> None:
    passages = [["f#1", "f#2"], ["f#2", "f#3"], ["g#3"]]
    assert (first_rank(passages, {"f#3": 1}), first_rank(passages, {"g#1": 1})) == (2, None)
    found = quality({"q": Ranking(passages)}, {"q": {"f#2": 1, "g#3": 1, "h#1": 0}})
    assert Ranking(passages).items == ["f#1", "f#2", "f#3", "g#3"]
    assert (found.mrr, found.hit_1, found.recall_10) == (1, 1, 1)


def test_costs_are_nearest_ranks() -> None:
    rankings = {str(ms): Ranking([], cpu_ms=ms) for ms in range(1, 101)}
    assert cost(rankings) == Cost(50, 95)
    assert cost({"q": Ranking([], cpu_ms=3)}) == Cost(3, 3)
    assert cost({}) == Cost(0, 0)


def write(folder: Path, *, qrels: str = "q1\td1\t1\n") -> Path:
    folder.mkdir(exist_ok=True)
    corpus = [{"_id": "d1", "title": "Apples", "text": "are red"}, {"_id": "d2", "text": "pears", "more": 1}]
    queries = [{"_id": "q1", "text": "red"}, {"_id": "q2", "text": "pear"}]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus) + "\n")
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels.tsv").write_text(qrels)
    return folder


@pytest.mark.parametrize("header", ["", "query-id\tcorpus-id\tscore\n"])
@pytest.mark.parametrize("line", ["q1\td1\t2\n", "q1\t0\td1\t2\r\n"])
def test_reads_the_layout_with_and_without_header(tmp_path: Path, header: str, line: str) -> None:
    collection = load(write(tmp_path / "fruit", qrels=header + line))
    assert collection.name == "fruit"
    assert [document.whole for document in collection.documents] == ["Apples\nare red", "pears"]
    assert collection.grades == {"q1": {"d1": 2}}
    assert [query.id for query in collection.judged] == ["q1"]


def test_finds_one_collection_or_all_in_a_folder(tmp_path: Path) -> None:
    fruit, trees = write(tmp_path / "fruit"), write(tmp_path / "trees")
    (tmp_path / "notes").mkdir()
    assert collections(tmp_path) == [fruit, trees]
    assert collections(fruit) == [fruit]
    with pytest.raises(ValidationFailed, match="holds no collection"):
        collections(tmp_path / "notes")
    with pytest.raises(ValidationFailed, match="is not a folder"):
        collections(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("corpus.jsonl", None, "corpus.jsonl' is missing"),
        ("corpus.jsonl", b"", "corpus.jsonl' is empty"),
        ("corpus.jsonl", b'{"_id": "a", "text": "x"}\n{"_id": "b"}\n', "corpus.jsonl', line 2: .*text"),
        (
            "corpus.jsonl",
            b'{"_id": "a", "text": "x"}\n\n{"_id": "a", "text": "y"}\n',
            "line 3: the id 'a' stands twice",
        ),
        ("corpus.jsonl", b"\xff\xfe", "corpus.jsonl' is not UTF-8"),
        ("queries.jsonl", b"{", "queries.jsonl', line 1"),
        ("qrels.tsv", b"q1\td1\t1\nq1 d2 1\n", "qrels.tsv', line 2: 'q1 d2 1' is not query id"),
        ("qrels.tsv", b"q1\td1\t0\n", "no relevant document"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    folder = write(tmp_path / "fruit")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ValidationFailed, match=says):
        load(folder)
