"""Mails built to be slow go through `parse` at 5 and 20 MB, and all mails of the corpora; time and memory are printed.

    python -m tests.fuzz.torture

A mail fails that takes over 2 s of CPU (Q2), or 8 times as long at four times the size; so does a process that ever
takes over 300 MB. Exit code 1 if any failed.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.pool import Pool
from pathlib import Path

from tests.fuzz.mails import BORDER, CORPUS, WHEN
from triaged.mail.parse import parse
from triaged.model import Locator, Raw

MAX_CPU_S = 2.0
MAX_MB = 300
_SMALL_BYTES, _LARGE_BYTES = 5_000_000, 20_000_000
_MAX_RATIO = 8.0
"""Of the time at four times the size; 4 is linear, the rest is noise."""
_TOO_LITTLE_S = 0.2
"""Under this a ratio says nothing."""

HEAD = b"From: a@b.example\nTo: d@e.example\nMessage-ID: <1@b.example>\nDate: Sun, 22 Nov 2026 10:00:00 +0100\n"
HTML = HEAD + b"Content-Type: text/html\n\n"
MIXED = HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n"
TNEF = HEAD + b"Content-Type: application/ms-tnef\n\n\x78\x9f\x3e\x22\x01\x00"
_RTF = (
    b"\x01\x03\x90\x06\x00\xff\xff\xff\x7f\x01\0\0\0\x02\x01\x09\x10\x01\0\0\0\xff\xff\xff\x7f"
    b"\0\0\0\0\xff\xff\xff\x7f%s\0\0\0\0%s"
)
"""The message's properties with its RTF, as long as there is room."""


def _field(name: bytes, unit: bytes, before: bytes = b"") -> tuple[bytes, bytes]:
    return HEAD + name + b": " + before, unit


def _text(unit: bytes, content_type: bytes = b"text/plain", encoding: bytes = b"8bit") -> tuple[bytes, bytes]:
    return HEAD + b"Content-Type: " + content_type + b"\nContent-Transfer-Encoding: " + encoding + b"\n\n", unit


