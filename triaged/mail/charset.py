"""Octets and the charset a mail claims for them go in, text and what was wrong comes out; never raises."""

from __future__ import annotations

import codecs
import re
from binascii import a2b_base64
from functools import lru_cache
from itertools import islice

from triaged.mail.guess import MULTIBYTE, codec_for

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
    "koi8-r": "koi8-u",
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
    "x-x-big5": "big5hkscs",
    "big5-eten": "big5hkscs",
    "cn-gb": "gb18030",
    "csgb2312": "gb18030",
    "x-euc-kr": "cp949",
    "x-johab": "johab",
    "utf8mb4": "utf-8",
    "unicode": "utf-16",
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


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)


def html_label(octets: bytes, label: str) -> str:
    """The charset that an HTML part has: the one its field names or, where that is none we know, its own `meta`."""
    if codec_of(label) or (meta := _META_CHARSET.search(octets[:4096])) is None:
        return label
    return meta[1].decode("ascii", "replace")


def decode(octets: bytes, label: str) -> tuple[str, str]:
    """The text, and what was wrong with its charset (`""` when nothing was). Control characters are removed."""
    text, defect = _decode(octets, label)
    return text.translate(_CONTROLS), defect


def _decode(octets: bytes, label: str) -> tuple[str, str]:
    codec = codec_of(label)
    if codec == "cp1252" and label.strip().lower() in ("us-ascii", "ascii", "ansi_x3.4-1968"):
        codec = ""  # what the sender's program says when it was told nothing
    defect = "" if codec_of(label) or label == "" else f"unknown charset {label[:40]!r}"
    if (wide := _wide_codec(octets, codec)) != "":
        fits = wide[:6] == codec[:6] or label == ""
        return octets.decode(wide, "replace"), defect or ("" if fits else "text does not fit its charset")
    if codec.startswith(("utf-16", "utf-32")):
        codec, defect = "", "text does not fit its charset"
    if octets.isascii():
        return _seven_bit(octets, codec, label, defect)
    if b"\x1b$" in octets and (text := _escaped(octets, codec)) is not None:
        return text, defect
    if codec.startswith(("iso2022", "hz")):
        codec, defect = "", "text does not fit its charset"
    text = _strict(octets, "utf-8")
    if text is not None and (codec not in MULTIBYTE or not _chance_utf8(text, octets, codec)):
        # Whatever the label says: octets over 127 that are valid UTF-8 are UTF-8; chance does that to no long text.
        return text, defect or ("text is UTF-8 under another charset" if codec not in ("", "utf-8") else "")
    if (
        codec
        and codec != "utf-8"
        and (text := _strict(octets, codec)) is not None
        and codec_for(octets, codec) == codec
    ):
        return text, defect
    return _guessed(octets, codec), defect or (
        "text does not fit its charset" if label else "8-bit text without a charset"
    )


def _strict(octets: bytes, codec: str) -> str | None:
    try:
        return octets.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return None


def _chance_utf8(text: str, octets: bytes, codec: str) -> bool:
    """A few characters of a Chinese, Japanese or Korean charset can be valid UTF-8, but of two octets each only."""
    if max(text) >= "\u0800" or _strict(octets, codec) is None:
        return False
    high = [each for each in text if each > "\x7f"]
    return (len(high) < 4 and min(high) > "\u024f") or codec_for(octets, codec) != "utf-8"


def _guessed(octets: bytes, codec: str) -> str:
    """The best reading of octets that do not fit their label: mostly right is better than none right."""
    found = codec_for(octets, codec) or "cp1252"
    if found == "utf-8":
        # Octets of a Western charset within UTF-8 (a footer of the list server), and a last character cut off.
        text = octets.decode("utf-8", "surrogateescape")
        text = _CUT_OFF.sub("", text) if octets[-1] > 127 else text
        return _LONE_OCTETS.sub(lambda lone: _western(bytes(ord(each) - 0xDC00 for each in lone[0])), text)
    if found == "cp1252":
        return _western(octets)
    text = octets.decode(found, "replace")
    if "\ufffd" in text and found not in MULTIBYTE:
        return _western(octets)
    return text[:-1] if text.endswith("\ufffd") and octets[-1] > 127 else text


_LONE_OCTETS = re.compile(r"[\udc80-\udcff]+")
_CUT_OFF = re.compile(r"[\udcc2-\udcf4][\udc80-\udcbf]{0,2}\Z")


def _western(octets: bytes) -> str:
    return _strict(octets, "cp1252") or octets.decode("latin-1")


# --- charsets that are not read octet by octet ----------------------------------------------------------------------


def _wide_codec(octets: bytes, codec: str) -> str:
    """The UTF-16 or UTF-32 codec of octets that really are so, whatever the label; `""` for all others."""
    for mark, name in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if octets.startswith(mark) and (codec.startswith("utf-") or b"\0" in octets):
            return name
    sample = octets[:2_000]
    if codec.startswith(("utf-16", "utf-32")) and (b"\0" in sample or _all_wide(sample)):
        if codec == "utf-16":  # without a mark: RFC 2781 says big-endian, Windows writes little-endian
            return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
        return codec
    if b"\0" in sample and len(sample) >= 8:
        half = len(sample) // 2
        for name, zeros, others in (("utf-16-le", sample[1::2], sample[::2]), ("utf-16-be", sample[::2], sample[1::2])):
            if zeros.count(0) > 0.7 * half and others.count(0) < 0.05 * half:
                return name
    return ""


