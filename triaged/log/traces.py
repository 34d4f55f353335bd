"""A person's address and names in; what finds them, in text, in mails and in the octets of a file, out."""

from __future__ import annotations

import base64
import html
import json
import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from triaged.mail.addresses import normal

MARK = "█"
"""Stands for each letter that was taken out, so that places in the text stay right."""
CHUNK_BYTES = 1 << 22
_AT = r"(?:@|%40|&\#0*64;|&\#[xX]0*40;|&commat;|\\u0040)"
_BEFORE = r"(?:(?<![\w.+-])|(?<=%[0-9A-Fa-f]{2}))"
"""No letter of a longer address; the hexadecimal digits of `%3C` are none."""
_AFTER = r"(?![\w-]|\.\w)"
_BASE64_LINES = re.compile(rb"(?:^[A-Za-z0-9+/]{4,}={0,2}[ \t]*(?:\r?\n|\Z))+", re.MULTILINE)
_ENCODED_WORD = re.compile(rb"=\?[^?\s]*\?[bB]\?([A-Za-z0-9+/=]+)\?=")
_ESCAPE = re.compile(r"\\.")
"""Of JSON, but `\\u`: the letter after the backslash is none of the text's."""
_FOLD = re.compile(r"\r?\n[ \t]")


@dataclass(frozen=True, slots=True)
class Traces:
    """What a person leaves. address: as its owner would write it; names: in words; whole: their address and nothing
    else; pattern: address or name within text; needles: every form as octets, in lower-case ASCII; hints: words without
    which the pattern cannot match."""

    address: str
    names: tuple[str, ...]
    whole: re.Pattern[str]
    pattern: re.Pattern[str]
    needles: tuple[bytes, ...]
    hints: tuple[str, ...]

    def in_text(self, text: str) -> bool:
        """Whether the person is named in a text."""
        lower = text.lower()
        return any(hint in lower for hint in self.hints) and self.pattern.search(text) is not None

    def in_mail(self, octets: bytes) -> bool:
        """Whether the person is named in a mail, broken ones too, however it is encoded."""
        return any(self.pattern.search(text) is not None for text in _readings(octets))

    def in_json(self, text: str, *, mails: bool = False) -> bool:
        """Whether the person is named in JSON text; mails: a string with lines in it is read as a mail."""
        if not mails and "\\u" not in text:
            lower = text.lower()
            return any(hint in lower for hint in self.hints) and self.in_text(_ESCAPE.sub(" ", text))
        return any(
            self.in_text(each) or (mails and "\n" in each and self.in_mail(each.encode())) for each in _strings(text)
        )

    def masked(self, text: str) -> str:
        """The text without the person, as long as before."""
        return self.pattern.sub(lambda found: MARK * len(found[0]), text)

    def masked_json(self, text: str) -> str:
        """A column that holds JSON, or plain text, without the person."""
        try:
            value = json.loads(text)
        except ValueError:
            return self.masked(text)
        if not isinstance(value, dict | list):
            return self.masked(text)
        return json.dumps(self._without(value), ensure_ascii=False, separators=(",", ":"))

    def _without(self, value: Any) -> Any:
        match value:
            case str():
                return self.masked(value)
            case list():
                return [self._without(each) for each in value]
            case {"addr_spec": str(spec), "display_name": str(name)} if self.whole.fullmatch(spec):
                return {"addr_spec": MARK * len(spec), "display_name": MARK * len(name)}
            case {"addr_spec": str(spec), "name": str(name)} if self.whole.fullmatch(spec):  # a contact
                return {"addr_spec": MARK * len(spec), "name": MARK * len(name)}
            case dict():
                return {self.masked(key): self._without(each) for key, each in value.items()}
            case _:
                return value


def traces(address: str, names: Iterable[str] = ()) -> Traces:
    """What to look for. address: `local@domain`; with it go its `+tag` forms and both forms of an IDN."""
    local, _, domain = (normal(address) or address).rpartition("@")
    domains = tuple(dict.fromkeys((domain.lower(), _ascii(domain.lower()))))
    tag = "" if "+" in local else r"(?:\+[\w.-]*)?"
    spec = f"{re.escape(local)}{tag}{_AT}(?:{'|'.join(re.escape(each) for each in domains)})"
    words = sorted({" ".join(name.split()) for name in names}, key=len, reverse=True)
    texts = [f"{_BEFORE}{spec}{_AFTER}", *(_name_pattern(name) for name in words)]
    specs = [f"{local}@{each}" for each in domains]
    return Traces(
        address=f"{local}@{domain}",
        names=tuple(words),
        whole=re.compile(spec, re.IGNORECASE),
        pattern=re.compile("|".join(texts), re.IGNORECASE),
        needles=needles((*specs, *words)),
        hints=(*domains, *(max(name.lower().split(), key=len) for name in words)),
    )


