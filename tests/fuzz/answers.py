"""Hostile addresses, names and texts in; acknowledgements composed and read back by three readers; counts out.

`python -m tests.fuzz.answers --count 1000000 --seed 1 --jobs 2` ends with 1 when one field or recipient came in that
we did not mean, or when a value alone could stop a mail.
"""

from __future__ import annotations

import argparse
import dataclasses
import email
import multiprocessing
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from triaged.decision import WHEN, Outgoing
from triaged.errors import Permanent
from triaged.mail.compose import compose, make_message_id
from triaged.mail.render import ACKNOWLEDGEMENT, VARIABLES, Templates, load_templates, render
from triaged.mail.strict import faults
from triaged.model import Address
from triaged.shipped import shipped
from triaged.written import template_files

CORPORA = Path(__file__).parents[2] / "../shared/mail"
BLOCK = 500
"""Cases from one seed, so that a run is the same whatever the number of jobs."""
WHOLE_EVERY = 25
"""policy.default takes a millisecond for a whole mail; of the others it reads the head."""
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
DESK = Address("desk@firm.example", "Firm, Desk")
REFERENCE = "T-7K3M9QX"
FIELDS = (
    "message-id date from to subject auto-submitted x-auto-response-suppress mime-version content-type".split()
)  # fmt: skip
THREAD = ["in-reply-to", "references"]
UNSEEN = re.compile(r"[\0\x1b\x7f-\x9f]")
HEAD_READER = BytesHeaderParser(policy=policy.default)
MESSAGE_ID = make_message_id(b"secret", "ack:1", "triaged.firm.example")
"""Ours, so always the same: from another id comes another boundary, and the standard library then takes its time."""

OWN = """Subject: {{ subject }} {{ contact }} ({{ reference }})

{{ contact }}{{ subject }}{{ account }}
{% if contact == subject %}{{ contact|upper }}{% else %}{{ contact|title }}: {{ subject|truncate(40) }}{% endif %}
{{ reference }}
"""
"""Values side by side, in the subject and through filters: worse than any template that ships."""

BREAKERS = [
    "\r\nBcc: eve@evil.example\r\n", "\nBcc: eve@evil.example", "\rBcc: eve@evil.example",
    "\r\n\r\n<script>alert(1)</script>", "\r\n ", "\x00", "\x0b", "\x0c", "\x1b[31m", "\x85", "\x9b",
    "\u2028Bcc: x@y.example", "\u2029", "\u202e", "\u2066", "\ufeff", "�", "\ud800", "\udfff", "\u200f", "́",
    "=?utf-8?q?=0D=0ABcc:_eve=40evil.example?=", "=?utf-8?b?DQpCY2M6IGV2ZUBldmlsLmV4YW1wbGU=?=",
    "=?utf-7?q?+AA0ACg-?=", "?=", "=?", "=?utf-8?b?", "?= =?utf-8?q?=0A", "=0D=0A", "%0d%0aBcc:", "&#13;&#10;",
    ", eve@evil.example", ";eve@evil.example", "<eve@evil.example>", '"', '\\"', "\\", "(", ")",
    "(eve@evil.example)", "@evil.example", ":", "us: eve@evil.example;", ">, <eve@evil.example", "' or 1=1",
    "{{ name }}", "{{", "}}", "{% for a in b %}", "{%", "{", "{#", "#}", "{{ ''.__class__ }}", "%s", "%(x)s", "{0}",
    "${x}", "<b>", "</p><img src=x onerror=x>", "&lt;", "\n.\n", "\r\n.\r\nMAIL FROM:<x@y.example>", "\n--=_", "--",
    "\nContent-Type: text/html\n\n", "Content-Transfer-Encoding: 8bit", "From ", "שלום", "مرحبا", "Здравствуйте",
    "日本語のテキスト", "😀", "ŉß", "İstanbul", "ﬃ", "\t", "  ", "=", "==", "=3D", ".", "..", "METHOD:CANCEL",
]  # fmt: skip
BREAKERS += [WHEN, WHEN[0], "x" * 1_200, "ü" * 300, "😀" * 200, " " * 300, "\n" * 300, "{" * 60, "=?" * 50]
WORDS = (
    "Invoice 4711 for October Ann Archer Re: AW: please call back Grüße François O'Neill Müller & Co. urgent".split()
)
LOCALS = ("ann", "ann.archer", "a+b", "x" * 64, "o'neill", "a=b", "-a", "ann_1", "#1", "a.b.c.d")
DOMAINS = ("client.example", "münchen.example", "xn--mnchen-3ya.example", "例え.example", "a-b.c.example", "localhost")
_HEADS = re.compile(
    rb"^(from|to|subject|message-id|references|in-reply-to|reply-to):[ \t]*(.*(?:\n[ \t].*)*)", re.I | re.M
)