def _all_wide(sample: bytes) -> bool:
    """UTF-16 in which no character is below 256: neither ASCII nor UTF-8, and letters most of it."""
    if sample.isascii() or len(sample) % 2 or _strict(sample, "utf-8") is not None:
        return False
    return codec_for(sample, "utf-16-be") == "utf-16-be"


def _seven_bit(octets: bytes, codec: str, label: str, defect: str) -> tuple[str, str]:
    if b"\x1b$" in octets or b"\x1b(" in octets:
        text = _escaped(octets, codec)
        if text is not None:
            return text, defect
    elif codec.startswith("iso2022_jp") and b"$B" in octets and len(octets) <= _MAX_RESTORED_BYTES:
        # A gateway took the escape characters away.
        restored = _NO_ESCAPE.sub(lambda run: b"\x1b$B" + run[1] + b"\x1b(B", octets)
        text = _escaped(restored, codec) if restored != octets else None
        if text is not None and "\ufffd" not in text:
            return text, "text does not fit its charset"
    if b"~{" in octets:
        text = _HZ.sub(_hanzi, octets.decode("ascii"))
        return (text.replace("~~", "~") if codec == "hz" else text), defect
    if label.strip().lower() in ("utf-7", "unicode-1-1-utf-7", "x-unicode-2-0-utf-7"):
        return _UTF7.sub(_utf7_letters, octets.decode("ascii")), "letters in UTF-7"
    return octets.decode("ascii"), defect


_MAX_RESTORED_BYTES = 20_000
"""Of a text whose escape characters were taken away: looking for their places costs 200 times its length."""
_MAX_ESCAPES = 50_000
_NO_ESCAPE = re.compile(rb"(?<!\x1b)\$[@B]((?:[!-~]{2}){1,200}?)(?<!\x1b)\([BJ]")
_HZ = re.compile(r"~\{((?:[!-w][!-~]){1,1000})(?:~\}|(?=[\r\n]|\Z))")
_UTF7 = re.compile(r"\+([A-Za-z0-9+/]{2,2000})-?")
_ESCAPE = re.compile(rb"\x1b(\$\([A-Z]|\$[@AB]|\([BJIH]|\$\)[AC])")


def _hanzi(found: re.Match[str]) -> str:
    """A run of HZ (RFC 1843), as it stands where it is none."""
    text = _strict(bytes(ord(each) | 0x80 for each in found[1]), "gb2312")
    return found[0] if text is None else text


def _utf7_letters(found: re.Match[str]) -> str:
    """A shifted run of UTF-7 (RFC 2152) that is plain text; one that hides markup stays as it is (S41).

    Outlook Express wrote German and Asian mails so. The codec itself is not used: what it is known for is
    turning `+ADw-` into a tag behind the back of every filter.
    """
    octets = a2b_base64(found[1] + "=" * (-len(found[1]) % 4)) if len(found[1]) % 4 != 1 else b""
    text = _strict(octets[: len(octets) // 2 * 2], "utf-16-be") or ""
    if text == "" or min(text) < " " or any(each in "<>&" for each in text):
        return found[0]
    return text


def _escaped(octets: bytes, codec: str) -> str | None:
    """ISO-2022 text by its escape sequences; None where there are none after all."""
    if b"\x1b$)C" in octets or codec == "iso2022_kr":
        return octets.decode("iso2022_kr", "replace")
    for whole in ("iso2022_jp_2", "iso2022_jp_ext"):
        text = _strict(octets, whole)
        if text is not None:
            return text
    # Vendor characters (NEC row 13), missing escapes at line ends, 8-bit octets between: run by run.
    pieces, position, charset = [], 0, "ascii"
    for found in islice(_ESCAPE.finditer(octets), _MAX_ESCAPES):
        pieces.append(_run(octets[position : found.start()], charset))
        charset, position = found[1].decode("ascii"), found.end()
    if not pieces:
        return None
    return "".join([*pieces, _run(octets[position:], charset)])


def _run(octets: bytes, charset: str) -> str:
    if charset in ("$@", "$B", "$A", "$(A", "$(C", "$)C", "$)A"):
        codec = {"$A": "gb18030", "$(A": "gb18030", "$)A": "gb18030", "$(C": "cp949", "$)C": "cp949"}.get(
            charset, "euc_jis_2004"
        )
        line, newline, rest = octets.partition(b"\n")  # a line end goes back to ASCII (RFC 1468)
        text = bytes(each | 0x80 if 0x20 < each < 0x7F else each for each in line).decode(codec, "replace")
        return text + (newline + rest).decode("ascii", "replace")
    if charset == "(I":
        return bytes(each | 0x80 if 0x20 < each < 0x60 else each for each in octets).decode("cp932", "replace")
    return octets.decode("utf-8", "replace")
