"""The demo's sixty mails through each kind of server: the same log comes of it, and the same things are done.

The servers of Exchange and Microsoft 365 are fakes, checked against Microsoft's published schemas.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.conftest import MailServers
from tests.e2e.site import triaged
from tests.servers.certificates import Authority
from tests.servers.graph import running_graph
from tests.servers.oauth import SECRET, SECRET_APP, TENANT, OAuthFake, running_oauth
from tests.servers.radicale import Radicale
from triaged.backends.vdir import VdirCalendar
from triaged.demo.play import lay_out
from triaged.log.read import Reader
from triaged.log.rows import LogRow
from triaged.model import Interval

NOW = datetime.now(UTC)
PEOPLE = ("lena", "marek", "sofia")
ADDRESSES = {
    "desk": "desk@nordlicht.example",
    "lena": "lena.brandt@nordlicht.example",
    "marek": "marek.nowak@nordlicht.example",
    "sofia": "sofia.martin@nordlicht.example",
}
ZONE = "Europe/Berlin"


@dataclass(frozen=True, slots=True)
class Way:
    """How the desk is reached. mailbox, outgoing: lines in place of `kind` and `path`; calendar: by person's id;
    sign_in: `[[sign_in]]` tables before all."""

    mailbox: str
    outgoing: str
    calendar: Callable[[str], str]
    sign_in: str = ""


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log says of one mail that does not hang on the server. effects: their keys and states."""

    categories: tuple[str, ...]
    sure: bool
    account: str | None
    how: str | None
    priority: str
    automatic: str
    copies: int
    effects: tuple[tuple[str, str], ...]


def played(folder: Path, way: Way | None) -> dict[str, Logged]:
    """The log of the demo over this way, by message key; None: as it ships."""
    if way is not None:
        rewrite(folder / "config.toml", way)
    done = triaged("run", "--once", "--config", str(folder / "config.toml"), cwd=folder, timeout_s=280)
    assert done.returncode == 0, done.stderr
    with closing(Reader(folder / "state/triaged.db")) as reader:
        return {key: each for row in reader.rows(limit=1000) for key, each in [_logged(reader, row)]}


def _logged(reader: Reader, row: LogRow) -> tuple[str, Logged]:
    message, decision = reader.message(row.id), reader.decision(row.id)
    assert message is not None
    assert decision is not None
    keys = {each[0]: each[1] for each in reader.select("SELECT id, key FROM effect WHERE message = ?", (row.id,))}
    effects = sorted((str(keys[each.id]), each.state) for each in reader.effects(row.id))
    return message.key, Logged(
        row.categories, row.sure, row.account_id, decision.account.how, row.priority, row.automatic, row.copies,
        tuple(effects),
    )  # fmt: skip


def rewrite(config: Path, way: Way) -> None:
    """The demo's configuration with other servers."""
    text = config.read_text("utf-8")
    for path, lines in (("mail/inbox", way.mailbox), ("mail/outgoing", way.outgoing)):
        text, count = re.subn(rf'^path = "{path}".*\n', lines.strip() + "\n", text, flags=re.M)
        assert count == 1
    text = re.sub(r'^kind = "maildir" .*\n', "", text, flags=re.M)
    for person in PEOPLE:
        shipped = f'calendar = {{ kind = "vdir", path = "calendars/{person}" }}'
        assert shipped in text
        text = text.replace(shipped, way.calendar(person))
    config.write_text(way.sign_in + text, "utf-8")


def night(folder: Path) -> list[tuple[bytes, datetime]]:
    """The demo's mails with when they came, in order, taken out of its Maildir."""
    files = sorted((folder / "mail/inbox/new").iterdir(), key=lambda file: file.stat().st_mtime)
    mails = [(file.read_bytes(), datetime.fromtimestamp(int(file.stat().st_mtime), UTC)) for file in files]
    for file in files:
        file.unlink()
    assert len(mails) == 60
    return [(octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), came) for octets, came in mails]


def busy(folder: Path, person: str) -> tuple[Interval, ...]:
    """When the demo's people are busy in the weeks to come."""
    found = VdirCalendar(folder / f"calendars/{person}", ZONE).busy(NOW, NOW + timedelta(days=21))
    assert len(found) > 5
    return found


def call(folder: Path) -> list[str]:
    """When calls were booked, in the log's words."""
    with closing(Reader(folder / "state/triaged.db")) as reader:
        return [
            str(each[0]) for each in reader.select("SELECT detail FROM effect WHERE kind = 'call' AND state = 'done'")
        ]


@pytest.fixture(scope="module")
def as_it_ships(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Logged]:
    folder = tmp_path_factory.mktemp("demo") / "desk"
    lay_out(folder, NOW)
    rows = played(folder, None)
    assert len(rows) == 58
    assert sum("ack" in key and state == "done" for row in rows.values() for key, state in row.effects) > 40
    assert len(call(folder)) >= 5
    return rows


