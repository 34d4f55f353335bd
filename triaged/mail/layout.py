"""The octets of a mail go in, its HTML as the sender laid it out and the pictures within it come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import unquote

from triaged.mail import mime
from triaged.mail.charset import decode, html_label
from triaged.mail.mime import Part

MAX_HTML_CHARACTERS = 2_000_000
"""What lies behind is not shown."""
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Kinds that are shown: they cannot hold a script."""
MAX_PICTURE_BYTES, MAX_PICTURES_BYTES = 500_000, 3_000_000
"""Of one picture that came with the mail, and of all that are shown; larger ones are left out."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that came with the mail."""

    content_type: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """html: as it was sent, nothing taken out. pictures: by what `cid:` names them (RFC 2392), without brackets.

    cut: there is more of it than is shown.
    """

    html: str
    pictures: dict[str, Picture]
    cut: bool


def layout(octets: bytes) -> Layout | None:
    """What a mail program would show; None of a mail without HTML. Bounded as `mime.read` is; never raises."""
    root, _ = mime.read(mime.unix_lines(octets))
    shown = list(_shown(root))
    if all(part.content_type != "text/html" for part in shown):
        return None
    html = "\n".join(_html(part) for part in shown)
    return Layout(html[:MAX_HTML_CHARACTERS], _pictures(root), len(html) > MAX_HTML_CHARACTERS)


def _shown(part: Part) -> Iterator[Part]:
    """The texts that make up the mail, in order: of alternatives the last that is HTML (RFC 2046 5.1.4)."""
    match part.content_type:
        case "multipart/alternative" if len(part.children) > 0:
            ways = [list(_shown(child)) for child in part.children]
            rich = [way for way in ways if any(each.content_type == "text/html" for each in way)]
            yield from (rich or ways)[-1 if rich else 0]
        case "multipart/related" if len(part.children) > 0:
            yield from _shown(_start(part))
        case "text/html" | "text/plain" if not _is_file(part):
            yield part
        case kind if kind.startswith("multipart/") or kind in mime.SMIME:
            for child in part.children:
                yield from _shown(child)


def _start(related: Part) -> Part:
    """The part that the others belong to: the one that `start` names, else the first (RFC 2387 3.2)."""
    wanted = related.parameters.get("start", "").strip("<> ")
    named = (child for child in related.children if wanted != "" and _content_id(child) == wanted)
    return next(named, related.children[0])


def _is_file(part: Part) -> bool:
    return part.disposition == "attachment" or (part.filename != "" and part.disposition != "inline")


def _html(part: Part) -> str:
    octets = mime.decoded(part, most=mime.MAX_TEXT_BYTES)
    label = part.parameters.get("charset", "")
    if part.content_type == "text/html":
        return decode(octets, html_label(octets, label))[0]
    return f"<pre>{escape(decode(octets, label)[0])}</pre>"


def _pictures(root: Part) -> dict[str, Picture]:
    found: dict[str, Picture] = {}
    left, waiting = MAX_PICTURES_BYTES, [root]
    while waiting:
        part = waiting.pop()
        waiting.extend(reversed(part.children))
        name = _content_id(part)
        if part.content_type in PICTURES and name != "" and mime.size_of(part) <= min(left, MAX_PICTURE_BYTES):
            octets = mime.decoded(part, most=MAX_PICTURE_BYTES)
            found.setdefault(name, Picture(part.content_type, octets))
            left -= len(octets)
    return found


def _content_id(part: Part) -> str:
    return unquote(part.fields.first("content-id")).strip("<> \t")
