"""The long-lived objects that requests are answered with."""

from typing import TypedDict

from app.core.settings import Settings
from app.db.session import Database
from app.observability.readiness import Readiness
from app.rag.retriever import Retriever
from app.services.accounts import Accounts
from app.services.chat import ChatService
from app.services.completions import Completions
from app.services.conversations import Conversations
from app.services.doctoring import Doctor
from app.services.documents import Documents
from app.services.embeddings import TextEmbeddings
from app.services.fetching import Fetcher
from app.services.golden import Golden
from app.services.keys import Keys
from app.services.llm.store.offer import Offers
from app.services.models import Models
from app.services.pulls import Pulls
from app.services.rebuilding import Rebuilding
from app.services.stored_completions import StoredCompletions
from app.services.streams.events import UserEvents
from app.services.usage import UsageFigures


class State(TypedDict):
    """What routes reach as `request.state`."""

    settings: Settings
    db: Database
    accounts: Accounts
    keys: Keys
    usage: UsageFigures
    conversations: Conversations
    chat: ChatService
    completions: Completions
    stored_completions: StoredCompletions
    embeddings: TextEmbeddings
    documents: Documents
    fetcher: Fetcher
    golden: Golden
    retriever: Retriever
    pulls: Pulls
    offers: Offers
    models: Models
    rebuilding: Rebuilding
    doctor: Doctor
    events: UserEvents
    readiness: Readiness
