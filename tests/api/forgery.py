"""Access tokens that nobody issued: each one must be refused, whatever it is made of."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

Claims = dict[str, Any]
HEADER = {"alg": "HS256", "typ": "JWT"}
OTHER_ID = "00000000-0000-4000-8000-000000000000"
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def encode(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(part: str) -> Claims:
    found: Claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def sign(header: object, claims: object, key: str, algorithm: str = "HS256") -> str:
    signed = f"{encode(header)}.{encode(claims)}"
    return f"{signed}.{encode(hmac.new(key.encode(), signed.encode(), HASHES[algorithm]).digest())}"


def tokens(issued: str, key: str) -> dict[str, str]:
    """Forged tokens by what is wrong with them, made of a token that was really issued and of the real key."""
    claims = decode(issued.split(".")[1])
    return {
        **_unsigned(claims),
        **_wrongly_signed(issued, claims, key),
        **_wrong_claims(claims, key),
        **_mangled(issued),
        **_nested(key),
    }


def _unsigned(claims: Claims) -> dict[str, str]:
    spellings = ("none", "None", "NONE", "nOnE", "")
    return {f"alg {name!r}": f"{encode({'alg': name})}.{encode(claims)}." for name in spellings}


def _wrongly_signed(issued: str, claims: Claims, key: str) -> dict[str, str]:
    head, body, signature = issued.split(".")
    return {
        "another key": sign(HEADER, claims, "x" * 64),
        "empty key": sign(HEADER, claims, ""),
        "another algorithm": sign({"alg": "HS512"}, claims, key, "HS512"),
        "algorithm of the header is not the signature's": sign(HEADER, claims, key, "HS384"),
        "changed claims": f"{head}.{encode({**claims, 'sub': OTHER_ID})}.{signature}",
        "no signature": f"{head}.{body}.",
        "short signature": issued[:-1],
        "signature of nothing": f"{head}.{body}.{encode(b'')}",
        "signature of zeros": f"{head}.{body}.{encode(bytes(32))}",
        "unknown critical header": sign({**HEADER, "crit": ["x"], "x": 1}, claims, key),
        "key from an address": sign({**HEADER, "jku": "http://127.0.0.1/keys"}, claims, key),
        "key in the header": sign({**HEADER, "jwk": {"kty": "oct", "k": encode(key.encode())}}, claims, key),
        "no algorithm": sign({"typ": "JWT"}, claims, key),
        "list of algorithms": sign({"alg": ["HS256"]}, claims, key),
    }


def _wrong_claims(claims: Claims, key: str) -> dict[str, str]:
    now = int(time.time())
    changes: list[tuple[str, object]] = [
        *(("typ", "refresh"), ("typ", None), ("aud", "another"), ("aud", None), ("iss", "another"), ("iss", 1)),
        *(("exp", "soon"), ("exp", None), ("exp", []), ("iat", "then")),
        *(("sub", 1), ("sub", ["a"]), ("sub", "ann"), ("sub", None), ("sub", OTHER_ID)),
        *(("sid", 1), ("sid", {}), ("sid", "x"), ("sid", None), ("sid", OTHER_ID), ("jti", 1)),
    ]
    changed = {f"{name} is {value!r}": sign(HEADER, {**claims, name: value}, key) for name, value in changes}
    without = {
        f"no {name}": sign(HEADER, {k: v for k, v in claims.items() if k != name}, key)
        for name in ("exp", "iat", "sub", "sid", "aud", "iss", "jti", "typ")
    }
    raw = json.dumps(claims).replace(f'"exp": {claims["exp"]}', '"exp": 1e999').encode()
    odd = {"exp is infinite": sign(HEADER, raw, key), "exp is NaN": sign(HEADER, raw.replace(b"1e999", b"NaN"), key)}
    kinds: dict[str, object] = {
        "a list": [],
        "a string": "x",
        "null": None,
        "a number": 1,
        "no JSON": b"{",
        "no text": b"\xff",
    }
    bodies = {f"claims are {name}": sign(HEADER, value, key) for name, value in kinds.items()}
    times = {
        "expired": sign(HEADER, {**claims, "exp": now - 99}, key),
        "not valid yet": sign(HEADER, {**claims, "nbf": now + 999}, key),
    }
    return {**changed, **without, **times, **odd, **bodies}


def _mangled(issued: str) -> dict[str, str]:
    head, body, signature = issued.split(".")
    return {
        "one dot": ".",
        "two dots": "..",
        "three letters": "a.b.c",
        "a part too many": issued + ".",
        "a part too few": f"{head}.{body}",
        "five parts": "a.b.c.d.e",
        "three kilobytes": issued + "A" * 3000,
        "sixty kilobytes": f"{head}.{body}.{'A' * 60_000}",
        "header is no base64": f"{'!' * 20}.{body}.{signature}",
        "header is no text": f"{encode(bytes([255, 254]))}.{body}.{signature}",
        "header is a list": f"{encode([])}.{body}.{signature}",
        "header is a number": f"{encode(1)}.{body}.{signature}",
        "letters of another script": f"{head}.{body}.ä{signature}",
        "padded": f"{head}==.{body}.{signature}",
        "spaces": f"{head} .{body}.{signature}",
    }


def _nested(key: str) -> dict[str, str]:
    """python-jose 3.5 decodes recursively: deep nesting raises RecursionError."""
    lists = {depth: b"[" * depth + b"]" * depth for depth in (50, 200, 400, 700, 1200, 20_000)}
    headers = {
        f"header nested {depth} deep": encode(b'{"alg":"HS256","x":' + nested + b"}") + ".e30.AA"
        for depth, nested in lists.items()
    }
    return {**headers, **{f"claims nested {d} deep": sign(HEADER, nested, key) for d, nested in lists.items()}}
