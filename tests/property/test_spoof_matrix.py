"""Every address trick with every Authentication-Results trick and Reply-To: nothing told, no account mistaken (Q9)."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import itertools
from collections import Counter
from datetime import date

import pytest

from tests.desk import ACME, AUTHSERV_ID, decided, effects_of, lay_out_site
from triaged.decision import BookCall, Decision, SendAck
from triaged.loading import assembled
from triaged.model import Account, Contract, Message
from triaged.playbook import Playbook, day_words

ANSWER_ALL = """
[[rule]]
name = "Everybody is answered"
when.says = "unacceptable"
then.acknowledge = "{template}"
then.send = "auto"
then.priority = "urgent"
then.call = {{ with = "lena", within = "1 business day", minutes = 30 }}
"""
"""Ruder than any site: strangers, too, are answered and called at once."""

TELLS_ALL = """Subject: {{ subject }} {{ account }}

Dear {{ contact }} of {{ account }}, about {{ category }} "{{ subject }}": by {{ due }}.
{{ team }}, {{ desk }}, {{ reference }}
"""
"""A template that tells whatever it is given."""

CLIENT = dataclasses.replace(
    ACME, name="Acme Bakeries", contracts=(Contract("N-7781", date(2031, 5, 4)),), language="fr"
)
SUBJECT = "Quarrel over the ovens"

ADDRESSES = {
    "a name that is an address": '"ann@acme.example" <eve@evil.example>',
    "an address before the address": "ann@acme.example <eve@evil.example>",
    "an address behind the address": "<ann@acme.example>eve@evil.example",
    "an address in a comment": "ann@acme.example(<eve@evil.example>)",
    "an address behind a colon": "ann@acme.example:eve@evil.example",
    "two addresses": "ann@acme.example, eve@evil.example",
    "two From fields": "ann@acme.example\r\nFrom: eve@evil.example",
    "a group": "Acme: ann@acme.example, eve@evil.example;",
    "a NUL": "ann@acme.example\0@evil.example",
    "a Cyrillic letter": "Ann Archer <ann@\u0430cme.example>",
    "a domain that looks alike": "Ann Archer <ann@acrne.example>",
    "the very address": "Ann Archer <ann@acme.example>",
}
RECEIVED = f"Received: from evil.example by {AUTHSERV_ID} (Postfix) id 1; Tue, 17 Nov 2026 07:30:00 +0000\r\n"
THEIRS = "Received: from a by evil.example id 2; Tue, 17 Nov 2026 07:29:00 +0000\r\n"
PASSED = "dmarc=pass header.from=acme.example"
RESULTS = {
    "none": RECEIVED,
    "of another server": f"{RECEIVED}Authentication-Results: mx.evil.example; {PASSED}\r\n",
    "of a name that begins like ours": f"Authentication-Results: {AUTHSERV_ID}.evil.example; {PASSED}\r\n{RECEIVED}",
    "forged, under our name, lower down": f"{RECEIVED}{THEIRS}Authentication-Results: {AUTHSERV_ID}; {PASSED}\r\n",
    "ours for their domain, and a forged one": f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass "
    f"header.from=evil.example\r\n{RECEIVED}Authentication-Results: {AUTHSERV_ID}; {PASSED}\r\n",
    "a result in a quoted address": f'Authentication-Results: {AUTHSERV_ID}; spf=pass smtp.mailfrom="x; {PASSED} ; x='
    f'"@evil.example\r\n{RECEIVED}',
    "a result in a comment, and two of them": f"Authentication-Results: {AUTHSERV_ID} (; {PASSED}); spf=none\r\n"
    f"Authentication-Results: {AUTHSERV_ID}; {PASSED}; dmarc=none header.from=acme.example\r\n{RECEIVED}",
    "ours says that it failed": f"Authentication-Results: {AUTHSERV_ID}; dmarc=fail header.from=acme.example\r\n"
    f"{RECEIVED}",
}
REPLY_TO = {"none": "", "theirs": "Reply-To: eve@evil.example\r\n", "the client's": "Reply-To: ann@acme.example\r\n"}


def octets_of(sender: str, results: str, reply_to: str) -> bytes:
    return (
        f"{results}From: {sender}\r\n{reply_to}To: desk@nordlicht.example\r\nSubject: {SUBJECT}\r\n"
        "Date: Tue, 17 Nov 2026 08:30:00 +0100\r\nMessage-ID: <mail-1@acme.example>\r\n"
        "References: <earlier@acme.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        "This is unacceptable. What about contract N-7781? Please call me at once.\r\n"
    ).encode()


def secrets(message: Message, decision: Decision) -> list[str]:
    """What only the client may read; all of it stands in what an authenticated client gets."""
    assert decision.due is not None
    days = [day_words(decision.due, "Europe/Berlin", language) for language in ("en", "de", "fr", "es")]
    return [CLIENT.name, "Ann Archer", "Lena", "N-7781", "C-1", "Bakeries", "complaint", message.subject, *days]


def told(decision: Decision) -> tuple[str, list[str]]:
    """Everything readable in the acknowledgements of a decision, and their recipients."""
    words, recipients = "", []
    for ack, _ in effects_of(decision, SendAck):
        assert isinstance(ack, SendAck)
        mail = email.message_from_bytes(ack.mail.octets, policy=email.policy.default)
        texts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
        words += "\n".join([*(f"{name}: {value}" for name, value in mail.items() if name not in IDS), *texts])
        recipients += [ack.mail.recipient, *(each.addr_spec for each in mail["To"].addresses)]
    return words, recipients


IDS = ("In-Reply-To", "References", "Message-ID")
"""They repeat what the mail itself had."""


@pytest.fixture(scope="module", params=["received", "complaint"])
def playbook(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    """The shipped site, with one rule before all others that answers everybody, by a template that tells all."""
    folder = tmp_path_factory.mktemp("spoof")
    config = lay_out_site(folder)
    (folder / "rules/00-first.toml").write_text(ANSWER_ALL.format(template=request.param), encoding="utf-8")
    if request.param == "complaint":
        for name in ("complaint.txt", "complaint.de.txt", "complaint.fr.txt", "complaint.es.txt"):
            (folder / "templates" / name).write_text(TELLS_ALL, encoding="utf-8")
    return assembled(config)  # the examples of the shipped rules do not come out behind that rule


def accounts() -> tuple[Account, ...]:
    return (CLIENT,)


def test_no_trick_learns_anything_or_passes_for_the_client(playbook: Playbook) -> None:
    seen: Counter[str] = Counter()
    for (trick, sender), (where, results), (_, reply_to) in itertools.product(
        ADDRESSES.items(), RESULTS.items(), REPLY_TO.items()
    ):
        message, decision = decided(
            playbook, octets_of(sender, results, reply_to), accounts=accounts(), thread=(CLIENT.account_id,)
        )
        case = (trick, where, reply_to)
        seen["cases"] += 1
        assert message.identity.trust != "authenticated", case
        words, recipients = told(decision)
        seen["answered"] += len(recipients) > 0
        assert [each for each in secrets(message, decision) if each.lower() in words.lower()] == [], case
        actual = message.sender.addr_spec if message.sender is not None else "nobody"
        assert set(recipients) <= {actual}, case
        assert all(state == "held" for _, state in effects_of(decision, BookCall)), case
        right = trick == "the very address" and message.identity.trust == "unauthenticated"
        assert decision.account.account_id == (CLIENT.account_id if right else None), case
        seen["held apart from the client"] += not right
    print(f"spoof matrix: {seen['cases']} cases, {seen['answered']} answered, 0 disclosures, 0 wrong accounts")  # noqa: T201
    assert seen["cases"] == 288
    assert seen["answered"] >= 15
    assert seen["held apart from the client"] >= 264


def test_the_honest_client_is_answered_in_person(playbook: Playbook) -> None:
    """The other half: what is kept from the forgers stands in the acknowledgement of the client."""
    results = (
        f"Authentication-Results: {AUTHSERV_ID};\r\n\tspf=pass smtp.mailfrom=acme.example;\r\n\t{PASSED}\r\n{RECEIVED}"
    )
    message, decision = decided(
        playbook,
        octets_of("Ann Archer <ann@acme.example>", results, "Reply-To: eve@evil.example\r\n"),
        accounts=accounts(),
    )
    assert message.identity.trust == "authenticated"
    assert (decision.account.account_id, decision.account.how) == ("C-1", "address")
    words, recipients = told(decision)
    assert set(recipients) == {"ann@acme.example"}
    assert "Ann Archer" in words
    assert decision.due is not None
    assert day_words(decision.due, "Europe/Berlin", "fr") in words
    assert [state for _, state in effects_of(decision, BookCall)] == ["owed"]
    if decision.acknowledge.template == "complaint":
        assert "Acme Bakeries" in words
        assert SUBJECT in words


def test_an_authenticated_stranger_learns_nothing_either(playbook: Playbook) -> None:
    results = f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass header.from=evil.example\r\n{RECEIVED}"
    message, decision = decided(
        playbook,
        octets_of("Ann Archer <eve@evil.example>", results, ""),
        accounts=accounts(),
        thread=(CLIENT.account_id,),
    )
    assert message.identity.trust == "authenticated"
    assert decision.account.account_id is None
    assert decision.account.rivals == ("C-1",)
    words, recipients = told(decision)
    assert set(recipients) == {"eve@evil.example"}
    assert not any(each in words for each in ("Acme Bakeries", "Ann Archer", SUBJECT, "N-7781", "Lena"))
