"""Search over conversations: the same answers on both databases."""

import random
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text, update

from app.crud import conversations, message_search
from app.crud.message_search import MAX_CHARS, searchable
from app.db.models import Conversation, User
from app.db.session import Database
from tests.crud.rows import make_conversation, make_user, say

FTS_COUNT = "SELECT count(*) FROM messages_fts WHERE messages_fts MATCH :word"
SAID = {
    "english": "The quarterly Report is at https://reports.example.com/q3.html, see foo_bar and node.js 3.14",
    "german": "Die Übergrößenträger wurden gestern geliefert",
    "chinese": "東京大学は一八七七年に設立された。",
    "korean": "안녕하세요 세계",
    "hindi": "हिन्दी भाषा में लिखा गया",
    "thai": "สวัสดีชาวโลก",
    "russian": "Съешь ещё этих мягких булок",
    "quotes": 'She said "don\'t panic" and left',
    "emoji": "party 🎉 time",
}


async def find(db: Database, owner: UUID, query: str) -> set[str]:
    rows = await db.query(partial(conversations.page, user_id=owner, query=query, after=None, limit=100))
    return {row.title for row in rows}


async def library(db: Database) -> UUID:
    """A user with one conversation for each text."""
    owner = await make_user(db)
    for title, said in SAID.items():
        await make_conversation(db, owner, title, said)
    return owner


FOUND = {
    **dict.fromkeys(("report", "REPORT quarterly", "quart", "quarterly rep", "reports.example.com", "q3"), "english"),
    **dict.fromkeys(("https://reports.example.com/q3.html", "example", "foo_bar", "bar", "3.14", "14"), "english"),
    "node.js": "english",
    **dict.fromkeys(("übergrößenträger", "ÜBERGRÖSSENTRÄGER", "ubergross"), "german"),
    **dict.fromkeys(("東京", "大学", "東京大学は", "京"), "chinese"),
    **dict.fromkeys(("안녕", "세계"), "korean"),
    **dict.fromkeys(("हिन्दी", "हिन्"), "hindi"),
    "ชาวโลก": "thai",
    **dict.fromkeys(("ЕЩЁ", "еще"), "russian"),
    **dict.fromkeys(("don't", '"don\'t panic"'), "quotes"),
    "🎉 party": "emoji",
}
NOT_FOUND = ("quarterly geliefert", "quart report", "eport", "大東")
ODD = (
    *('"', '""', "'", "''", "*", "**", "(", ")", "()", "AND", "OR", "NOT", "NEAR(a b)", "a AND", "NOT report", "^a"),
    *(
        "-a",
        "words:report",
        "{words}: x",
        "a:*",
        "a & b",
        "a | b",
        "!a",
        "a <-> b",
        "<->",
        ":*",
        "\\",
        "%",
        "_",
        "a\\'b",
    ),
    *(
        "/",
        ";",
        "--",
        "🎉",
        "\u200b",
        "\ufeff",
        "\U000104b0",
        "\u0301",
        "a" * 500,
        "a " * 250,
        '"' * 500,
        "' OR 1=1 --",
        *"0123456789abcdef§",
    ),
)


async def test_words_are_found(db: Database) -> None:
    ann = await library(db)
    assert {query: await find(db, ann, query) for query in FOUND} == {query: {title} for query, title in FOUND.items()}


async def test_each_word_must_be_in_one_message_and_only_the_last_is_a_prefix(db: Database) -> None:
    ann = await library(db)
    assert {query: await find(db, ann, query) for query in NOT_FOUND} == {query: set() for query in NOT_FOUND}


async def test_no_query_is_an_error_or_finds_everything(db: Database) -> None:
    ann = await library(db)
    assert [query for query in ODD if len(await find(db, ann, query)) == len(SAID)] == []


async def test_operators_are_words(db: Database) -> None:
    ann = await make_user(db)
    await make_conversation(db, ann, "both", "search AND rescue")
    await make_conversation(db, ann, "one", "search party")
    assert await find(db, ann, "search AND rescue") == {"both"}
    assert await find(db, ann, "search NOT party") == set()


async def test_titles_are_found_by_any_part(db: Database) -> None:
    ann = await make_user(db)
    title = "Übersicht 2026: 100% or 50_50"
    await make_conversation(db, ann, title)
    await make_conversation(db, ann, "100 or 50x50, something else")
    for query in ("Übersicht", "übersicht", "ÜBER", "ubersicht 2026", "sicht", "100%", "50_50", title):
        assert await find(db, ann, query) == {title}, query


