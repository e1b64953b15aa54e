"""The tree of errors: each with a status, a code and one JSON shape, as its module's docstring draws it."""

import json
import re

import pytest

from app.core import errors
from app.core.errors import AppError, CannotStart, NotFound, RateLimited, UnknownName, by_code

DRAWN = {
    name: (int(status), code) for name, status, code in re.findall(r"[├└]── (\w+) +(\d{3}) (\w+)", errors.__doc__ or "")
}
CODES = {
    *("validation_error", "not_authenticated", "forbidden", "not_found", "conflict", "too_large", "unsupported_type"),
    *("rate_limited", "quota_exceeded", "upstream_refused", "upstream_unavailable", "upstream_timeout"),
    *("context_overflow", "model_unavailable", "storage_full", "internal"),
}


def below(kind: type[Exception]) -> list[type[Exception]]:
    return [k for child in kind.__subclasses__() for k in (child, *below(child))]


def test_docstring_draws_every_error_with_its_status_and_code() -> None:
    real = {
        kind.__name__: (kind.status, kind.code)
        for kind in below(AppError)
        if issubclass(kind, AppError) and kind.__name__ != "UpstreamError"
    }
    assert real == DRAWN
    assert {code for _, code in DRAWN.values()} == CODES


def test_every_reason_not_to_start_is_drawn() -> None:
    for kind in below(CannotStart):
        assert f"── {kind.__name__}\n" in (errors.__doc__ or "") + "\n"


def test_body_is_the_one_shape() -> None:
    error = NotFound("there is no file 'x'", details={"id": "x"})
    assert json.loads(error.body("r1")) == {
        "error": {"code": "not_found", "message": "there is no file 'x'", "details": {"id": "x"}, "request_id": "r1"}
    }
    assert str(error) == "there is no file 'x'"


def test_details_are_never_missing() -> None:
    assert json.loads(NotFound("x").body(""))["error"]["details"] == {}


@pytest.mark.parametrize("code", sorted(CODES))
def test_stored_code_gives_its_class_back(code: str) -> None:
    kind = by_code(code)
    assert kind.code == code
    assert kind is getattr(errors, kind.__name__)
    assert "code" in vars(kind), "not a class that only inherits it"


def test_unknown_stored_code_is_internal() -> None:
    assert by_code("written_by_a_newer_version") is errors.Internal


def test_only_what_may_pass_is_retryable() -> None:
    retryable = {kind.code for kind in map(by_code, CODES) if kind("x").retryable}
    assert retryable == {
        *("rate_limited", "quota_exceeded", "upstream_refused", "upstream_unavailable", "upstream_timeout"),
        "model_unavailable",
    }


def test_error_keeps_when_to_come_back() -> None:
    assert RateLimited("x", retry_after_s=5).retry_after_s == 5


def test_unknown_name_is_a_not_found_that_lists() -> None:
    error = UnknownName.of("model source", "gpt", ["ollama", "openai"])
    assert isinstance(error, NotFound)
    assert error.message == "unknown model source 'gpt'; known: ollama, openai"
