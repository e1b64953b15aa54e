"""How good rankings are, each measure from 0 to 1, and what they cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from statistics import fmean

Grades = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one query found, best first. `passages`: the items that each passage touches, such as pages."""

    passages: Sequence[Sequence[str]]
    cpu_ms: float = 0.0

    @property
    def items(self) -> list[str]:
        """Each once, where it was found first."""
        return list(dict.fromkeys(chain.from_iterable(self.passages)))


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over queries. `hit_k`: the share of queries for which one of the first k passages touches what is right."""

    ndcg_10: float = 0.0
    recall_10: float = 0.0
    recall_100: float = 0.0
    mrr: float = 0.0
    hit_1: float = 0.0
    hit_5: float = 0.0
    hit_10: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds of a query, of all processes: half of the queries, and 95 of 100, took at most this."""

    p50_ms: float = 0.0
    p95_ms: float = 0.0


def ndcg(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Discounted gain of the first k against the best possible order. Järvelin and Kekäläinen 2002, gain = grade."""
    best = _gain(sorted(grades.values(), reverse=True)[:k])
    return _gain([grades.get(item, 0) for item in ranking[:k]]) / best if best else 0.0


def recall(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """The share of what is right that is among the first k."""
    relevant = {item for item, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0


def first_rank(passages: Sequence[Sequence[str]], grades: Grades) -> int | None:
    """From 1: the first passage that touches what is right."""
    return next((rank for rank, items in enumerate(passages, 1) if any(grades.get(i, 0) > 0 for i in items)), None)


def quality(rankings: Mapping[str, Ranking], grades: Mapping[str, Grades]) -> Quality:
    """The means over the queries of `rankings`: query id -> what it found."""
    judged = [(ranking, ranking.items, grades[query]) for query, ranking in rankings.items()]
    ranks = [first_rank(ranking.passages, right) for ranking, _, right in judged]
    return Quality(
        ndcg_10=_mean([ndcg(items, right, 10) for _, items, right in judged]),
        recall_10=_mean([recall(items, right, 10) for _, items, right in judged]),
        recall_100=_mean([recall(items, right, 100) for _, items, right in judged]),
        mrr=_mean([1 / rank if rank else 0.0 for rank in ranks]),
        hit_1=hit(ranks, 1),
        hit_5=hit(ranks, 5),
        hit_10=hit(ranks, 10),
    )


def hit(ranks: Sequence[int | None], k: int) -> float:
    """The share of first ranks that are at most k."""
    return _mean([float(rank is not None and rank <= k) for rank in ranks])


def cost(rankings: Mapping[str, Ranking]) -> Cost:
    spent = sorted(ranking.cpu_ms for ranking in rankings.values())
    return Cost(_percentile(spent, 0.5), _percentile(spent, 0.95))


def mean(qualities: Sequence[Quality]) -> Quality:
    """Every collection weighs the same."""
    return Quality(**{each.name: _mean([getattr(q, each.name) for q in qualities]) for each in fields(Quality)})


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank."""
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3) if ordered else 0.0


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0