@dataclass(frozen=True, slots=True)
class Pools:
    """Where values come from: the templates, and what stands in the corpora's mails."""

    templates: Templates
    taken: Sequence[str]


def load() -> Pools:
    """The shipped templates with one of our own, and values out of the corpora where they are."""
    with TemporaryDirectory() as folder:
        for path in shipped("templates").iterdir():
            (Path(folder) / path.name).write_bytes(path.read_bytes())
        (Path(folder) / "own.txt").write_text(OWN, encoding="utf-8")
        templates = load_templates(template_files(Path(folder)))
    taken: list[str] = []
    for corpus in ("torture", "auth", "mime"):
        for path in sorted((CORPORA / corpus).rglob("*")):
            if path.is_file():
                octets = path.read_bytes()[:100_000].replace(b"\r\n", b"\n")
                found = [value[:6_000] for _, value in _HEADS.findall(octets)][:12]
                taken += [each.decode("utf-8", "surrogateescape") for each in (*found, octets[:2_500], octets[-2_500:])]
    return Pools(templates, taken)


# --- one case --------------------------------------------------------------------------------------------------


def hostile(chance: random.Random, pools: Pools) -> str:
    """A name, subject or text as nobody would write it; one in three out of the corpora."""
    if len(pools.taken) > 0 and chance.random() < 1 / 3:
        value = chance.choice(pools.taken)
        start = chance.randrange(len(value) + 1) if chance.random() < 0.2 else 0
        return value[start:]
    pieces = [chance.choice(BREAKERS if chance.random() < 0.5 else WORDS) for _ in range(chance.randint(1, 6))]
    return chance.choice((" ", "", "")).join(pieces)


def hostile_address(chance: random.Random, pools: Pools) -> str:
    """Mostly one that a mail server takes."""
    draw = chance.random()
    address = f"{chance.choice(LOCALS)}@{chance.choice(DOMAINS)}"
    if draw < 0.85:
        return address
    place = chance.randrange(len(address) + 1)
    return hostile(chance, pools) if draw < 0.9 else address[:place] + chance.choice(BREAKERS) + address[place:]


def hostile_id(chance: random.Random, pools: Pools) -> str:
    """A Message-ID, right or not."""
    draw = chance.random()
    if draw < 0.5:
        return f"<{chance.randrange(10**9)}{'x' * chance.choice((0, 10, 100, 800))}@client.example>"
    return hostile(chance, pools) if draw < 0.7 else f"<{chance.choice(BREAKERS)}{chance.randrange(9)}@client.example>"


def case(chance: random.Random, pools: Pools) -> dict[str, Any]:
    """The values of one mail."""
    return {
        "recipient": hostile_address(chance, pools),
        "name": hostile(chance, pools),
        "subject": hostile(chance, pools),
        "text": hostile(chance, pools) + chance.choice(("", "\n", "\n\n")) + hostile(chance, pools),
        "in_reply_to": hostile_id(chance, pools),
        "references": tuple(hostile_id(chance, pools) for _ in range(chance.choice((0, 1, 3, 60)))),
        "template": chance.choice(("request", "complaint", "renewal", "received", "own", "escalation", "invitation")),
        "language": chance.choice(("en", "de", "fr", "es", "")),
        "evidence": [hostile(chance, pools) for _ in range(chance.randint(0, 3))],
        "signals": [hostile(chance, pools) for _ in range(chance.randint(0, 3))],
    }


