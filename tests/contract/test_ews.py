"""What only Exchange's web services do, and do wrong: throttling, tokens, lost answers, sync states, notifications."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("exchangelib")

from tests.contract.ews_sites import calendar_items, fresh_address, settings_of
from tests.doubles.crossing import Crossing, nothing
from tests.servers.certificates import Authority, make_authority
from tests.servers.dovecot import free_ports
from tests.servers.ews import EwsFake, running_fake
from tests.servers.ewsparts import Event, Refused
from tests.servers.ewsschema import violations
from tests.servers.https import Fault, Request
from triaged.backends.ews import discover
from triaged.backends.ews.calendar import EwsCalendar
from triaged.backends.ews.events import read_event
from triaged.backends.ews.folders import TRIES
from triaged.backends.ews.line import EwsSettings
from triaged.backends.ews.mailbox import EwsMailbox
from triaged.backends.ews.mailer import EwsMailer
from triaged.backends.ews.xml import moment
from triaged.backends.web import Lost
from triaged.decision import Outgoing
from triaged.errors import Gone, LoginRefused, Permanent, Transient, TriagedError, Uncertain
from triaged.model import Address, Interval
from triaged.ports import keys_after

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_S = 30.0


@pytest.fixture
def fake(authority: Authority) -> Iterator[EwsFake]:
    with running_fake(authority, fresh_address()) as running:
        yield running


@pytest.fixture
def settings(fake: EwsFake, authority: Authority) -> EwsSettings:
    return settings_of(fake, authority)


@pytest.fixture
def mailbox(settings: EwsSettings) -> Iterator[EwsMailbox]:
    made = EwsMailbox("desk", "INBOX", settings, max_message_bytes=2_000)
    yield made
    made.close()


@pytest.fixture
def mailer(settings: EwsSettings) -> Iterator[EwsMailer]:
    made = EwsMailer(settings)
    yield made
    made.close()


@pytest.fixture
def calendar(settings: EwsSettings) -> Iterator[EwsCalendar]:
    made = EwsCalendar(settings, timezone="Europe/Berlin")
    yield made
    made.close()


def mail(number: int, *, size_bytes: int = 0) -> bytes:
    head = f"From: ann@client.example\r\nMessage-ID: <{number}@client.example>\r\nSubject: {number}\r\n\r\n".encode()
    return head + b"x" * max(0, size_bytes - len(head))


def fill(fake: EwsFake, count: int, folder: str = "INBOX") -> list[bytes]:
    mails = [mail(number) for number in range(1, count + 1)]
    for number, octets in enumerate(mails):
        fake.put(fake.path(folder, make=True), octets, NOON + number * timedelta(minutes=1))
    return mails


def outgoing(recipient: str = "ann@client.example", *, fields: str = "") -> Outgoing:
    message_id = f"<{uuid.uuid4().hex}@firm.example>"
    head = f"From: Desk <desk@firm.example>\r\nTo: Ann <ann@client.example>\r\nMessage-ID: {message_id}\r\n{fields}\r\n"
    return Outgoing("desk@firm.example", recipient, message_id, f"{head}Good day.\r\n".encode())


def on(operation: str, fault: Fault, *, times: int = 1) -> Callable[[Request], Fault | None]:
    """The first requests of this operation meet the fault."""
    left = [fault] * times

    def plan(request: Request) -> Fault | None:
        return left.pop() if left and f":{operation}".encode() in request.body else None

    return plan


# --- signing in ---------------------------------------------------------------------------------------------------


def uses(settings: EwsSettings) -> list[Callable[[], object]]:
    return [
        lambda: EwsMailbox("desk", "INBOX", settings, max_message_bytes=9).connect(),
        lambda: EwsMailer(settings).was_sent("<x@y>"),
        lambda: EwsMailer(settings).send(outgoing(), nothing),
        lambda: EwsCalendar(settings, timezone="UTC").busy(NOON, NOON + HOUR),
        lambda: EwsCalendar(settings, timezone="UTC").find("x"),
    ]


def test_a_wrong_password_is_tried_once(fake: EwsFake, settings: EwsSettings) -> None:
    for number, use in enumerate(uses(replace(settings, password="wörng")), 1):
        with pytest.raises(LoginRefused):
            use()
        assert fake.refused_logins == number
    assert fake.operations == fake.sent == []


def test_a_listener_does_not_repeat_a_password_that_has_ended(fake: EwsFake, mailbox: EwsMailbox) -> None:
    mailbox.connect()
    fake.password = "another"
    mailbox.wait(0.5)
    mailbox.wait(0.5)
    assert fake.refused_logins == 1
    with pytest.raises(LoginRefused):
        list(mailbox.list_after(None))


def test_ntlm(fake: EwsFake, settings: EwsSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "users").write_text("FIRM:desk:geheim\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(tmp_path / "users"))
    fake.ntlm_users = True
    mails = fill(fake, 3)
    good = replace(settings, auth="ntlm", user="FIRM\\desk", password="geheim")
    mailbox = EwsMailbox("desk", "INBOX", good, max_message_bytes=2_000)
    assert [raw.octets for raw in mailbox.fetch(keys_after(mailbox, None))] == mails
    assert waited(mailbox, 0.6) > 0.55
    assert "GetStreamingEvents" in fake.operations
    mailbox.close()
    EwsMailer(good).send(outgoing(), nothing)
    assert (len(fake.sent), fake.refused_logins) == (1, 0)
    for number, use in enumerate(uses(replace(good, password="wörng")), 1):
        with pytest.raises(LoginRefused):
            use()
        assert fake.refused_logins == number


class Tokens:
    """Gives the tokens in turn, the next one when one was refused."""

    def __init__(self, *tokens: str) -> None:
        self.left = list(tokens)
        self.refused: list[str] = []

    def token(self, refused: str = "") -> str:
        if refused != "":
            self.refused.append(refused)
            if refused == self.left[0] and len(self.left) > 1:
                self.left.pop(0)
        return self.left[0]


def by_token(settings: EwsSettings, tokens: Tokens) -> EwsSettings:
    return replace(settings, auth="oauth", tokens=tokens, password="")


def test_a_token_that_ends_within_a_list_is_got_anew_once(fake: EwsFake, settings: EwsSettings) -> None:
    mails, fake.page, fake.tokens = fill(fake, 7), 3, {"first"}
    tokens = Tokens("first", "second")
    mailbox = EwsMailbox("desk", "INBOX", by_token(settings, tokens), max_message_bytes=2_000)
    pages = mailbox.list_after(None)
    keys = [*next(pages).keys]
    fake.tokens = {"second"}
    keys += [key for page in pages for key in page.keys]
    assert [raw.octets for raw in mailbox.fetch(keys)] == mails
    assert (tokens.refused, fake.refused_logins) == (["first"], 1)
    mailbox.close()


def test_a_token_that_is_refused_twice_is_the_login_refused(fake: EwsFake, settings: EwsSettings) -> None:
    tokens = Tokens("first", "second", "third")
    crossing = Crossing()
    with pytest.raises(LoginRefused):
        EwsMailer(by_token(settings, tokens)).send(outgoing(), crossing)
    assert (fake.refused_logins, fake.sent) == (2, [])


def test_a_sending_whose_token_was_refused_is_repeated_and_sent_once(fake: EwsFake, settings: EwsSettings) -> None:
    fake.tokens = {"second"}
    EwsMailer(by_token(settings, Tokens("first", "second"))).send(outgoing(), nothing)
    assert len(fake.sent) == 1


def test_oauth_without_a_sign_in_is_refused_before_a_request(fake: EwsFake, settings: EwsSettings) -> None:
    with pytest.raises(Permanent, match="nobody has signed in"):
        EwsMailer(replace(settings, auth="oauth")).was_sent("<x@y>")
    assert fake.https.requests == []


def test_settings_show_no_secret(settings: EwsSettings) -> None:
    shown = repr(by_token(replace(settings, password="geheim"), Tokens("token-1"))) + repr(settings)
    assert "secret" not in shown
    assert "geheim" not in shown
    assert "token-1" not in shown


def test_impersonation_names_whom(fake: EwsFake, settings: EwsSettings) -> None:
    mailbox = EwsMailbox("desk", "INBOX", replace(settings, access="impersonation"), max_message_bytes=9)
    assert keys_after(mailbox, None) == ()
    bodies = [request.body for request in fake.https.requests]
    named = f"<t:ConnectingSID><t:PrimarySmtpAddress>{fake.address}</t:PrimarySmtpAddress>".encode()
    assert len(bodies) >= 2
    assert all(named in body and b"<t:Mailbox>" not in body for body in bodies)
    mailbox.close()


# --- where nothing is sent ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://outlook.office365.com/EWS/Exchange.asmx",
        "https://Outlook.Office.com./EWS/Exchange.asmx",
        "https://eur01.outlook.com/EWS/Exchange.asmx",
        "http://mail.firm.example/EWS/Exchange.asmx",
        "mail.firm.example",
    ],
)
def test_exchange_online_and_what_is_not_https_are_refused_before_a_request(
    settings: EwsSettings, endpoint: str
) -> None:
    tokens = Tokens("first")
    for use in uses(replace(by_token(settings, tokens), endpoint=endpoint)):
        tokens.left.clear()  # a request would ask for one, and fail otherwise
        with pytest.raises(Permanent) as caught:
            use()
        assert ('kind = "graph"' in str(caught.value)) is ("utlook" in endpoint.lower())


@pytest.mark.parametrize("address", ["desk@outlook.com", "desk@firm.office365.com"])
def test_autodiscover_asks_nobody_for_an_address_of_microsofts(settings: EwsSettings, address: str) -> None:
    with pytest.raises(Permanent, match='kind = "graph"'):
        discover.endpoint_of(replace(settings, endpoint="", address=address))


def test_autodiscover_follows_only_below_the_domain() -> None:
    assert discover._below("https://mail.firm.example/a", "firm.example") == "https://mail.firm.example/a"
    for url in ("https://autodiscover-s.outlook.com/a", "https://evilfirm.example/a", "http://mail.firm.example/a", ""):
        with pytest.raises(discover._ElsewhereError):
            discover._below(url, "firm.example")


def test_autodiscover_reads_the_address_of_ews() -> None:
    told = f'<a xmlns="{discover.OUTLOOK}"><Protocol><EwsUrl> https://mail.firm.example/EWS </EwsUrl></Protocol></a>'
    assert discover._account(told.encode())["EwsUrl"] == "https://mail.firm.example/EWS"
    with pytest.raises(Permanent):
        discover._account(b"<html><p>sign in")


def test_a_strangers_certificate_is_not_accepted(fake: EwsFake, settings: EwsSettings, tmp_path: Path) -> None:
    other = make_authority(tmp_path)
    for use in uses(replace(settings, ca_file=str(other.ca_file))):
        with pytest.raises(Transient, match="certificate is not accepted"):
            use()
    for use in uses(replace(settings, ca_file=str(tmp_path / "missing.pem"))):
        with pytest.raises(Permanent, match=r"missing\.pem"):
            use()
    assert fake.https.requests == []


def test_two_settings_in_one_process_do_not_share_trust(
    fake: EwsFake, settings: EwsSettings, mailbox: EwsMailbox, tmp_path: Path
) -> None:
    mailbox.connect()
    with pytest.raises(Transient, match="certificate"):
        EwsMailer(replace(settings, ca_file=str(make_authority(tmp_path).ca_file))).was_sent("<x@y>")
    assert keys_after(mailbox, None) == ()


def test_the_environment_is_not_used(
    fake: EwsFake, mailbox: EwsMailbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert keys_after(mailbox, None) == ()


def test_without_ews_exchangelib_is_not_loaded() -> None:
    code = "import sys, triaged.wire; sys.exit('exchangelib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- throttling, and answers that are none ------------------------------------------------------------------------


@pytest.mark.parametrize("back_off_ms", [90_000, None])
def test_a_busy_server_is_left_alone(fake: EwsFake, mailbox: EwsMailbox, back_off_ms: int | None) -> None:
    mailbox.connect()
    fake.refuse["SyncFolderItems"] = [Refused("ErrorServerBusy", back_off_ms=back_off_ms)]
    with pytest.raises(Transient) as caught:
        list(mailbox.list_after(None))
    assert caught.value.retry_after_s == (90.0 if back_off_ms else 5.0)
    asked = len(fake.https.requests)
    with pytest.raises(Transient, match="asked us to wait"):
        list(mailbox.list_after(None))
    assert len(fake.https.requests) == asked


@pytest.mark.parametrize(("status", "retry_after"), [(503, "70"), (429, "70"), (429, "")])
def test_a_gateway_that_is_busy_is_left_alone(fake: EwsFake, mailer: EwsMailer, status: int, retry_after: str) -> None:
    fake.https.plan = on("CreateItem", Fault("refuse", status, retry_after))
    with pytest.raises(Transient) as caught:
        mailer.send(outgoing(), nothing)
    assert type(caught.value) is Transient, "certainly not sent"
    assert caught.value.retry_after_s == (70.0 if retry_after else 5.0)
    with pytest.raises(Transient, match="asked us to wait"):
        mailer.send(outgoing(), nothing)
    assert fake.sent == []


def test_a_gateway_that_only_says_503_may_have_handed_it_on(fake: EwsFake, mailer: EwsMailer) -> None:
    fake.https.plan = on("CreateItem", Fault("lost", 503))
    with pytest.raises(Uncertain):
        mailer.send(outgoing(), nothing)
    assert len(fake.sent) == 1


def test_a_message_that_the_server_fails_over_each_time_holds_up_no_other(fake: EwsFake, mailbox: EwsMailbox) -> None:
    mails, keys = fill(fake, 4), keys_after(mailbox, None)
    whole = fake._GetItem

    def poisoned(asked: object) -> Iterator[object]:
        wanted = [each.get("Id") for each in asked.iter("{*}ItemId")]  # type: ignore[attr-defined]
        for key, each in zip(wanted, whole(asked), strict=True):  # type: ignore[arg-type]
            yield Refused("ErrorInternalServerError") if key in (keys[1], keys[2]) else each

    fake._GetItem = poisoned  # type: ignore[method-assign,assignment]
    for _ in range(2 * TRIES):
        try:
            given = {raw.locator.key: raw.octets for raw in mailbox.fetch(keys)}
            break
        except Transient:
            continue
    assert given == {keys[0]: mails[0], keys[1]: b"", keys[2]: b"", keys[3]: mails[3]}


def test_a_message_that_is_refused_is_not_gone(fake: EwsFake, mailbox: EwsMailbox) -> None:
    mails, keys = fill(fake, 2), keys_after(mailbox, None)
    whole = fake._GetItem

    def corrupt(asked: object) -> Iterator[object]:
        wanted = [each.get("Id") for each in asked.iter("{*}ItemId")]  # type: ignore[attr-defined]
        for key, each in zip(wanted, whole(asked), strict=True):  # type: ignore[arg-type]
            yield Refused("ErrorCorruptData") if key == keys[0] else each

    fake._GetItem = corrupt  # type: ignore[method-assign,assignment]
    assert [raw.octets for raw in mailbox.fetch(keys)] == [b"", mails[1]]


def test_a_server_that_is_busy_for_some_messages_gives_the_others(fake: EwsFake, mailbox: EwsMailbox) -> None:
    """An independent server answers so many of a GetItem, and ErrorServerBusy for the rest."""
    mails, keys = fill(fake, 5), keys_after(mailbox, None)
    whole = fake._GetItem

    def some(asked: object) -> Iterator[object]:
        for number, each in enumerate(whole(asked)):  # type: ignore[arg-type]
            yield each if number < 2 else Refused("ErrorServerBusy")

    fake._GetItem = some  # type: ignore[method-assign,assignment]
    assert [raw.octets for raw in mailbox.fetch(keys)] == mails


@pytest.mark.parametrize("code", ["ErrorMailboxStoreUnavailable", "ErrorInternalServerError", "ErrorTimeoutExpired"])
def test_what_may_pass_is_transient(fake: EwsFake, mailbox: EwsMailbox, code: str) -> None:
    mailbox.connect()
    fake.refuse["SyncFolderItems"] = [Refused(code)]
    with pytest.raises(Transient, match=code):
        list(mailbox.list_after(None))
    assert keys_after(mailbox, None) == ()


def test_missing_rights_are_permanent_and_say_whose(fake: EwsFake, settings: EwsSettings) -> None:
    fake.refuse["GetFolder"] = [Refused("ErrorAccessDenied")]
    with pytest.raises(Permanent, match=f"give desk that right in {fake.address}") as caught:
        EwsMailbox("desk", "INBOX", settings, max_message_bytes=9).connect()
    assert type(caught.value) is Permanent


BAD_ANSWERS = {
    "a web page": b"<html><body><p>Please sign in</html>",
    "nothing": b"",
    "no XML": b"busy, come back later",
    "no envelope": b"<a/>",
    "no body": b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>',
    "another answer": (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><x/></s:Body></s:Envelope>'
    ),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_that_is_none_is_a_plain_error(
    fake: EwsFake, mailbox: EwsMailbox, mailer: EwsMailer, calendar: EwsCalendar, name: str
) -> None:
    fill(fake, 1)
    keys = keys_after(mailbox, None)
    everything = ("SyncFolderItems", "GetItem", "CreateItem", "GetUserAvailability", "FindItem")
    fake.garble = dict.fromkeys(everything, BAD_ANSWERS[name])
    for use in (
        lambda: list(mailbox.list_after(None)),
        lambda: list(mailbox.fetch(keys)),
        lambda: calendar.busy(NOON, NOON + HOUR),
        lambda: calendar.find("x"),
        lambda: mailer.was_sent("<x@y>"),
    ):
        with pytest.raises(Lost):
            use()
    fake.garble.clear()
    assert keys_after(mailbox, None) == keys


# --- listing ------------------------------------------------------------------------------------------------------


def test_pages_and_their_cursors(fake: EwsFake, mailbox: EwsMailbox) -> None:
    fill(fake, 8)
    fake.page = 3
    pages = list(mailbox.list_after(None))
    assert [len(page.keys) for page in pages] == [3, 3, 2]
    for number, page in enumerate(pages):
        assert keys_after(mailbox, page.cursor) == tuple(key for each in pages[number + 1 :] for key in each.keys)
    assert list(mailbox.list_after(pages[-1].cursor)) == [], "no news, no page"


def test_what_was_deleted_meanwhile_moves_the_cursor_on(fake: EwsFake, mailbox: EwsMailbox) -> None:
    fill(fake, 2)
    [page] = mailbox.list_after(None)
    fake.delete(fake.in_folder(fake.known("inbox"))[0])
    [after] = mailbox.list_after(page.cursor)
    assert after.keys == ()
    assert list(mailbox.list_after(after.cursor)) == []


def test_a_sync_state_that_the_server_does_not_know_lists_everything(fake: EwsFake, mailbox: EwsMailbox) -> None:
    fill(fake, 3)
    [page] = mailbox.list_after(None)
    fake.refuse["SyncFolderItems"] = [Refused("ErrorInvalidSyncStateData")]
    assert keys_after(mailbox, page.cursor) == page.keys
    asked = fake.operations.count("SyncFolderItems")
    assert keys_after(mailbox, page.cursor.partition("/")[0] + "/bm9uc2Vuc2U=") == page.keys
    assert keys_after(mailbox, "0" * 16 + "/" + page.cursor.partition("/")[2]) == page.keys, "of another folder"
    assert fake.operations.count("SyncFolderItems") == asked + 3


def test_a_folder_that_was_made_anew_lists_everything(fake: EwsFake, settings: EwsSettings) -> None:
    fill(fake, 3, "Clients/New")
    mailbox = EwsMailbox("desk", "clients/new", settings, max_message_bytes=2_000)
    [page] = mailbox.list_after(None)
    fake.remove(fake.path("Clients/New"))
    [again] = fill(fake, 1, "Clients/New")
    keys = keys_after(mailbox, page.cursor)
    assert [raw.octets for raw in mailbox.fetch(keys)] == [again]
    fake.remove(fake.path("Clients/New"))
    with pytest.raises(Gone, match="there is no folder clients/new"):
        list(mailbox.list_after(page.cursor))
    mailbox.close()


def test_what_is_no_mail_is_listed_too(fake: EwsFake, mailbox: EwsMailbox) -> None:
    """Meeting requests, reports and items of kinds that nobody has heard of hold up no mail."""
    for number, tag in enumerate(("MeetingRequest", "MeetingCancellation", "PostItem", "Item", "Message")):
        fake.put(fake.known("inbox"), mail(number), NOON).tag = tag
    keys = keys_after(mailbox, None)
    assert len(list(mailbox.fetch(keys))) == 5
    mailbox.mark(keys[0], ["request"])
    assert [item.categories for item in fake.in_folder(fake.known("inbox"))].count(["request"]) == 1


# --- reading ------------------------------------------------------------------------------------------------------


def test_one_message_that_the_server_cannot_give_holds_up_no_other(fake: EwsFake, mailbox: EwsMailbox) -> None:
    mails, keys = fill(fake, 3), keys_after(mailbox, None)
    whole, calls = fake._GetItem, [0]

    def broken(asked: object) -> Iterator[object]:
        calls[0] += 1
        for number, each in enumerate(whole(asked)):  # type: ignore[arg-type]
            yield Refused("ErrorMimeContentConversionFailed") if (number, calls[0]) == (1, 2) else each

    fake._GetItem = broken  # type: ignore[method-assign,assignment]
    assert [raw.octets for raw in mailbox.fetch(keys)] == [mails[0], b"", mails[2]]


def test_a_message_larger_than_the_server_counts_is_cut_to_its_head(fake: EwsFake, mailbox: EwsMailbox) -> None:
    octets = mail(1, size_bytes=5_000)
    item = fake.put(fake.known("inbox"), octets, NOON)
    shaped = item.element
    item.element = lambda *args, **more: lowered(shaped(*args, **more))  # type: ignore[method-assign]

    def lowered(element: object) -> object:
        for each in element.iter("{*}Size"):  # type: ignore[attr-defined]
            each.text = "1000"
        return element

    [raw] = mailbox.fetch(keys_after(mailbox, None))
    assert (raw.octets, raw.size_bytes) == (octets[: octets.index(b"\r\n\r\n") + 4], 5_000)


def test_a_message_that_is_gone(fake: EwsFake, mailbox: EwsMailbox) -> None:
    [octets], [key] = fill(fake, 1), keys_after(mailbox, None)
    mailbox.file(key, "Done/2026")
    assert [item.mime for item in fake.in_folder(fake.path("Done/2026"))] == [octets]
    assert list(mailbox.fetch([key])) == []
    for use in (lambda: mailbox.file(key, "Done/2027"), lambda: mailbox.mark(key, ["x"])):
        with pytest.raises(Gone):
            use()
    assert all(folder.name != "2027" for folder in fake.folders.values()), "no folder for what is gone"


def test_what_people_mark_at_the_same_moment_is_kept(fake: EwsFake, mailbox: EwsMailbox) -> None:
    fill(fake, 1)
    [key] = keys_after(mailbox, None)
    item = fake.items[key]
    theirs = iter([["VIP"], ["VIP", "Lena"]])

    def meanwhile(operation: str) -> None:
        if operation == "UpdateItem" and (added := next(theirs, None)) is not None:
            item.categories = added
            fake.touch(item)

    fake.before = meanwhile
    mailbox.mark(key, ["complaint"])
    assert item.categories == ["VIP", "Lena", "complaint"]
    asked = fake.operations.count("UpdateItem")
    mailbox.mark(key, ["Complaint"])
    assert fake.operations.count("UpdateItem") == asked, "nothing more is to be set"
    fake.before = lambda operation: fake.touch(item) if operation == "UpdateItem" else None
    with pytest.raises(Transient, match="ErrorIrresolvableConflict"):
        mailbox.mark(key, ["request"])


# --- waiting ------------------------------------------------------------------------------------------------------


def waited(mailbox: EwsMailbox, timeout_s: float) -> float:
    started = time.monotonic()
    mailbox.wait(timeout_s)
    return time.monotonic() - started


def listening(fake: EwsFake, mailbox: EwsMailbox) -> str:
    """With a stream that is open; returns the cursor."""
    fill(fake, 1)
    [page] = mailbox.list_after(None)
    assert waited(mailbox, 0.6) > 0.55
    assert "GetStreamingEvents" in fake.operations
    return page.cursor


def test_a_notification_that_is_lost_only_costs_time(fake: EwsFake, mailbox: EwsMailbox) -> None:
    cursor = listening(fake, mailbox)
    fake.mute = True
    fake.put(fake.known("inbox"), mail(2), NOON)
    assert 0.55 < waited(mailbox, 0.6) < 2
    assert len(keys_after(mailbox, cursor)) == 1


def test_a_notification_that_comes_several_times_wakes_and_tells_of_one_mail(
    fake: EwsFake, mailbox: EwsMailbox
) -> None:
    cursor = listening(fake, mailbox)
    fake.echo = 3
    fake.put(fake.known("inbox"), mail(2), NOON)
    assert waited(mailbox, LONG_S) < 3
    [page] = mailbox.list_after(cursor)
    assert len(page.keys) == 1


def test_a_server_without_notifications_is_looked_at_again_soon(fake: EwsFake, mailbox: EwsMailbox) -> None:
    fake.streams = False
    fill(fake, 1)
    [page] = mailbox.list_after(None)
    first, second = waited(mailbox, LONG_S), waited(mailbox, LONG_S)
    assert 0.9 < first < 2 < 1 + second < 4, "a second, then longer while nothing comes"
    fake.put(fake.known("inbox"), mail(2), NOON)
    assert len(keys_after(mailbox, page.cursor)) == 1
    assert waited(mailbox, LONG_S) < 2
    assert "GetStreamingEvents" not in fake.operations


def test_a_stream_that_breaks_is_backed_by_looking(fake: EwsFake, mailbox: EwsMailbox) -> None:
    cursor = listening(fake, mailbox)
    fake.mute = True
    cut = threading.Timer(0.3, fake.cut_streams)
    cut.start()
    assert waited(mailbox, LONG_S) < 3
    cut.join()
    fake.put(fake.known("inbox"), mail(2), NOON)
    assert waited(mailbox, LONG_S) < 3
    assert len(keys_after(mailbox, cursor)) == 1


def test_a_query_does_not_wait_for_the_stream(fake: EwsFake, mailbox: EwsMailbox) -> None:
    cursor = listening(fake, mailbox)
    started = time.monotonic()
    assert keys_after(mailbox, cursor) == ()
    assert time.monotonic() - started < 1


def test_closing_ends_the_subscription_and_the_thread(fake: EwsFake, mailbox: EwsMailbox) -> None:
    listening(fake, mailbox)
    started = time.monotonic()
    mailbox.close()
    assert time.monotonic() - started < 2
    assert fake.operations[-1] == "Unsubscribe"
    assert [thread for thread in threading.enumerate() if thread.name == "ews-listener"] == []


# --- sending ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "was_sent"),
    [(Fault("cut after"), True), (Fault("lost", 504), True), (Fault("cut before"), None), (Fault("lost", 500), True)],
    ids=["cut after", "504", "cut before", "500"],
)
def test_a_lost_answer_is_uncertain_and_looked_up(
    fake: EwsFake, mailer: EwsMailer, fault: Fault, was_sent: bool | None
) -> None:
    fake.https.plan = on("CreateItem", fault)
    mail, crossing = outgoing(), Crossing()
    with pytest.raises(Uncertain):
        mailer.send(mail, crossing)
    assert crossing.told == ["begins"]
    assert mailer.was_sent(mail.message_id) is was_sent
    assert len(fake.sent) == (1 if was_sent else 0)


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_that_makes_no_sense_after_the_sending_is_uncertain(
    fake: EwsFake, mailer: EwsMailer, name: str
) -> None:
    """As an independent server answers SendItem."""
    fake.garble["CreateItem"] = BAD_ANSWERS[name]
    mail = outgoing()
    with pytest.raises(Uncertain):
        mailer.send(mail, nothing)
    assert mailer.was_sent(mail.message_id) is True
    assert len(fake.sent) == 1


def test_a_copy_that_comes_late_is_found(fake: EwsFake, mailer: EwsMailer) -> None:
    mail = outgoing()
    late = threading.Timer(0.7, fake.put, (fake.known("sentitems"), mail.octets, NOON))
    late.start()
    assert mailer.was_sent(mail.message_id) is True
    late.join()


def test_a_mail_is_found_by_its_whole_message_id_only(fake: EwsFake, mailer: EwsMailer) -> None:
    mail = outgoing()
    mailer.send(mail, nothing)
    assert mailer.was_sent(mail.message_id.upper().replace("@FIRM.EXAMPLE", "@firm.example")) is None
    assert mailer.was_sent(mail.message_id) is True


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("ErrorSendAsDenied", Permanent),
        ("ErrorMessageSizeExceeded", Permanent),
        ("ErrorMailboxStoreUnavailable", Uncertain),
        ("ErrorInternalServerError", Uncertain),
        ("ErrorServerBusy", Transient),
    ],
)
def test_a_clear_refusal_is_not_uncertain(
    fake: EwsFake, mailer: EwsMailer, code: str, raised: type[TriagedError]
) -> None:
    fake.refuse["CreateItem"] = [Refused(code)]
    with pytest.raises(TriagedError, match=code) as caught:
        mailer.send(outgoing(), nothing)
    assert type(caught.value) is raised
    assert fake.sent == []


def test_a_dead_port_is_certainly_not_sent(settings: EwsSettings) -> None:
    dead = replace(settings, endpoint=f"https://localhost:{free_ports(1)[0]}/EWS/Exchange.asmx")
    with pytest.raises(Transient) as caught:
        EwsMailer(dead).send(outgoing(), nothing)
    assert type(caught.value) is Transient


def test_the_author_is_set_and_the_copy_lies_in_sent_items(fake: EwsFake, mailer: EwsMailer) -> None:
    mail = outgoing()
    assert mailer.send(mail, nothing) != ""
    assert fake.authors == ["desk@firm.example"]
    assert [item.mime for item in fake.in_folder(fake.known("sentitems"))] == [mail.octets]


def test_fields_that_a_server_drops_do_not_hide_the_mail(fake: EwsFake, mailer: EwsMailer) -> None:
    fake.drops = ("Auto-Submitted", "X-Triaged")
    mail = outgoing(fields="Auto-Submitted: auto-replied\r\nX-Triaged: 1\r\nX-Auto-Response-Suppress: All\r\n")
    mailer.send(mail, nothing)
    assert b"X-Auto-Response-Suppress" in fake.sent[0]
    assert b"X-Triaged" not in fake.sent[0]
    assert mailer.was_sent(mail.message_id) is True


@pytest.mark.parametrize(
    ("recipient", "fields"),
    [("eve@client.example", ""), ("ann@client.example", "Cc: eve@other.example\r\n"), ("", "")],
)
def test_a_mail_whose_fields_name_others_than_its_envelope_is_not_sent(
    fake: EwsFake, mailer: EwsMailer, recipient: str, fields: str
) -> None:
    crossing = Crossing()
    with pytest.raises(Permanent, match="its fields name"):
        mailer.send(outgoing(recipient, fields=fields), crossing)
    assert (crossing.told, fake.sent, fake.https.requests) == ([], [], [])


# --- the calendar -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["None", "MergedOnly"])
def test_what_is_kept_back_is_never_free(fake: EwsFake, calendar: EwsCalendar, view: str) -> None:
    fake.free_busy_view = view
    with pytest.raises(Permanent, match="give the right to see free/busy times"):
        calendar.busy(NOON, NOON + HOUR)


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("ErrorNoFreeBusyAccess", Permanent),
        ("ErrorAccessDenied", Permanent),
        ("ErrorMailRecipientNotFound", Permanent),
        ("ErrorFreeBusyGenerationFailed", Permanent),
        ("ErrorInternalServerError", Transient),
        ("ErrorServerBusy", Transient),
    ],
)
def test_an_error_is_never_free(fake: EwsFake, calendar: EwsCalendar, code: str, raised: type[TriagedError]) -> None:
    for operation, besides in (("GetUserAvailability", ()), ("FindItem", ("call-1",))):
        fake.refuse[operation] = [Refused(code)]
        with pytest.raises(raised):
            calendar.busy(NOON, NOON + HOUR, besides=besides)


@pytest.mark.parametrize("besides", [(), ("call-1",)], ids=str)
@pytest.mark.parametrize(("status", "busy"), [("OOF", True), ("WorkingElsewhere", False), ("NoData", None)])
def test_kinds_of_busy(
    fake: EwsFake, calendar: EwsCalendar, status: str, busy: bool | None, besides: tuple[str, ...]
) -> None:
    fake.put_event(Event("x", "x", NOON, NOON + HOUR, status=status))
    if busy is None:
        with pytest.raises(Permanent, match="nobody knows"):
            calendar.busy(NOON, NOON + HOUR, besides=besides)
    else:
        assert calendar.busy(NOON, NOON + HOUR, besides=besides) == ((Interval(NOON, NOON + HOUR),) if busy else ())


@pytest.mark.parametrize("limit", ["ours", "the server's"])
def test_a_view_with_too_many_events_is_not_free(
    fake: EwsFake, calendar: EwsCalendar, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    for minute in range(3):
        fake.put_event(Event(str(minute), "x", NOON + timedelta(minutes=minute), NOON + HOUR))
    if limit == "ours":
        monkeypatch.setattr("triaged.backends.ews.calendar.MOST_ITEMS", 3)
    else:
        fake.page = 2
    with pytest.raises(Permanent, match="events or more"):
        calendar.busy(NOON, NOON + HOUR, besides=("call-1",))
    fake.put_event(Event("call-1", "x", NOON + 2 * HOUR, NOON + 3 * HOUR))
    assert calendar.busy(NOON + 2 * HOUR, NOON + 3 * HOUR, besides=("call-1",)) == ()


@pytest.mark.parametrize("part", [b"t:LegacyFreeBusyStatus", b"t:Start", b"t:End", b"m:RootFolder"])
def test_a_view_that_cannot_be_read_is_not_free(fake: EwsFake, calendar: EwsCalendar, part: bytes) -> None:
    fake.put_event(Event("x", "x", NOON, NOON + HOUR))
    assert calendar.busy(NOON, NOON + HOUR, besides=("call-1",)) == (Interval(NOON, NOON + HOUR),)
    whole = fake.answers_given[-1]
    fake.garble["FindItem"] = re.sub(rb"<%s\b.*</%s>" % (part, part), b"", whole, flags=re.DOTALL)
    assert fake.garble["FindItem"] != whole
    with pytest.raises((Permanent, Lost)):
        calendar.busy(NOON, NOON + HOUR, besides=("call-1",))


@pytest.mark.parametrize("form", ["Z", "+0000", "+00:00"])
def test_times_with_and_without_an_offset(fake: EwsFake, calendar: EwsCalendar, form: str) -> None:
    assert moment("2026-11-24T13:00:00+0100") == moment("2026-11-24T13:00:00+01:00") == NOON
    fake.put_event(Event("x", "x", NOON, NOON + HOUR))
    fake.offset_form = form
    assert calendar.busy(NOON - HOUR, NOON + 3 * HOUR) == (Interval(NOON, NOON + HOUR),)
    if form == "+0000":  # no xs:dateTime, and yet there is a server that writes it
        assert fake.violations != []
        fake.violations.clear()


def test_half_a_year_is_asked_for_in_pieces(fake: EwsFake, calendar: EwsCalendar) -> None:
    for month in (1, 3, 6):
        at = NOON + timedelta(days=31 * month)
        fake.put_event(Event(str(month), "x", at - HOUR, at + HOUR))
    assert len(calendar.busy(NOON, NOON + timedelta(days=200))) == 3
    assert len(calendar.busy(NOON, NOON + timedelta(days=200), besides=("3",))) == 2
    assert (fake.operations.count("GetUserAvailability"), fake.operations.count("FindItem")) == (7, 7)


def test_an_answer_that_is_cut_short_is_not_free(fake: EwsFake, calendar: EwsCalendar) -> None:
    """With the right Content-Length, as a proxy may make it; exchangelib's parser would make a whole of it."""
    fake.put_event(Event("x", "x", NOON, NOON + HOUR))
    calendar.busy(NOON, NOON + HOUR)
    answer = fake.answers_given[-1]
    at = answer.index(b"<t:CalendarEvent>")
    fake.garble["GetUserAvailability"] = answer[:at]
    with pytest.raises(Lost, match="cut short"):
        calendar.busy(NOON, NOON + HOUR)