def test_over_imap_smtp_and_caldav(
    as_it_ships: dict[str, Logged], servers: MailServers, radicale: Radicale, tmp_path: Path
) -> None:
    servers.smtp.lmtp_port = None  # the demo's clients have no mailboxes here
    folder = demo(tmp_path, "desk-password")
    (folder / "secrets/radicale").write_text(radicale.password)
    with servers.imap.client() as client:
        for octets, came in night(folder):
            client.append("INBOX", octets, msg_time=came)
    urls = {person: radicale.make_calendar(f"demo-{person}") for person in PEOPLE}
    for person, url in urls.items():
        for file in (folder / f"calendars/{person}").glob("*.ics"):
            radicale.put(url + file.name, file.read_bytes())
    ca_file = servers.imap.authority.ca_file
    login = f'user = "desk@example.test"\npassword_file = "secrets/secret"\nca_file = "{ca_file}"\n'
    way = Way(
        mailbox=f'kind = "imap"\nhost = "localhost"\nport = {servers.imap.imaps_port}\n{login}',
        outgoing=f'kind = "smtp"\nhost = "localhost"\nport = {servers.smtp.port}\n{login}keep_sent_in = "desk"\n',
        calendar=lambda person: (
            f'calendar = {{ kind = "caldav", url = "{urls[person]}", user = "{radicale.user}", '
            'password_file = "secrets/radicale" }'
        ),
    )
    assert played(folder, way) == as_it_ships


def test_over_a_fake_of_exchange(as_it_ships: dict[str, Logged], authority: Authority, tmp_path: Path) -> None:
    pytest.importorskip("exchangelib")
    from tests.servers.ews import running_fake
    from tests.servers.ewsparts import Event

    folder = demo(tmp_path, "secret")
    with ExitStack() as running:
        fakes = {name: running.enter_context(running_fake(authority, address)) for name, address in ADDRESSES.items()}
        for octets, came in night(folder):
            fakes["desk"].put(fakes["desk"].known("inbox"), octets, came)
        for person in PEOPLE:
            for number, slot in enumerate(busy(folder, person)):
                fakes[person].put_event(Event(f"{person}-{number}", "busy", slot.start, slot.end))
        login = f'auth = "basic"\nuser = "desk"\npassword_file = "secrets/secret"\nca_file = "{authority.ca_file}"\n'

        def calendar(person: str) -> str:
            inline = ", ".join(login.strip().splitlines())
            return f'calendar = {{ kind = "ews", endpoint = "{fakes[person].endpoint}", {inline} }}'

        there = f'kind = "ews"\nendpoint = "{fakes["desk"].endpoint}"\n{login}'
        rows = played(folder, Way(there, f'{there}address = "{ADDRESSES["desk"]}"\n', calendar))
        assert rows == as_it_ships
        assert len(fakes["desk"].sent) == sent_mails(rows)
        told = [each for person in PEOPLE for each in fakes[person].invitations]
    assert {kind for kind, _, _ in told} == {"invite"}
    assert len(told) == len(call(folder))


def test_over_a_fake_of_microsoft_365(as_it_ships: dict[str, Logged], authority: Authority, tmp_path: Path) -> None:
    folder = demo(tmp_path, SECRET)
    with running_oauth(authority) as oauth, running_graph(authority, *ADDRESSES.values()) as fake:
        fake.good_tokens = _Good(oauth)
        for octets, came in night(folder):
            fake.mail[ADDRESSES["desk"]].deliver("Inbox", octets, came)
        for person in PEOPLE:
            for slot in busy(folder, person):
                fake.dates[ADDRESSES[person]].put(slot.start, slot.end)
        there = f'sign_in = "microsoft"\nservice = "{fake.root}"\nca_file = "{authority.ca_file}"\n'
        inline = ", ".join(there.strip().splitlines())
        way = Way(
            mailbox=f'kind = "graph"\n{there}',
            outgoing=f'kind = "graph"\n{there}address = "{ADDRESSES["desk"]}"\n',
            calendar=lambda person: f'calendar = {{ kind = "graph", {inline} }}',
            sign_in=(
                f'[[sign_in]]\nname = "microsoft"\nkind = "microsoft"\ntenant = "{TENANT}"\n'
                f'client_id = "{SECRET_APP}"\nsecret_file = "secrets/secret"\n'
                f'authority = "{oauth.url}"\nca_file = "{authority.ca_file}"\n\n'
            ),
        )
        rows = played(folder, way)
        assert rows == as_it_ships
        assert len(fake.mail[ADDRESSES["desk"]].sent) == sent_mails(rows)
        told = [each.kind for person in PEOPLE for each in fake.dates[ADDRESSES[person]].told]
    assert set(told) == {"invite"}
    assert len(told) == len(call(folder))


class _Good(set[str]):
    """The tokens that the sign-in server gave and still knows."""

    def __init__(self, oauth: OAuthFake) -> None:
        self._oauth = oauth

    def __contains__(self, token: object) -> bool:
        return self._oauth.user_of(str(token)) is not None


def demo(tmp_path: Path, secret: str) -> Path:
    """The demo's folder, with a secret in `secrets/secret`."""
    folder = tmp_path / "desk"
    lay_out(folder, NOW)
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets/secret").write_text(secret)
    return folder


def sent_mails(rows: dict[str, Logged]) -> int:
    """How many mails left by the desk itself; invitations leave by the calendars' server."""
    kinds = [key.split(":")[0] for row in rows.values() for key, state in row.effects if state == "done"]
    return sum(kind in ("ack", "notify") for kind in kinds)
