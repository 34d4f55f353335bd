"""decide(): one mail after another through the whole pure part, with the shipped rules, templates and model."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.desk import ACME, AUTHSERV_ID, NOW, decided, effects_of, lay_out_site, mail
from triaged.decision import WHEN, AskPerson, BookCall, FileMessage, Notify, SendAck
from triaged.errors import ConfigError
from triaged.loading import build_playbook
from triaged.mail.donotanswer import parse_list
from triaged.playbook import Playbook, reference, sought_of
from triaged.rules.grammar import SendPolicy
from triaged.rules.load import parse_rules
from triaged.written import rule_files

ANGRY = (
    "I am very disappointed. The report is wrong for the third time and nobody answers. This is unacceptable. "
    "Please correct it today and tell me who is responsible."
)


@pytest.fixture(scope="session")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Playbook:
    """The shipped site's."""
    return build_playbook(lay_out_site(tmp_path_factory.mktemp("site")))


def test_a_complaint_of_a_gold_account_is_answered_escalated_and_called(playbook: Playbook) -> None:
    message, decision = decided(playbook, mail(ANGRY, subject="Unacceptable reports"))
    assert "complaint" in decision.verdict.chosen
    assert (decision.account.account_id, decision.account.how) == ("C-1", "address")
    assert decision.acknowledge.would_send
    assert decision.priority == "urgent"
    [(ack, state)] = effects_of(decision, SendAck)
    assert isinstance(ack, SendAck)
    assert (ack.template, state, ack.mail.recipient) == ("complaint", "owed", "ann@acme.example")
    [(notice, _)] = effects_of(decision, Notify)
    assert isinstance(notice, Notify)
    assert notice.mail.recipient == "lena.brandt@nordlicht.example"
    [(call, _)] = effects_of(decision, BookCall)
    assert isinstance(call, BookCall)
    appointment = call.appointment
    assert (appointment.person, appointment.minutes, appointment.attendee.addr_spec) == ("lena", 30, "ann@acme.example")
    assert NOW < call.windows[0].start < call.windows[-1].end
    assert WHEN in call.draft.text
    assert decision.reference == reference(message.key)


def test_the_acknowledgement_is_a_proper_answer(playbook: Playbook) -> None:
    octets = mail(ANGRY, subject="Unacceptable reports", fields="References: <before@acme.example>\r\n")
    _, decision = decided(playbook, octets)
    [(ack, _)] = effects_of(decision, SendAck)
    assert isinstance(ack, SendAck)
    answer = email.message_from_bytes(ack.mail.octets, policy=email.policy.default)
    assert answer["In-Reply-To"] == "<mail-1@acme.example>"
    assert answer["References"] == "<before@acme.example> <mail-1@acme.example>"
    assert answer["Auto-Submitted"] == "auto-replied"
    assert answer["Message-ID"] == ack.mail.message_id
    assert ack.mail.sender == ""
    body = answer.get_body(("plain",))
    assert body is not None
    assert "Ann Archer" in body.get_content()
    assert decision.reference in body.get_content()
    assert answer.get_body(("html",)) is not None


def test_the_same_mail_gives_the_same_decision_octet_for_octet(playbook: Playbook) -> None:
    first, second = (decided(playbook, mail(ANGRY))[1] for _ in range(2))
    assert first == second
    assert first.effects != ()


@pytest.mark.parametrize(
    ("fields", "sender", "to", "reason"),
    [
        ("Auto-Submitted: auto-replied\r\n", "ann@acme.example", "desk@nordlicht.example", "A machine wrote it"),
        ("List-Id: <news.acme.example>\r\n", "ann@acme.example", "desk@nordlicht.example", "A machine wrote it"),
        ("Precedence: bulk\r\n", "ann@acme.example", "desk@nordlicht.example", "A machine wrote it"),
        ("", "noreply@acme.example", "desk@nordlicht.example", "A machine wrote it"),
        ("", "ann@acme.example, bob@acme.example", "desk@nordlicht.example", "Nobody to answer"),
        ("", "lena.brandt@nordlicht.example", "desk@nordlicht.example", "It comes from ourselves"),
    ],
)
def test_nothing_goes_to_machines_ourselves_or_nobody(
    playbook: Playbook, fields: str, sender: str, to: str, reason: str
) -> None:
    _, decision = decided(playbook, mail(ANGRY, fields=fields, sender=sender, to=to))
    assert not decision.acknowledge.would_send
    assert decision.acknowledge.reason.startswith(reason)
    assert effects_of(decision, SendAck) == []
    assert effects_of(decision, BookCall) == []