async def test_new_title_is_found_and_the_old_one_is_not(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann, "Before")
    await db.write(lambda s: conversations.rename(conversations.get(s, conversation_id, ann), "Später"))
    assert await find(db, ann, "before") == set()
    assert await find(db, ann, "SPÄT") == {"Später"}


async def test_another_users_words_and_titles_are_never_found(db: Database) -> None:
    ann, bob = await library(db), await make_user(db)
    await make_conversation(db, bob, "private", "quarterly secrets")
    assert await find(db, ann, "secrets") == set()
    assert await find(db, ann, "private") == set()
    assert await find(db, bob, "quarterly") == {"private"}


async def test_second_index_replaces_the_words(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann, "t")
    message_id = await say(db, ann, conversation_id, "draft")
    await db.write(
        partial(
            message_search.index, message_id=message_id, conversation_id=conversation_id, user_id=ann, content="final"
        )
    )
    assert await find(db, ann, "draft") == set()
    assert await find(db, ann, "final") == {"t"}


async def test_deleted_conversation_leaves_no_words(sqlite_db: Database) -> None:
    ann = await make_user(sqlite_db)
    conversation_id = await make_conversation(sqlite_db, ann, "t", "unforgettable")
    count = text(FTS_COUNT).bindparams(word="unforgettable")
    assert await sqlite_db.query(lambda s: s.scalar(count)) == 1
    await sqlite_db.write(partial(conversations.remove, conversation_id=conversation_id, user_id=ann))
    assert await sqlite_db.query(lambda s: s.scalar(count)) == 0
    assert await find(sqlite_db, ann, "unforgettable") == set()


async def test_deleted_user_leaves_no_words(sqlite_db: Database) -> None:
    ann = await make_user(sqlite_db)
    await make_conversation(sqlite_db, ann, "t", "unforgettable")
    await sqlite_db.write(lambda s: s.delete(s.get_one(User, ann)))
    assert await sqlite_db.query(lambda s: s.scalar(text(FTS_COUNT).bindparams(word="unforgettable"))) == 0


async def test_index_is_sound_after_everything(sqlite_db: Database) -> None:
    """FTS5's own check: the index says what `message_texts` says."""
    ann = await make_user(sqlite_db)
    kept = await make_conversation(sqlite_db, ann, "t", "one two", "three")
    gone = await make_conversation(sqlite_db, ann, "t", "four")
    await say(sqlite_db, ann, kept, "five")
    await sqlite_db.write(partial(conversations.remove, conversation_id=gone, user_id=ann))
    check = text("INSERT INTO messages_fts(messages_fts, rank) VALUES ('integrity-check', 1)")
    await sqlite_db.write(lambda s: s.execute(check))


async def test_message_of_many_different_words_is_stored(db: Database) -> None:
    """PostgreSQL refuses an index entry over 1 MB."""
    ann = await make_user(db)
    han = "".join(map(chr, random.Random(1).choices(range(0x4E00, 0x9FA0), k=250_000)))
    await make_conversation(db, ann, "han", "start " + han)
    await make_conversation(db, ann, "long", "start " + "x" * 1_000_000)
    await make_conversation(db, ann, "words", "start " + " ".join(f"w{i}" for i in range(100_000)))
    assert await find(db, ann, "start") == {"han", "long", "words"}
    assert await find(db, ann, "x" * 400) == {"long"}


async def test_search_pages_like_the_list(db: Database) -> None:
    ann = await make_user(db)
    for number in range(5):
        await make_conversation(db, ann, f"t{number}", "needle")
    await db.write(lambda s: s.execute(update(Conversation).values(updated_at=Conversation.created_at)))
    found = partial(conversations.page, user_id=ann, query="needle", limit=2)
    first = await db.query(partial(found, after=None))
    second = await db.query(partial(found, after=(first[-1].updated_at, first[-1].id)))
    assert [row.title for row in [*first, *second]] == ["t4", "t3", "t2", "t1"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ""),
        ("...", ""),
        ("The cat, the CAT", "the cat"),
        ("東京都", "東京 京都"),
        ("é", "e"),
        ("x" * 100, "x" * 64),
        ("a\x00b", "a b"),
    ],
)
def test_searchable_words(content: str, words: str) -> None:
    assert searchable(content) == words


def test_searchable_is_bounded() -> None:
    assert len(searchable("".join(chr(0x4E00 + i % 20_000) for i in range(1_000_000)))) <= MAX_CHARS
