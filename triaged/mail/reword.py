"""A mail of ours that waits and other words for it in; the same mail with these words out, composed anew."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.headerregistry import AddressHeader, DateHeader
from unicodedata import category

from triaged.decision import Outgoing
from triaged.errors import Permanent
from triaged.mail.compose import MAX_SUBJECT_CHARACTERS, compose
from triaged.model import Address

MAX_TEXT_CHARACTERS = 20_000
"""An acknowledgement is a page; `strict` refuses a mail over 64 KB in any case."""
BREAKING = ("Cc", "Zl", "Zp")
"""Unicode's control characters and line breaks: what could end a field of a mail's head."""


def problem(subject: str, text: str) -> str:
    """What is wrong with these words, a sentence; `""` if nothing is."""
    if subject.strip() == "":
        return "The subject is empty. Write one: a mail without a subject looks like spam."
    if len(subject) > MAX_SUBJECT_CHARACTERS:
        return f"The subject has {len(subject)} letters; at most {MAX_SUBJECT_CHARACTERS} are sent. Shorten it."
    if any(category(letter) in BREAKING for letter in subject):
        return "The subject holds a line break or a control character. Write it anew, in one line."
    if text.strip() == "":
        return "The text is empty. Write one, or reject the mail: then nothing is sent."
    if len(text) > MAX_TEXT_CHARACTERS:
        return f"The text has {len(text):,} letters; at most {MAX_TEXT_CHARACTERS:,} are sent. Shorten it."
    return ""


def reworded(mail: Outgoing, *, subject: str, text: str, html: str | None) -> Outgoing:
    """The mail with another subject, text and HTML part (None: without one); all else as it was first composed.

    mail: without a calendar. With the words it has already the same octets come out. Raises: Permanent, when it must
    not leave so.
    """
    read = message_from_bytes(mail.octets, policy=policy.default)
    date = read["Date"]
    if not isinstance(date, DateHeader) or date.datetime is None:
        raise Permanent("the mail that waits has no date, so it is none of ours")
    return compose(
        message_id=mail.message_id,
        sender=_address(read["From"]),
        envelope_sender=mail.sender,
        recipient=_address(read["To"]),
        subject=subject,
        text=text,
        html=html,
        date=date.datetime,
        in_reply_to=str(read["In-Reply-To"] or "").strip(),
        references=tuple(str(read["References"] or "").split()),
        automatic="auto-replied" if read["Auto-Submitted"] == "auto-replied" else "auto-generated",
    )


def _address(field: object) -> Address:
    assert isinstance(field, AddressHeader)
    (address,) = field.addresses
    return Address(address.addr_spec, address.display_name)