def answer(values: dict[str, Any], pools: Pools) -> Outgoing:
    """Render and compose as plan and the calendar lane do. Raises: Permanent."""
    words: dict[str, Any] = dict.fromkeys(ACKNOWLEDGEMENT.union(*VARIABLES.values()), "Friday")
    words |= {"contact": values["name"], "account": values["name"], "sender": values["recipient"]}
    words |= {"subject": values["subject"], "summary": values["subject"], "text": values["text"][:2_000]}
    words |= {"reference": REFERENCE, "evidence": values["evidence"], "when": WHEN, "signals": values["signals"]}
    made = render(pools.templates, values["template"], language=values["language"], variables=words)
    if values["template"] == "invitation":
        made = dataclasses.replace(
            made,
            subject=made.subject.replace(WHEN, "Friday"),
            text=made.text.replace(WHEN, "Friday"),
            html=made.html.replace(WHEN, "Friday"),
        )
    return compose(
        message_id=MESSAGE_ID,
        sender=DESK,
        envelope_sender="",
        recipient=Address(values["recipient"], values["name"]),
        subject=made.subject,
        text=made.text,
        html=made.html,
        date=NOW,
        in_reply_to=values["in_reply_to"],
        references=values["references"],
        automatic="auto-replied",
    )


# --- three readers ---------------------------------------------------------------------------------------------


def complaints(mail: Outgoing, values: dict[str, Any], *, whole: bool) -> list[str]:
    """What a reader found in the octets that we did not mean."""
    found = [f"strict: {fault}" for fault in faults(mail)] if whole else []  # compose has asked it already
    if not _same_address(mail.recipient, values["recipient"]):
        found.append(f"recipient: {mail.recipient!r} for {values['recipient']!r}")
    plain = email.message_from_bytes(mail.octets, policy=policy.compat32)
    found += _names("compat32", plain)
    found += _thread(plain, values)
    found += _parts("compat32", plain)
    if [address for _, address in getaddresses(plain.get_all("To", []))] != [mail.recipient]:
        found.append("compat32: To is not the one recipient")
    if str(plain["Message-ID"]) != mail.message_id:
        found.append(f"compat32: the Message-ID is {plain['Message-ID']!r}")
    read: Any = HEAD_READER.parsebytes(mail.octets.partition(b"\r\n\r\n")[0])
    found += _names("default", read)
    if [address.addr_spec for address in read["To"].addresses] != [mail.recipient]:
        found.append(f"default: To is {read['To']!r}")
    if re.search(r"[\r\n\0]", str(read["Subject"])):
        found.append("default: a break in Subject")
    return found + _whole(mail) if whole else found


def _whole(mail: Outgoing) -> list[str]:
    """All that policy.default makes of a mail."""
    read: Any = email.message_from_bytes(mail.octets, policy=policy.default)
    found = _parts("default", read)
    found += [f"default: a break in {name}" for name, value in read.items() if re.search(r"[\r\n]", str(value))]
    if [address.addr_spec for address in read["From"].addresses] != [DESK.addr_spec]:
        found.append(f"default: From is {read['From']!r}")
    return found


def _names(reader: str, read: Message[str, str]) -> list[str]:
    names = [name.lower() for name in read.keys()]  # noqa: SIM118 - not a dict
    wanted = FIELDS if "in-reply-to" not in names else FIELDS + THREAD
    return [f"{reader}: the fields are {names}"] if sorted(names) != sorted(wanted) else []


def _thread(read: Message[str, str], values: dict[str, Any]) -> list[str]:
    answered, ids = read["In-Reply-To"], str(read["References"] or "").split()
    if answered is None:
        return []
    found = []
    if answered.strip() != values["in_reply_to"] or ids[-1:] != [values["in_reply_to"]]:
        found.append("compat32: In-Reply-To is another")
    if len(ids) > 50 or not {*ids} <= {*values["references"], values["in_reply_to"]}:
        found.append("compat32: References hold what nobody wrote")
    return found


