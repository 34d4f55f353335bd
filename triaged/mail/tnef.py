"""A winmail.dat goes in, the text and the files within it come out (MS-OXTNEF); bounded, never raises.

Outlook packs what it cannot say in MIME into this one file: its formatted text, and all attachments.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from triaged.mail import rtf
from triaged.mail.charset import codec_of, decode
from triaged.mail.htmltext import to_text as html_to_text

_SIGNATURE = b"\x78\x9f\x3e\x22"
_MAX_ATTRIBUTES = 5_000
_MAX_PROPERTIES = 2_000
_MAX_FILES = 500
"""S42: as many as a mail may have parts."""

_TITLE, _DATA = 0x8010, 0x800F
_PR_BODY, _PR_RTF, _PR_HTML = 0x1000, 0x1009, 0x1013
_PR_DATA, _PR_NAME, _PR_LONG_NAME, _PR_TYPE = 0x3701, 0x3704, 0x3707, 0x370E
_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
"""Octets that a property value of a fixed type takes, padding included (MS-OXTNEF 2.1.3.4)."""
_VARIABLE = frozenset([0x0D, 0x1E, 0x1F, 0x102])


@dataclass(slots=True)
class File:
    """A file within: name as it was given, content type or `""`, size in octets."""

    filename: str = ""
    content_type: str = ""
    size_bytes: int = 0


@dataclass(slots=True)
class Packed:
    """What was within: text is `""` where there is none."""

    text: str = ""
    files: list[File] = field(default_factory=list)


def unpack(octets: bytes) -> Packed | None:
    """The content, None where these octets are no TNEF; what is cut off or wrong within is left out."""
    if not octets.startswith(_SIGNATURE):
        return None
    packed, codec = Packed(), "cp1252"
    position, read = 6, False
    for _ in range(_MAX_ATTRIBUTES):
        if position + 9 > len(octets):
            break
        attribute, length = struct.unpack_from("<xHxxI", octets, position)
        content = octets[position + 9 : position + 9 + length]
        position += 11 + length
        match attribute:
            case 0x9007 if len(content) >= 4:
                codec = codec_of(f"cp{int.from_bytes(content[:4], 'little')}") or codec
            case 0x800C:
                packed.text = packed.text or _string(content, codec)
            case 0x9003 if not read:  # once: unpacking RTF costs half a second at worst
                packed.text, read = _text(_properties(content), codec) or packed.text, True
            case 0x9002 if len(packed.files) < _MAX_FILES:
                packed.files.append(File())
            case 0x8010 | 0x800F | 0x9005 if packed.files:
                _about_file(packed.files[-1], attribute, content, codec)
    return packed


def _about_file(file: File, attribute: int, content: bytes, codec: str) -> None:
    if attribute == _TITLE:
        file.filename = file.filename or _string(content, codec)
    elif attribute == _DATA:
        file.size_bytes = len(content)
    else:
        found = _properties(content)
        name = found.get(_PR_LONG_NAME) or found.get(_PR_NAME)
        if name is not None:
            file.filename = _string(name[1], "utf-16-le" if name[0] == 0x1F else codec)
        if _PR_TYPE in found:
            kind, value = found[_PR_TYPE]
            file.content_type = _string(value, "utf-16-le" if kind == 0x1F else codec)
        if _PR_DATA in found:
            file.size_bytes = file.size_bytes or len(found[_PR_DATA][1])


def _text(found: dict[int, tuple[int, bytes]], codec: str) -> str:
    """The text of the message's properties: the plain one, else that of its HTML, else that of its RTF."""
    if _PR_BODY in found:
        kind, value = found[_PR_BODY]
        text = _string(value, "utf-16-le" if kind == 0x1F else codec)
        if text.strip():
            return text
    if _PR_HTML in found:
        kind, value = found[_PR_HTML]
        html = value.decode("utf-16-le", "replace") if kind == 0x1F else decode(value, "")[0]
        if (text := html_to_text(html)).strip():
            return text
    if _PR_RTF in found:
        return rtf.to_text(rtf.decompressed(found[_PR_RTF][1]))
    return ""


def _string(octets: bytes, codec: str) -> str:
    text = octets.decode(codec, "replace") if codec == "utf-16-le" else decode(octets, codec)[0]
    return text.split("\0", 1)[0].replace("\r\n", "\n").replace("\r", "\n")


def _properties(octets: bytes) -> dict[int, tuple[int, bytes]]:
    """Property id → (type, octets of its first value); those behind the first mistake are left out."""
    found: dict[int, tuple[int, bytes]] = {}
    if len(octets) < 4:
        return found
    position = 4
    try:
        for _ in range(min(int.from_bytes(octets[:4], "little"), _MAX_PROPERTIES)):
            kind, name = struct.unpack_from("<HH", octets, position)
            position += 4
            if name >= 0x8000:
                position = _behind_name(octets, position)
            base = kind & 0x0FFF
            count = 1
            if kind & 0x1000 or base in _VARIABLE:
                count = struct.unpack_from("<I", octets, position)[0]
                position += 4
            if base in _FIXED:
                position += _FIXED[base] * count
                continue
            if base not in _VARIABLE or count > 1_000:
                break
            for each in range(count):
                length = struct.unpack_from("<I", octets, position)[0]
                if each == 0:
                    found.setdefault(name, (base, octets[position + 4 : position + 4 + length]))
                position += 4 + (length + 3) // 4 * 4
    except struct.error:
        pass  # cut off: what was read before it counts
    return found


def _behind_name(octets: bytes, position: int) -> int:
    """Behind the GUID and name of a named property."""
    kind, length = struct.unpack_from("<II", octets, position + 16)
    return position + 24 + ((length + 3) // 4 * 4 if kind == 1 else 0)