def _name_pattern(name: str) -> str:
    """The name with any space between its words, and `Archer, Ann` for `Ann Archer`."""
    parts = [re.escape(part) for part in name.split()]
    turned = rf"{parts[-1]},\s+" + r"\s+".join(parts[:-1])
    return r"(?<!\w)(?:" + r"\s+".join(parts) + "|" + turned + r")(?!\w)"


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def needles(words: Iterable[str]) -> tuple[bytes, ...]:
    """Every way in which these words may stand in a file, in lower-case ASCII; long enough not to be chance."""
    found: set[bytes] = set()
    for word in words:
        for form in {word, word.lower(), word.upper(), word.title()}:
            octets = form.encode("utf-8", "surrogatepass")
            found |= {octets, form.encode("utf-16-le", "surrogatepass"), form.encode("utf-16-be", "surrogatepass")}
            found |= {quote(form, safe="@").encode(), quote(form, safe="").encode(), html.escape(form).encode()}
            found |= {json.dumps(form)[1:-1].encode(), form.replace("@", "\\u0040").encode()}
            found |= {form.replace("@", mark).encode("utf-8", "surrogatepass") for mark in ("&#64;", "&#x40;", "=40")}
            found |= {quopri.encodestring(octets, header=header).strip() for header in (True, False)}
            found |= set(_base64_cores(octets))
    return tuple(sorted({each.lower() for each in found if len(each) >= 6}))


def _base64_cores(octets: bytes) -> Iterator[bytes]:
    """What of the octets is always the same in Base64, for each of the three places at which they may begin."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + octets)
        core = encoded[(0, 2, 3)[shift] : len(encoded) - (0, 3, 2)[(shift + len(octets)) % 3]]
        if len(core) >= 12:
            yield core


def _readings(octets: bytes) -> Iterator[str]:
    """A mail's octets as text: as they are, with quoted-printable undone, with Base64 undone, as UTF-16."""
    for each in (octets, quopri.decodestring(octets), quopri.decodestring(octets, header=True)):
        yield _unfolded(each)
    blocks = [re.sub(rb"\s", b"", found[0]) for found in _BASE64_LINES.finditer(octets)]
    blocks += [found[1] for found in _ENCODED_WORD.finditer(octets)]
    for block in blocks:
        decoded = base64.b64decode(block[: len(block) // 4 * 4])
        yield _unfolded(decoded)
        if b"\0" in decoded:
            yield decoded.decode("utf-16-le", "replace")
            yield decoded.decode("utf-16-be", "replace")
    if b"\0" in octets:
        yield octets.decode("utf-16-le", "replace")
        yield octets.decode("utf-16-be", "replace")


def _unfolded(octets: bytes) -> str:
    """With folded lines joined, of header fields (RFC 5322 2.2.3) and calendars (RFC 5545 3.1) alike."""
    text = octets.decode("utf-8", "replace")
    return f"{text}\n{_FOLD.sub(' ', text)}\n{_FOLD.sub('', text)}"


def _strings(text: str) -> Iterator[str]:
    """Every string within JSON text; nothing for text that is not JSON."""
    try:
        waiting = [json.loads(text)]
    except ValueError:
        return
    while len(waiting) > 0:
        match waiting.pop():
            case str(value):
                yield value
            case list(values):
                waiting.extend(values)
            case dict(values):
                waiting.extend((*values.keys(), *values.values()))


def occurrences(path: Path, wanted: Iterable[bytes], *, but_not: Iterable[bytes] = ()) -> dict[bytes, int]:
    """How often each of `wanted` stands in a file, in any case of ASCII letters; only those that do.

    but_not: what contains something wanted and is not meant (`joann@…` for `ann@…`). A file that vanishes has none.
    """
    found: dict[bytes, int] = {}
    search, hide = tuple(wanted), tuple(but_not)
    around = max((len(each) for each in (*search, *hide)), default=1)
    try:
        with path.open("rb") as file:
            window, begin, last = b"", 0, False
            while not last:
                chunk = file.read(CHUNK_BYTES)
                last = len(chunk) == 0
                window += chunk.lower()
                # What begins within the last octets is counted with the next chunk, when all around it is known.
                end = len(window) if last else max(begin, len(window) - around)
                seen = window
                for each in hide:
                    seen = seen.replace(each, b"\0" * len(each))
                for each in search:
                    if count := seen.count(each, begin, end + len(each) - 1):
                        found[each] = found.get(each, 0) + count
                start = max(0, end - around)
                window, begin = window[start:], end - start
    except FileNotFoundError:
        return found
    return found