REPEATED: dict[str, tuple[bytes, bytes]] = {
    # name: (what stands in front, what is repeated up to the size)
    "fields": (HEAD, b"X-A: b\n"),
    "received fields": (b"", b"Received: from a by b; x\n"),
    "lines that are no fields": (HEAD, b"garbage\n"),
    "blank lines in front": (b"", b" \n\t\r\n"),
    "folded lines": _field(b"Subject", b"\n b"),
    "folded blank lines": _field(b"Subject", b"\n \n\tx"),
    "words": _field(b"Subject", b"=?utf-8?q?a?= "),
    "words never closed": _field(b"Subject", b"=?utf-8?q?"),
    "words of two charsets": _field(b"Subject", b"=?utf-8?q?a?= =?gbk?b?xPq6ww==?= "),
    "addresses": _field(b"Cc", b"a@b.example,\n "),
    "quotes in From": (b"From: ", b'"'),
    "angles in From": (b"From: ", b"<"),
    "comments in From": (b"From: ", b"("),
    "ats in From": (b"From: ", b"@a"),
    "To fields": (HEAD, b"To: a@b.example\n"),
    "references": _field(b"References", b"<a@b>\n "),
    "references never closed": _field(b"References", b"<a"),
    "digits in Date": _field(b"Date", b"9"),
    "parameters": _field(b"Content-Type", b"; a=b", b"text/plain"),
    "semicolons": _field(b"Content-Type", b";", b"text/plain"),
    "RFC 2231 pieces": _field(b"Content-Type", b";\n x*1*=a", b"text/plain"),
    "authentication results": _field(b"Authentication-Results", b" dmarc=pass;\n", b"mx.firm.example;"),
    "comments in results": (HEAD, b"Authentication-Results: mx.firm.example " + b"(" * 500 + b"\n"),
    "parts": (MIXED, b"--b\n\nx\n"),
    "false boundaries": (MIXED, b"--bx\n"),
    "hyphens": (HEAD + b'Content-Type: multipart/mixed; boundary="-"\n\n', b"-"),
    "a boundary of 30 KB": (HEAD + b'Content-Type: multipart/mixed; boundary="' + b"-" * 30_000 + b'"\n\n', b"-"),
    "no boundary named": (HEAD + b"Content-Type: multipart/mixed\n\n", b"--" + b"x" * 100 + b" "),
    "multiparts nested": (HEAD, b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"),
    "mails nested": (HEAD, b"Content-Type: message/rfc822\n\n"),
    "HTML parts": (MIXED, b"--b\nContent-Type: text/html\n\n" + b"<p>a" * 10_000 + b"\n"),
    "8-bit parts": (MIXED, b"--b\n\n" + b"\xc4\xfa word\n" * 1_000),
    "alternatives": (MIXED.replace(b"mixed", b"alternative"), b"--b\nContent-Type: text/html\n\n<p>a\n"),
    "elements": (HTML, b"<div>"),
    "attributes": (HTML + b"<a ", b"a=b "),
    "tags never closed": (HTML, b"<a "),
    "angles": (HTML, b"<"),
    "comments": (HTML, b"<!--"),
    "declarations": (HTML, b"<!a"),
    "ampersands": (HTML, b"&"),
    "digits of a reference": (HTML + b"&#", b"9"),
    "quotes in tags": (HTML, b"<a b='>"),
    "styles": (HTML, b"<style>"),
    "hidden elements": (HTML, b"<div style='display:none'>"),
    "hidden elements, closed": (HTML, b"<b hidden></b>"),
    "quotes of quotes": (HTML, b"<blockquote>x"),
    "blanks in HTML": (HTML + b"<p>", b" "),
    "soft line ends": _text(b"a=\n", encoding=b"quoted-printable"),
    "equals signs": _text(b"=", encoding=b"quoted-printable"),
    "padding": _text(b"QQ=\n", encoding=b"base64"),
    "uuencoded lines": _text(b"!\n", encoding=b"x-uuencode"),
    "flowed lines": _text(b"a \n", b"text/plain; format=flowed"),
    "HZ": _text(b"~{", b"text/plain; charset=hz-gb-2312"),
    "UTF-7": _text(b"+A", b"text/plain; charset=utf-7"),
    "ISO-2022-JP": _text(b"\x1b$B", b"text/plain; charset=iso-2022-jp"),
    "ISO-2022-JP without escapes": _text(b"$B", b"text/plain; charset=iso-2022-jp"),
    "octets of no charset": _text(bytes(range(128, 256))),
    "NULs": _text(b"\0a"),
    "CR": (HEAD.replace(b"\n", b"\r") + b"\r", b"x\r"),
    "CR CR LF": (HEAD + b"\n", b"\r\r\n"),
    "On": (HEAD + b"\n", b"On "),
    "On lines": (HEAD + b"\n", b"On \n"),
    "From lines": (HEAD + b"\n", b"From:\n"),
    "rules": (HEAD + b"\n", b"-----\n"),
    "signatures": (HEAD + b"\nx\n", b"-- \n"),
    "quoted lines": (HEAD + b"\n", b"> "),
    "attributions": (HEAD + b"\n", b"2026-11-22 a@b:\n"),
    "winmail.dat files": (TNEF, b"\x02\x02\x90\x06\x00\x00\x00\x00\x00\x00\x00"),
    "RTF groups": (TNEF + _RTF % (b"MELA", b""), b"{\\b"),
    "RTF characters": (TNEF + _RTF % (b"MELA", b""), b"\\u9?"),
    "compressed RTF": (TNEF + _RTF % (b"LZFu", b""), b"\xff" + b"\x00\x0f" * 8),
    "S/MIME pieces": (
        HEAD
        + b"Content-Type: application/pkcs7-mime\n\n"
        + bytes.fromhex("308006092a864886f70d010702a08030800201013100308006092a864886f70d010701a0802480"),
        b"\x04\x01a",
    ),
    "delivery status": (
        HEAD + b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n",
        b"Final-Recipient: rfc822; a@b.example\nStatus: 5.0.0\n\n",
    ),
}  # fmt: skip


def built(name: str, size: int) -> bytes:
    """The hostile mail of this name and size in octets."""
    front, unit = REPEATED[name]
    return (front + unit * ((size - len(front)) // len(unit) + 1))[:size]


def cost(octets: bytes) -> float:
    """Seconds of CPU that reading takes; parsed whole, or an AssertionError."""
    started = time.process_time()
    message = parse(Raw(Locator("desk", "INBOX", "1"), WHEN, octets, len(octets)), border=BORDER)
    spent = time.process_time() - started
    assert not any(each.startswith("could not be read") for each in message.defects), message.defects
    return spent


def _case(name: str) -> tuple[str, float, float, int]:
    small, large = (cost(built(name, size)) for size in (_SMALL_BYTES, _LARGE_BYTES))
    return name, small, large, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _file(path: Path) -> tuple[str, float, float, int]:
    spent = cost(path.read_bytes())
    return path.name, spent, spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _print(pool: Pool, title: str, work: Callable[..., tuple[str, float, float, int]], tasks: Sequence[object]) -> bool:
    failed, slowest, peak_mb = 0, (0.0, ""), 0
    for name, small, large, mb in pool.imap_unordered(work, tasks):
        ratio = large / small if small > _TOO_LITTLE_S / 4 and large > _TOO_LITTLE_S else 0.0
        if large > MAX_CPU_S or ratio > _MAX_RATIO or mb > MAX_MB:
            failed += 1
            print(f"FAILED {name}: {small:.2f} s, at four times the size {large:.2f} s; {mb} MB")  # noqa: T201
        slowest, peak_mb = max(slowest, (large, name)), max(peak_mb, mb)
    print(f"{title}: {len(tasks)} mails, {failed} failed, slowest {slowest[0]:.2f} s ({slowest[1]}), {peak_mb} MB")  # noqa: T201
    return failed == 0


def main() -> int:
    files = sorted(path for path in CORPUS.rglob("*") if path.is_file())
    context = multiprocessing.get_context("fork")
    with context.Pool(1, maxtasksperchild=1) as pool:
        good = _print(pool, "hostile mails of 20 MB", _case, list(REPEATED))
    with context.Pool(1) as pool:
        if files:
            good = _print(pool, "files of the corpora", _file, files) and good
        else:
            print("files of the corpora: needs ../shared/mail")  # noqa: T201
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
