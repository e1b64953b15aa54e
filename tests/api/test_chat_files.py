"""Answers that are grounded in uploaded files: which are searched, what is sent to the model and what is listed."""

from uuid import UUID

from tests.api.people import Person
from tests.chats import Chat, Frame, text
from tests.documents import text_pdf

PAGES = [
    *(f"Chapter {n} is about the pruning of apple trees in winter." for n in range(1, 6)),
    "The registration number of the ferry Morning Star is 4711.",
    *(f"Chapter {n} is about the pruning of apple trees in winter." for n in range(7, 10)),
]
ELSEWHERE = "Which enzyme unwinds the double helix during replication?"


def sources(frames: list[Frame]) -> list[dict[str, object]]:
    (found,) = [f.data for f in frames if f.kind == "sources"]
    return list(found)


async def test_the_passages_that_are_sent_are_numbered_and_listed_with_their_pages(person: Person) -> None:
    chat = Chat(person.http)
    file_id = await person.ready(text_pdf(PAGES), name="ferries.pdf")
    frames = await chat.stream("What is the registration number of the Morning Star?", model="fake-n1")
    found = sources(frames)
    assert [s["n"] for s in found] == list(range(1, len(found) + 1))
    first = found[0]
    assert (first["file_id"], first["file_name"], first["page_from"], first["page_to"]) == (
        file_id,
        "ferries.pdf",
        6,
        6,
    )
    page = (await person.http.get(f"/api/v1/files/{file_id}/pages/6")).json()
    assert page["text"][first["char_from"] - page["char_from"] :].startswith(first["text"])
    message = await chat.message(frames)
    assert message["sources"] == found
    entry = (await chat.ledger(message["id"]))[-1]
    prompt = "".join(m["content"] for m in entry["messages"])
    assert all(f"[{s['n']}] {s['file_name']}" in prompt and str(s["text"]) in prompt for s in found)


async def test_passages_word_for_word_are_supported_and_quoted_with_their_place(person: Person) -> None:
    chat = Chat(person.http)
    file_id = await person.ready(text_pdf(PAGES), name="ferries.pdf")
    frames = await chat.stream("What is the registration number of the Morning Star?", model_source="passages")
    found = [f.data for f in frames if f.kind == "citation"]
    message = await chat.message(frames)
    assert message["citations"] == found
    assert found
    assert all(one["supported"] for one in found)
    first = found[0]
    assert (first["n"], first["match"]) == (1, "exact")
    page = (await person.http.get(f"/api/v1/files/{file_id}/pages/6", params=first["quote"])).json()
    assert [page["text"][h["from"] : h["to"]] for h in page["highlights"]] == [PAGES[5].rstrip(".")]
    body = (await chat.ask("What is the registration number of the Morning Star?", model_source="passages")).json()
    assert [c["supported"] for c in body["message"]["citations"]] == [True] * len(found)
    url = f"/api/v1/conversations/{message['conversation_id']}/export"
    exported = (await person.http.get(url, params={"format": "json"})).json()
    assert exported["messages"][-1]["citations"] == found


async def test_an_answer_says_that_nothing_in_the_library_matches(person: Person) -> None:
    chat = Chat(person.http)
    await person.ready(text_pdf(PAGES))
    for source in ("openai", "passages"):
        frames = await chat.stream(ELSEWHERE, model_source=source)
        assert sources(frames) == []
        assert "matches" in text(frames)


async def test_files_that_were_chosen_are_asked_about_in_any_words(person: Person) -> None:
    chat = Chat(person.http)
    file_id = await person.ready(text_pdf(PAGES))
    for question in (ELSEWHERE, "Please summarise everything in there."):
        frames = await chat.stream(question, file_ids=[file_id], model="fake-n1")
        assert {s["file_id"] for s in sources(frames)} == {file_id}
    conversation = (await person.http.post("/api/v1/conversations", json={})).json()["id"]
    inside = await person.ready(text_pdf(PAGES), conversation_id=conversation)
    frames = await chat.stream("Please summarise everything in there.", conversation_id=conversation, model="fake-n1")
    assert {s["file_id"] for s in sources(frames)} == {inside}


async def test_no_file_is_searched_when_that_is_asked_or_there_is_none(person: Person) -> None:
    chat = Chat(person.http)
    frames = await chat.stream("hello", model="fake-n1")
    assert "sources" not in {f.kind for f in frames}
    await person.ready(text_pdf(PAGES))
    frames = await chat.stream("What is the registration number?", use_rag=False, model="fake-n1")
    assert "sources" not in {f.kind for f in frames}


async def test_a_file_that_is_not_ready_or_not_ones_own_is_refused(person: Person, stranger: Chat) -> None:
    chat = Chat(person.http)
    failed = (await person.upload(b"%PDF-1.4 broken", name="broken.pdf")).json()["id"]
    assert (await person.until_final(failed))["status"] == "failed"
    answer = await chat.ask("hello", file_ids=[failed])
    assert (answer.status_code, answer.json()["error"]["details"]) == (409, {"files": {failed: "failed"}})
    own = await person.ready(text_pdf(PAGES))
    for missing in (own, str(UUID(int=7))):
        assert (await stranger.ask("hello", file_ids=[missing])).status_code == 404
