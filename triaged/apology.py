"""A mail that a wrong rule sent in; a draft that a person may send to put it right out. Nothing is sent here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from triaged.errors import ConfigError, Permanent
from triaged.mail.compose import compose, make_message_id
from triaged.mail.render import Templates, load_templates, render
from triaged.model import Address
from triaged.playbook import local_words, reference
from triaged.shipped import shipped
from triaged.undo import Compared, Sent
from triaged.written import template_files

TEMPLATE = "correction"
_BY_MACHINE = re.compile(
    rb"^(?:Message-ID|Auto-Submitted|X-Auto-Response-Suppress):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.MULTILINE
)
"""Fields of a mail that a machine sends. Whoever sends the draft gives it a Message-ID."""


@dataclass(frozen=True, slots=True)
class Draft:
    """octets: RFC 5322 with `X-Unsent: 1`, by which mail programs open it for editing; `""`: it could not be written,
    and `text` says why."""

    to: str
    subject: str
    text: str
    octets: bytes


def draft(case: Compared, sent: Sent, *, now: datetime) -> Draft:
    """The draft of an apology to whoever got this mail, in their language."""
    playbook, message = case.playbook, case.message
    colleague = next((each for each in playbook.people.values() if each.address.addr_spec == sent.to), None)
    account = case.background.account
    known = account.language if account is not None and message.identity.trust == "authenticated" else ""
    language = colleague.language if colleague is not None else known or case.without.verdict.language
    zone = account.timezone if account is not None and colleague is None else ""
    language, zone = language or playbook.language, zone or playbook.hours.timezone
    desk = playbook.mailboxes[case.mailbox].address
    name = reference(message.key)
    try:
        rendered = render(
            _templates(playbook.templates),
            TEMPLATE,
            language=language,
            variables={
                "contact": sent.name,
                "subject": sent.subject,
                "sent": local_words(sent.when, zone, language),
                "call": sent.detail,
                "colleague": colleague.person if colleague is not None else "",
                "reference": name,
                "team": playbook.team,
                "desk": desk,
            },
        )
        mail = compose(
            message_id=make_message_id(b"draft", name, playbook.border.message_id_domain),
            sender=Address(desk, playbook.team),
            envelope_sender=desk,
            recipient=Address(sent.to, sent.name),
            subject=rendered.subject,
            text=rendered.text,
            date=now,
            in_reply_to=message.message_id if colleague is None else "",
            automatic="auto-generated",
        )
    except (Permanent, ConfigError) as error:
        return Draft(sent.to, "", f"the draft could not be written: {error}", b"")
    head, end, body = mail.octets.partition(b"\r\n\r\n")
    octets = b"X-Unsent: 1\r\n" + _BY_MACHINE.sub(b"", head + b"\r\n") + end[2:] + body
    return Draft(sent.to, rendered.subject, rendered.text, octets)


def _templates(own: Templates) -> Templates:
    """The site's own; of one that was laid out before there was a `correction`, those that ship."""
    return own if TEMPLATE in own.bodies else load_templates(template_files(shipped("templates")))
