"""Approving: what was seen is what leaves, once, and nothing else; edited, stale, taken back."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from html import escape
from threading import Barrier

import pytest

from tests.web.site import Browser, browsing, work
from tests.web.waits import a_minute_ago, at, changing, entries, form, forms, held, one, press, sent, sent_since
from triaged.decision import SendAck
from triaged.log import people
from triaged.log.approvals import Waiting, waiting_effects
from triaged.log.labels import Label, labels
from triaged.log.read import Reader
from triaged.mail.compose import MAX_SUBJECT_CHARACTERS
from triaged.mail.reword import reworded
from triaged.preview import letter
from triaged.settings import Config
from triaged.wire import log_path

NEW = "Dear Jonas,\n\nwe have seen it, and somebody is on the way.\n\nYours\nCarl"


def state(config: Config, effect: int) -> str:
    return str(one(config, "SELECT state FROM effect WHERE id = ?", effect))


def payload(config: Config, effect: int) -> str:
    return str(one(config, "SELECT payload FROM effect WHERE id = ?", effect))


# --- what is seen is what leaves --------------------------------------------------------------------------------


def test_what_was_seen_is_what_leaves(held_site: Config) -> None:
    mail, effect = held(held_site)
    assert isinstance(effect.effect, SendAck)
    before = sent(held_site)
    with a_minute_ago(held_site, "carl") as carl:
        page = carl.get(f"/queue?at={mail}").text
        shown = letter("", effect.effect.mail)
        assert escape(shown.text, quote=False).strip() in page.replace("&#34;", '"').replace("&#39;", "'")
        assert f"sends exactly this mail to {effect.effect.mail.recipient}" in page
        seen = form(page, "a").sent()["seen"]
        assert seen == f"{effect.id}:{hashlib.sha256(payload(held_site, effect.id).encode()).hexdigest()}"
        assert "Approved: acknowledgement" in press(carl, page, "a").text
    assert state(held_site, effect.id) == "owed"
    work(held_site)
    assert sent_since(held_site, before) == [effect.effect.mail.octets.replace(b"\r\n", b"\n")]
    assert state(held_site, effect.id) == "done"


def test_it_stays_half_a_minute(held_site: Config) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "carl") as carl:
        press(carl, carl.get(f"/queue?at={mail}").text, "a")
    before = sent(held_site)
    work(held_site)
    assert sent_since(held_site, before) == []
    assert state(held_site, effect.id) == "owed"


def test_the_limits_count_from_when_it_leaves(held_site: Config) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "carl") as carl:
        press(carl, carl.get(f"/queue?at={mail}").text, "a")
    counted = one(held_site, "SELECT leaves_at FROM answered WHERE effect = ?", effect.id)
    assert counted == one(held_site, "SELECT not_before_at FROM effect WHERE id = ?", effect.id)


def test_all_that_is_shown_of_a_mail_goes_in_one_step(held_site: Config) -> None:
    (entry,) = [each for each in entries(held_site) if each.subject.startswith("Rechnung Oktober doppelt")]
    with closing(Reader(log_path(held_site))) as reader:
        waits = waiting_effects(reader, entry.id)
    assert {each.kind for each in waits} == {"ack", "call"}
    with browsing(held_site, "carl") as carl:
        press(carl, carl.get(f"/queue?at={entry.id}").text, "a")
    assert {state(held_site, each.id) for each in waits} == {"owed"}


def test_one_of_them_can_go_alone(held_site: Config) -> None:
    (entry,) = [each for each in entries(held_site) if each.subject.startswith("Rechnung Oktober doppelt")]
    with browsing(held_site, "carl") as carl:
        page = carl.get(f"/queue?at={entry.id}").text
        ack = re.findall(r'name="seen" value="([^"]+)"', page)[0]
        page = carl.post("/queue/approve", mail=str(entry.id), seen=ack).text
        assert at(page) == entry.id, "the call waits still"
    with closing(Reader(log_path(held_site))) as reader:
        assert [each.kind for each in waiting_effects(reader, entry.id)] == ["call"]


# --- somebody was first -----------------------------------------------------------------------------------------


def test_two_who_approve_at_once_have_it_sent_once(held_site: Config) -> None:
    mail, effect = held(held_site)
    before = sent(held_site)
    ready = Barrier(2)
    with a_minute_ago(held_site, "carl") as carl, a_minute_ago(held_site, "mona") as mona:
        pages = [(browser, browser.get(f"/queue?at={mail}").text) for browser in (carl, mona)]

        def at_once(shown: tuple[Browser, str]) -> int:
            ready.wait()
            return int(press(*shown, "a").status_code)

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(at_once, pages)) == [200, 409]
    assert one(held_site, "SELECT count(*) FROM event WHERE message = ? AND name = 'ack.approved'", mail) == 1
    assert one(held_site, "SELECT count(*) FROM audit WHERE what = 'effect.approve'") == 1
    work(held_site)
    assert len(sent_since(held_site, before)) == 1
    assert state(held_site, effect.id) == "done"


@pytest.mark.parametrize(("key", "words"), [("a", "was approved by mona"), ("r", "was dropped by mona: no")])
def test_who_was_first_is_told(held_site: Config, key: str, words: str) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "carl") as carl, browsing(held_site, "mona") as mona:
        page = carl.get(f"/queue?at={mail}").text
        press(mona, mona.get(f"/queue?at={mail}").text, key, **({"words": "no"} if key == "r" else {}))
        before = state(held_site, effect.id)
        answer = press(carl, page, "a")
    assert answer.status_code == 409
    assert f"meanwhile the acknowledgement {words}" in answer.text
    assert state(held_site, effect.id) == before


def test_a_text_that_was_edited_meanwhile_is_not_approved_unseen(held_site: Config) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "carl") as carl, browsing(held_site, "mona") as mona:
        page = carl.get(f"/queue?at={mail}").text
        edited = form(page, "a").sent()["seen"]
        mona.post("/queue/edit", mail=str(mail), seen=edited, subject="Other", text=NEW)
        answer = press(carl, page, "a")
        assert answer.status_code == 409
        assert "was edited by mona" in answer.text
        assert "somebody is on the way" in answer.text, "it shows how it stands now"
        assert state(held_site, effect.id) == "held"
        assert press(carl, answer.text, "a").status_code == 200
    assert state(held_site, effect.id) == "owed"


def test_all_or_nothing(held_site: Config) -> None:
    (entry,) = [each for each in entries(held_site) if each.subject.startswith("Rechnung Oktober doppelt")]
    with browsing(held_site, "carl") as carl:
        page = carl.get(f"/queue?at={entry.id}").text
        with changing(held_site) as log:
            (call,) = [each.id for each in _waiting(held_site, entry.id) if each.kind == "call"]
            log.move(call, "dropped", "a limit", entry.received)
        assert press(carl, page, "a").status_code == 409
    assert [each.kind for each in _waiting(held_site, entry.id)] == ["ack"]


def _waiting(config: Config, mail: int) -> list[Waiting]:
    with closing(Reader(log_path(config))) as reader:
        return waiting_effects(reader, mail)


def test_an_effect_of_another_mail_is_not_approved(held_site: Config) -> None:
    mail, _ = held(held_site)
    others = [each for each in entries(held_site) if each.id != mail and "approve" in each.kinds]
    with browsing(held_site, "carl") as carl:
        seen = form(carl.get(f"/queue?at={others[0].id}").text, "a").sent()["seen"]
        assert carl.post("/queue/approve", mail=str(mail), seen=seen).status_code == 409
        assert carl.post("/queue/approve", mail=str(mail), seen="nonsense").status_code == 422
    assert one(held_site, "SELECT count(*) FROM effect WHERE state = 'owed' AND kind = 'ack'") == 0


def test_viewers_look_and_touch_nothing(held_site: Config) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "vera") as vera:
        page = vera.get(f"/queue?at={mail}").text
        assert "sends exactly this mail" in page
        assert 'action="/queue/' not in page
        answer = vera.post("/queue/approve", mail=str(mail), seen=f"{effect.id}:{effect.seen}")
    assert answer.status_code == 403
    assert state(held_site, effect.id) == "held"


# --- edited -----------------------------------------------------------------------------------------------------


def test_an_edited_text_leaves_as_it_was_seen_then(held_site: Config) -> None:
    mail, effect = held(held_site)
    assert isinstance(effect.effect, SendAck)
    before = letter("", effect.effect.mail)
    left_before = sent(held_site)
    with a_minute_ago(held_site, "carl") as carl:
        page = carl.get(f"/queue?at={mail}&edit={effect.id}").text
        (editing,) = [each for each in forms(page) if each.action == "/queue/edit"]
        assert editing.sent()["subject"] == before.subject
        assert str(editing.sent()["text"]).strip() == before.text.strip()
        typed = {"subject": "Wir sind unterwegs – größer", "text": NEW.replace("\n", "\r\n")}
        page = carl.post("/queue/edit", **{**editing.sent(), **typed}).text
        assert "Read it once more, then approve it" in page
        assert "edited by carl" in page
        assert state(held_site, effect.id) == "held"
        press(carl, page, "a")
    work(held_site)
    (left,) = sent_since(held_site, left_before)
    after = letter("", dataclasses.replace(effect.effect.mail, octets=left))
    assert (after.subject, after.text.strip()) == ("Wir sind unterwegs – größer", NEW)
    assert "somebody is on the way" in after.html
    same = ("To", "From", "Date", "In-Reply-To", "References", "Auto-Submitted")
    assert [dict(after.head).get(name) for name in same] == [dict(before.head).get(name) for name in same]
    assert effect.effect.mail.message_id.encode() in left
    assert one(held_site, "SELECT who FROM audit WHERE what = 'effect.edit' AND message = ?", mail) == "carl"


@pytest.mark.parametrize(
    ("subject", "text", "words"),
    [
        ("  ", NEW, "The subject is empty"),
        ("x" * (MAX_SUBJECT_CHARACTERS + 1), NEW, "at most 250 are sent"),
        ("Hello\r\nBcc: eve@evil.example", NEW, "line break"),
        ("Hello\u2028Bcc: eve@evil.example", NEW, "line break"),
        ("Hello", " \r\n ", "The text is empty"),
        ("Hello", "x" * 20_001, "at most 20,000 are sent"),
        ("Hello", "Dear {{ contact }}", "must not leave"),
    ],
)
def test_words_that_must_not_leave_are_not_kept(held_site: Config, subject: str, text: str, words: str) -> None:
    mail, effect = held(held_site)
    before = payload(held_site, effect.id)
    with browsing(held_site, "carl") as carl:
        fields = {"mail": str(mail), "seen": f"{effect.id}:{effect.seen}", "subject": subject, "text": text}
        answer = carl.post("/queue/edit", **fields)
    assert answer.status_code == 422
    assert words in answer.text
    assert payload(held_site, effect.id) == before


def test_what_was_typed_is_still_there_when_it_is_wrong(held_site: Config) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "carl") as carl:
        fields = {"mail": str(mail), "seen": f"{effect.id}:{effect.seen}", "subject": "", "text": NEW}
        assert "somebody is on the way" in carl.post("/queue/edit", **fields).text


def test_the_same_words_are_the_same_mail(held_site: Config) -> None:
    with closing(Reader(log_path(held_site))) as reader:
        acks = [
            each.effect
            for entry in entries(held_site)
            for each in waiting_effects(reader, entry.id)
            if isinstance(each.effect, SendAck)
        ]
    assert len(acks) > 40
    for ack in acks:
        read = letter("", ack.mail)
        assert reworded(ack.mail, subject=read.subject, text=read.text, html=read.html) == ack.mail


# --- taken back -------------------------------------------------------------------------------------------------


def test_an_approval_is_taken_back_before_it_leaves(held_site: Config) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "carl") as carl:
        page = press(carl, carl.get(f"/queue?at={mail}").text, "a").text
        page = press(carl, page, "u").text
        assert "Taken back: the acknowledgement waits again" in page
        assert at(page) == mail
    assert state(held_site, effect.id) == "held"
    before = sent(held_site)
    work(held_site)
    assert sent_since(held_site, before) == []
    assert one(held_site, "SELECT count(*) FROM answered WHERE effect = ?", effect.id) == 1


def test_what_has_left_is_not_taken_back(held_site: Config) -> None:
    mail, effect = held(held_site)
    with a_minute_ago(held_site, "carl") as carl:
        page = press(carl, carl.get(f"/queue?at={mail}").text, "a").text
        work(held_site)
        page = press(carl, page, "u").text
        assert "Not taken back: the acknowledgement has left already" in page
        assert "effect.approve" not in page
    assert state(held_site, effect.id) == "done"


def test_a_rejection_is_taken_back_with_its_reason_and_its_place_in_the_limits(held_site: Config) -> None:
    mail, effect = held(held_site)
    with changing(held_site) as log:
        log.event("ack.held", "the breaker is open: too many", message=mail, now=datetime.now(UTC))
        log.db.execute("UPDATE effect SET detail = 'the breaker is open: too many' WHERE id = ?", (effect.id,))
    with browsing(held_site, "carl") as carl:
        page = press(carl, carl.get(f"/queue?at={mail}").text, "r", words="not theirs").text
        assert state(held_site, effect.id) == "dropped"
        assert one(held_site, "SELECT detail FROM effect WHERE id = ?", effect.id) == "by carl: not theirs"
        assert one(held_site, "SELECT count(*) FROM answered WHERE effect = ?", effect.id) == 0
        press(carl, page, "u")
    assert state(held_site, effect.id) == "held"
    assert one(held_site, "SELECT detail FROM effect WHERE id = ?", effect.id) == "the breaker is open: too many"
    assert one(held_site, "SELECT count(*) FROM answered WHERE effect = ?", effect.id) == 1


def test_a_correction_is_taken_back_and_not_learned_from(held_site: Config) -> None:
    (entry,) = [each for each in entries(held_site) if each.subject.startswith("FW: Dock 4")]
    columns = "SELECT json_array(categories, sure, account_id, account_how) FROM message WHERE id = ?"
    before = one(held_site, columns, entry.id)
    with browsing(held_site, "carl") as carl:
        page = carl.get(f"/queue?at={entry.id}").text
        page = press(carl, page, "s", category="renewal").text
        assert one(held_site, columns, entry.id) != before
        assert [each.right for each in _labels(held_site)] == [("renewal",)]
        page = press(carl, page, "u").text
        assert "Taken back: it is what it was before" in page
    assert one(held_site, columns, entry.id) == before
    assert _labels(held_site) == []
    assert one(held_site, "SELECT count(*) FROM correction WHERE message = ?", entry.id) == 2


def test_taking_back_the_second_of_two_corrections_leaves_the_first(held_site: Config) -> None:
    (entry,) = [each for each in entries(held_site) if each.subject.startswith("FW: Dock 4")]
    with browsing(held_site, "carl") as carl:
        press(carl, carl.get(f"/queue?at={entry.id}").text, "s", category="renewal")
        page = press(carl, carl.get(f"/queue?at={entry.id}").text, "s", category="request").text
        page = press(carl, page, "u").text
        assert [each.right for each in _labels(held_site)] == [("renewal",)]
        press(carl, page, "u")
    assert _labels(held_site) == []


def _labels(config: Config) -> list[Label]:
    with closing(Reader(log_path(config))) as reader:
        return labels(reader)


def test_one_after_the_other_is_taken_back_the_last_first(held_site: Config) -> None:
    mails = [each for each in entries(held_site) if each.kinds == ("approve",)][:2]
    with browsing(held_site, "carl") as carl:
        for each in mails:
            page = press(carl, carl.get(f"/queue?at={each.id}").text, "a").text
        assert at(press(carl, page, "u").text) == mails[1].id
        page = carl.get("/queue").text
        page = press(carl, page, "u").text
        assert at(page) == mails[0].id
        assert 'data-key="u"' not in page, "there is nothing more"
        assert "nothing of yours" in carl.post("/queue/undo").text


def test_nobody_takes_back_what_another_did(held_site: Config) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "carl") as carl, browsing(held_site, "mona") as mona:
        press(carl, carl.get(f"/queue?at={mail}").text, "a")
        assert 'data-key="u"' not in mona.get("/queue").text
        mona.post("/queue/undo")
    assert state(held_site, effect.id) == "owed"


def test_a_correction_that_another_corrected_is_not_taken_back(held_site: Config) -> None:
    (entry,) = [each for each in entries(held_site) if each.subject.startswith("FW: Dock 4")]
    with browsing(held_site, "carl") as carl:
        page = press(carl, carl.get(f"/queue?at={entry.id}").text, "s", category="renewal").text
        with changing(held_site) as log:
            people.correct(log, entry.id, categories=("request",), account_id=None, who="mona", now=datetime.now(UTC))
        assert "somebody said something else" in press(carl, page, "u").text
    assert one(held_site, "SELECT categories FROM message WHERE id = ?", entry.id) == '["request"]'


def test_the_command_line_approves_as_before(held_site: Config) -> None:
    mail, effect = held(held_site)
    with changing(held_site) as log:
        assert people.settle(log, mail, approve=True, who="root", now=datetime.now(UTC)) == 1
    assert state(held_site, effect.id) == "owed"
    before = sent(held_site)
    work(held_site)
    assert len(sent_since(held_site, before)) == 1


def test_a_form_of_the_desk_and_the_command_line_exclude_each_other(held_site: Config) -> None:
    mail, effect = held(held_site)
    with browsing(held_site, "carl") as carl:
        page = carl.get(f"/queue?at={mail}").text
        with changing(held_site) as log:
            people.settle(log, mail, approve=False, who="root", now=datetime.now(UTC))
        answer = press(carl, page, "a")
    assert answer.status_code == 409
    assert "was dropped by root" in answer.text
    assert state(held_site, effect.id) == "dropped"
