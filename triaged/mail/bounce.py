# ruff: noqa: E501 - the lists of words servers use read best as they are
"""A delivery report goes in, whose mail came back, which one and why comes out (RFC 3464, RFC 3463, older habits)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from triaged.mail import mime
from triaged.mail.addresses import addresses
from triaged.mail.headers import Fields, message_ids, one_line, split_head, text_of
from triaged.mail.mime import Part
from triaged.model import Automatic, Bounce, BouncedRecipient

MAX_RECIPIENTS = 100
MAX_MESSAGE_IDS = 20
MAX_REPORT_BYTES = 262_144
"""Of one report part; real ones stay under 20 KB."""
MAX_TEXT_CHARACTERS = 100_000
MAX_DIAGNOSTIC_CHARACTERS = 200

_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status", "multipart/delivery-status")
_RETURNED_PARTS = ("message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/news")

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<![\d.])([45])\d\d(?![\d.])[ -]")
_GONE = re.compile(
    r"user ?unknown|unknown (?:user|recipient|local|mailbox|address|or illegal)|no such (?:user|recipient|mailbox|address|"
    r"person|account|domain|host)|(?:user|recipient|mailbox|account|address|domain|host|alias)\b.{0,60}(?:not (?:found|exist|"
    r"known|listed|valid|here)|n[o']t exist|unknown|invalid|disabled|suspended|inactive|closed|deleted|could(?: not|n't) be "
    r"found|unavailable|wasn't found)|(?:invalid|bad|unrecognized|illegal) (?:destination )?(?:mailbox|recipient|address|user)|"
    r"no mailbox here|does(?: not|n't) have an? .{0,40}account|host (?:or domain name )?not found|recipnotfound|"
    r"(?:address|mailbox) (?:couldn't|could not) be found|no longer (?:here|valid|in use|on server)|not a valid (?:mailbox|user)|"
    r"has moved|not our customer|unrouteable (?:address|mail domain)|all relevant mx records point to non-existent",
    re.IGNORECASE,
)
"""What servers write where their status code says little (`5.0.0`) or there is none."""
_FULL = re.compile(
    r"over ?quota|quota exceeded|exceeded .{0,20}quota|(?:mailbox|inbox) (?:is )?full|full mailbox", re.IGNORECASE
)
_NOT_THE_ADDRESS = re.compile(
    r"over ?quota|quota exceeded|mailbox (?:is )?full|full mailbox|insufficient (?:disk|storage|system)|too (?:large|big|many)|"
    r"exceed|spam|blacklist|blocked?\b|blocklist|reputation|policy|dmarc|dkim|\bspf\b|content|virus|relay|reverse dns|\bptr\b|"
    r"greylist|try again|timed? ?out|temporar|deferred|rate limit|authentic|access denied|rejected for|not authorized|permission",
    re.IGNORECASE,
)

# Reports without a machine-readable part: the address stands on a line of its own or beside the server's answer.
_ADDRESS = r"[<\"]?([^\s<>()\"',;:\[\]]{1,64}@[^\s<>()\"',;:\[\]]{1,190}[^\s<>()\"',;:.\[\]])(?![\w.-]*\w)[>\"]?"
_FAILED = re.compile(
    rf"^[ \t>*]*(?:(?:recipient(?: address)?|to|user|empfänger|an|rcpt to|your message to|the following (?:address|recipient))"
    rf"[:\s]\s*)?{_ADDRESS}(?:<mailto:[^>]*>)?(?:\s*\([^)\n]{{0,60}}\))?\s*(?:[:;,.].{{0,200}}|\.\.\..{{0,200}}|-? ?.{{0,80}}failed.{{0,80}})?$|"
    rf"^[^\n@]{{0,120}}(?:deliver|reach|reject|unknown|undeliverable|blocked|returned|error)[^\n@]{{0,60}}[ <]{_ADDRESS}|"
    rf"[45]\d\d[ -](?:[45]\.\d{{1,3}}\.\d{{1,3}} )?<?{_ADDRESS}",
    re.IGNORECASE | re.MULTILINE,
)
_COPY_FOLLOWS = re.compile(
    r"^.{0,40}(?:copy of (?:the|your) message|below this line|original message (?:follows|headers)|message headers follow|unsent message follows|"
    r"original-(?:nachricht|message)|headers? of the original|-{3,} ?(?:original message|returned message|message header)|"
    r"received: from|return-path: |message-id: )",
    re.IGNORECASE | re.MULTILINE,
)
_ID_LINE = re.compile(
    r"^[ \t>|]{0,10}(?:x-)?(?:original-)?message-id:\s*(<[^<>\s]{3,900}>)", re.IGNORECASE | re.MULTILINE
)


def read_bounce(root: Part, *, own: Iterable[Part], text: str, automatic: Automatic) -> Bounce | None:
    """What a returned mail says; None for every other mail, and for a report about nobody and nothing.

    own: the parts of the mail without what it encloses. Read safely: nothing is believed of a mail that a person
    seems to have written, and whether the message named is one of ours is for the log to say.
    """
    if automatic.by == "person":
        return None
    parts = list(own)
    recipients: dict[str, BouncedRecipient] = {}
    for part in parts:
        if part.content_type in _STATUS_PARTS:
            for found in _of_status(_groups(part)):
                recipients.setdefault(found.addr_spec.lower(), found)
    if not recipients:
        for found in _of_text(root.fields, text[:MAX_TEXT_CHARACTERS]):
            recipients.setdefault(found.addr_spec.lower(), found)
    ids = tuple(dict.fromkeys(_returned_ids(root, parts, text)))[:MAX_MESSAGE_IDS]
    if not recipients:
        return None
    return Bounce(ids, tuple(recipients.values())[:MAX_RECIPIENTS])


# --- the machine-readable part (RFC 3464 2) ------------------------------------------------------------------------


def _groups(part: Part) -> Iterator[Fields]:
    """The groups of fields: one about the message, one for each recipient."""
    octets = mime.unix_lines(mime.decoded(part, most=MAX_REPORT_BYTES)) + b"\n\n"
    for piece in re.split(rb"\n[ \t]*\n", octets)[: MAX_RECIPIENTS + 20]:
        fields, _, _ = split_head(piece.strip(b"\n") + b"\n\n")
        if len(fields.items) > 0:
            yield fields


def _of_status(groups: Iterable[Fields]) -> Iterator[BouncedRecipient]:
    for fields in groups:
        if not any(
            fields.has(name) for name in ("final-recipient", "original-recipient", "x-actual-recipient", "action")
        ):
            continue
        # Original-Recipient is what was written to; Final-Recipient may be where an alias led.
        named = (fields.first(name) for name in ("original-recipient", "final-recipient", "x-actual-recipient"))
        address = next((found for value in named if (found := _address(value)) != ""), "")
        action = fields.first("action").split("(")[0].strip().lower()
        if address == "" or action in ("delivered", "relayed", "expanded"):
            continue
        diagnostic = fields.first("diagnostic-code").partition(";")[2] or fields.first("diagnostic-code")
        permanent = action != "delayed" and _is_permanent(fields.first("status"), diagnostic)
        yield BouncedRecipient(address, permanent, _shown(diagnostic or fields.first("status")))


def _address(value: str) -> str:
    """`rfc822; <zoe+40gone.example>` → the addr-spec; `""` where there is none."""
    kind, _, spec = value.rpartition(";")
    if kind.strip().lower() not in ("", "rfc822", "utf-8", "unknown", "internet", "smtp", "dns"):
        return ""
    if "@" not in spec:
        spec = re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), spec)
    found = addresses(spec[:500]).addresses
    return found[0].addr_spec if len(found) == 1 else ""


def _is_permanent(status: str, diagnostic: str) -> bool:
    """Whether the address itself is no good: not for a full mailbox, a refused text or a refused sender."""
    said = _STATUS.search(diagnostic) or _STATUS.search(status)
    own = _STATUS.search(status)
    if said is not None and own is not None and said.groups()[1:] == ("0", "0"):
        said = own
    if said is None:
        code = _CODE.search(diagnostic)
        return (code is None or code[1] == "5") and _is_gone(diagnostic)
    kind, subject, detail = said[1], int(said[2]), int(said[3])
    if kind != "5":
        return False
    if _FULL.search(diagnostic) is not None:
        return False
    if subject == 1:
        return detail not in (7, 8, 9) and not (detail == 0 and not _is_gone(diagnostic))  # 7, 8: our own address
    if (subject, detail) in ((2, 1), (4, 4)):
        return _NOT_THE_ADDRESS.search(diagnostic) is None
    return _is_gone(diagnostic)


def _is_gone(diagnostic: str) -> bool:
    return _GONE.search(diagnostic) is not None and _NOT_THE_ADDRESS.search(diagnostic) is None


# --- reports in words -----------------------------------------------------------------------------------------------


def _of_text(fields: Fields, text: str) -> Iterator[BouncedRecipient]:
    named = [each.addr_spec for each in addresses(", ".join(fields.all("x-failed-recipients")[:20])).addresses]
    copy = _COPY_FOLLOWS.search(text)
    report = text[: copy.start()] if copy is not None and copy.start() > 0 else text
    if not named:
        named = [spec for found in _FAILED.finditer(report) if (spec := _address(next(filter(None, found.groups()))))]
    named = list(dict.fromkeys(named))
    # Whom to ask for help is named in a report as well.
    named = [spec for spec in named if _HELPERS.match(spec) is None] or named
    places = sorted((report.lower().find(spec.lower()), spec) for spec in named[:MAX_RECIPIENTS])
    for index, (at, spec) in enumerate(places):
        end = places[index + 1][0] if index + 1 < len(places) else len(report)
        diagnostic = _line_about(report[max(0, at) : min(max(end, at + 1), at + 1_500)])
        diagnostic = diagnostic or _line_about(report[max(0, at - 300) : max(0, at)] if len(places) == 1 else "")
        yield BouncedRecipient(spec, _is_permanent("", diagnostic), _shown(diagnostic))


_HELPERS = re.compile(
    r"(?:post-?master|mailer-daemon|abuse|support|help-?desk|hostmaster|webmaster|info)@", re.IGNORECASE
)


def _line_about(block: str) -> str:
    """The line that says why: one with a status code, else one in words."""
    lines = [line.strip(" \t>-") for line in block.split("\n")]
    coded = (line for line in lines if _CODE.search(f"{line} ") is not None or _STATUS.search(line) is not None)
    return next(coded, "") or next((line for line in lines if _GONE.search(line) is not None), "")


def _returned_ids(root: Part, own: list[Part], text: str) -> Iterator[str]:
    """Message-IDs of the mail that came back, the surest first."""
    for part in own:
        if part.content_type in _RETURNED_PARTS:
            head = part.children[0].fields if part.children else None
            if head is None:
                octets = mime.unix_lines(mime.decoded(part, most=MAX_REPORT_BYTES)).lstrip(b"\n")
                head, _, _ = split_head(octets)
            yield from message_ids(head.first("message-id"))
        elif part.content_type in _STATUS_PARTS:
            for fields in _groups(part):
                yield from message_ids(fields.first("x-original-message-id"))
                yield from message_ids(fields.first("original-message-id"))
    for found in _ID_LINE.finditer(text[:MAX_TEXT_CHARACTERS]):
        yield from message_ids(found[1])
    yield from message_ids(root.fields.first("x-original-message-id"))
    yield from message_ids(root.fields.first("in-reply-to"))
    yield from message_ids(root.fields.first("references"))


def _shown(diagnostic: str) -> str:
    return " ".join(one_line(text_of(diagnostic[:2_000])).split())[:MAX_DIAGNOSTIC_CHARACTERS]
