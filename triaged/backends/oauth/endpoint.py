"""A form for a token endpoint in, its JSON answer out (RFC 6749); what every sign-in by OAuth 2.0 shares."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from triaged.backends.web import Answer, Web
from triaged.errors import LoginRefused, Permanent, Transient

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
ANSWERS = (200, 400, 401, 403)
"""Statuses whose body says in JSON what became of the request (RFC 6749 5.1, 5.2)."""
MAY_PASS = frozenset({"temporarily_unavailable", "server_error"})
"""`error` of a refusal that may pass (RFC 6749 4.1.2.1)."""
DEFAULT_LASTS_S = 600.0
"""Seconds a token lasts whose answer does not say it."""


def post_form(
    url: str, form: Mapping[str, str], *, where: str, ca_file: str | None, timeout_s: float
) -> dict[str, Any]:
    """The answer to a form, a refusal too. Raises: Transient, Permanent."""
    with closing(Web(where, ca_file=ca_file, timeout_s=timeout_s)) as web:
        return json_of(web.request("POST", url, data=urlencode(form).encode(), headers=FORM, accept=ANSWERS), where)


def json_of(answer: Answer, where: str) -> dict[str, Any]:
    """The object in an answer. Raises: Transient (it is none: a proxy or a page that says that it is out of order)."""
    try:
        values = json.loads(answer.body)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise Transient(f"{where}: the answer is no JSON ({answer.status})")
    return values


def lasts_s(answer: Mapping[str, Any]) -> float:
    """Seconds that the access token of an answer lasts."""
    try:
        return float(answer["expires_in"])
    except (KeyError, TypeError, ValueError):
        return DEFAULT_LASTS_S


def claims_of(id_token: object) -> dict[str, Any]:
    """What an id token says. It came over TLS from the server that made it, which will do (OpenID Connect 3.1.3.7)."""
    try:
        part = str(id_token).split(".")[1]
        values = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def secret_in(path: Path, *, sign_in: str) -> str:
    """A secret from its file, without the line end; read each time, so that a new one is taken without a restart.

    Raises: LoginRefused.
    """
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LoginRefused(f"sign-in {sign_in}: the secret in {path} cannot be read: {what}") from None
    if text == "":
        raise LoginRefused(f"sign-in {sign_in}: the file {path} is empty")
    return text


def first_line(text: object, most: int = 300) -> str:
    """A server's words without the lines of numbers after them."""
    return (str(text or "").splitlines() or [""])[0].strip()[:most]


def unexpected(sign_in: str, error: Exception) -> Permanent:
    """For what a library raises; its words may hold anything."""
    return Permanent(f"sign-in {sign_in}: the server's answer makes no sense ({type(error).__name__})")
