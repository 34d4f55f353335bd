"""The octets of anybody's mail in, HTML that can do nothing and reach nobody out; made in a process that may be killed.

The page is made harmless three times over, so that a fault in one wall opens nothing: only tags and attributes that
are known to be harmless are kept (nh3), the answer's policy lets nothing load or run, and the frame it is shown in is
sandboxed. The parser of HTML is quadratic in depth and in attributes (200,000 nested elements took 234 s, 2026-11-30),
hence the process of its own, with an end in time and in memory.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from threading import Semaphore
from urllib.parse import unquote

import nh3

from triaged.mail.layout import MAX_PICTURE_BYTES, PICTURES, Picture, layout

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox"
)
"""Of the answer that holds such a page: nothing is loaded but the pictures within it, nothing runs."""
TIME_S, MEMORY_BYTES = 6, 1_500_000_000
"""That a mail may take: 0.2 s and 70 MB are usual."""
AT_ONCE = Semaphore(2)
MAX_LINKS = 500
"""That are listed with their addresses."""

TAGS = frozenset(
    "a abbr address b big blockquote br caption center cite code col colgroup dd del dfn div dl dt em figcaption "
    "figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strike strong sub sup "
    "table tbody td tfoot th thead tr tt u ul var wbr".split()
)
EMPTIED = frozenset(
    "applet audio canvas embed frameset head iframe math meta noembed noframes noscript object option param plaintext "
    "script select style svg template textarea title video xml xmp".split()
)
"""Taken out with all that is in them; of any other unknown tag the text stays."""
ATTRIBUTES = {
    "*": {"align", "dir", "lang", "style", "title", "valign"},
    "a": {"href"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "font": {"color", "face", "size"},
    "hr": {"size", "width"},
    "img": {"alt", "height", "src", "width"},
    "li": {"value"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "table": {"background", "bgcolor", "border", "cellpadding", "cellspacing", "width"},
    "td": {"background", "bgcolor", "colspan", "height", "nowrap", "rowspan", "width"},
    "th": {"background", "bgcolor", "colspan", "height", "nowrap", "rowspan", "width"},
    "tr": {"bgcolor", "height"},
}
"""`background` is only looked at, to be counted: no page keeps it."""
STYLES = frozenset(
    "background-color border-collapse border-spacing color direction font-family font-size font-style font-weight "
    "letter-spacing line-height padding padding-bottom padding-left padding-right padding-top text-align "
    "text-decoration text-indent vertical-align white-space width".split()
)
"""Properties that can name no address and move nothing out of its place."""

log = logging.getLogger(__name__)

_LINK = re.compile(r'(<a(?: [a-z]+="[^"]*")*?) href="(\d+)"')
_DATA = re.compile(rf"data:({'|'.join(map(re.escape, PICTURES))});base64,[A-Za-z0-9+/=\s]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shown:
    """html: harmless, the inside of a body. links: where its links lead, in order; link n is marked `data-link="n"`.

    from_elsewhere: how many pictures were to be loaded from another server; left_out: how many that
    came with the mail are too large, or did not come after all. cut: the end of the mail is missing.
    """

    html: str
    links: tuple[str, ...]
    from_elsewhere: int
    left_out: int
    cut: bool


def laid_out(octets: bytes) -> Shown | str | None:
    """A mail as its sender laid it out; None of one without HTML; a sentence where it cannot be made harmless.

    Bounded in time and memory, whatever the octets are.
    """
    with AT_ONCE:
        try:
            done = subprocess.run(  # noqa: S603 - this very module
                [sys.executable, "-m", __name__], input=octets, capture_output=True, timeout=TIME_S + 2, check=True
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            log.warning("layout failed cause=%s", type(error).__name__)
            return (
                "Its layout is made so that a program takes very long over it. Read its text, or open it in the mailbox"
            )
    told = json.loads(done.stdout)
    return Shown(**{**told, "links": tuple(told["links"])}) if told is not None else None


def harmless(html: str, pictures: Mapping[str, Picture], *, cut: bool = False) -> Shown:
    """HTML as it was sent, without all that could run, load, ask, lead away or leave its place."""
    links: list[str] = []
    missing = {"from_elsewhere": 0, "left_out": 0}

    def kept(tag: str, name: str, value: str) -> str | None:
        match tag, name:
            case "a", "href":
                return _numbered(value, links)
            case _, "src":
                return _picture(value, pictures, missing)
            case _, "background":
                missing["from_elsewhere"] += 1
                return None
            case _:
                return value

    clean = nh3.clean(
        html.encode("utf-8", "replace").decode(),
        tags=set(TAGS),
        clean_content_tags=set(EMPTIED),
        attributes=ATTRIBUTES,
        attribute_filter=kept,
        url_schemes={"http", "https", "mailto", "cid", "data"},
        filter_style_properties=set(STYLES),
        link_rel=None,
        strip_comments=True,
    )
    # Where a link leads is told beside the page. Quotes are escaped in values and `<` in texts, so this finds tags.
    return Shown(_LINK.sub(r'\1 data-link="\2"', clean), tuple(links), **missing, cut=cut)


def _numbered(address: str, links: list[str]) -> str | None:
    """A link's number, from 1 on; None of one that leads nowhere outside."""
    address = address.strip()
    if not address.lower().startswith(("http://", "https://", "mailto:")) or len(links) >= MAX_LINKS:
        return None
    links.append(address)
    return str(len(links))


def _picture(value: str, pictures: Mapping[str, Picture], missing: dict[str, int]) -> str | None:
    """The picture itself where it came with the mail."""
    scheme, _, name = value.strip().partition(":")
    if scheme.lower() == "cid":
        found = pictures.get(unquote(name))
        if found is None:
            missing["left_out"] += 1
            return None
        return f"data:{found.content_type};base64,{base64.b64encode(found.octets).decode('ascii')}"
    if scheme.lower() == "data":
        return value if len(value) <= MAX_PICTURE_BYTES * 4 // 3 and _DATA.fullmatch(value.strip()) else None
    missing["from_elsewhere"] += value.strip() != ""
    return None


def _child() -> None:
    """The process that may be killed: octets on standard input, JSON of what is shown on standard output."""
    resource.setrlimit(resource.RLIMIT_CPU, (TIME_S, TIME_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    found = layout(sys.stdin.buffer.read())
    shown = harmless(found.html, found.pictures, cut=found.cut) if found is not None else None
    sys.stdout.write(json.dumps(asdict(shown) if shown is not None else None))


if __name__ == "__main__":
    _child()