def words_of(octets: bytes) -> str:
    message = email.message_from_bytes(octets, policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return f"{message['Subject']}\n{message['To']}\n{body.get_content()}"


def test_who_is_not_authenticated_gets_the_fixed_text_and_no_call(playbook: Playbook) -> None:
    message, decision = decided(playbook, mail(ANGRY, subject="Unacceptable reports", authenticated=False))
    assert message.identity.trust == "unauthenticated"
    assert decision.account.account_id == "C-1"
    [(ack, state)] = effects_of(decision, SendAck)
    assert isinstance(ack, SendAck)
    assert (ack.template, state, decision.acknowledge.template) == ("received", "owed", "received")
    assert "the sender is not authenticated: our border says nothing about it" in decision.acknowledge.reason
    said = words_of(ack.mail.octets)
    assert not any(each in said for each in ("Ann", "Acme", "Unacceptable", "November", "complaint"))
    [booking] = [each for each in decision.effects if isinstance(each.effect, BookCall)]
    assert booking.state == "held"
    assert booking.because == "The sender is not authenticated: our border says nothing about it"
    [(notice, _)] = effects_of(decision, Notify)
    assert isinstance(notice, Notify)
    told = words_of(notice.mail.octets)
    assert "sender not authenticated: our border says nothing about it" in told
    assert "Ann Archer" in told
    assert "Acme" in told


def test_the_manager_is_told_nothing_of_trust_where_all_is_well(playbook: Playbook) -> None:
    _, decision = decided(playbook, mail(ANGRY, subject="Unacceptable reports"))
    [(notice, _)] = effects_of(decision, Notify)
    assert isinstance(notice, Notify)
    assert "authenticated" not in words_of(notice.mail.octets)
    assert [each.because for each in decision.effects] == [""] * len(decision.effects)


def test_nobody_on_the_list_is_answered(playbook: Playbook) -> None:
    listed, problems = parse_list("@acme.example  # by telephone only", "do-not-answer.txt")
    assert problems == ()
    _, decision = decided(playbook, mail(ANGRY), listed=listed.covers("ann@acme.example"))
    assert decision.acknowledge.reason == (
        "A person asked us not to: @acme.example is on the do-not-answer list: by telephone only"
    )
    assert effects_of(decision, SendAck) == effects_of(decision, BookCall) == []
    assert len(effects_of(decision, Notify)) == 1


def test_a_domain_that_looks_like_the_clients_is_a_question_for_a_person(playbook: Playbook) -> None:
    _, decision = decided(playbook, mail(ANGRY, sender="Ann Archer <ann@acrne.example>"))
    assert decision.account.account_id is None
    assert decision.account.imitates == "acme.example"
    assert decision.acknowledge.reason.startswith("Perhaps a forgery: ann@acrne.example is not of acme.example")
    assert effects_of(decision, SendAck) == effects_of(decision, BookCall) == []
    questions = [ask.question for ask, _ in effects_of(decision, AskPerson) if isinstance(ask, AskPerson)]
    assert any(question.startswith("Perhaps a forgery") and "Acme" in question for question in questions)


def test_a_conversation_gives_a_stranger_no_account(playbook: Playbook) -> None:
    fields = "In-Reply-To: <of-ann@acme.example>\r\n"
    _, decision = decided(playbook, mail(ANGRY, sender="who@elsewhere.example", fields=fields), thread=("C-1",))
    assert (decision.account.account_id, decision.account.rivals) == (None, ("C-1",))
    assert effects_of(decision, SendAck) == effects_of(decision, BookCall) == []
    questions = [ask.question for ask, _ in effects_of(decision, AskPerson) if isinstance(ask, AskPerson)]
    assert any(question.startswith("Whose mail is it?") and "Acme" in question for question in questions)


def test_a_mail_that_our_border_calls_forged_is_nobodys(playbook: Playbook) -> None:
    forged = f"Authentication-Results: {AUTHSERV_ID}; dmarc=fail header.from=acme.example\r\n"
    _, decision = decided(playbook, mail(ANGRY, fields=forged, authenticated=False))
    assert (decision.account.account_id, decision.account.rivals) == (None, ("C-1",))
    assert "DMARC failed for acme.example" in decision.account.evidence
    assert effects_of(decision, SendAck) == effects_of(decision, BookCall) == []


def test_all_spellings_of_a_person_are_counted_as_one(playbook: Playbook) -> None:
    keys = set()
    for sender in ("ann@acme.example", "Ann+x@ACME.example", "a.n.n@acme.example", "Ann Archer <ANN@acme.example>"):
        _, decision = decided(playbook, mail(ANGRY, sender=sender))
        client = [each for each, _ in (*effects_of(decision, SendAck), *effects_of(decision, BookCall))]
        keys |= {(each.client_key, each.client_domain) for each in client if isinstance(each, SendAck | BookCall)}
        assert len(client) == 2
    [(key, domain)] = keys
    assert re.fullmatch("[0-9a-f]{32}", key) is not None
    assert domain == "acme.example"
    _, other = decided(playbook, mail(ANGRY, sender="bob@acme.example"))
    [(ack, _)] = effects_of(other, SendAck)
    assert isinstance(ack, SendAck)
    assert ack.client_key != key


def test_an_out_of_office_by_its_subject_waits_for_a_person(playbook: Playbook) -> None:
    _, decision = decided(playbook, mail("I am away until Monday.", subject="Automatic reply: your report"))
    assert not decision.acknowledge.would_send
    assert all(state == "held" for _, state in effects_of(decision, SendAck))


def test_old_mail_is_logged_and_never_answered(playbook: Playbook) -> None:
    _, decision = decided(playbook, mail(ANGRY), now=NOW + timedelta(hours=73))
    assert decision.acknowledge.reason == "It is 73 hours old; only mail up to 72 hours old is answered by machine"
    assert effects_of(decision, SendAck) == []
    assert len(effects_of(decision, Notify)) == 1


def test_strangers_get_no_answer_and_no_call(playbook: Playbook) -> None:
    _, decision = decided(playbook, mail(ANGRY, sender="who@elsewhere.example"))
    assert decision.account.account_id is None
    assert effects_of(decision, SendAck) == []
    assert effects_of(decision, BookCall) == []
    [(ask, state)] = effects_of(decision, AskPerson)
    assert isinstance(ask, AskPerson)
    assert state == "person"
    assert "account" in ask.question


@pytest.mark.parametrize(
    ("policy", "states", "would_send"),
    [
        (SendPolicy("auto"), ["owed"], True),
        (SendPolicy("hold", 900), ["owed"], True),
        (SendPolicy("approve"), ["held"], False),
        (SendPolicy("observe"), [], False),
    ],
)
def test_how_an_answer_leaves(playbook: Playbook, policy: SendPolicy, states: list[str], would_send: bool) -> None:
    _, decision = decided(dataclasses.replace(playbook, send=policy), mail(ANGRY))
    assert [state for _, state in effects_of(decision, SendAck)] == states
    assert [state for _, state in effects_of(decision, BookCall)] == states
    assert decision.acknowledge.would_send is would_send
    held = [each.not_before - NOW for each in decision.effects if isinstance(each.effect, SendAck)]
    assert held == [timedelta(seconds=policy.hold_s)] * len(states)


def test_a_call_without_a_manager_is_a_question(playbook: Playbook) -> None:
    _, decision = decided(playbook, mail(ANGRY), accounts=(dataclasses.replace(ACME, manager=""),))
    assert decision.call is None
    questions = [ask.question for ask, _ in effects_of(decision, AskPerson) if isinstance(ask, AskPerson)]
    assert any("call is wanted" in question for question in questions)
    assert any("account manager" in question for question in questions)


def test_a_complaint_that_is_only_quoted_changes_nothing(playbook: Playbook) -> None:
    quoted = "\n".join(f"> {line}" for line in ANGRY.split(". "))
    _, with_history = decided(playbook, mail(f"Thank you, all is well now.\n\nOn Monday Ann wrote:\n{quoted}"))
    assert "complaint" not in with_history.verdict.chosen


def test_filing(tmp_path: Path) -> None:
    config = lay_out_site(tmp_path, changes={'file_into = ""': 'file_into = "Triaged"'})
    _, decision = decided(build_playbook(config), mail("Thanks, all fine."))
    [(filing, state)] = effects_of(decision, FileMessage)
    assert isinstance(filing, FileMessage)
    assert (filing.folder, state) == ("Triaged", "owed")


def test_a_failing_example_refuses_the_rules(tmp_path: Path) -> None:
    config = lay_out_site(tmp_path)
    (tmp_path / "rules" / "own.toml").write_text(
        '[[rule]]\nname = "Own"\nwhen.says = "zebra"\nthen.suggests = { complaint = 0.9 }\n\n'
        '  [[rule.example]]\n  mail = "Thank you, all is well."\n  gives.category = "complaint"\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as refused:
        build_playbook(config)
    [problem] = refused.value.problems
    assert problem.where == "own.toml:6"
    assert "should give category complaint" in problem.what


def test_a_category_of_ones_own(tmp_path: Path) -> None:
    config = lay_out_site(tmp_path)
    (tmp_path / "rules" / "own.toml").write_text(
        '[[rule]]\nname = "Own"\nwhen.says = "credit note"\nthen.suggests = { billing = 0.8 }\n', encoding="utf-8"
    )
    _, decision = decided(build_playbook(config), mail("The credit note is here."))
    assert "billing" in decision.verdict.chosen
    assert decision.verdict.score("billing") == pytest.approx(0.8)


def rule_set(playbook: Playbook, text: str, folder: Path) -> Playbook:
    (folder / "rules").mkdir()
    (folder / "rules/own.toml").write_text(text, encoding="utf-8")
    found = parse_rules(
        rule_files(folder / "rules"), templates=playbook.templates.names, people=frozenset(playbook.people)
    )
    return dataclasses.replace(playbook, rules=found, sought=sought_of(found))


@pytest.mark.parametrize(
    ("condition", "answer", "send", "template"),
    [
        ('when.category = "complaint"', 0.9, "auto", "complaint"),
        ('when.category = "complaint"', 0.995, "auto", "received"),  # nothing is known so well
        ('when.category = "complaint"', 0.995, "approve", "complaint"),  # a person looks at it anyway
        ('when.says = "unacceptable"', 0.995, "auto", "complaint"),  # who asks for words knows what is said
    ],
)
def test_a_category_is_told_by_machine_only_when_it_is_known_well_enough(
    playbook: Playbook, condition: str, answer: float, send: str, template: str, tmp_path: Path
) -> None:
    text = f'[[rule]]\nname = "One"\n{condition}\nthen.acknowledge = "complaint"\nthen.send = "{send}"\n'
    site = dataclasses.replace(rule_set(playbook, text, tmp_path), answer=answer)
    _, decision = decided(site, mail(ANGRY, subject="Unacceptable reports"))
    assert "complaint" in decision.verdict.chosen
    assert decision.acknowledge.template == template
    assert ("neutral words" in decision.acknowledge.reason) is (template == "received")


def test_nothing_is_sure_of_a_mail_that_only_points_at_its_attachment(playbook: Playbook) -> None:
    short = "Please see the attached letter. Regards, Ann"
    parts = (
        '--x\r\nContent-Type: text/plain\r\n\r\n{}\r\n--x\r\nContent-Type: application/pdf; name="letter.pdf"\r\n'
        "Content-Disposition: attachment; filename=letter.pdf\r\n\r\n%PDF\r\n--x--\r\n"
    )
    whole = mail(parts.format(short), subject="Letter").replace(
        b"Content-Type: text/plain; charset=utf-8", b"Content-Type: multipart/mixed; boundary=x", 1
    )
    _, bare = decided(playbook, mail(short, subject="Letter"))
    message, pointing = decided(playbook, whole)
    assert [each.filename for each in message.attachments] == ["letter.pdf"]
    assert {each.precision for each in pointing.verdict.scores} == {0.0}
    assert not pointing.verdict.sure
    assert {each.precision for each in bare.verdict.scores} != {0.0}
