"""Header fields and the one sender go in, how far that sender may be believed comes out (RFC 8601, S32, S40)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from triaged.mail.headers import Fields, without_comments
from triaged.model import Address, Identity


@dataclass(frozen=True, slots=True)
class Border:
    """Where our side begins.

    own_addresses: lower-case addr-specs of our mailboxes and aliases. message_id_domain: the domain of the
    Message-IDs we make. authserv_ids: whose Authentication-Results we believe (our border's); each such
    server must remove what arrives under its own name (RFC 8601 5).
    """

    own_addresses: frozenset[str]
    message_id_domain: str
    authserv_ids: tuple[str, ...] = ()


_METHOD = re.compile(r"\s*dmarc\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)
_HEADER_FROM = re.compile(r"\bheader\.from\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)


def identity(fields: Fields, *, sender: Address | None, trick: str, border: Border) -> Identity:
    """How far `sender` may be believed; `trick` is what the From field tried, `""` for nothing.

    Fails closed: results of our border that are missing, repeated or for another domain prove nothing. A DMARC
    failure stated by our own border gives `none`: nobody is answered at a forged address (S12).
    """
    if sender is None:
        return Identity("none", trick or "there is no single sender")
    if trick:
        return Identity("none", trick)
    if mixed := _mixed_scripts(sender.domain):
        return Identity("none", f"the domain mixes alphabets: {mixed}")
    ours = [found for value in fields.all("authentication-results") if (found := _results(value, border)) is not None]
    if len(ours) == 0:
        return Identity("unauthenticated", "our border says nothing about it")
    if len(ours) > 1:
        return Identity("unauthenticated", "more than one Authentication-Results under our border's name")
    return _dmarc(ours[0], sender)


def _results(value: str, border: Border) -> list[str] | None:
    """The method results of an Authentication-Results field by our border, None for one by somebody else."""
    parts = [part.strip() for part in without_comments(value).split(";")]
    server = parts[0].split()[0].lower() if parts[0] else ""
    return parts[1:] if server in {each.lower() for each in border.authserv_ids} else None


def _dmarc(results: list[str], sender: Address) -> Identity:
    verdicts = [(found[1].lower(), part) for part in results if (found := _METHOD.match(part))]
    if len(verdicts) != 1:
        return Identity("unauthenticated", "our border gives no single DMARC result")
    verdict, part = verdicts[0]
    if verdict == "fail":
        return Identity("none", f"DMARC failed for {sender.domain}")
    about = _HEADER_FROM.search(part)
    domain = about[1].rpartition("@")[2].lower().rstrip(".") if about is not None else ""
    if verdict == "pass" and domain in (sender.domain, _ascii(sender.domain)):
        return Identity("authenticated", f"DMARC passed for {sender.domain}")
    if verdict == "pass":
        return Identity("unauthenticated", f"DMARC passed for {domain or 'no domain'}, not for {sender.domain}")
    return Identity("unauthenticated", f"DMARC result is {verdict}")


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _mixed_scripts(domain: str) -> str:
    """The first label that mixes Latin with Cyrillic or Greek letters, `""` if none does (UTS 39, simplified)."""
    if domain.isascii():
        return ""
    for label in domain.split("."):
        scripts = {unicodedata.name(each, "?").split()[0] for each in label if each.isalpha()}
        if len(scripts & {"LATIN", "CYRILLIC", "GREEK"}) > 1:
            return label
    return ""
