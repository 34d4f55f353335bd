"""The shadow report: who answers count as people's, where a mail lies, what is told; hostile words stay words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from triaged.accounts.replies import Ours
from triaged.log.mailboxes import ObservedMail, Wish
from triaged.model import Surveyed
from triaged.shadow import answers, compare, page, sentences, span_words, view, would_words

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OURS = Ours(frozenset({"desk@firm.example"}), frozenset({"own.example"}))
ASKED = "<asked@client.example>"


def ack(*, held: bool = False) -> Wish:
    return Wish(1, "ack", "held" if held else "owed", {"template": "complaint"})


def observed(number: int, *wishes: Wish, message_id: str = "", **more: object) -> ObservedMail:
    subject = str(more.get("subject", f"Mail {number}"))
    return ObservedMail(
        number, "T-7K3M9QX", NOW, "ann@client.example", subject, message_id or f"<{number}@client.example>", "person",
        ("complaint",) if number % 2 else (), "complaint", "No rule asks for an acknowledgement", wishes,
    )  # fmt: skip


def found(
    *,
    names: str = ASKED,
    sender: str = "",
    folder: str = "INBOX",
    sent: bool = False,
    automatic: bool = False,
    hours: float = 1,
    message_id: str = "<re@x>",
    to: str = "ann@client.example",
) -> Surveyed:
    date = NOW + timedelta(hours=hours)
    return Surveyed(folder, "1/1", date, sender, message_id, (names,) if names else (), (), automatic, sent, (to,))


@pytest.mark.parametrize(
    ("mail", "counts"),
    [
        (found(sent=True), True),
        (found(sender="desk@firm.example"), True),
        (found(sender="lena@own.example", folder="Archive"), True),
        (found(sender="ann@client.example"), False),  # her own second mail
        (found(sender="eve@own.example.evil.example"), False),
        (found(sender=""), False),
        (found(sent=True, automatic=True), False),
        (found(sent=True, names="<other@client.example>"), False),
        (found(sent=True, to="boss@client.example"), True),  # to a colleague of hers
        (found(sent=True, to="lena@own.example"), False),  # forwarded among us
        (found(sent=True, to="help@partner.example"), False),  # forwarded to somebody else
    ],
)
def test_whose_mail_is_an_answer(mail: Surveyed, counts: bool) -> None:
    asked = observed(1, message_id=ASKED)
    assert answers([asked], [mail], OURS) == ({1: mail.date} if counts else {})


def test_the_first_answer_counts_by_reply_or_reference() -> None:
    later = found(sent=True, hours=5)
    date, to = NOW + timedelta(hours=2), ("ann@client.example",)
    earlier = Surveyed("Sent", "1/2", date, "", "<b@x>", ("<c@x>",), ("<a@x>", ASKED), False, True, to)
    assert answers([observed(1, message_id=ASKED)], [later, earlier], OURS) == {1: date}


def test_the_report_in_figures_and_words() -> None:
    mails = [
        observed(1, ack()),
        observed(2, ack(held=True)),
        observed(3),
        observed(4, Wish(2, "file", "owed", {"folder": "Done"})),
        observed(5, message_id="<moved@client.example>"),
    ]
    lies = [
        found(names="<1@client.example>", sent=True, hours=1),
        found(names="<3@client.example>", sent=True, hours=3),
        found(names="", message_id="<1@client.example>"),
        found(names="", message_id="<1@client.example>", folder="Complaints"),
        found(names="", message_id="<2@client.example>"),
        found(names="", message_id="<moved@client.example>", folder="Sent", sent=True),
    ]
    until = NOW + timedelta(days=1)
    report = compare(mails, lies, mailbox="desk", watched="INBOX", ours=OURS, since=NOW, until=until)
    assert [each.meeting for each in report.mails] == ["both", "only triaged", "only people", "neither", "neither"]
    assert [each.folder for each in report.mails] == ["Complaints", "INBOX", "", "", ""]
    assert report.median_took == timedelta(hours=2)
    assert dict(report.folders)["complaint"] == (("(no longer there)", 2), ("Complaints", 1))
    said = " ".join(sentences(report, zone="Europe/Berlin"))
    assert "5 mails to desk since 23 Nov 2026 10:00: only observed, nothing was sent." in said
    assert "agree on 3 of 5 (60%)" in said
    assert "People answered 1 mail that triaged would not acknowledge. 1: No rule asks" in said
    assert "1 mail would have waited for a person's approval" in said
    assert "People took 2 h 0 min to answer (the middle one of 2)" in said
    assert view(report)["meetings"] == {"both": 1, "neither": 2, "only_people": 1, "only_triaged": 1}
    assert view(report)["median_answer_s"] == 7200


def test_an_empty_report_says_so() -> None:
    report = compare([], [], mailbox="desk", watched="INBOX", ours=OURS, since=NOW, until=NOW)
    assert sentences(report, zone="UTC") == [
        "0 mails to desk since 23 Nov 2026 09:00: only observed, nothing was sent."
    ]
    assert "<table" not in page(report, zone="UTC")


def test_words_of_a_mail_stay_words_on_the_page() -> None:
    mails = [observed(1, subject="<script>alert(1)</script> {{ 7 * 7 }}")]
    shown = page(
        compare(mails, [], mailbox="<b>", watched="INBOX", ours=OURS, since=NOW, until=NOW), zone="Europe/Berlin"
    )
    assert "<script" not in shown
    assert "{{ 7 * 7 }}" in shown
    assert "<b></" not in shown


def test_a_mail_without_a_message_id_is_nowhere() -> None:
    (mail,) = [observed(1, message_id="x")]
    unnamed = ObservedMail(*(getattr(mail, name) if name != "message_id" else "" for name in mail.__slots__))
    report = compare(
        [unnamed], [found(names="", message_id="")], mailbox="d", watched="INBOX", ours=OURS, since=NOW, until=NOW
    )
    assert report.mails[0].folder is None
    assert report.folders == []


def test_short_words() -> None:
    spans = {
        timedelta(minutes=8): "8 min",
        timedelta(hours=3, minutes=12): "3 h 12 min",
        timedelta(hours=52): "2 d 4 h",
    }
    assert {span: span_words(span) for span in spans} == spans
    mail = observed(1, ack(held=True), Wish(2, "call", "owed", {"appointment": {"minutes": 30, "person": "lena"}}))
    assert would_words(mail) == (
        'acknowledgement "complaint", after a person\'s approval; call of 30 minutes with lena'
    )
    assert would_words(observed(2)) == "no answer: No rule asks for an acknowledgement"