def test_the_time_zones_of_the_server_are_not_asked_for(fake: EwsFake, calendar: EwsCalendar) -> None:
    calendar.busy(NOON, NOON + HOUR)
    calendar.find("x")
    assert set(fake.operations) == {"GetUserAvailability", "FindItem"}


def event(subject: str, at: datetime = NOON, *, status: str = "CONFIRMED") -> bytes:
    until = at + HOUR
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:call-1", "DTSTAMP:20261101T000000Z",
        f"DTSTART:{at:%Y%m%dT%H%M%SZ}", f"DTEND:{until:%Y%m%dT%H%M%SZ}", f"SUMMARY:{subject}",
        f"STATUS:{status}", "DESCRIPTION:One\\nTwo", "LOCATION:Room", "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def test_an_event_whose_answer_was_lost_is_not_written_twice(fake: EwsFake, calendar: EwsCalendar) -> None:
    fake.https.plan = on("CreateItem", Fault("cut after"))
    with pytest.raises(Lost):
        calendar.add("call-1", event("Call"))
    assert calendar.add("call-1", event("Call")) is False
    assert len(calendar_items(fake)) == 1


def status_of_the_one(fake: EwsFake) -> str:
    [item] = calendar_items(fake)
    assert item.event is not None
    return item.event.status