def _parts(reader: str, read: Message[str, str]) -> list[str]:
    parts = list(read.walk())
    kinds = [part.get_content_type() for part in parts]
    found = [f"{reader}: {part.defects[0]!r}" for part in parts if len(part.defects) > 0]
    if kinds != ["multipart/alternative", "text/plain", "text/html"]:
        return [*found, f"{reader}: the parts are {kinds}"]
    for part, kind in zip(parts[1:], kinds[1:], strict=True):
        octets = part.get_payload(decode=True)
        text = octets.decode("utf-8") if isinstance(octets, bytes) else ""
        if REFERENCE not in text or "{{" in text or "{%" in text or UNSEEN.search(text) is not None:
            found.append(f"{reader}: the text is not ours")
        if kind == "text/html" and re.search(r"<(script|img|b)[ >]", text):
            found.append(f"{reader}: a tag of theirs in our HTML")
    return found


def _same_address(wire: str, given: str) -> bool:
    local, _, domain = given.rpartition("@")
    labels = domain.split(".")
    shown = [
        part[4:].encode("ascii").decode("punycode") if part.startswith("xn--") and not label.isascii() else part
        for part, label in zip(wire.rpartition("@")[2].split("."), labels, strict=False)
    ]
    return wire.rpartition("@")[0] == local and shown == labels


# --- many cases ------------------------------------------------------------------------------------------------

REFUSALS = ("what stands before the @", "the domain of the address", "not an address")
_POOLS: list[Pools] = []


def block(seed: int, number: int, count: int = BLOCK) -> tuple[Counter[str], list[str]]:
    """Run the cases of one block; the counts, and what was found wrong."""
    if len(_POOLS) == 0:
        _POOLS.append(load())
    chance = random.Random(f"{seed}:{number}")
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    began = time.process_time()
    for index in range(count):
        values = case(chance, _POOLS[0])
        counts["cases"] += 1
        try:
            mail = answer(values, _POOLS[0])
        except Permanent as error:
            refused = str(error).startswith(REFUSALS)
            counts["refused for the address" if refused else "stopped"] += 1
            if not refused:
                wrong.append(f"{seed}:{number}:{index} stopped: {error}")
            continue
        counts["composed"] += 1
        found = complaints(mail, values, whole=index % WHOLE_EVERY == 0)
        counts["injected fields"] += any("fields are" in each for each in found)
        counts["other recipients"] += any("recipient" in each or " To is" in each for each in found)
        counts["other findings"] += len(found) > 0
        wrong += [f"{seed}:{number}:{index} {each}" for each in found]
    counts["CPU ms"] = int((time.process_time() - began) * 1_000)
    return counts, wrong


def report(line: str) -> None:
    """Print a line, whatever is in it."""
    sys.stdout.write(line.encode("ascii", "backslashreplace").decode("ascii")[:600] + "\n")


def _block(seed_and_number: tuple[int, int]) -> tuple[Counter[str], list[str]]:
    return block(*seed_and_number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the counts, and say by the exit code whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    blocks = [(options.seed, number) for number in range(-(-options.count // BLOCK))]
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        for some, found in pool.imap_unordered(_block, blocks):
            counts += some
            wrong += found
    took_s = time.monotonic() - began
    rate = counts["cases"] / max(counts["CPU ms"], 1) * 1_000
    report(
        f"{counts['cases']} answers in {took_s:.0f} s, {rate:.0f} a second of one core: "
        f"{counts['composed']} composed, {counts['refused for the address']} refused for their address, "
        f"{counts['stopped']} stopped by a value, {counts['injected fields']} with an injected field, "
        f"{counts['other recipients']} with another recipient, {len(wrong)} findings"
    )
    for each in wrong[:20]:
        report(each)
    return 0 if len(wrong) == 0 and counts["composed"] > 0.7 * counts["cases"] else 1


if __name__ == "__main__":
    sys.exit(main())
