"""Header fields and the one sender go in, how far that sender may be believed comes out (RFC 8601, S32, S40)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
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
_HEADER_FROM = re.compile(r"(?:^|\s)header\.from\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)
_BY = re.compile(r"(?:^|\s)by\s+([A-Za-z0-9._-]{1,253})")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"")


def identity(fields: Fields, *, sender: Address | None, trick: str, border: Border) -> Identity:
    """How far `sender` may be believed; `trick` is what the From field tried, `""` for nothing.

    Fails closed: results of our border that are missing, contradict each other or are for another domain prove
    nothing. A DMARC failure stated by our own border gives `none`: nobody is answered at a forged address (S12).
    """
    if sender is None:
        return Identity("none", trick or "there is no single sender")
    if trick:
        return Identity("none", trick)
    if mixed := _mixed_scripts(sender.domain):
        return Identity("none", f"the domain mixes alphabets: {mixed}")
    results = _of_our_border(fields, border)
    if len(results) == 0:
        return Identity("unauthenticated", "our border says nothing about it")
    return _dmarc(results, sender)


def _of_our_border(fields: Fields, border: Border) -> list[str]:
    """What our border found: the results above its own Received field, or else those right below it.

    Servers put their results above or below their Received. What stands below the next Received came from outside,
    as did everything under our name that is lower down; and where results stand above, the lower ones are forged.
    """
    above: list[str] = []
    below: list[str] = []
    passed = False  # our border's own Received field
    for name, value in _down_to_the_border(fields, border):
        if name == "received":
            passed = passed or _is_ours(value, border)
        elif name == "authentication-results":
            (below if passed else above).extend(_results(value, border))
    return above or below


def _down_to_the_border(fields: Fields, border: Border) -> Iterator[tuple[str, str]]:
    """The fields from the top to the first Received below our border's; to the first of all if none is our border's."""
    hops = [value for name, value in fields.items if name == "received"]
    ours = next((index for index, value in enumerate(hops) if _is_ours(value, border)), -1)
    seen = -1
    for name, value in fields.items:
        seen += name == "received"
        if seen > ours:
            return
        yield name, value


def _is_ours(received: str, border: Border) -> bool:
    """Whether the hop is a server of the name of our border, or one of the same domain (RFC 5321 4.4)."""
    by = _BY.search(without_comments(received)[:4_000])
    host = by[1].lower().rstrip(".") if by is not None else ""
    names = {each.lower() for each in border.authserv_ids}
    domains = {parent for each in names if "." in (parent := each.partition(".")[2])}
    return host in names or any(host.endswith(f".{each}") for each in names | domains)


def _results(value: str, border: Border) -> list[str]:
    """The method results of an Authentication-Results field by our border; none for one by somebody else."""
    # A quoted string may carry what a stranger wrote, with semicolons in it: "; dmarc=pass" must not become a result.
    plain = _QUOTED.sub(_unquoted, without_comments(value))
    parts = [part.strip() for part in plain.split(";")]
    server = parts[0].split()[0].lower() if parts[0] else ""
    if server not in {each.lower() for each in border.authserv_ids}:
        return []
    return parts[1:] if '"' not in plain else ["dmarc=unreadable"]


def _unquoted(found: re.Match[str]) -> str:
    inside = found[0][1:-1]
    return inside if re.fullmatch(r"[\w.@+-]{1,320}", inside) is not None else "quoted"


def _dmarc(results: Iterable[str], sender: Address) -> Identity:
    verdicts = [(found[1].lower(), part) for part in results if (found := _METHOD.match(part)) is not None]
    if len(verdicts) != 1:
        return Identity("unauthenticated", "our border gives no single DMARC result")
    verdict, part = verdicts[0]
    if verdict == "fail":
        return Identity("none", f"DMARC failed for {sender.domain}")
    about = {each.rpartition("@")[2].lower().rstrip(".") for each in _HEADER_FROM.findall(part)}
    domain = about.pop() if len(about) == 1 else ""
    if verdict == "pass" and domain != "" and _ascii(domain) == _ascii(sender.domain):
        return Identity("authenticated", f"DMARC passed for {sender.domain}")
    if verdict == "pass":
        return Identity("unauthenticated", f"DMARC passed for {domain or 'no one domain'}, not for {sender.domain}")
    return Identity("unauthenticated", f"DMARC result is {verdict}")


def _ascii(domain: str) -> str:
    """A-labels, letter for letter: unlike the older IDNA no letter is taken for another (`ß` is not `ss`)."""
    try:
        labels = (unicodedata.normalize("NFC", label) for label in domain.split("."))
        return ".".join(
            label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii") for label in labels
        )
    except UnicodeError:
        return "?"


def _mixed_scripts(domain: str) -> str:
    """The first label that mixes Latin with Cyrillic or Greek letters, `""` if none does (UTS 39, simplified)."""
    if domain.isascii():
        return ""
    for label in domain.split("."):
        scripts = {unicodedata.name(each, "?").split()[0] for each in label if each.isalpha()}
        if len(scripts & {"LATIN", "CYRILLIC", "GREEK"}) > 1:
            return label
    return ""
