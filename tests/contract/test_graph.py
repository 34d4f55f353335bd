"""What Microsoft Graph alone can do to us: throttling, expired tokens and links, lost answers, odd pages."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.graph_sites import DESK, LENA, WATCHED, GraphSite
from tests.doubles.crossing import Crossing, nothing
from tests.servers.certificates import Authority
from tests.servers.graph import FakeTokens, GraphFake, running_graph
from tests.servers.graphmail import refused
from tests.servers.graphschema import schema
from tests.servers.https import Fault, Request, Response
from tests.servers.scripted import Line, ScriptedServer, scripted_server
from triaged.backends.gate import gate_of
from triaged.backends.graph.calendar import GraphCalendar
from triaged.backends.graph.events import UID
from triaged.backends.graph.line import GraphLine, GraphSettings
from triaged.backends.graph.mailbox import GraphMailbox
from triaged.backends.graph.mailer import GraphMailer
from triaged.backends.web import Lost
from triaged.calls.invitations import event, stored_event
from triaged.decision import Outgoing
from triaged.errors import Gone, LoginRefused, Permanent, Transient, TriagedError, Uncertain
from triaged.model import Address, Interval, Listed
from triaged.ports import keys_after

FIRST = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ZONE = "Europe/Berlin"
LIMIT = 2_000


@pytest.fixture
def fake(authority: Authority) -> Iterator[GraphFake]:
    with running_graph(authority, DESK, LENA) as running:
        yield running


@pytest.fixture
def site(fake: GraphFake) -> Iterator[GraphSite]:
    found = GraphSite(fake)
    found.mailbox.connect()
    yield found
    found.mailbox.close()


def mail(number: int) -> bytes:
    head = f"From: client@example.com\r\nSubject: number {number}\r\nMessage-ID: <{number}@example.com>\r\n\r\n"
    return (head + f"Mail number {number}.\r\n").encode()


def fill(site: GraphSite, count: int, start: int = 1) -> list[bytes]:
    mails = [mail(number) for number in range(start, start + count)]
    for number, octets in enumerate(mails, start):
        site.deliver(octets, FIRST + timedelta(minutes=number))
    return mails


def fetched(site: GraphSite, keys: tuple[str, ...]) -> set[bytes]:
    return {raw.octets for raw in site.mailbox.fetch(keys)}


def once(fault: Fault, suits: Callable[[Request], bool] = lambda request: True) -> Callable[[Request], Fault | None]:
    """A plan: the first request that suits meets the fault."""
    left = [fault]

    def plan(request: Request) -> Fault | None:
        return left.pop() if left and suits(request) else None

    return plan


def is_post(ending: str) -> Callable[[Request], bool]:
    return lambda request: request.method == "POST" and request.path.endswith(ending)


def of_all_kinds(fake: GraphFake, address: str = DESK) -> list[Callable[[], object]]:
    """One call of each object that talks to the mailbox."""
    settings = fake.settings(address)
    return [
        GraphMailbox("desk", "INBOX", settings, max_message_bytes=LIMIT).connect,
        GraphMailer(settings).connect,
        lambda: GraphCalendar(settings, timezone=ZONE).find("x"),
    ]


# --- throttling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("retry_after", "seconds"), [("30", 30.0), ("", 5.0), ("soon", 5.0)])
def test_when_told_to_wait_nothing_is_sent_by_anybody(
    fake: GraphFake, status: int, retry_after: str, seconds: float
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    told = refused(status, "ApplicationThrottled", "over its MailboxConcurrency limit")
    fake.server.throttled = lambda fault: Response(told.status, told.body, headers)
    fake.server.plan = once(Fault("refuse", status))
    for call in of_all_kinds(fake):
        with pytest.raises(Transient) as raised:
            call()
        assert type(raised.value) is (Lost if status == 503 and retry_after == "" and seconds == 5.0 else Transient)
        assert raised.value.retry_after_s == pytest.approx(seconds, abs=2)
        status = 0  # those that come after the first are held up by the gate, not by Graph
    assert len(fake.server.requests) == 1
    GraphMailer(fake.settings(LENA)).connect()  # another mailbox is not concerned
    assert len(fake.server.requests) == 2


def test_a_date_to_wait_for(fake: GraphFake) -> None:
    later = datetime.now(UTC) + timedelta(minutes=10)
    date = later.strftime("%a, %d %b %Y %H:%M:%S GMT")
    fake.forbidden["sentitems"] = Response(429, b"", {"Retry-After": date})
    with pytest.raises(Transient) as raised:
        GraphMailer(fake.settings(DESK)).connect()
    assert 590 < (raised.value.retry_after_s or 0) <= 600


def test_a_wait_that_comes_with_success_is_kept_too(fake: GraphFake) -> None:
    fake.forbidden["sentitems"] = Response.of_json({"id": "x"}, **{"Retry-After": "20"})
    GraphMailer(fake.settings(DESK)).connect()
    with pytest.raises(Transient):
        GraphMailer(fake.settings(DESK)).connect()
    assert len(fake.server.requests) == 1


def test_never_more_than_four_at_once_and_none_too_early(fake: GraphFake, site: GraphSite) -> None:
    fill(site, 40)
    keys = keys_after(site.mailbox, None)
    throttle = once(Fault("refuse", 429, "1"), lambda request: request.number > 30)
    fake.server.plan = lambda request: throttle(request) or Fault("slow", seconds=0.01)
    found: list[list[bytes]] = []
    waited: list[float] = []

    def read(mine: tuple[str, ...]) -> None:
        mailbox = GraphMailbox("desk", WATCHED, fake.settings(DESK), max_message_bytes=LIMIT)
        octets: dict[str, bytes] = {}
        while len(octets) < len(mine):
            try:
                for raw in mailbox.fetch([key for key in mine if key not in octets]):
                    octets[raw.locator.key] = raw.octets
            except Transient as error:
                waited.append(error.retry_after_s or 0.1)
                threading.Event().wait(waited[-1])
        found.append(list(octets.values()))

    threads = [threading.Thread(target=read, args=(keys[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {octets for each in found for octets in each} == {mail(number) for number in range(1, 41)}
    assert fake.server.peak[DESK] == 4
    assert fake.server.early == []
    assert len(waited) >= 4


# --- the sign-in -----------------------------------------------------------------------------------------------------


def test_a_token_that_expires_between_two_pages_is_renewed_once(fake: GraphFake, site: GraphSite) -> None:
    mails = fill(site, 230)

    def expire(page: int) -> None:
        fake.good_tokens = {f"token-{min(page, 1) + 1}"}

    site.mail.when_listed = expire
    keys = keys_after(site.mailbox, None)
    assert len(keys) == 230
    assert fetched(site, keys) == set(mails)
    assert fake.tokens.refreshed == 1


def test_a_token_that_is_refused_again_is_not_tried_on(fake: GraphFake) -> None:
    fake.good_tokens = set()
    for number, call in enumerate(of_all_kinds(fake), 1):
        with pytest.raises(LoginRefused, match="sign in again"):
            call()
        assert len(fake.server.requests) == 2 * number


def test_settings_do_not_show_the_tokens(fake: GraphFake) -> None:
    assert "okens" not in repr(fake.settings(DESK))
    assert DESK in repr(fake.settings(DESK))


def test_to_a_server_with_a_wrong_certificate_no_token_goes(fake: GraphFake) -> None:
    with pytest.raises(Transient, match="certificate is not accepted"):
        GraphMailer(fake.settings(DESK, ca_file=None)).connect()
    assert fake.server.requests == []


# --- listing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [(410, "SyncStateNotFound"), (410, "resyncRequired"), (400, "SyncStateInvalid"),
                                  (404, "ErrorItemNotFound")])  # fmt: skip
def test_a_forgotten_link_lists_all_again(site: GraphSite, code: tuple[int, str]) -> None:
    fill(site, 230)
    first, *_ = site.mailbox.list_after(None)
    site.mail.forget_tokens()
    site.mail.lost_code = code
    fill(site, 1, start=231)
    keys = keys_after(site.mailbox, first.cursor)
    assert len(keys) == 231
    assert fetched(site, keys) == {mail(number) for number in range(1, 232)}


def test_a_link_forgotten_in_the_middle_loses_no_key(site: GraphSite) -> None:
    fill(site, 330)
    site.mail.when_listed = lambda page: site.mail.forget_tokens() if page == 2 else None
    pages = list(site.mailbox.list_after(None))
    assert len({key for page in pages for key in page.keys}) == 330
    assert keys_after(site.mailbox, pages[-1].cursor) == ()


def test_a_server_that_always_forgets_is_given_up(fake: GraphFake, site: GraphSite) -> None:
    fill(site, 230)
    plain = site.mail.delta

    def delta(*arguments: Any) -> Response:
        answer = plain(*arguments)
        site.mail.forget_tokens()
        return answer

    site.mail.delta = delta  # type: ignore[method-assign]
    before = len(fake.server.requests)
    with pytest.raises(Transient, match="loses count"):
        keys_after(site.mailbox, None)
    assert len(fake.server.requests) - before == 4


def test_a_cursor_is_the_whole_link_and_an_empty_last_page_moves_it(site: GraphSite) -> None:
    fill(site, 150)
    site.mail.last_page_empty = True
    pages = list(site.mailbox.list_after(None))
    assert [len(page.keys) for page in pages] == [100, 50, 0]
    assert all(page.cursor.startswith(site.fake.root) for page in pages)
    assert "$deltatoken=" in pages[-1].cursor
    assert "$skiptoken=" in pages[0].cursor


def test_while_nothing_comes_the_cursor_stays_and_the_link_goes_on(site: GraphSite) -> None:
    fill(site, 3)
    *_, last = site.mailbox.list_after(None)
    assert list(site.mailbox.list_after(last.cursor)) == []
    site.expunge_second()
    old = set(site.mail.walks)
    assert list(site.mailbox.list_after(last.cursor)) == []
    for token in old:
        del site.mail.walks[token]
    assert list(site.mailbox.list_after(last.cursor)) == [], "the link of the last look, not the stored one"
    fill(site, 1, start=4)
    [page] = site.mailbox.list_after(last.cursor)
    assert fetched(site, page.keys) == {mail(4)}
    assert keys_after(site.mailbox, last.cursor) == page.keys, "as long as no row is written it comes again"


def test_a_long_listing_that_is_cut_short_goes_on_where_it_was(fake: GraphFake, site: GraphSite) -> None:
    fill(site, 450)
    pages: list[Listed] = []
    for _ in range(3):  # the third page fails, then the one after it
        fake.server.plan = once(Fault("refuse", 504), lambda request: len(fake.asked("GET", "/delta")) in (3, 6))
        pages.clear()
        with suppress(Lost):
            pages += site.mailbox.list_after(None)
    assert len(fake.asked("GET", "/delta")) == 7
    assert [len(page.keys) for page in pages] == [100, 100, 100, 100, 50]
    assert len({key for page in pages for key in page.keys}) == 450
    assert keys_after(site.mailbox, pages[1].cursor) == tuple(key for page in pages[2:] for key in page.keys)
    assert keys_after(site.mailbox, None) == tuple(key for page in pages for key in page.keys)
    assert keys_after(site.mailbox, pages[-1].cursor) == ()


def test_pages_out_of_order_and_with_repetitions(site: GraphSite) -> None:
    fill(site, 250)
    site.mail.shuffled = Random(7)
    pages = list(site.mailbox.list_after(None))
    keys = [key for page in pages for key in page.keys]
    assert len(keys) == len(set(keys)) == 250
    received = [[raw.received for raw in site.mailbox.fetch(page.keys)] for page in pages]
    assert all(each == sorted(each) for each in received)
    fill(site, 10, start=251)
    site.mailbox.mark(keys[0], ["request"])
    site.mailbox.file(keys[1], "Done")
    again = keys_after(site.mailbox, pages[-1].cursor)
    assert fetched(site, again) >= {mail(number) for number in range(251, 261)}
    assert keys[1] not in again, "a @removed entry is no key"


def test_a_page_that_leads_elsewhere_is_not_followed(authority: Authority, fake: GraphFake, site: GraphSite) -> None:
    fill(site, 150)
    with running_graph(authority, DESK) as other:
        site.mail.link_to = other.root
        with pytest.raises(Permanent, match="another server"):
            keys_after(site.mailbox, None)
        folder = quote(site.mail.by_path(WATCHED).id, safe="")
        site.mail.link_to = ""
        for link in (
            f"{other.root}/users/{DESK}/mailFolders/x/messages/delta?$deltatoken=1",
            fake.root.replace("https://", "https://token@") + "/x",
            fake.root.replace("https://", "http://") + "/x",
            fake.root.replace("/v1.0", "/other") + "/x",
            "https://[/x",
            "",
        ):
            assert len(keys_after(site.mailbox, f"{link}#{folder}")) == 150
        assert other.server.requests == []
    assert all(request.path.startswith("/v1.0/users/") for request in fake.server.requests)


def test_a_folder_made_anew_is_listed_anew(site: GraphSite) -> None:
    fill(site, 3)
    *_, last = site.mailbox.list_after(None)
    site.remove_folder()
    with pytest.raises(Gone):
        keys_after(site.mailbox, last.cursor)
    site.mail.by_path(WATCHED, made=True)
    fill(site, 2, start=10)
    site.mailbox.connect()
    assert fetched(site, keys_after(site.mailbox, last.cursor)) == {mail(10), mail(11)}


def test_a_folder_that_was_thrown_away_and_made_anew_is_noticed(
    site: GraphSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(site, 3)
    *_, last = site.mailbox.list_after(None)
    site.mail.by_path(WATCHED).parent = site.mail.by_path("Deleted Items").id
    site.mail.by_path(WATCHED, made=True)
    fill(site, 1, start=10)
    assert keys_after(site.mailbox, last.cursor) == (), "the old one still answers"
    monkeypatch.setattr("triaged.backends.graph.mailbox.RESOLVE_S", 0.0)
    assert fetched(site, keys_after(site.mailbox, last.cursor)) == {mail(10)}


def test_the_inbox_is_found_in_any_language(fake: GraphFake) -> None:
    for name in ("INBOX", "inbox", "Inbox"):
        site = GraphSite(fake, name)
        site.mailbox.connect()
    fill(site, 2)
    [key, _] = keys_after(site.mailbox, None)
    assert [each.folder for each in site.mailbox.survey(FIRST)] == ["Inbox", "Inbox"]
    site.mailbox.file(key, "inbox/Done")
    assert site.in_folder("INBOX/Done") == [mail(1)]


def test_a_folder_is_found_below_others_and_beyond_a_page(fake: GraphFake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triaged.backends.graph.line.PAGE", 7)
    for number in range(30):
        fake.mail[DESK].by_path(f"Folder {number}/Below {number}", made=True)
    site = GraphSite(fake, "Folder 29/Below 29")
    fill(site, 3)
    assert len(keys_after(site.mailbox, None)) == 3
    for path in ("Folder 29/Below 28", "Below 29", "Folder 30"):
        with pytest.raises(Gone):
            GraphMailbox("desk", path, fake.settings(DESK), max_message_bytes=LIMIT).connect()
    with pytest.raises(Permanent):
        GraphMailbox("desk", "Folder 29//x", fake.settings(DESK), max_message_bytes=LIMIT).connect()
    assert len({each.folder for each in site.mailbox.survey(FIRST)}) == 1


# --- reading and filing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        refused(404, "MailboxNotEnabledForRESTAPI"),
        refused(404, "ResourceNotFound"),
        refused(404, "ErrorInvalidUser"),
        Response(404, b"<html>no such page</html>"),
    ],
)
def test_a_mailbox_that_is_not_to_be_had_is_no_vanished_mail(site: GraphSite, answer: Response) -> None:
    fill(site, 2)
    keys = keys_after(site.mailbox, None)
    site.fake.forbidden["messages"] = answer
    with pytest.raises(Permanent) as raised:
        list(site.mailbox.fetch(keys))
    assert not isinstance(raised.value, Gone)


def test_a_mail_that_goes_while_it_is_read_is_left_out(site: GraphSite) -> None:
    fill(site, 3)
    keys = keys_after(site.mailbox, None)
    site.fake.server.plan = lambda request: (
        site.mail.expunge(keys[1])
        if keys[1] in site.mail.mails and request.path.endswith(f"{keys[1]}/$value")
        else None
    )
    assert [raw.octets for raw in site.mailbox.fetch(keys)] == [mail(1), mail(3)]


def test_an_id_in_another_form_is_the_same_folder(site: GraphSite) -> None:
    mails = fill(site, 3)
    keys = keys_after(site.mailbox, None)
    site.mail.other_form = True
    site.mailbox.file(keys[0], "Done")
    assert fetched(site, keys) == set(mails[1:])
    with pytest.raises(Gone):
        site.mailbox.file(keys[0], "Done")


def test_a_mail_that_exchange_cannot_write_holds_up_no_other(site: GraphSite) -> None:
    fill(site, 3)
    keys = keys_after(site.mailbox, None)
    site.mail.unreadable.add(keys[1])
    first, second, third = site.mailbox.fetch(keys)
    assert (first.octets, second.octets, third.octets) == (mail(1), b"", mail(3))
    assert second.size_bytes == len(mail(2))


def test_a_category_that_a_person_sets_this_moment_is_not_lost(site: GraphSite) -> None:
    fill(site, 1)
    [key] = keys_after(site.mailbox, None)

    def meanwhile(request: Request) -> None:
        if request.method == "PATCH":
            site.mail.mails[key].categories.append("Lena's")
            site.mail.mails[key].version += 1

    site.fake.server.plan = meanwhile
    with pytest.raises(Transient, match="this moment") as raised:
        site.mailbox.mark(key, ["request"])
    assert type(raised.value) is Transient
    site.fake.server.plan = lambda request: None
    site.mailbox.mark(key, ["request"])
    site.mailbox.mark(key, ["request"])
    assert site.mail.mails[key].categories == ["Lena's", "request"]
    assert len(site.fake.asked("PATCH", key)) == 2


def test_a_move_whose_answer_was_lost_is_found_done(site: GraphSite) -> None:
    fill(site, 1)
    [key] = keys_after(site.mailbox, None)
    site.fake.server.plan = once(Fault("lost", 504), is_post("/move"))
    with pytest.raises(Lost):
        site.mailbox.file(key, "Done")
    with pytest.raises(Gone):
        site.mailbox.file(key, "Done")
    assert site.in_folder("Done") == [mail(1)]


def test_a_folder_that_another_makes_this_moment_is_used(site: GraphSite) -> None:
    fill(site, 1)
    [key] = keys_after(site.mailbox, None)

    def meanwhile(request: Request) -> None:
        if is_post("/mailFolders")(request):
            site.mail.make("Done", None)

    site.fake.server.plan = meanwhile
    site.mailbox.file(key, "Done")
    assert site.in_folder("Done") == [mail(1)]


def test_a_message_id_with_a_quote(site: GraphSite) -> None:
    octets = mail(1).replace(b"<1@", b"<o'hara' or '1' eq '1@")
    site.lay("Done", octets, FIRST)
    site.lay("Done", mail(2), FIRST)
    site.mailbox.refile("<o'hara' or '1' eq '1@example.com>", "Done", WATCHED)
    assert (site.in_folder(WATCHED), site.in_folder("Done")) == ([octets], [mail(2)])


def test_a_message_id_that_differs_in_case_is_another(site: GraphSite) -> None:
    for octets in (mail(1), mail(1).replace(b"<1@example", b"<1@EXAMPLE")):
        site.lay("Sent Items", octets, FIRST)
    assert GraphMailer(site.fake.settings(DESK), looks_s=(0,)).was_sent("<1@Example.com>") is None
    site.mailbox.refile("<1@example.com>", "Sent Items", WATCHED)
    assert site.in_folder(WATCHED) == [mail(1)]


def test_a_survey_passes_over_what_it_may_not_read_and_what_shows_others(site: GraphSite) -> None:
    fill(site, 2)
    site.lay("Secret", mail(3), FIRST)
    site.lay("Everything", mail(1), FIRST)
    site.lay("Outbox", mail(5), FIRST)
    site.mail.by_path("Everything").shows_others = True
    site.fake.forbidden[site.mail.by_path("Secret").id] = refused(403, "ErrorAccessDenied")
    assert [each.message_id for each in site.mailbox.survey(FIRST)] == ["<1@example.com>", "<2@example.com>"]
    site.fake.good_tokens = set()
    with pytest.raises(LoginRefused):
        list(site.mailbox.survey(FIRST))


def test_waits_grow_while_it_is_quiet_and_news_shorten_them(site: GraphSite, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(site.mailbox._woken, "wait", waited.append)
    for _ in range(8):
        site.mailbox.wait(300)
    fill(site, 1)
    *_, last = site.mailbox.list_after(None)
    site.mailbox.wait(300)
    assert list(site.mailbox.list_after(last.cursor)) == []
    site.mailbox.wait(300)
    site.mailbox.wait(0.5)
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60, 1, 2, 0.5]


# --- what is no answer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b"[]", b'{"value": {}}', b'{"value": [1]}', b"{}",
                                  b'{"value"', b"[" * 100_000, b"\xff\xfe"], ids=repr)  # fmt: skip
def test_what_is_no_answer_is_not_an_empty_list(site: GraphSite, body: bytes) -> None:
    fill(site, 2)
    calendar = GraphCalendar(site.fake.settings(LENA), timezone=ZONE)
    for name in ("delta", "getSchedule", "calendarView", "events", "messages"):
        site.fake.forbidden[name] = Response(200, body, {"Content-Type": "text/html"})
    for call in (
        lambda: keys_after(site.mailbox, None),
        lambda: calendar.busy(FIRST, FIRST + timedelta(days=1)),
        lambda: calendar.busy(FIRST, FIRST + timedelta(days=1), besides=("x",)),
        lambda: calendar.find("x"),
        lambda: site.mailbox.refile("<1@example.com>", WATCHED, "Done"),
        lambda: GraphMailer(site.fake.settings(DESK), looks_s=(0,)).was_sent("<1@example.com>"),
    ):
        with pytest.raises((Lost, Transient)):
            call()


def test_an_answer_without_end_is_refused(site: GraphSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triaged.backends.web.MAX_ANSWER_BYTES", 100_000)
    site.fake.forbidden["delta"] = Response(200, b" " * 200_000)
    with pytest.raises(Permanent, match="larger than"):
        keys_after(site.mailbox, None)


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (
            403,
            "ErrorAccessDenied",
            Permanent,
            "lacks Mail.ReadWrite.*Exchange role 'Application Mail.ReadWrite'.*API permissions.*policy",
        ),
        (403, "Authorization_RequestDenied", Permanent, "lacks Mail.ReadWrite"),
        (403, "Unheard", Permanent, "lacks Mail.ReadWrite"),
        (404, "ErrorInvalidUser", Permanent, "there is no mailbox desk@example.test"),
        (404, "MailboxNotEnabledForRESTAPI", Permanent, "your own Exchange server"),
        (400, "Unheard", Permanent, "is refused.*400 Unheard"),
        (302, "Found", Permanent, "has moved to"),
        (409, "ErrorIrresolvableConflict", Transient, "this moment"),
        (408, "RequestTimeout", Transient, "408"),
        (423, "Locked", Transient, "423"),
        (500, "ErrorInternalServerError", Lost, "500"),
        (502, "BadGateway", Lost, "502"),
        (504, "UnknownError", Lost, "504"),
    ],
)
def test_refusals_in_plain_words(site: GraphSite, status: int, code: str, kind: type[TriagedError], words: str) -> None:
    site.fake.forbidden["delta"] = refused(status, code, "Their words.")
    with pytest.raises(TriagedError, match=words) as raised:
        keys_after(site.mailbox, None)
    assert type(raised.value) is kind
    assert "Their words." in str(raised.value)


def test_each_object_names_the_permission_that_it_lacks(fake: GraphFake) -> None:
    denied = refused(403, "ErrorAccessDenied", "Access is denied.")
    fake.forbidden |= {"sendMail": denied, "getSchedule": denied, "calendarView": denied, "events": denied}
    with pytest.raises(Permanent, match=r"lacks Mail\.Send"):
        GraphMailer(fake.settings(DESK)).send(outgoing(), nothing)
    calendar = GraphCalendar(fake.settings(LENA), timezone=ZONE)
    for call in (
        lambda: calendar.busy(FIRST, FIRST + timedelta(days=1)),
        lambda: calendar.busy(FIRST, FIRST + timedelta(days=1), besides=("x",)),
        lambda: calendar.find("x"),
    ):
        with pytest.raises(Permanent, match=rf"lacks Calendars\.ReadWrite.*covers {LENA}"):
            call()


def test_an_unknown_mailbox(fake: GraphFake) -> None:
    for call in of_all_kinds(fake, "nobody@example.test"):
        with pytest.raises(Permanent, match=r"no mailbox nobody@example\.test") as raised:
            call()
        assert not isinstance(raised.value, Gone)


# --- sending ---------------------------------------------------------------------------------------------------------


def outgoing(extra: str = "") -> Outgoing:
    head = f"From: {DESK}\r\nTo: client@example.com\r\n{extra}Message-ID: <ours@example.test>\r\n\r\nGood day.\r\n"
    return Outgoing(DESK, "client@example.com", "<ours@example.test>", head.encode())


@pytest.fixture
def mailer(fake: GraphFake) -> Iterator[GraphMailer]:
    made = GraphMailer(fake.settings(DESK), looks_s=(0.0, 0.01, 0.01))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        (Fault("lost", 504), True), (Fault("lost", 502), True), (Fault("lost", 500), True),
        (Fault("refuse", 504), False), (Fault("refuse", 500), False),
        (Fault("cut after"), True), (Fault("cut before"), False),
    ],
    ids=str,
)  # fmt: skip
def test_a_lost_answer_is_uncertain_and_looked_up(
    fake: GraphFake, mailer: GraphMailer, fault: Fault, arrived: bool
) -> None:
    fake.mail[DESK].sent_late = 2
    fake.server.plan = once(fault, is_post("/sendMail"))
    crossing = Crossing()
    with pytest.raises(Uncertain):
        mailer.send(outgoing(), crossing)
    assert crossing.told == ["begins"]
    assert len(fake.asked("POST", "/sendMail")) == 1, "never repeated blindly"
    assert mailer.was_sent("<ours@example.test>") is (True if arrived else None)
    assert len(fake.mail[DESK].sent) == int(arrived)


def test_a_copy_that_comes_too_late_is_not_taken_for_none(fake: GraphFake, mailer: GraphMailer) -> None:
    fake.mail[DESK].sent_late = 3
    mailer.send(outgoing(), nothing)
    assert mailer.was_sent("<ours@example.test>") is None
    assert mailer.was_sent("<ours@example.test>") is True
    assert mailer.was_sent("<ours@example.tes>") is None


@pytest.mark.parametrize("broken", ["a record of nonsense", "a reset"])
def test_a_line_that_breaks_within_tls_is_uncertain(authority: Authority, broken: str) -> None:
    def serve(line: Line, _: ScriptedServer) -> None:
        while line.hear() != "":
            pass
        line.say('HTTP/1.1 200 OK\nContent-Length: 11\n\n{"id": "x"}')
        while not line.hear().startswith("POST"):
            pass
        if broken == "a reset":
            line.reset()
        else:
            os.write(line.socket.fileno(), b"no TLS at all\r\n" * 10)

    with scripted_server(serve, tls=authority.good.server_context()) as server:
        base_url = f"https://localhost:{server.port}/v1.0"
        settings = GraphSettings(DESK, FakeTokens(), base_url, str(authority.ca_file), timeout_s=5)
        with pytest.raises(Uncertain):
            GraphMailer(settings).send(outgoing(), nothing)
    assert server.connections == 1


def test_silence_is_uncertain(fake: GraphFake) -> None:
    mailer = GraphMailer(fake.settings(DESK, timeout_s=0.3))
    fake.server.plan = once(Fault("slow", seconds=0.8), is_post("/sendMail"))
    with pytest.raises(Uncertain):
        mailer.send(outgoing(), nothing)


@pytest.mark.parametrize(("status", "retry_after"), [(429, "20"), (429, ""), (503, "20")])
def test_what_is_not_taken_for_now_is_certainly_not_sent(
    fake: GraphFake, mailer: GraphMailer, status: int, retry_after: str
) -> None:
    fake.server.plan = once(Fault("refuse", status, retry_after), is_post("/sendMail"))
    for _ in range(2):
        with pytest.raises(Transient) as raised:
            mailer.send(outgoing(), nothing)
        assert raised.value.retry_after_s is not None
    assert fake.mail[DESK].sent == []
    assert len(fake.asked("POST", "/sendMail")) == 1


def test_a_gateway_that_only_says_503_may_have_handed_it_on(fake: GraphFake, mailer: GraphMailer) -> None:
    fake.server.plan = once(Fault("lost", 503), is_post("/sendMail"))
    with pytest.raises(Uncertain):
        mailer.send(outgoing(), nothing)
    assert len(fake.mail[DESK].sent) == 1


def test_a_gate_that_is_shut_is_met_before_the_point_of_no_return(fake: GraphFake, mailer: GraphMailer) -> None:
    mailer.connect()
    gate_of(fake.settings(DESK).host, DESK).shut(30)
    crossing = Crossing()
    with pytest.raises(Transient):
        mailer.send(outgoing(), crossing)
    assert crossing.told == []


def test_a_token_that_is_refused_at_the_sending(fake: GraphFake, mailer: GraphMailer) -> None:
    mailer.connect()
    fake.good_tokens = {"token-2"}
    crossing = Crossing()
    words = mailer.send(outgoing(), crossing)
    assert crossing.told == ["begins", words]
    assert words.startswith("202 accepted ")
    assert fake.mail[DESK].sent == [outgoing().octets]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refused(403, "ErrorSendAsDenied"), Permanent, "'Send as'"),
        (refused(403, "ErrorMessageSubmissionBlocked"), Permanent, "Restricted entities"),
        (refused(413, "ErrorMessageSizeExceeded"), Permanent, "too large"),
        (refused(400, "ErrorInvalidRecipients", "At least one recipient isn't valid."), Permanent, "isn't valid"),
        (Response(413, b""), Permanent, "too large"),
        (Response(200, b"<html>Welcome</html>"), Uncertain, "makes no sense"),
        (Response(204, b""), Uncertain, "makes no sense"),
        (Response(302, b"", {"Location": "https://elsewhere.example/"}), Permanent, "elsewhere"),
    ],
)
def test_answers_to_a_sending(
    fake: GraphFake, mailer: GraphMailer, answer: Response, kind: type[TriagedError], words: str
) -> None:
    fake.forbidden["sendMail"] = answer
    with pytest.raises(TriagedError, match=words) as raised:
        mailer.send(outgoing(), nothing)
    assert type(raised.value) is kind


def test_accepted_is_accepted_whatever_comes_with_it(fake: GraphFake, mailer: GraphMailer) -> None:
    def breaking() -> Iterator[bytes]:
        yield b" " * 1_000_000
        raise ConnectionError

    fake.forbidden["sendMail"] = Response(202, breaking())
    crossing = Crossing()
    mailer.send(outgoing(), crossing)
    assert crossing.told == ["begins", "202 accepted"]


def test_too_large_and_under_another_name(fake: GraphFake, mailer: GraphMailer) -> None:
    fake.mail[DESK].largest = 10
    with pytest.raises(Permanent, match="too large"):
        mailer.send(outgoing(), nothing)
    fake.mail[DESK].largest = 10_000
    fake.mail[DESK].send_as.clear()
    with pytest.raises(Permanent, match="'Send as'"):
        mailer.send(outgoing(), nothing)
    assert fake.mail[DESK].sent == []


@pytest.mark.parametrize("extra", ["Cc: other@example.com\r\n", "Bcc: other@example.com\r\n", "To: a@b.example\r\n"])
def test_nobody_gets_it_but_the_recipient(fake: GraphFake, mailer: GraphMailer, extra: str) -> None:
    with pytest.raises(Permanent, match=r"for client@example\.com alone"):
        mailer.send(outgoing(extra), nothing)
    assert fake.server.requests == []


def test_a_dead_server_is_found_before_the_mail(fake: GraphFake) -> None:
    mailer = GraphMailer(fake.settings(DESK, base_url="https://localhost:9/v1.0"))
    crossing = Crossing()
    with pytest.raises(Transient) as raised:
        mailer.send(outgoing(), crossing)
    assert type(raised.value) is Transient
    assert crossing.told == []


def test_the_mail_goes_as_mime(fake: GraphFake, mailer: GraphMailer) -> None:
    mailer.send(outgoing(), nothing)
    [request] = fake.asked("POST", "/sendMail")
    assert base64.b64decode(request.body) == outgoing().octets


# --- busy times ------------------------------------------------------------------------------------------------------

DAY = datetime(2026, 11, 24, tzinfo=UTC)
START, END = DAY, DAY + timedelta(days=7)


def at(hour: int, minute: int = 0, day: int = 0) -> datetime:
    return DAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.fixture
def calendar(fake: GraphFake) -> Iterator[GraphCalendar]:
    made = GraphCalendar(fake.settings(LENA), timezone=ZONE)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("status", "is_busy"),
    [
        ("busy", True),
        ("tentative", True),
        ("oof", True),
        ("unknown", True),
        ("free", False),
        ("workingElsewhere", False),
    ],
)
def test_what_each_status_means(fake: GraphFake, calendar: GraphCalendar, status: str, is_busy: bool) -> None:
    fake.dates[LENA].put(at(9), at(10), status)
    for besides in ((), ("call-1",)):
        assert calendar.busy(START, END, besides=besides) == ((Interval(at(9), at(10)),) if is_busy else ())


def test_busy_times_are_cut_merged_and_in_order(fake: GraphFake, calendar: GraphCalendar) -> None:
    for start, end in ((at(15), at(16)), (at(9), at(11)), (at(10, 30), at(12, 5)), (at(-30), at(1)), (at(13), at(13))):
        fake.dates[LENA].put(start, end)
    expected = (Interval(START, at(1)), Interval(at(9), at(12, 5)), Interval(at(15), at(16)))
    for besides in ((), ("call-1",)):
        assert calendar.busy(START, END, besides=besides) == expected
        assert calendar.busy(at(9, 7), at(12, 1), besides=besides) == (Interval(at(9, 7), at(12, 1)),)
        assert calendar.busy(at(16), at(17), besides=besides) == ()


def test_a_long_window_is_asked_in_parts(fake: GraphFake, calendar: GraphCalendar) -> None:
    seam = START + timedelta(days=62)
    fake.dates[LENA].put(seam - timedelta(hours=1), seam + timedelta(hours=1))
    fake.dates[LENA].put(START + timedelta(days=149), START + timedelta(days=149, hours=1))
    found = calendar.busy(START, START + timedelta(days=150))
    assert found == (
        Interval(seam - timedelta(hours=1), seam + timedelta(hours=1)),
        Interval(START + timedelta(days=149), START + timedelta(days=149, hours=1)),
    )
    assert len(fake.dates[LENA].windows) == 3


def test_too_many_entries_are_asked_in_parts(
    fake: GraphFake, calendar: GraphCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(7):
        fake.dates[LENA].put(at(9, day=day), at(10, day=day))
    fake.dates[LENA].most_items = 2
    assert len(calendar.busy(START, END)) == 7
    fake.dates[LENA].most_items = 1_000
    monkeypatch.setattr("triaged.backends.graph.calendar.MOST_ITEMS", 2)  # an answer that may have been cut
    assert len(calendar.busy(START, END)) == 7
    fake.dates[LENA].put(at(11), at(12))
    with pytest.raises(Permanent, match="too many"):
        calendar.busy(START, END)


def test_an_all_day_event_in_utc_is_busy_on_the_days_here(fake: GraphFake, calendar: GraphCalendar) -> None:
    fake.dates[LENA].put(at(0), at(24))
    for besides in ((), ("call-1",)):
        assert calendar.busy(START - timedelta(days=1), END, besides=besides) == (Interval(at(-1), at(24)),)
        assert calendar.busy(at(-1), at(0), besides=besides) == (Interval(at(-1), at(0)),), "at its edge"


def spoiled(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda schedule: schedule | changes


UNREADABLE: dict[str, tuple[Callable[[dict[str, Any]], object], type[TriagedError]]] = {
    "an error": (spoiled(error={"responseCode": "ErrorNoFreeBusyAccess", "message": "No."}), Permanent),
    "an error without a code": (spoiled(error={}), Permanent),
    "an error that may pass": (spoiled(error={"responseCode": "ErrorMailboxStoreUnavailable"}), Transient),
    "another calendar": (spoiled(scheduleId="someone@else.example"), Permanent),
    "entries kept back": (spoiled(scheduleItems=[]), Permanent),
    "no entries": (lambda schedule: {k: v for k, v in schedule.items() if k != "scheduleItems"}, Permanent),
    "no digits": (lambda schedule: {k: v for k, v in schedule.items() if k != "availabilityView"}, Permanent),
    "digits cut short": (spoiled(availabilityView="0000"), Permanent),
    "digits that nobody knows": (spoiled(availabilityView="9" * 672), Permanent),
    "an entry without an end": (
        spoiled(scheduleItems=[{"status": "busy", "start": {"dateTime": "2026-11-24T09:00:00", "timeZone": "UTC"}}]),
        Permanent,
    ),
    "a zone that nobody knows": (
        spoiled(
            scheduleItems=[
                {
                    "status": "busy",
                    "start": {"dateTime": "2026-11-24T09:00:00", "timeZone": "Customized Time Zone"},
                    "end": {"dateTime": "2026-11-24T10:00:00", "timeZone": "Customized Time Zone"},
                }
            ]
        ),
        Permanent,
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_never_free(fake: GraphFake, calendar: GraphCalendar, name: str) -> None:
    fake.dates[LENA].put(at(9), at(10))
    fake.dates[LENA].spoil, kind = UNREADABLE[name]
    with pytest.raises(TriagedError, match=r"free|schedule") as raised:
        calendar.busy(START, END)
    assert type(raised.value) is kind
    fake.dates[LENA].spoil = lambda schedule: schedule
    assert calendar.busy(START, END) == (Interval(at(9), at(10)),)


NO_END = {"start": {"dateTime": "2026-11-24T09:00:00", "timeZone": "UTC"}, "showAs": "busy", "id": "x"}


@pytest.mark.parametrize("event", [NO_END, NO_END | {"end": {"dateTime": "later", "timeZone": "UTC"}}], ids=str)
def test_an_event_in_a_view_that_cannot_be_read_is_not_free(
    fake: GraphFake, calendar: GraphCalendar, event: dict[str, Any]
) -> None:
    fake.dates[LENA].put(at(9), at(10))
    fake.dates[LENA].spoil_event = lambda _: event
    with pytest.raises(Permanent, match="not taken as free"):
        calendar.busy(START, END, besides=("call-1",))
    fake.violations.clear()


def test_an_event_in_a_view_of_no_status_and_no_uid_is_busy(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())
    assert calendar.busy(START, END, besides=("call-1",)) == ()
    fake.dates[LENA].spoil_event = lambda event: {name: event[name] for name in ("id", "start", "end")}
    assert calendar.busy(START, END, besides=("call-1",)) == (SLOT,)


def test_a_view_is_read_over_all_its_pages(
    fake: GraphFake, calendar: GraphCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triaged.backends.graph.line.PAGE", 2)
    for day in range(7):
        fake.dates[LENA].put(at(9, day=day), at(10, day=day))
    assert len(calendar.busy(START, END, besides=("call-1",))) == 7
    assert len(fake.asked("GET", "/calendarView")) == 4


def test_no_schedule_at_all_is_not_free(fake: GraphFake, calendar: GraphCalendar) -> None:
    fake.forbidden["getSchedule"] = Response.of_json({"value": []})
    with pytest.raises(Permanent, match="not taken as free"):
        calendar.busy(START, END)


# --- events ----------------------------------------------------------------------------------------------------------

ANNA, BEN = Address("anna@acme.example", "Anna"), Address("ben@acme.example")
SLOT = Interval(at(9), at(9, 30))


def ours(uid: str = "call-1", slot: Interval = SLOT, **changes: Any) -> bytes:
    options: dict[str, Any] = {
        "summary": "Call: T-7K3M9QX",
        "description": "About your message.\nWe call you.",
        "location": "",
        "method": None,
        "now": FIRST,
    }
    organizer = Address(LENA, "Lena Berg")
    return event(uid=uid, slot=slot, organizer=organizer, attendee=ANNA, timezone=ZONE, **(options | changes))


def told(fake: GraphFake) -> list[tuple[str, str]]:
    return [(each.kind, each.address) for each in fake.dates[LENA].told]


def test_an_event_is_made_without_telling_anybody(fake: GraphFake, calendar: GraphCalendar) -> None:
    assert calendar.add("call-1", ours()) is True
    made = fake.dates[LENA].the_one()
    assert (made.start, made.end, made.subject) == (at(9), at(9, 30), "Call: T-7K3M9QX")
    assert (made.text, made.attendees, made.online) == ("About your message.\nWe call you.", [], False)
    assert made.properties == {UID: "call-1"}
    assert told(fake) == []
    [request] = fake.asked("POST", "/calendar/events")
    assert b'"timeZone": "Europe/Berlin"' in request.body
    assert calendar.busy(START, END) == (SLOT,)


def test_a_held_slot_is_tentative_and_a_call_is_busy(fake: GraphFake, calendar: GraphCalendar) -> None:
    tentative = ours().replace(b"STATUS:CONFIRMED", b"STATUS:TENTATIVE")
    calendar.add("call-1", tentative)
    made = fake.dates[LENA].the_one()
    assert made.status == "tentative"
    calendar.replace("call-1", tentative)
    assert fake.asked("PATCH", made.id) == []
    calendar.replace("call-1", ours())
    assert made.status == "busy"


def test_what_a_person_made_of_the_status_stays(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())
    made = fake.dates[LENA].the_one()
    made.status = "oof"
    calendar.replace("call-1", ours(slot=Interval(at(15), at(16))))
    assert (made.start, made.status) == (at(15), "oof")


@pytest.mark.parametrize("fault", [Fault("lost", 504), Fault("cut after")], ids=str)
@pytest.mark.parametrize("blind", [0, 2])
@pytest.mark.parametrize("is_error", [False, True])
def test_an_event_whose_answer_was_lost_is_made_once(
    fake: GraphFake, calendar: GraphCalendar, fault: Fault, blind: int, is_error: bool
) -> None:
    """blind: it cannot be found at once, so that transactionId alone stands between us and a second event."""
    dates = fake.dates[LENA]
    dates.duplicate_is_error, dates.blind_searches = is_error, blind
    fake.server.plan = once(fault, is_post("/calendar/events"))
    with pytest.raises(Lost):
        calendar.add("call-1", ours())
    # Graph's answer to the second request is that to the first: nobody can tell the two apart.
    assert calendar.add("call-1", ours()) is (blind > 0 and not is_error)
    assert calendar.add("call-1", ours(slot=Interval(at(15), at(16)))) is False
    assert dates.the_one().start == at(9)
    assert len(fake.asked("POST", "/calendar/events")) == (2 if blind else 1)


def test_an_event_that_cannot_be_found_after_it_was_made_is_not_told_as_made(
    fake: GraphFake, calendar: GraphCalendar
) -> None:
    fake.dates[LENA].blind_searches = 2
    with pytest.raises(Transient, match="cannot be found yet"):
        calendar.add("call-1", ours())
    assert calendar.add("call-1", ours()) is False
    assert fake.dates[LENA].the_one().start == at(9)


def test_another_event_under_the_same_transaction_is_not_told_as_made(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())
    fake.dates[LENA].blind_searches = 1
    assert calendar.add("call-1", ours(slot=Interval(at(15), at(16)))) is False
    assert fake.dates[LENA].the_one().start == at(9)


def test_a_transaction_of_an_event_that_is_gone(fake: GraphFake, calendar: GraphCalendar) -> None:
    plain = fake.dates[LENA].create
    fake.dates[LENA].create = lambda *_: refused(409, "ErrorDuplicateTransactionId")  # type: ignore[method-assign]
    with pytest.raises(Permanent, match="taken out again"):
        calendar.add("call-1", ours())
    fake.dates[LENA].create = lambda *_: refused(409, "ErrorConcurrentItemSave")  # type: ignore[method-assign]
    with pytest.raises(Transient):
        calendar.add("call-1", ours())
    fake.dates[LENA].create = plain  # type: ignore[method-assign]
    assert calendar.add("call-1", ours()) is True


def test_a_zone_that_graph_does_not_know_is_written_in_utc(fake: GraphFake) -> None:
    calendar = GraphCalendar(fake.settings(LENA), timezone="Europe/Vienna")
    assert calendar.add("call-1", ours()) is True
    assert calendar.add("call-2", ours("call-2")) is True
    assert {each.start for each in fake.dates[LENA].events.values()} == {at(9)}
    assert len(fake.asked("POST", "/calendar/events")) == 3


def test_a_wall_clock_that_shows_the_time_twice(fake: GraphFake, calendar: GraphCalendar) -> None:
    night = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, and again an hour later
    for number in range(2):
        slot = Interval(night + timedelta(hours=number), night + timedelta(hours=number, minutes=15))
        assert calendar.add(f"call-{number}", ours(f"call-{number}", slot)) is True
        found = calendar.find(f"call-{number}")
        assert found is not None
        assert stored_event(found).slot == slot
    starts = sorted(each.start for each in fake.dates[LENA].events.values())
    assert starts == [night, night + timedelta(hours=1)]


def test_an_invitation_is_sent_once_and_the_others_stay(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())
    for person in (ANNA, ANNA, Address("Anna@ACME.example"), BEN, ANNA):
        calendar.invite("call-1", person)
    assert told(fake) == [("invite", "anna@acme.example"), ("invite", "ben@acme.example")]
    with pytest.raises(Gone):
        calendar.invite("call-2", ANNA)


def test_an_invitation_whose_answer_was_lost_is_sent_once(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())
    fake.server.plan = once(Fault("lost", 504), lambda request: request.method == "PATCH")
    with pytest.raises(Lost):
        calendar.invite("call-1", ANNA)
    calendar.invite("call-1", ANNA)
    assert told(fake) == [("invite", "anna@acme.example")]


def test_answers_are_read(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())
    calendar.invite("call-1", ANNA)
    calendar.invite("call-1", BEN)
    seen = {}
    for answer in ("none", "notResponded", "accepted", "declined", "tentativelyAccepted"):
        fake.dates[LENA].answer("anna@acme.example", answer)
        found = calendar.find("call-1")
        assert found is not None
        lines = found.replace(b"\r\n ", b"").decode().splitlines()
        [anna] = [line for line in lines if line.endswith(":mailto:anna@acme.example")]
        [ben] = [line for line in lines if line.endswith(":mailto:ben@acme.example")]
        assert "PARTSTAT=NEEDS-ACTION" in ben
        seen[answer] = anna.partition("PARTSTAT=")[2].partition(":")[0].partition(";")[0]
    assert seen == {
        "none": "NEEDS-ACTION", "notResponded": "NEEDS-ACTION", "accepted": "ACCEPTED", "declined": "DECLINED",
        "tentativelyAccepted": "TENTATIVE",
    }  # fmt: skip
    assert {"UID:call-1", "SEQUENCE:3", "STATUS:CONFIRMED", "SUMMARY:Call: T-7K3M9QX"} <= set(lines)
    calendar.invite("call-1", Address("cleo@acme.example"))
    assert fake.dates[LENA].the_one().attendees[0]["status"]["response"] == "tentativelyAccepted"


def test_a_change_tells_those_invited_and_no_change_nobody(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())
    calendar.invite("call-1", ANNA)
    fake.dates[LENA].told.clear()
    assert calendar.replace("call-1", ours()) is True
    assert (told(fake), len(fake.asked("PATCH", ""))) == ([], 1)
    later = Interval(at(15), at(15, 30))
    for _ in range(2):
        assert calendar.replace("call-1", ours(slot=later, sequence=1, location="Room 1", description="New.")) is True
    assert told(fake) == [("update", "anna@acme.example")]
    now = fake.dates[LENA].the_one()
    assert (now.start, now.location, now.text, len(now.attendees)) == (at(15), "Room 1", "New.", 1)
    assert calendar.replace("call-2", ours("call-2")) is False


def test_what_a_person_wrote_to_it_stays(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())
    fake.dates[LENA].the_one().text += "\nMy own notes"
    assert calendar.replace("call-1", ours(slot=Interval(at(15), at(16)))) is True
    assert fake.dates[LENA].the_one().text.endswith("My own notes")


def test_an_online_meeting_stays_one(fake: GraphFake) -> None:
    calendar = GraphCalendar(fake.settings(LENA), timezone=ZONE, online_meeting=True)
    assert calendar.add("call-1", ours()) is True
    assert fake.dates[LENA].the_one().online is True
    [request] = fake.asked("POST", "/calendar/events")
    assert b'"onlineMeetingProvider": "teamsForBusiness"' in request.body
    calendar.invite("call-1", ANNA)
    assert calendar.replace("call-1", ours(slot=Interval(at(15), at(16)), description="Other words")) is True
    assert (fake.dates[LENA].the_one().online, fake.dates[LENA].the_one().start) == (True, at(15))


def test_taking_it_out_tells_those_invited_once(fake: GraphFake, calendar: GraphCalendar) -> None:
    for uid in ("call-1", "call-2"):
        calendar.add(uid, ours(uid))
    calendar.invite("call-1", ANNA)
    for uid in ("call-1", "call-2"):
        assert calendar.remove(uid) is True
        assert calendar.remove(uid) is False
        assert calendar.find(uid) is None
    assert told(fake) == [("invite", "anna@acme.example"), ("cancel", "anna@acme.example")]
    assert (len(fake.asked("POST", "/cancel")), len(fake.asked("DELETE", ""))) == (1, 1)


def test_an_event_that_is_cancelled_is_as_none(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())
    fake.dates[LENA].the_one().cancelled = True
    assert calendar.find("call-1") is None
    assert calendar.remove("call-1") is False


def test_an_event_that_somebody_changes_this_moment_is_read_anew(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-1", ours())

    def meanwhile(request: Request) -> None:
        if request.method == "PATCH":
            fake.dates[LENA].the_one().version += 1

    fake.server.plan = meanwhile
    for call in (lambda: calendar.invite("call-1", ANNA), lambda: calendar.replace("call-1", ours(summary="Other"))):
        with pytest.raises(Transient, match="this moment"):
            call()
    assert fake.dates[LENA].told == []


def test_a_uid_that_differs_in_case_is_another(fake: GraphFake, calendar: GraphCalendar) -> None:
    calendar.add("call-a", ours("call-a"))
    assert calendar.find("CALL-A") is None
    assert calendar.add("CALL-A", ours("CALL-A")) is True
    assert len(fake.dates[LENA].events) == 2


@pytest.mark.parametrize("ics", [b"", b"nonsense", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"\xff" * 300_000,
                                 ours().replace(b";TZID=Europe/Berlin", b"")], ids=len)  # fmt: skip
def test_what_is_no_event_of_ours_is_not_written(fake: GraphFake, calendar: GraphCalendar, ics: bytes) -> None:
    for call in (lambda: calendar.add("x", ics), lambda: calendar.replace("x", ics)):
        with pytest.raises(Permanent):
            call()
    assert fake.server.requests == []


# --- the fake itself -------------------------------------------------------------------------------------------------


def test_the_fake_compares_everything_with_microsofts_description(fake: GraphFake) -> None:
    if schema() is None:
        pytest.skip("needs Microsoft's metadata.xml in ../shared/schemas/graph")
    line = GraphLine(fake.settings(DESK), right="Mail.ReadWrite")
    fake.dates[LENA].put(at(9), at(10), "busy")
    line.get("/mailFolders/inbox", {"$select": "id,displayName"})
    assert (fake.violations, fake.checked) == ([], 1)
    wrong: list[Callable[[], object]] = [
        lambda: line.get("/mailFolders/inbox", {"$select": "id,name"}),
        lambda: line.get("/mailFolders/inbox", {"$pick": "id"}),
        lambda: line.get("/mailfolders/inbox", {}),
        lambda: line.get("/mailFolders/inbox/messages", {"$filter": "messageId eq 'x'"}),
        lambda: line.get("/mailFolders/inbox/messages", {"$expand": "extendedProperties"}),
        lambda: line.get("/mailFolders/inbox/messages/delta", {"$top": "5"}),
        lambda: line.post("/mailFolders", {"displayName": 7}),
        lambda: line.post("/mailFolders", {"displayName": "x", "isSecret": True}),
        lambda: GraphCalendar(fake.settings(LENA), timezone=ZONE).busy(START, START + timedelta(days=1)),
    ]
    fake.dates[LENA].spoil = lambda schedule: schedule | {"availability": "0"}
    for number, call in enumerate(wrong):
        fake.violations.clear()
        with suppress(TriagedError):
            call()
        assert fake.violations != [], number
    fake.violations.clear()


def test_the_fake_changes_other_ids_when_a_message_is_moved(fake: GraphFake) -> None:
    site = GraphSite(fake)
    fill(site, 1)
    [found] = site.mail.in_folder(WATCHED)
    before = (found.id, found.moving_id)
    [key] = keys_after(site.mailbox, None)
    site.mailbox.file(key, "Done")
    assert key == found.id == before[0]
    assert found.moving_id != before[1]


def test_a_message_that_graph_fails_over_each_time_holds_up_no_other(fake: GraphFake) -> None:
    for number in (1, 2):
        fake.mail[DESK].deliver("Inbox", f"Subject: {number}\r\n\r\n".encode(), datetime.now(UTC))
    mailbox = GraphMailbox("desk", "INBOX", fake.settings(DESK), max_message_bytes=1_000)
    keys = keys_after(mailbox, None)
    fake.server.plan = lambda request: (
        Fault("refuse", 500) if request.path.endswith("/$value") and keys[0] in request.path else None
    )
    for _ in range(2):
        with pytest.raises(Transient):
            list(mailbox.fetch(keys))
    assert [(raw.locator.key, len(raw.octets) > 0) for raw in mailbox.fetch(keys)] == [
        (keys[0], False),
        (keys[1], True),
    ]
