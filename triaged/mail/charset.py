"""Octets and the charset a mail claims for them go in, text and what was wrong comes out; never raises."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

ALLOWED = frozenset(
    [
        "ascii",
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-32-le",
        "utf-32-be",
        "iso8859-1",
        "iso8859-2",
        "iso8859-3",
        "iso8859-4",
        "iso8859-5",
        "iso8859-6",
        "iso8859-7",
        "iso8859-8",
        "iso8859-9",
        "iso8859-10",
        "iso8859-11",
        "iso8859-13",
        "iso8859-14",
        "iso8859-15",
        "iso8859-16",
        "cp1250",
        "cp1251",
        "cp1252",
        "cp1253",
        "cp1254",
        "cp1255",
        "cp1256",
        "cp1257",
        "cp1258",
        "cp437",
        "cp850",
        "cp852",
        "cp855",
        "cp858",
        "cp866",
        "cp874",
        "koi8-r",
        "koi8-u",
        "koi8-t",
        "kz1048",
        "mac-roman",
        "mac-cyrillic",
        "mac-greek",
        "mac-latin2",
        "mac-turkish",
        "tis-620",
        "big5",
        "big5hkscs",
        "cp950",
        "gb2312",
        "gbk",
        "gb18030",
        "hz",
        "euc_jp",
        "euc_jis_2004",
        "shift_jis",
        "shift_jis_2004",
        "cp932",
        "iso2022_jp",
        "iso2022_jp_1",
        "iso2022_jp_2",
        "iso2022_jp_ext",
        "iso2022_kr",
        "euc_kr",
        "cp949",
        "johab",
    ]
)
"""Python codec names (S41): no utf-7, idna, punycode, unicode_escape, rot13, zlib; a mail cannot name those."""

_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "iso2022_jp": "iso2022_jp_ext",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
"""The superset that senders really write under a narrower name (WHATWG Encoding, section 4.2)."""

_ALIASES = {
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ms_kanji": "cp932",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "x-windows-949": "cp949",
    "x-gbk": "gb18030",
    "gb2312_charset": "gb18030",
    "x-euc-jp": "euc_jp",
    "x-big5": "big5hkscs",
    "unicode-1-1-utf-8": "utf-8",
    "utf-8-mac": "utf-8",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "dos-874": "cp874",
    "windows-874": "cp874",
}

_NOT_A_LABEL = re.compile(r"[^a-z0-9._:+-]")
_CONTROLS = {code: None for code in range(32) if code not in (9, 10, 12, 13)} | {127: None, 0xFEFF: None}


@lru_cache(maxsize=512)
def codec_of(label: str) -> str:
    """The Python codec for a charset label, `""` for one that is unknown or not allowed."""
    label = _NOT_A_LABEL.sub("", label.lower().strip()[:60])
    label = _ALIASES.get(label, label)
    if found := re.fullmatch(r"(?:x-)?(?:cp|windows|win|ibm|ms)[-_.]?(\d{3,4})", label):
        label = f"cp{found[1]}"
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    return _WIDER.get(name, name) if name in ALLOWED else ""


def decode(octets: bytes, label: str) -> tuple[str, str]:
    """The text, and what was wrong with its charset (`""` when nothing was). Control characters are removed."""
    text, defect = _decode(octets, label)
    return text.translate(_CONTROLS), defect


def _decode(octets: bytes, label: str) -> tuple[str, str]:
    codec = codec_of(label)
    defect = "" if codec or label == "" else f"unknown charset {label[:40]!r}"
    if octets.isascii():
        return _seven_bit(octets, codec, defect)
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")) and octets.count(0) > len(octets) // 8:
        return octets.decode("utf-16", "replace"), defect
    if not codec.startswith(("utf-16", "utf-32", "iso2022", "hz")):
        # Whatever the label says: octets over 127 that are valid UTF-8 are UTF-8; chance does that to no other charset.
        text = _strict(octets, "utf-8")
        if text is not None:
            wrong = codec not in ("", "utf-8")
            return text, defect or ("text is UTF-8 under another charset" if wrong else "")
    if codec and codec != "utf-8":
        text = _strict(octets, codec)
        if text is not None and not (codec == "cp1252" and _looks_wide(octets)):
            return text, defect
    guessed = _guess(octets, codec)
    return guessed, defect or ("text does not fit its charset" if label else "8-bit text without a charset")


def _seven_bit(octets: bytes, codec: str, defect: str) -> tuple[str, str]:
    if b"\x1b$" in octets or b"\x1b(" in octets:
        for escaped in ("iso2022_kr",) if b"\x1b$)C" in octets else ("iso2022_jp_2", "iso2022_jp_ext", "iso2022_jp_3"):
            text = _strict(octets, escaped)
            if text is not None:
                return text, defect
        return octets.decode("iso2022_jp_ext", "replace"), defect or "text does not fit its charset"
    if codec == "hz" or (codec == "gb18030" and b"~{" in octets):
        text = _strict(octets, "hz")
        if text is not None:
            return text, defect
    if codec.startswith(("utf-16", "utf-32")) and b"\0" in octets:
        return octets.decode(codec, "replace"), defect
    return octets.decode("ascii"), defect


def _strict(octets: bytes, codec: str) -> str | None:
    try:
        return octets.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return None


def _looks_wide(octets: bytes) -> bool:
    """Mostly high octets: hardly Western text, whatever the label says."""
    sample = octets[:4096]
    letters = sum(1 for octet in sample if octet > 127 or chr(octet).isalpha())
    return letters >= 8 and sum(1 for octet in sample if octet > 127) > 0.6 * letters


def _guess(octets: bytes, codec: str) -> str:
    """The best reading of octets that do not fit their label: mostly right is better than none right."""
    if codec == "utf-8" or not _looks_wide(octets):
        if codec in ("", "utf-8", "cp1252"):
            lossy = octets.decode("utf-8", "replace")
            if lossy.count("\ufffd") * 20 < sum(1 for octet in octets if octet > 127):
                return lossy
            return _western(octets)
        return octets.decode(codec, "replace")
    best, best_score = _western(octets), -1.0
    for candidate in (codec, "gb18030", "big5hkscs", "cp932", "euc_jp", "cp949", "cp1251", "koi8-r"):
        text = _strict(octets, candidate) if candidate else None
        if text is not None and (score := _plausible(text)) > best_score:
            best, best_score = text, score
    return best


def _western(octets: bytes) -> str:
    return _strict(octets, "cp1252") or octets.decode("latin-1")


_COMMON_HAN = frozenset(
    "的一是不了在人有我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天"
    "这個們為來時國說會過學對後麼請您好謝谢请电话公司"
)


def _plausible(text: str) -> float:
    """How much of the text lies where real text of one script lies, 0..1."""
    letters = [character for character in text[:2048] if character > "\x7f"]
    if not letters:
        return 0.0
    kana = sum(1 for each in letters if "\u3040" <= each <= "\u30ff")
    hangul = sum(1 for each in letters if "\uac00" <= each <= "\ud7a3")
    small = sum(1 for each in letters if "\u0430" <= each <= "\u044f")
    han = sum(1 for each in letters if each in _COMMON_HAN)
    total = len(letters)
    # Shares that real text reaches: Japanese 40 % kana, Korean 80 % hangul, Russian 80 % small, Chinese 10 % common.
    return max(kana / total / 0.4, hangul / total, small / total * 0.9 if small / total > 0.6 else 0, han / total / 0.1)
