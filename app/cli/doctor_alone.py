"""What the doctor stands on when no service runs: the same objects without requests and jobs."""

from contextlib import AsyncExitStack
from pathlib import Path

from app.core import data_folder
from app.core.settings import Settings
from app.db.session import Database
from app.main import kept, start_index
from app.rag.parser import ChildParser
from app.rag.vectors import ChromaProcess
from app.services.blobs import Blobs
from app.services.doctoring import Doctor
from app.services.index_status import IndexStatus
from app.services.ingestion import Ingestion
from app.services.jobs import Jobs, jobs_url
from app.services.llm.configured import build_pool
from app.services.llm.embedders import Embedders
from app.services.llm.store.folder import ModelFolder
from app.services.mending import Stores
from app.services.progress import FileProgress
from app.services.rebuilding import Rebuilding
from app.services.streams.events import UserEvents


async def examiner(stack: AsyncExitStack, settings: Settings, folder: Path) -> Doctor:
    """For a data folder that this process owns."""
    db = kept(stack, Database(settings.storage.rows_url))
    pool = kept(stack, build_pool(settings, ModelFolder(settings.model_files, folder)))
    vectors = kept(stack, ChromaProcess(settings.storage.vectors_dir, prefix=settings.storage.collection_name))
    index = await start_index(settings, db, kept(stack, Embedders(settings.llm, pool)), vectors)
    blobs, events, rules = Blobs(folder / "files"), UserEvents(), settings.documents
    parser = ChildParser(cpu_s=rules.parse_cpu_s, memory_mb=rules.parse_memory_mb, wall_s=rules.parse_wall_s)
    ingestion = Ingestion(db=db, blobs=blobs, parser=parser, index=index, progress=FileProgress(events), settings=rules)
    jobs = Jobs(jobs_url(settings.storage), db=db, replica=data_folder.replica_name(folder), alone=db.is_sqlite)
    status = IndexStatus(db, index, events, rules)
    rebuilding = Rebuilding(db=db, index=index, stored=vectors, jobs=jobs, status=status)
    return Doctor.alone(Stores(db, blobs, vectors, index, rules), ingestion, rebuilding, alone=db.is_sqlite)
