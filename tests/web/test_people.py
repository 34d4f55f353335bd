"""Users as an operator changes them, one's own page, and the page of what people changed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256

import pytest

from tests.web.site import PASSWORD, Browser, browsing, desk_with, mails
from triaged.errors import Permanent
from triaged.log import users
from triaged.log.read import Reader
from triaged.log.store import Log
from triaged.log.users import AuditRow, User
from triaged.settings import Config
from triaged.wire import log_path
from triaged.worker.service import utc_now

NEW = "a battery of horses"


@pytest.fixture
def otto(site: Config) -> Iterator[Browser]:
    with browsing(site, "otto") as browser:
        yield browser


def user(config: Config, name: str) -> User | None:
    with closing(Reader(log_path(config))) as reader:
        return users.user_of(reader, name)


def changes(config: Config, about: str) -> list[tuple[str, str, str]]:
    with closing(Reader(log_path(config))) as reader:
        return [(row.who, row.what, row.detail) for row in users.audits(reader, limit=99, about=about)]


@contextmanager
def writing(config: Config) -> Iterator[Log]:
    with closing(Log(log_path(config))) as log, log.transaction():
        yield log


def test_an_operator_adds_somebody_who_can_sign_in_then(otto: Browser, site: Config) -> None:
    fields = {"name": " Lena ", "role": "manager", "person": "lena", "password": NEW, "again": NEW}
    page = otto.post("/people/add", **fields).text
    assert "lena may sign in as manager" in page
    assert NEW not in page
    assert (added := user(site, "lena")) is not None
    assert (added.role, added.person) == ("manager", "lena")
    assert NEW not in added.password
    assert changes(site, "lena") == [("otto", "user.add", "as manager")]
    with browsing(site) as browser:
        assert browser.sign_in("LENA", NEW).status_code == 200
        assert "You are signed in as lena" in browser.get("/me").text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "short", "again": "short"}, "at least 12 letters"),
        ({"again": "another battery"}, "not the same"),
        ({"name": "two words"}, "take one word"),
        ({"name": "\u200b"}, "take one word"),
        ({"name": "CARL"}, "there is a user carl already"),
        ({"name": "ⅽarl"}, "there is a user carl already"),
        ({"person": "stranger"}, "nobody of us is called stranger"),
        ({"role": "king"}, "role"),
    ],
)
def test_what_is_wrong_with_a_new_user_is_said_and_nobody_is_added(
    otto: Browser, site: Config, fields: dict[str, str], words: str
) -> None:
    with closing(Reader(log_path(site))) as reader:
        before = users.users(reader)
    answer = otto.post("/people/add", **{"name": "lena", "role": "viewer", "password": NEW, "again": NEW} | fields)
    assert answer.status_code == 422
    assert words in answer.text
    with closing(Reader(log_path(site))) as reader:
        assert [each.name for each in users.users(reader)] == [each.name for each in before]


def test_a_role_counts_from_the_next_click_on(otto: Browser, site: Config) -> None:
    with browsing(site, "mona") as mona:
        assert mona.get("/people/audit").status_code == 200
        assert "role from manager to viewer" in otto.post("/people/change", name="mona", role="viewer").text
        assert mona.get("/people/audit").status_code == 403
        otto.post("/people/change", name="mona", role="operator", person="lena")
        assert mona.get("/people").status_code == 200
    assert changes(site, "mona") == [
        ("otto", "user.person", "person from nobody to lena"),
        ("otto", "user.role", "role from viewer to operator"),
        ("otto", "user.role", "role from manager to viewer"),
    ]
    assert "That is as it was" in otto.post("/people/change", name="mona", role="operator", person="lena").text


def test_the_last_operator_stays_one(otto: Browser, site: Config) -> None:
    for page in (
        otto.post("/people/change", name="otto", role="manager").text,
        otto.post("/people/disable", name="otto").text,
    ):
        assert "otto is the only operator who may sign in" in page
    with writing(site) as log:
        for attempt in (
            lambda: users.change(log, "otto", role="viewer", person=""),
            lambda: users.disable(log, "otto", now=utc_now()),
        ):
            with pytest.raises(Permanent, match="only operator"):
                attempt()
    otto.post("/people/change", name="mona", role="operator")
    otto.post("/people/disable", name="mona")
    assert "only operator" in otto.post("/people/disable", name="otto").text, "one who is disabled counts for nothing"
    otto.post("/people/enable", name="mona")
    assert otto.post("/people/disable", name="otto").url.path == "/sign-in"
    assert (gone := user(site, "otto")) is not None
    assert gone.disabled is not None


@pytest.mark.parametrize("words", [("role", "otto", "viewer"), ("remove", "otto")])
def test_the_last_operator_stays_one_on_the_command_line_too(site: Config, words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "triaged", "user", *words, "--config", str(site.file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "otto is the only operator who may sign in; make somebody else an operator first" in done.stderr
    assert (kept := user(site, "otto")) is not None
    assert (kept.role, kept.disabled) == ("operator", None)


def test_a_disabled_user_is_out_at_once_and_may_come_back_as_before(otto: Browser, site: Config) -> None:
    with browsing(site, "carl") as carl:
        assert "signed out and may sign in no more" in otto.post("/people/disable", name="carl").text
        assert carl.client.get("/log", follow_redirects=False).status_code == 303
        assert carl.sign_in("carl").status_code == 403
        assert "as before" in otto.post("/people/enable", name="carl").text
        assert carl.sign_in("carl").status_code == 200


def test_a_new_password_signs_out_and_lifts_the_lock(otto: Browser, site: Config) -> None:
    with browsing(site, "carl") as carl, browsing(site) as guesser:
        while guesser.sign_in("carl", "wrong").status_code == 403:
            pass
        assert "Nothing was changed" in otto.post("/people/password", name="carl", password="x", again="x").text
        page = otto.post("/people/password", name="Carl", password=NEW, again=NEW).text
        assert "they are signed out" in page
        assert NEW not in page
        assert "Sign in" in carl.get("/log").text
        assert carl.sign_in("carl", NEW).status_code == 200
    assert changes(site, "carl") == [("otto", "user.password", "a new password")]


def test_signing_somebody_out_everywhere(otto: Browser, site: Config) -> None:
    with browsing(site, "carl") as one, browsing(site, "carl") as two, browsing(site, "otto") as other:
        assert "is signed out everywhere" in otto.post("/people/sign-out", name="carl").text
        assert "Sign in" in one.get("/log").text
        assert "Sign in" in two.get("/log").text
        otto.post("/people/sign-out", name="otto")
        assert "Sign in" in other.get("/log").text
        assert otto.get("/people").status_code == 200, "this one goes on"


def test_signing_in_elsewhere_is_offered_only_where_it_works(otto: Browser, site: Config) -> None:
    assert "company account" not in otto.get("/people/user?name=carl").text
    assert "no other way to sign in" in otto.post("/people/elsewhere", name="otto").text
    assert (kept := user(site, "otto")) is not None
    assert kept.password != "", "or nobody could sign in any more"
    secret = site.base / "secret"
    secret.write_text("s", encoding="utf-8")
    provided = desk_with(
        site, address="http://localhost", oidc_issuer="https://a.example", oidc_client_id="d", oidc_secret_file="secret"
    )
    with browsing(provided, "otto") as browser:
        assert "sign in elsewhere from now on" in browser.post("/people/elsewhere", name="carl").text
        assert browser.sign_in("carl").status_code == 403
    with browsing(provided, "otto") as browser:
        fields = {"name": "lena@a.example", "role": "viewer", "how": "elsewhere"}
        assert "lena@a.example may sign in" in browser.post("/people/add", **fields).text
        assert "Elsewhere, with the company account" in browser.get("/people/user?name=lena%40a.example").text


def test_of_nobody_there_is_no_page(otto: Browser) -> None:
    assert otto.get("/people/user?name=stranger").status_code == 404
    assert "There is no user stranger" in otto.get("/people/user?name=stranger").text
    for what in ("password", "disable", "change"):
        answer = otto.post(f"/people/{what}", name="stranger", role="viewer", password=NEW, again=NEW)
        assert answer.status_code == 404, what
    assert otto.post("/people/enable", name="stranger").status_code == 404


# --- one's own page -------------------------------------------------------------------------------------------------


def test_changing_ones_own_password_needs_the_old_one(site: Config) -> None:
    with browsing(site, "carl") as browser, browsing(site, "carl") as other:
        before = browser.client.cookies["triaged"]
        for fields, words in (
            ({"old": "wrong", "new": NEW, "again": NEW}, "The old password is wrong"),
            ({"old": PASSWORD, "new": NEW, "again": "another"}, "are not the same"),
            ({"old": PASSWORD, "new": "short", "again": "short"}, "at least 12 letters"),
        ):
            answer = browser.post("/me/password", **fields)
            assert answer.status_code == 422
            assert words in answer.text
        assert other.get("/log").status_code == 200
        assert "You have a new password" in browser.post("/me/password", old=PASSWORD, new=NEW, again=NEW).text
        assert browser.client.cookies["triaged"] != before
        assert "Sign in" in other.get("/log").text
        assert other.sign_in("carl").status_code == 403
        assert other.sign_in("carl", NEW).status_code == 200


def test_a_stolen_session_cannot_guess_the_old_password(site: Config) -> None:
    with browsing(site, "carl") as browser:
        said = [browser.post("/me/password", old=f"guess {number}", new=NEW, again=NEW).text for number in range(6)]
    assert ["Too many failed sign-ins" in each for each in said] == [False] * 5 + [True]


def test_signing_out_one_of_ones_own_browsers(site: Config) -> None:
    with browsing(site, "carl") as here, browsing(site, "carl") as there, browsing(site, "mona") as mona:
        with closing(Reader(log_path(site))) as reader:
            others = users.sessions(reader, now=utc_now())
        hers = others["mona"][0].id
        named = re.findall(r'name="session" value="([0-9a-f]+)"', here.get("/me").text)
        assert sorted(named) == sorted(each.id for each in others["carl"])
        assert hers not in named
        assert "signed out already" in here.post("/me/sign-out", session=hers).text
        assert mona.get("/log").status_code == 200, "nobody ends the session of somebody else"
        this, other = (sha256(each.client.cookies["triaged"].encode()).hexdigest() for each in (here, there))
        assert here.get("/me").text.count("<b>This browser</b>") == 1
        assert "That browser is signed out" in here.post("/me/sign-out", session=other).text
        assert "Sign in" in there.get("/log").text
        assert here.get("/log").status_code == 200
        assert here.post("/me/sign-out", session=this).url.path == "/sign-in"


def test_who_signs_in_elsewhere_has_no_password_to_change(site: Config) -> None:
    with browsing(site, "carl") as browser:
        with writing(site) as log:
            log.db.execute("UPDATE user SET password = '' WHERE name = 'carl'")
        assert "Old password" not in browser.get("/me").text
        assert browser.post("/me/password", old="", new=NEW, again=NEW).status_code == 409
    assert (kept := user(site, "carl")) is not None
    assert kept.password == ""


# --- who changed what -----------------------------------------------------------------------------------------------


def test_changes_are_shown_newest_first_by_who_and_what_and_page_by_page(site: Config) -> None:
    mail = next(iter(mails(site).values()))
    with writing(site) as log:
        for number in range(120):
            who, what = ("carl", "message.correct") if number % 2 else ("mona", "account.merge")
            users.audit(log, what, f"change <{number}>", who=who, now=utc_now(), message=mail, about="C-1")
    with browsing(site, "mona") as browser:
        seen, address = [], "/people/audit"
        while address != "":
            page = browser.get(address).text
            seen += re.findall(r"change &lt;(\d+)&gt;", page)
            found = re.search(r'href="(/people/audit\?[^"]+)" data-key="n">Older', page)
            address = found[1].replace("&amp;", "&") if found is not None else ""
        assert [int(each) for each in seen] == list(range(119, -1, -1))
        assert f'href="/mail/{mail}"' in browser.get("/people/audit").text
        hers = browser.get("/people/audit?who=mona&what=account.merge").text
        assert {int(each) % 2 for each in re.findall(r"change &lt;(\d+)&gt;", hers)} == {0}
        assert "who=mona&amp;what=account.merge&amp;before=" in hers
        assert "of that kind" in browser.get("/people/audit?who=nobody").text


def test_nothing_of_the_changes_is_ever_changed(site: Config) -> None:
    with writing(site) as log:
        users.audit(log, "user.add", "as viewer", who="otto", now=utc_now())
    with pytest.raises(Exception, match="never changed"), writing(site) as log:
        log.db.execute("DELETE FROM audit")
    with closing(Reader(log_path(site))) as reader:
        rows: list[AuditRow] = users.audits(reader, limit=9)
    assert [row.detail for row in rows] == ["as viewer"]


def test_the_page_of_keys_names_every_page(site: Config) -> None:
    with browsing(site, "vera") as vera, browsing(site, "otto") as otto:
        hers, his = vera.get("/keys").text, otto.get("/keys").text
    keys = re.findall(r"<kbd>(.+?)</kbd>", hers)
    assert set("n p 1 9 c a e r y u ?".split()) <= set(keys)
    assert "/people/audit" not in hers.partition("<main")[2]
    assert "/people/audit" in his.partition("<main")[2]
