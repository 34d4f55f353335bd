"""A template filled in, or an acknowledgement that was composed, in; the mail as its reader sees it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, Literal

from triaged.decision import Outgoing
from triaged.errors import ConfigError
from triaged.mail.compose import compose
from triaged.mail.render import Read, Templates, render
from triaged.model import Address
from triaged.samples import Ours, client_of, sample

PAGE = Path(__file__).with_name("preview.html")
FIELDS: Final = (
    *("From", "To", "Subject", "Date", "In-Reply-To", "References", "Auto-Submitted", "X-Auto-Response-Suppress"),
)
"""What is shown of the head, in this order. The Message-ID is left out: it is made with the key of the site."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as its reader sees it. template: the file's stem; head: fields with their words, in order; text, html: the
    parts, lines ending in LF. returns_to: where it comes back to when it cannot be delivered, `""`: nowhere.
    """

    template: str
    head: tuple[tuple[str, str], ...]
    text: str
    html: str
    returns_to: str

    @property
    def subject(self) -> str:
        """The subject."""
        return dict(self.head).get("Subject", "")


def letter(template: str, mail: Outgoing) -> Letter:
    """A mail of ours, its octets read again as the client's program reads them."""
    read = message_from_bytes(mail.octets, policy=policy.default)
    assert isinstance(read, EmailMessage)
    head = tuple((name, str(read[name])) for name in FIELDS if read[name] is not None)
    return Letter(template, head, _part(read, "plain"), _part(read, "html"), mail.sender)


def _part(mail: EmailMessage, kind: Literal["plain", "html"]) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


def made_up(read: Read, stem: str, *, ours: Ours, now: datetime) -> Letter:
    """A template filled in with made-up values. Raises: ConfigError, KeyError when it could not be read, Permanent."""
    if read.layout is None:
        raise ConfigError(read.problems)
    kind, _, language = stem.partition(".")
    values = sample(stem, language=language, ours=ours, now=now)
    templates = Templates(read.subjects, read.bodies, read.layout)
    made = render(templates, kind, language=language, variables=values)
    is_to_us = kind == "escalation"
    writer = client_of(language or ours.language)
    client, colleague = Address(writer.address, writer.contact), Address("colleague@firm.example", ours.colleague)
    mail = compose(
        message_id="<made-up@firm.example>",
        sender=Address(ours.desk, ours.team),
        envelope_sender=ours.desk if is_to_us else "",
        recipient=colleague if is_to_us else client,
        subject=made.subject,
        text=made.text,
        html=made.html,
        date=now,
        automatic="auto-generated" if is_to_us else "auto-replied",
    )
    return letter(stem, mail)


def view(shown: Letter) -> dict[str, Any]:
    """One mail of `triaged templates preview --json`; head: by the field's name."""
    return {
        "template": shown.template,
        "head": dict(shown.head),
        "returns_to": shown.returns_to or None,
        "text": shown.text,
        "html": shown.html,
    }


def page(letters: Sequence[Letter], *, title: str, said: Sequence[str]) -> str:
    """The mails on one HTML page, each with its HTML part as a mail program shows it. said: sentences above them."""
    from jinja2 import Environment, StrictUndefined

    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE.read_text(encoding="utf-8"))
    return template.render(title=title, said=list(said), letters=letters)
