"""Rules of the house that the import contracts cannot say. A new exception to one is a line here, with its reason."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import app
from app.core.registry import Registry

ROOT = Path(__file__).parents[1]
TOP = {
    *("app", "alembic", "frontend", "scripts", "config", "tests", "docs", ".ci"),
    *("docker-compose.db.yml", "alembic.ini", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE"),
    *("requirements.lock", "requirements-dev.lock", ".gitignore", ".pre-commit-config.yaml"),
}
FOLDERS = {"cli", "api", "core", "schemas", "db", "crud", "rag", "services", "observability"}
BUILT = {"static", "__pycache__"}
PLUGINS = ("app/rag/loaders/", "app/services/llm/providers/")
VAGUE = {"utils", "util", "helpers", "helper", "manager", "handler", "handlers", "common", "misc", "base_utils"}
MAY_COMMIT = {"app/db/session.py", "app/services/streams/journal.py"}
MANY_PARAMETERS = ("app/api/", "app/cli/")  # there they are injected dependencies, or a command's options

# Where everything is caught: the root of a task, a thread or a process, which must record whatever happened and end.
ROOTS = {
    "app/db/session.py": "the root of a writer's batch: each unit of work gets its own error",
    "app/observability/middleware.py": "the root of a request: logs it and answers 500",
    "app/observability/readiness.py": "a probe of a port: whatever it raises means that the port is down",
    "app/rag/chroma.py": "the root of one request to the vectors' process: it fails, the process goes on",
    "app/rag/embedders/worker.py": "the root of one batch in the embedding thread: it fails, the thread goes on",
    "app/rag/parse_child.py": "the root of the parsing process: it says why and ends",
    "app/services/answering.py": "the root of an answer's task: its reader learns of the end",
    "app/services/documents.py": "the root of a removal beside the request: reconciliation does it again",
    "app/services/generation.py": "the root of a run's task: records the failure and ends the run",
    "app/services/ingestion.py": "the root of a job: the file's row says why it failed",
    "app/services/jobs/runtime.py": "the root of the sweep: the next one does it again",
    "app/services/keys.py": "the root of the note of when keys were used: the next minute's use notes it again",
    "app/services/pulls.py": "the root of a pull: it fails and says so, the others go on",
    "app/services/rebuilding.py": "the root of a rebuild: the index's row says why it failed, the old one is searched",
    "app/services/reconciliation.py": "the root of the reconciliation: the next one does it again",
}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py") if "static" not in path.parts)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


APP = {name(path): path.read_text() for path in sources("app")}
OURS = {name(path): path.read_text() for path in [*sources("app", "tests", "scripts"), ROOT / "hatch_build.py"]}


def functions(text: str) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Every function of a file, and whether it stands inside another one."""
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(text), False)]
    while waiting:
        node, inside = waiting.pop()
        for child in ast.iter_child_nodes(node):
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield child, inside
            waiting.append((child, is_function or (inside and not isinstance(child, ast.ClassDef))))


def imports(text: str) -> set[str]:
    """The packages that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_top_of_the_repository_has_only_what_belongs_there() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert {line.partition("/")[0] for line in listed.stdout.splitlines()} <= TOP


def test_no_other_folder_stands_directly_under_app() -> None:
    there = {path.name for path in (ROOT / "app").iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert there - BUILT == FOLDERS


def test_folder_of_revisions_does_not_shadow_alembic() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_every_revision_stands_in_a_file_named_after_it() -> None:
    for revision in ScriptDirectory.from_config(Config(ROOT / "alembic.ini")).walk_revisions():
        path = Path(revision.path)
        assert re.fullmatch(rf"{revision.revision}_[a-z0-9_]+\.py", path.name)
        assert "app" not in imports(path.read_text()), f"{path.name}: models change, history does not"


def test_files_are_short() -> None:
    lines = {file: len(text.splitlines()) for file, text in OURS.items()}
    assert not {file: n for file, n in lines.items() if n > (120 if file.startswith(PLUGINS) else 300)}


def test_functions_are_short() -> None:
    long = [
        f"{file}: {function.name}"
        for file, text in OURS.items()
        for function, inside in functions(text)
        if (function.end_lineno or 0) - function.lineno >= (5 if inside and file.startswith("app/") else 50)
    ]
    assert not long


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = function.args
    return [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs) if a.arg not in {"self", "cls"}]


def test_functions_take_few_parameters() -> None:
    greedy = [
        f"{file}: {function.name}({', '.join(parameters(function))})"
        for file, text in APP.items()
        if not file.startswith(MANY_PARAMETERS)
        for function, _ in functions(text)
        if function.name != "__init__" and len(parameters(function)) > 6
    ]
    assert not greedy


def test_file_names_say_something() -> None:
    assert not [file for file in OURS if Path(file).stem in VAGUE]


def test_only_two_files_commit() -> None:
    assert {file for file, text in APP.items() if re.search(r"\.commit\(|[\"']COMMIT\b", text)} <= MAY_COMMIT


def test_environment_is_read_in_one_file() -> None:
    reading = {file for file, text in APP.items() if re.search(r"\bos\.(environ|getenv|putenv)", text)}
    assert reading == {"app/core/settings.py"}


def test_chroma_is_imported_in_one_file_and_dbos_in_one_package() -> None:
    assert {file for file, text in APP.items() if "chromadb" in imports(text)} == {"app/rag/chroma.py"}
    assert {str(Path(file).parent) for file, text in APP.items() if "dbos" in imports(text)} == {"app/services/jobs"}


def test_http_exceptions_stay_in_the_api() -> None:
    assert not [file for file, text in APP.items() if "HTTPException" in text and not file.startswith("app/api/")]


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether it catches everything and does not raise it again."""
    caught = handler.type
    broad = caught is None or (isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"})
    return broad and not any(isinstance(node, ast.Raise) for node in handler.body)


def test_only_roots_catch_everything() -> None:
    catching = {
        file
        for file, text in APP.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ExceptHandler) and swallows(node)
    }
    assert catching == set(ROOTS)


def test_locks_name_no_hosts() -> None:
    for lock in (*ROOT.glob("*.lock"), *(ROOT / "scripts").glob("*.lock")):
        assert "://" not in lock.read_text(), lock.name
    assert '"resolved"' not in (ROOT / "frontend" / "package-lock.json").read_text()


def registries() -> dict[str, tuple[Registry[Any], Any]]:
    """Every table of plug-ins, with the type that its annotation gives the entries."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    return {
        f"{name}:{variable}": (vars(module)[variable], get_args(annotation)[0])
        for name, module in list(sys.modules.items())
        if name.startswith("app.")
        for variable, annotation in getattr(module, "__annotations__", {}).items()
        if isinstance(vars(module).get(variable), Registry)
    }


def methods(protocol: type) -> list[str]:
    return [member for member in vars(protocol) if not member.startswith("_") and callable(vars(protocol)[member])]


def test_registry_entries_resolve_and_are_what_their_table_says() -> None:
    tables = registries()
    assert {"app.cli:COMMANDS", "app.rag.loaders:LOADERS", "app.services.jobs.base:JOBS"} <= set(tables)
    for where, (table, kind) in tables.items():
        made = get_args(kind)[-1] if get_args(kind) else kind
        for entry in table.names():
            target = table.get(entry)
            if getattr(made, "_is_protocol", False):
                missing = [member for member in methods(made) if not callable(getattr(target, member, None))]
                assert not missing, f"{where}: {entry!r} lacks {missing}"
            else:
                assert callable(target), f"{where}: {entry!r}"
