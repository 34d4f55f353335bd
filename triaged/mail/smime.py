"""The octets of an S/MIME body go in, the mail within a signed one comes out (RFC 5652 5.1, RFC 8551 3.5.2).

Signatures are not checked: what was signed is only read. An encrypted body gives nothing.
"""

from __future__ import annotations

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_ENVELOPED = (bytes.fromhex("2a864886f70d010703"), bytes.fromhex("2a864886f70d0109100117"))
"""EnvelopedData and AuthEnvelopedData."""
_MAX_PIECES = 10_000
"""Pieces of one OCTET STRING; OpenSSL writes 4 KB each, Java 1 KB."""
_SEQUENCE, _SET, _OCTETS, _OID, _EXPLICIT = 0x30, 0x31, 0x04, 0x06, 0xA0


def is_encrypted(octets: bytes) -> bool:
    """Whether these are EnvelopedData or AuthEnvelopedData."""
    return any(octets.find(oid, 0, 40) >= 0 for oid in _ENVELOPED)


def signed_content(octets: bytes) -> bytes | None:
    """The signed octets (a MIME entity, as a rule), None where these are no signed-data with content within."""
    try:
        return _signed_content(octets)
    except IndexError:
        return None


def _signed_content(octets: bytes) -> bytes | None:
    tag, start, end = _element(octets, 0, len(octets))
    if tag != _SEQUENCE:
        return None
    tag, oid, oid_end = _element(octets, start, end)
    if tag != _OID or octets[oid:oid_end] != _SIGNED_DATA:
        return None
    tag, start, end = _element(octets, oid_end, end)  # [0] content
    tag, start, end = _element(octets, start, end)  # SignedData
    if tag != _SEQUENCE:
        return None
    _, _, version_end = _element(octets, start, end)
    tag, _, algorithms_end = _element(octets, version_end, end)
    if tag != _SET:
        return None
    tag, start, end = _element(octets, algorithms_end, end)  # EncapsulatedContentInfo
    _, _, type_end = _element(octets, start, end)
    tag, start, end = _element(octets, type_end, end)
    if tag != _EXPLICIT:
        return None  # a detached signature
    tag, start, end = _element(octets, start, end)
    if tag == _OCTETS:
        return octets[start:end]
    return _pieces(octets, start, end) if tag == _OCTETS | 0x20 else None


def _pieces(octets: bytes, position: int, end: int) -> bytes:
    """The parts of an OCTET STRING that was written piece by piece (BER)."""
    pieces = []
    for _ in range(_MAX_PIECES):
        if position + 2 > end or octets[position : position + 2] == b"\0\0":
            break
        tag, start, position = _element(octets, position, end)
        if tag != _OCTETS:
            break
        pieces.append(octets[start:position])
    return b"".join(pieces)


def _element(octets: bytes, position: int, end: int) -> tuple[int, int, int]:
    """Tag, start and end of the content at `position`; of an indefinite length everything up to `end` is content."""
    tag, length = octets[position], octets[position + 1]
    start = position + 2
    if length == 0x80:
        return tag, start, end
    if length > 0x80:
        width = length - 0x80
        if width > 4:
            raise IndexError
        length = int.from_bytes(octets[start : start + width], "big")
        start += width
    if start > end:
        raise IndexError
    return tag, start, min(end, start + length)
