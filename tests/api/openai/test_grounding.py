"""Answers from one's own documents, by fields that OpenAI does not have."""

from typing import Any

import pytest

from app.services import ledger
from tests.api.openai.asking import CHAT, ask, body, refused, stream, text
from tests.api.people import Person
from tests.documents import text_pdf
from tests.fakes.upstream import Upstream

QUESTION = "What is the registration number of the Morning Star?"
PAGES = ["About the pruning of apple trees.", "The registration number of the ferry Morning Star is 4711."]
SOURCE = {"n", "file_id", "file_name", "page_from", "page_to", "char_from", "char_to", "text", "score"}


@pytest.fixture
async def file_id(person: Person) -> str:
    return await person.ready(text_pdf(PAGES), name="ferries.pdf")


def asked(**more: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": QUESTION}], **more}


async def test_sources_stand_on_the_message_and_in_the_first_delta(
    person: Person, file_id: str, model: Upstream
) -> None:
    found = (await ask(person, **asked(use_rag=True)))["choices"][0]["message"]["sources"]
    assert set(found[0]) == SOURCE
    assert (found[0]["n"], found[0]["file_id"], found[0]["page_from"]) == (1, file_id, 2)
    system, question = model.stats.bodies[-1]["messages"]  # type: ignore[misc]
    assert system["role"] == "system"
    assert "Numbered passages" in system["content"]
    assert question["content"].startswith("Passages:\n\n[1] ferries.pdf, page 2\n")
    assert question["content"].endswith(QUESTION)
    chunks = await stream(person, **asked(file_ids=[file_id], mode="passages"))
    assert [s["page_from"] for s in chunks[0]["choices"][0]["delta"]["sources"]][:1] == [2]
    assert not [c for c in chunks[1:] if "sources" in str(c)]


async def test_without_these_fields_nothing_is_searched(person: Person, file_id: str, model: Upstream) -> None:
    for more in ({}, {"use_rag": False}, {"use_rag": False, "file_ids": [file_id]}):
        answer = await ask(person, **asked(**more))
        assert "sources" not in answer["choices"][0]["message"]
        assert model.stats.bodies[-1]["messages"] == asked()["messages"]


async def test_the_client_s_own_messages_stay(person: Person, file_id: str, model: Upstream) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,x"}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Speak like a captain."},
        {"role": "user", "content": "hi", "x": 1},
        {"role": "assistant", "content": "Ahoy."},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}, image]},
    ]
    await ask(person, messages=messages, file_ids=[file_id])
    system, *between, last = model.stats.bodies[-1]["messages"]  # type: ignore[misc]
    assert system["content"].startswith("Speak like a captain. Numbered passages")
    assert between == messages[1:3]
    assert last["content"][1:] == messages[3]["content"]
    assert "4711" in last["content"][0]["text"]


async def test_nothing_that_matches_is_said(person: Person, file_id: str, model: Upstream) -> None:
    messages = [{"role": "user", "content": "Which enzyme unwinds the double helix?"}]
    found = await ask(person, messages=messages, use_rag=True)
    assert found["choices"][0]["message"]["sources"] == []
    assert "no passage matches" in str(model.stats.bodies[-1]["messages"])


async def test_strict_asks_no_model_about_what_is_not_there(person: Person, file_id: str, model: Upstream) -> None:
    messages = [{"role": "user", "content": "Which enzyme unwinds the double helix?"}]
    asked_before = model.stats.requests
    for more in ({"use_rag": True}, {"file_ids": [file_id]}):
        found = await ask(person, messages=messages, strict=True, **more)
        assert "not in your documents" in found["choices"][0]["message"]["content"]
        assert (found["choices"][0]["message"]["sources"], found["usage"]["total_tokens"]) == ([], 0)
        assert "not in your documents" in text(await stream(person, messages=messages, strict=True, **more))
    assert model.stats.requests == asked_before
    found = await ask(person, **asked(file_ids=[file_id], strict=True))
    assert [s["page_from"] for s in found["choices"][0]["message"]["sources"]] == [1, 2]
    assert ledger.STRICT.strip() in str(model.stats.bodies[-1]["messages"])


async def test_a_follow_up_of_the_client_s_messages(person: Person, file_id: str, model: Upstream) -> None:
    """The fake model's words are no question, so the one before is added."""
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "4711."}]
    asked_before = model.stats.requests
    found = await ask(person, messages=[*messages, {"role": "user", "content": "why?"}], use_rag=True)
    assert found["choices"][0]["message"]["sources"][0]["page_from"] == 2
    assert model.stats.requests == asked_before + 2


@pytest.mark.parametrize("more", [{"mode": "whole"}, {"strict": "yes"}])
async def test_what_cannot_be_asked(person: Person, more: dict[str, object]) -> None:
    answer = await person.http.post(CHAT, json=body(**asked(use_rag=True, **more)))
    assert refused(answer, 400, None)["param"] in more


async def test_passages_alone_may_answer(person: Person, file_id: str) -> None:
    found = await ask(person, "passages", **asked(file_ids=[file_id]))
    assert "4711" in found["choices"][0]["message"]["content"]


async def test_passages_take_only_what_the_messages_leave(person: Person, model: Upstream) -> None:
    file_id = await person.ready(b"The Morning Star has a registration number. " * 400, name="long.txt")
    messages = [{"role": "user", "content": "word " * 3000}, {"role": "user", "content": QUESTION}]
    found = await ask(person, messages=messages, file_ids=[file_id])
    assert len(found["choices"][0]["message"]["sources"]) < 8
    assert sum(len(str(m)) for m in model.stats.bodies[-1]["messages"]) < 4 * 4096  # type: ignore[attr-defined]


async def test_files_that_are_anothers_or_not_ready(person: Person, file_id: str, stranger: Any) -> None:
    answer = await stranger.http.post(CHAT, json=body(**asked(file_ids=[file_id])))
    assert refused(answer, 404, "not_found")["param"] == "file_ids"
    failed = (await person.upload(b"%PDF-1.4 broken", name="broken.pdf")).json()["id"]
    await person.until_final(failed)
    answer = await person.http.post(CHAT, json=body(**asked(file_ids=[failed])))
    assert refused(answer, 409, "conflict")["param"] == "file_ids"


async def test_a_conversation_without_a_question(person: Person, file_id: str) -> None:
    messages = [{"role": "system", "content": "hi"}]
    answer = await person.http.post(CHAT, json=body(messages=messages, use_rag=True))
    assert refused(answer, 400, None)["param"] == "messages"
