"""Builds the web page when the project is installed. The work is in scripts/frontend_build.py."""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Protocol, cast

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Frontend(Protocol):
    """What is used of scripts/frontend_build.py."""

    FrontendError: type[Exception]
    HELP: str
    NODE_WHEEL: str
    ERROR: Path

    def up_to_date(self) -> bool: ...
    def find_node(self) -> object | None: ...
    def build(self, *, log: object) -> str: ...


def _load() -> Frontend:
    """By path: a build front end does not put the project's folder on sys.path."""
    path = Path(__file__).resolve().parent / "scripts" / "frontend_build.py"
    spec = spec_from_file_location("frontend_build", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return cast(Frontend, module)


def _say(message: str) -> None:
    print(message, file=sys.stderr)


class FrontendHook(BuildHookInterface[BuilderConfig]):
    """`APP_FRONTEND`: auto (the default), skip, or require."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Asked before the build: Node from the PyPI wheel, only when it is needed."""
        frontend = _load()
        if self._mode() == "skip" or frontend.up_to_date() or frontend.find_node():
            return []
        return [frontend.NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """A wheel without its page must never be made; a checkout may still run its API."""
        del build_data
        if self.target_name != "wheel" or self._mode() == "skip":
            return
        frontend = _load()
        try:
            _say(f"frontend: {frontend.build(log=_say)}")
        except frontend.FrontendError as error:
            if version != "editable" or self._mode() == "require":
                raise SystemExit(f"\nfrontend: {error}\n{frontend.HELP}") from None
            frontend.ERROR.write_text(f"{error}\n{frontend.HELP}")
            self.app.display_warning(f"frontend: {error}\n{frontend.HELP}")

    def _mode(self) -> str:
        return os.environ.get("APP_FRONTEND", "auto")
