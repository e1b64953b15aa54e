"""Conversations as files: the active branch as Markdown, every branch as JSON."""

from typing import Any

from tests.api.people import Person
from tests.chats import Chat

PATH = "/api/v1/conversations"


async def asked(chat: Chat, message: str, **body: object) -> dict[str, Any]:
    found: dict[str, Any] = (await chat.ask(message, model="fake-n3", **body)).json()
    return found


async def test_export_of_the_active_branch_as_markdown(chat: Chat) -> None:
    first = await asked(chat, "one")
    conversation_id = first["conversation_id"]
    await asked(chat, "left out", conversation_id=conversation_id)
    last = await asked(chat, "*two*", conversation_id=conversation_id, parent_id=first["message"]["id"])
    answer = await chat.http.get(f"{PATH}/{conversation_id}/export")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{conversation_id}.md"'
    assert answer.text == (
        f"# one\n\n## You\n\none\n\n## Assistant (fake-n3)\n\n{first['message']['content']}\n\n"
        f"## You\n\n*two*\n\n## Assistant (fake-n3)\n\n{last['message']['content']}\n"
    )


async def test_export_of_every_branch_as_json(chat: Chat) -> None:
    first = await asked(chat, "one")
    conversation_id = first["conversation_id"]
    await asked(chat, "two", conversation_id=conversation_id)
    await asked(chat, "two, edited", conversation_id=conversation_id, parent_id=first["message"]["id"])
    answer = await chat.http.get(f"{PATH}/{conversation_id}/export", params={"format": "json"})
    assert answer.headers["content-disposition"] == f'attachment; filename="{conversation_id}.json"'
    exported = answer.json()
    assert exported["conversation"] == (await chat.http.get(f"{PATH}/{conversation_id}")).json()
    assert exported["messages"] == await chat.messages(conversation_id)
    assert len(exported["messages"]) == 6
    assert (await chat.http.get(f"{PATH}/{conversation_id}/export?format=pdf")).status_code == 422


async def test_export_names_the_pages_of_each_answer(person: Person) -> None:
    await person.ready(b"The harbour crane was painted green in spring.", name="notes.txt")
    answer = await person.http.post("/api/v1/chat", json={"message": "harbour crane", "model_source": "passages"})
    conversation_id = answer.json()["conversation_id"]
    exported = await person.http.get(f"{PATH}/{conversation_id}/export")
    assert "\n- [1] notes.txt, page 1" in exported.text
    assert "## Assistant (passages)" in exported.text


async def test_export_of_an_empty_conversation(chat: Chat) -> None:
    made = (await chat.http.post(PATH, json={"title": "nothing yet"})).json()
    assert (await chat.http.get(f"{PATH}/{made['id']}/export")).text == "# nothing yet\n"
