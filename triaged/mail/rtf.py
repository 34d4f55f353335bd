"""Rich Text Format, plain or as Outlook compresses it, goes in; its text comes out (MS-OXRTFCP, MS-OXRTFEX)."""

from __future__ import annotations

import re

from triaged.mail.charset import codec_of

_MAX_BYTES = 1_048_576
"""Of RTF that are read, in 0.5 s at worst; the RTF of a written mail has 10 KB."""
_MAX_DEPTH = 200
_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    + b"\r\n"
    + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What every compressed RTF may refer to (MS-OXRTFCP 2.1.2.1)."""
_TOKEN = re.compile(
    r"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|([^\\{}]+)|\\", re.DOTALL
)
_SKIPPED = frozenset(["fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "listtable"])
_BREAKS = {
    "par": "\n",
    "line": "\n",
    "row": "\n",
    "sect": "\n",
    "tab": "\t",
    "cell": "\t",
    "emdash": "—",
    "endash": "–",
}
_BREAKS |= {"lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•"}


def decompressed(octets: bytes) -> bytes:
    """The RTF in PR_RTF_COMPRESSED (MS-OXRTFCP 2.2); b"" for what is none."""
    if len(octets) < 16:
        return b""
    wanted = min(int.from_bytes(octets[4:8], "little"), _MAX_BYTES)
    if octets[8:12] == b"MELA":
        return octets[16 : 16 + wanted]
    if octets[8:12] != b"LZFu":
        return b""
    out, position, first = bytearray(_DICTIONARY), 16, len(_DICTIONARY)
    while position < len(octets) and len(out) - first < wanted:
        control, position = octets[position], position + 1
        for bit in range(8):
            if not control >> bit & 1:
                out += octets[position : position + 1]
                position += 1
                continue
            token = int.from_bytes(octets[position : position + 2], "big")
            position += 2
            # The dictionary is a ring of 4,096 octets; where it is read from is told as a place in the ring.
            back = (len(out) - (token >> 4)) % 4096
            if back == 0 or position > len(octets):
                return bytes(out[first : first + wanted])
            for _ in range((token & 15) + 2):
                out.append(out[-back] if back <= len(out) else 32)
    return bytes(out[first : first + wanted])


class _Page:
    """Text being written; the one piece of state the walk over the tokens needs."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.done: list[str] = []
        self.octets = bytearray()  # \'hh octets that belong together
        self.groups: list[tuple[bool, int]] = []
        self.hidden, self.uc, self.skip = False, 1, 0

    def write(self, text: str) -> None:
        self.done.append(self.octets.decode(self.codec, "replace"))
        self.octets.clear()
        if not self.hidden:
            self.done.append(text[self.skip :])
            self.skip = max(0, self.skip - len(text))

    def octet(self, digits: str) -> None:
        if self.skip and not self.hidden:
            self.skip -= 1
        elif not self.hidden:
            self.octets.append(int(digits, 16))

    def brace(self, brace: str) -> None:
        self.write("")
        if brace == "}":
            self.hidden, self.uc = self.groups.pop() if self.groups else (False, 1)
        elif len(self.groups) < _MAX_DEPTH:
            self.groups.append((self.hidden, self.uc))

    def word(self, word: str, number: str | None, *, begins: bool) -> None:
        if word == "htmlrtf":
            self.write("")
            self.hidden = number != "0"
        elif begins and word in _SKIPPED:
            self.hidden = True
        elif word == "uc":
            self.uc = min(int(number or 1), 9)
        elif word == "u" and number is not None:
            self.write(_character(int(number)))
            self.skip = 0 if self.hidden else self.uc
        else:
            self.write(_BREAKS.get(word, ""))


def to_text(octets: bytes) -> str:
    """The text of RTF; of HTML in RTF (`\\fromhtml`) the text without its tags."""
    source = octets[:_MAX_BYTES].decode("latin-1")
    named = re.search(r"\\ansicpg(\d{1,5})", source[:2000])
    page = _Page((codec_of(f"cp{named[1]}") if named is not None else "") or "cp1252")
    begins = False  # right behind a {, where a destination is named
    for found in _TOKEN.finditer(source):
        word, number, octet, symbol, brace, text = found.groups()
        if octet is not None:
            page.octet(octet)
        elif brace is not None:
            page.brace(brace)
        elif word is not None:
            page.word(word, number, begins=begins)
        elif symbol == "*" and begins:
            page.hidden = True
        elif symbol is not None:
            page.write({"~": " ", "_": "-"}.get(symbol, symbol if symbol in "\\{}" else ""))
        elif text is not None:
            page.write(text.replace("\r", "").replace("\n", ""))
        begins = brace == "{"
    page.write("")
    return "".join(page.done).strip()


def _character(number: int) -> str:
    code = number & 0xFFFF
    return "" if 0xD800 <= code <= 0xDFFF or code == 0 else chr(code)
