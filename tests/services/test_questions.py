"""Which questions lean on earlier ones, and what is searched for then."""

import pytest

from app.crud.terms import analyse
from app.services.questions import is_follow_up, with_terms
from tests.rag import planted

LEANING = [
    *("and in 2022?", "why?", "What about the second one?", "How much did it cost?", "the second one", "Which one?"),
    *("Tell me more about that", "More details please", "Is it safe?", "How about Germany?", "in 2022?", "  ", "?"),
    *("Und 2022?", "Warum?", "Was ist mit der zweiten?", "Wann wurde sie gegründet?", "Was kostet es?"),
    *("Kannst du das genauer erklären?", "Wie lange dauert das?", "Et en 2022 ?", "Combien coûte-t-il ?"),
    *("¿Y en 2022?", "¿por qué?", "E nel 2022?", "en in 2022?", "a w 2022?", "а в 2022?", "почему?"),
    *("那2022年呢？", "为什么？", "それはいつですか？"),
]
STANDING = [
    *("What is the notice period?", "Notice period for managers", "Summarise the report", "hello"),
    *("Which enzyme unwinds the double helix during replication?", "How many employees does the company have?"),
    "What happens to the pressure in the boiler of the plant when it is shut down for maintenance in winter?",
    *("Was ist die Kündigungsfrist?", "Welche Farbe hat das Logo?", "Wer ist der Geschäftsführer der Firma?"),
    *("Quel est le prix de la pompe ?", "¿Cuál es el precio de la bomba?", "Qual è il prezzo della pompa?"),
    *("Какой срок уведомления?", "什么是光合作用？"),
]


@pytest.mark.parametrize("question", LEANING)
def test_a_question_that_leans(question: str) -> None:
    assert is_follow_up(question)


@pytest.mark.parametrize("question", STANDING)
def test_a_question_that_stands_for_itself(question: str) -> None:
    assert not is_follow_up(question)


def test_few_planted_questions_are_taken_for_what_they_are_not() -> None:
    standing = [q for q, _ in planted.ANSWERABLE_EN + planted.ANSWERABLE_DE]
    leaning = [q for _, q, _ in planted.FOLLOW_UPS_EN + planted.FOLLOW_UPS_DE]
    assert sum(map(is_follow_up, standing)) == 0
    assert sum(map(is_follow_up, leaning)) == len(leaning)


@pytest.mark.parametrize(
    ("question", "earlier", "query"),
    [
        ("why?", ["What fell?"], "What fell? why?"),
        ("and in 2022?", ["Revenue in 2021?"], "Revenue in ? and in 2022?"),
        ("why?", ["Who wrote Faust?", "Revenue of Acme?", "and profit?"], "Revenue of Acme? and profit? why?"),
        ("why?", ["a b", *["and so?"] * 9], "and so? and so? and so? why?"),
        ("why?", [], "why?"),
    ],
)
def test_the_questions_before_are_added(question: str, earlier: list[str], query: str) -> None:
    assert with_terms(question, earlier) == query


def test_what_is_added_is_bounded() -> None:
    assert len(with_terms("why?", ["word " * 100_000])) < 700


def test_the_planted_follow_ups_find_what_they_ask_for() -> None:
    """By words alone, the right passage alone at the top: 11 of 16 as they stand, all with the questions before."""
    right = {"plain": 0, "with terms": 0}
    have = [set(analyse(text)) for text in planted.ENGLISH + planted.GERMAN]
    for first, cases in ((0, planted.FOLLOW_UPS_EN), (len(planted.ENGLISH), planted.FOLLOW_UPS_DE)):
        for earlier, question, gold in cases:
            for name, query in (("plain", question), ("with terms", with_terms(question, earlier))):
                terms = set(analyse(query))
                scores = [sum(1 / sum(t in other for other in have) for t in terms & own) for own in have]
                right[name] += scores[first + gold] == max(scores) > 0 and scores.count(max(scores)) == 1
    assert right["with terms"] >= 15 > 12 >= right["plain"], right