def test_a_held_slot_is_tentative_and_a_call_is_busy(fake: EwsFake, calendar: EwsCalendar) -> None:
    calendar.add("call-1", event("Held", status="TENTATIVE"))
    assert status_of_the_one(fake) == "Tentative"
    calendar.replace("call-1", event("Held", NOON + HOUR, status="TENTATIVE"))
    assert status_of_the_one(fake) == "Tentative"
    calendar.replace("call-1", event("Held", NOON + HOUR))
    assert status_of_the_one(fake) == "Busy"


def test_what_a_person_made_of_the_status_stays(fake: EwsFake, calendar: EwsCalendar) -> None:
    calendar.add("call-1", event("Call"))
    [item] = calendar_items(fake)
    assert item.event is not None
    item.event.status = "OOF"
    calendar.replace("call-1", event("Call"))
    assert "UpdateItem" not in fake.operations
    calendar.replace("call-1", event("Call", NOON + HOUR))
    assert (item.event.start, status_of_the_one(fake)) == (NOON + HOUR, "OOF")


def test_a_change_of_texts_is_told_and_none_is_not(fake: EwsFake, calendar: EwsCalendar) -> None:
    calendar.add("call-1", event("Call"))
    calendar.invite("call-1", Address("ann@client.example"))
    asked = len(fake.operations)
    assert calendar.replace("call-1", event("Call")) is True
    assert "UpdateItem" not in fake.operations[asked:]
    assert calendar.replace("call-1", event("Another call")) is True
    found = calendar.find("call-1")
    assert found is not None
    assert read_event(found) == read_event(event("Another call"))
    assert [what for what, _, _ in fake.invitations] == ["invite", "update"]


