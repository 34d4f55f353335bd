"""HTML goes in, the text a reader sees comes out, quotes marked with `> `; linear in its input and without a tree.

No HTML library is used: those measured are quadratic in depth or in attributes (mail-safety 4.4; lexbor takes 3 s
for 50,000 nested elements and 1.5 s for 30,000 attributes, 2026-11-22).
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

MAX_HTML_CHARACTERS = 2_097_152
"""S42: what lies behind is not read."""
_MAX_TAGS = 60_000
"""Behind them nothing is read; keeps the worst 2 MB under 0.5 s."""
_MAX_QUOTE_DEPTH = 20
_MAX_ATTRIBUTION_LINES = 6

_TAG_NAME = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:]{0,29})(?=[\s/>])")
_SPACE = re.compile(r"[ \t\n\r\f\u00a0\u200b\u200c\u200d\u00ad\u034f]+")
_INVISIBLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:[;\"'!]|$)",
    re.IGNORECASE,
)
_NO_QUOTE = re.compile(r"border(?:-left)?\s*:\s*(?:none|0)|margin\s*:\s*0\w*\s+0\w*\s+0\w*\s+\d+px", re.IGNORECASE)
_QUOTE_CLASS = re.compile(r"gmail_quote|type\s*=\s*[\"']?cite|cite|protonmail_quote|tutanota_quote", re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_DIVIDER = re.compile(
    r"id\s*=\s*[\"']?(?:appendonsend|divRplyFwdMsg|stopSpelling|zwchr|OLK_SRC_BODY_SECTION)|name\s*=\s*[\"']?OLK_SRC",
    re.I,
)

_ATTRIBUTION = re.compile(r"gmail_attr|moz-cite-prefix", re.IGNORECASE)

_SKIPPED = frozenset(
    [
        "script",
        "style",
        "head",
        "title",
        "template",
        "noscript",
        "object",
        "embed",
        "svg",
        "math",
        "textarea",
        "select",
        "xml",
    ]
)
_VOID = frozenset(
    [
        "br",
        "hr",
        "img",
        "input",
        "meta",
        "link",
        "area",
        "base",
        "col",
        "embed",
        "source",
        "track",
        "wbr",
        "param",
        "o:p",
    ]
)
_BLOCKS = frozenset(
    [
        "div",
        "tr",
        "table",
        "tbody",
        "thead",
        "tfoot",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "form",
        "fieldset",
        "section",
        "article",
        "header",
        "footer",
        "main",
        "nav",
        "aside",
        "address",
        "center",
        "body",
        "html",
        "li",
        "figure",
        "figcaption",
        "caption",
        "details",
        "summary",
    ]
)
_PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"])
DIVIDER = "_" * 32
"""What Outlook puts before the mail that is answered, in plain text."""


class _Lines:
    """Lines being written, each with its depth of quoting; the one piece of state the walk needs."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.parts: list[str] = []
        self.quote = 0
        self.pre = 0
        self.attribution = -1
        """Where the lines begin that a mailer marked as the attribution of a quote; -1 for none."""

    def write(self, text: str) -> None:
        self.parts.append(text)

    def end(self, *, blank: bool = False) -> None:
        """End the line, if there is one; `blank`: leave one empty line, at most, behind it."""
        text = "".join(self.parts)
        self.parts = []
        if not self.pre:
            text = _SPACE.sub(" ", text).strip()
        if text.strip():
            self.done.append(self._marked(text))
        if blank and self.done and self.done[-1].strip("> "):
            self.done.append(self._marked(""))

    def force(self) -> None:
        """A line break that was asked for: an empty line if there is nothing on this one."""
        if "".join(self.parts).strip(" \t\n\u00a0"):
            self.end()
        elif self.done and self.done[-1].strip("> "):
            self.done.append(self._marked(""))

    def _marked(self, text: str) -> str:
        return ("> " * self.quote + text).rstrip() if self.quote else text


def to_text(html: str) -> str:
    """The visible text, one line per block, lists with marks, table rows as lines, quotes behind `> `."""
    html = html[:MAX_HTML_CHARACTERS]
    text = _walk(html, hide=True)
    # A hidden element that is never closed would hide the whole mail.
    return text if text.strip() else _walk(html, hide=False)


def _walk(html: str, *, hide: bool) -> str:
    out = _Lines()
    quotes: list[int] = []  # depth each open blockquote adds: 0 or 1
    lists: list[int] = []  # -1 for a bulleted list, else the last number
    position, length = 0, len(html)
    for _ in range(_MAX_TAGS):
        if position >= length:
            break
        start = html.find("<", position)
        if start < 0:
            start = length
        if start > position:
            _text(out, html[position:start])
        if start == length:
            break
        tag = _TAG_NAME.match(html, start)
        if tag is None:
            position = _declaration(html, start, out)
            continue
        end = _tag_end(html, tag.end())
        closing, name, rest = tag[1] == "/", tag[2].lower(), html[tag.end() : end]
        position = end + 1
        if not closing and name not in _VOID and (name in _SKIPPED or (hide and rest and _hidden(rest))):
            if not rest.endswith("/"):
                position = _skip(html, position, name)
            continue
        _element(out, name, rest, closing=closing, quotes=quotes, lists=lists)
    out.end()
    return "\n".join(out.done).strip("\n")


