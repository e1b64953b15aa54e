"""The settings of the models' sources."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from app.core.setting_types import BaseUrl, BaseUrls, CommaList, Group, HeaderWord, Seconds

Tokens = Annotated[int, Field(ge=256, le=100_000_000)]


class LLMSettings(Group):
    default_model_source: str | None = Field(
        None,
        description="openai, local, ollama, aihub, passages or the name of a row in config/models.yaml, or nothing for "
        "the first configured",
    )
    fallback_model_sources: CommaList = Field(
        default_factory=list, description="sources, or source/model, separated by commas, the first tried first"
    )
    models_config: Path = Field(Path("config/models.yaml"), description="the path of a YAML file")
    max_concurrent_answers: int = Field(2048, ge=1, le=100_000, description="a whole number from 1 to 100000")
    max_waiting_answers: int = Field(1000, ge=0, le=100_000, description="a whole number from 0 to 100000")
    first_token_timeout_s: Seconds = Field(60, description="seconds, more than 0")
    idle_timeout_s: Seconds = Field(30, description="seconds, more than 0")
    total_timeout_s: Seconds = Field(600, description="seconds, more than 0")
    openai_api_key: SecretStr | None = Field(None, description="the endpoint's key, or nothing when it needs none")
    openai_model: str | None = Field(None, description="a model's name at the endpoint")
    openai_embed_model: str | None = Field(None, description="an embedding model's name at the endpoint")
    openai_base_url: BaseUrls = Field(
        default_factory=list,
        description="an http:// or https:// URL such as http://localhost:8080/v1, or several separated by commas",
    )
    openai_context_tokens: Tokens = Field(32768, description="a whole number of tokens, at least 256")
    embedding_source: str | None = Field(
        None, description="local, ollama, openai, aihub or the name of a row, or nothing for the built-in MiniLM"
    )
    embedding_model: str | None = Field(None, description="an embedding model's name at EMBEDDING_SOURCE")
    embedding_max_tokens: int = Field(512, ge=64, le=32768, description="a whole number of tokens from 64 to 32768")
    reranker_source: str | None = Field(
        None, description="local, openai, aihub or the name of a row, or nothing for no reranker"
    )
    reranker_model: str | None = Field(None, description="a reranking model's name at RERANKER_SOURCE")
    reranker_timeout_s: Seconds = Field(5, description="seconds, more than 0")


class OllamaSettings(Group):
    embeddings_baseurl: BaseUrls = Field(
        default_factory=lambda: ["http://localhost:11434"],
        description="an http:// or https:// URL such as http://localhost:11434, or several separated by commas",
    )
    ollama_chat_model: str = Field("llama3.2:latest", min_length=1, description="a model's name at Ollama")
    ollama_embed_model: str = Field("nomic-embed-text:latest", min_length=1, description="a model's name at Ollama")
    ollama_context_tokens: Tokens = Field(32768, description="a whole number of tokens, at least 256")

    @property
    def is_configured(self) -> bool:
        """Whether somebody said that there is an Ollama."""
        return bool(self.model_fields_set)


class AIHubSettings(Group):
    aihub_url: BaseUrl | None = Field(None, description="an http:// or https:// URL such as https://hub.example.org/v1")
    aihub_keycloak_host: BaseUrl | None = Field(
        None,
        description="an http:// or https:// URL: of the token endpoint, of the realm, or of Keycloak itself",
    )
    aihub_realm: str = Field("master", min_length=1, description="a realm's name")
    aihub_username: str | None = Field(None, description="a user's name, or nothing to sign in as the client itself")
    aihub_password: SecretStr | None = Field(None, description="the user's password")
    aihub_client_id: str = Field("llama-service", min_length=1, description="a client's id")
    aihub_client_secret: SecretStr | None = Field(None, description="the client's secret, or nothing if it has none")
    aihub_verify_ssl: bool = Field(True, description="true or false")
    aihub_model: str | None = Field(None, description="a model's name at the hub")
    aihub_embed_model: str | None = Field(None, description="an embedding model's name at the hub")
    aihub_context_tokens: Tokens = Field(32768, description="a whole number of tokens, at least 256")


class ModelFileSettings(Group):
    local_model_path: Path | None = Field(
        None, description="a GGUF file, or a folder of them, or nothing for DATA_DIR/models"
    )
    hf_endpoint: BaseUrl = Field(
        "https://huggingface.co", description="an http:// or https:// URL such as https://huggingface.co"
    )
    hf_token: HeaderWord | None = Field(None, description="an access token of the hub, without spaces, or nothing")
    hf_hub_offline: bool = Field(False, description="true or false")
    model_cache_mb: int = Field(0, ge=0, le=100_000_000, description="a whole number of megabytes, or 0 for no limit")
    pull_stall_timeout_s: Seconds = Field(60, description="seconds, more than 0")


class LocalSettings(Group):
    local_model: str | None = Field(None, description="the name of a chat model's file without .gguf")
    local_context_tokens: Tokens = Field(8192, description="a whole number of tokens, at least 256")
    local_parallel: int = Field(4, ge=1, le=64, description="a whole number from 1 to 64")
    local_threads: int | None = Field(
        None, ge=1, le=1024, description="a whole number from 1 to 1024, or nothing for all cores but one"
    )
    local_gpu_layers: int = Field(-1, ge=-1, le=10_000, description="a whole number, or -1 for all that fit")
    local_memory_mb: int | None = Field(
        None, ge=64, description="megabytes that all loaded models may take, at least 64, or nothing for what is free"
    )
    local_idle_unload_s: float = Field(900, ge=0, le=86400 * 30, description="seconds, or 0 for never")
    local_load_at_start: bool = Field(False, description="true or false")