def test_an_invitation_whose_answer_was_lost_goes_out_once(fake: EwsFake, calendar: EwsCalendar) -> None:
    calendar.add("call-1", event("Call"))
    fake.https.plan = on("UpdateItem", Fault("cut after"))
    with pytest.raises(Lost):
        calendar.invite("call-1", Address("ann@client.example"))
    calendar.invite("call-1", Address("Ann@client.example"))
    assert fake.invitations == [("invite", "ann@client.example", "Call")]


def test_an_event_changed_at_the_same_moment_is_not_written_over(fake: EwsFake, calendar: EwsCalendar) -> None:
    calendar.add("call-1", event("Call"))
    fake.before = lambda operation: fake.touch(calendar_items(fake)[0]) if operation == "UpdateItem" else None
    with pytest.raises(Transient, match="ErrorIrresolvableConflict"):
        calendar.replace("call-1", event("Another call"))
    assert fake.invitations == []


def test_a_server_that_cannot_look_for_an_event_gets_none(fake: EwsFake, calendar: EwsCalendar) -> None:
    fake.refuse["FindItem"] = [Refused("ErrorUnsupportedPathForQuery")] * 2
    with pytest.raises(Permanent, match="ErrorUnsupportedPathForQuery"):
        calendar.add("call-1", event("Call"))
    assert calendar_items(fake) == []
    fake.refuse["FindItem"] = [Refused("ErrorUnsupportedPathForQuery")]
    assert calendar.add("call-1", event("Call")) is True, "one way is enough"


# --- the fake itself ----------------------------------------------------------------------------------------------


def test_the_schema_bites(fake: EwsFake) -> None:
    ns = 'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    envelope = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
    assert violations(envelope.format(f"<m:Unsubscribe {ns}><m:Id/></m:Unsubscribe>").encode()) != []
    good = f"<m:Unsubscribe {ns}><m:SubscriptionId>x</m:SubscriptionId></m:Unsubscribe>"
    assert violations(envelope.format(good).encode()) == []