def _declaration(html: str, start: int, out: _Lines) -> int:
    """Past a comment, a declaration or a `<` that is none."""
    if html.startswith("<!--", start):
        end = html.find("-->", start + 4)
        # An unclosed comment hides the rest in a browser, too; a mail that is all comment is still read below.
        return len(html) if end < 0 else end + 3
    if html.startswith(("<!", "<?", "</"), start):
        end = html.find(">", start)
        return len(html) if end < 0 else end + 1
    out.write("<")
    return start + 1


def _tag_end(html: str, position: int) -> int:
    """Where the `>` of a tag stands, or the end; one that stands in a quoted value is passed over."""
    end = html.find(">", position)
    if end < 0:
        return len(html)
    for quote in ('"', "'"):
        if html.count(quote, position, end) % 2:
            closed = html.find(quote, end, end + 2_000)
            further = html.find(">", closed, closed + 2_000) if closed >= 0 else -1
            if further >= 0 and "<" not in html[end:closed]:
                return further
    return end


def _hidden(rest: str) -> bool:
    if "hidden" not in rest and "style" not in rest.lower():
        return False
    if _INVISIBLE.search(rest) is not None:
        return True
    return re.search(r"(?:^|\s)hidden(?:\s|=|/?$)", re.sub(r"\"[^\"]*\"|'[^']*'", "", rest)) is not None


@lru_cache(maxsize=64)
def _named(name: str) -> re.Pattern[str]:
    return re.compile(rf"<(/?){re.escape(name)}(?=[\s/>])", re.IGNORECASE)


def _skip(html: str, position: int, name: str) -> int:
    """Where the element that begins before `position` ends; elements of its own name within it are counted."""
    depth, flat = 1, name in ("script", "style", "p", "td", "li")
    for found in _named(name).finditer(html, position):
        depth += -1 if found[1] else int(not flat)
        if depth == 0:
            end = html.find(">", found.end())
            return len(html) if end < 0 else end + 1
    return len(html)


_NO_CHARACTER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9A-Fa-f]{8,});?")


def _unescaped(raw: str) -> str:
    """The text with its character references read; numbers beyond all characters are left out (int() refuses them)."""
    return unescape(_NO_CHARACTER.sub("", raw)) if "&" in raw else raw


def _text(out: _Lines, raw: str) -> None:
    text = _unescaped(raw)
    if not out.pre:
        out.write(_SPACE.sub(" ", text))
        return
    lines = text.split("\n")
    for line in lines[:-1]:
        out.write(line)
        out.end()
    out.write(lines[-1])


def _element(out: _Lines, name: str, rest: str, *, closing: bool, quotes: list[int], lists: list[int]) -> None:
    if name == "br":
        out.force()
    elif name in ("hr", "img"):
        _leaf(out, name, rest)
    elif name == "blockquote":
        _blockquote(out, rest, closing=closing, quotes=quotes)
    elif name in ("td", "th"):
        if not closing and out.parts:
            out.write("  ")
    elif name in ("ul", "ol"):
        if closing and lists:
            lists.pop()
        out.end(blank=not lists)
        if not closing:
            lists.append(0 if name == "ol" else -1)
    elif name == "li" and not closing:
        out.end()
        if lists and lists[-1] >= 0:
            lists[-1] += 1
        out.write(f"{lists[-1]}. " if lists and lists[-1] > 0 else "- ")
    elif name == "pre":
        out.end(blank=closing)
        out.pre = max(0, out.pre + (-1 if closing else 1))
    elif name in _PARAGRAPHS:
        out.end(blank=True)
    elif name in _BLOCKS:
        out.end()
        if not closing and rest:
            if _DIVIDER.search(rest) is not None:
                _divide(out)
            elif _ATTRIBUTION.search(rest) is not None:
                out.attribution = len(out.done)


def _leaf(out: _Lines, name: str, rest: str) -> None:
    if name == "img":
        alt = _ALT.search(rest)
        if alt is not None:
            out.write(" " + _unescaped(alt[1] or alt[2] or alt[3] or "") + " ")
        return
    out.end(blank=True)
    if _DIVIDER.search(rest) is not None:
        _divide(out)


def _divide(out: _Lines) -> None:
    last = next((line for line in reversed(out.done[-2:]) if line), "")
    if not last.endswith(DIVIDER):
        out.write(DIVIDER)
        out.end()


def _blockquote(out: _Lines, rest: str, *, closing: bool, quotes: list[int]) -> None:
    out.end(blank=not quotes or not quotes[-1])
    if not closing and out.attribution >= 0:
        # In whatever language "On …, Ann wrote:" is: a quote follows, so it belongs to it. A forward has no quote.
        marked = out.done[out.attribution :]
        if len(marked) <= _MAX_ATTRIBUTION_LINES:
            out.done[out.attribution :] = [f"> {line}".rstrip() for line in marked]
        out.attribution = -1
    if closing:
        out.quote -= quotes.pop() if quotes else 0
        return
    indent_only = _NO_QUOTE.search(rest) is not None and _QUOTE_CLASS.search(rest) is None
    step = 0 if indent_only or out.quote >= _MAX_QUOTE_DEPTH else 1
    quotes.append(step)
    out.quote += step
