"""config.toml: what is right is read as meant; whatever is wrong is named with its line and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from triaged.config import find_config, load_config
from triaged.errors import ConfigError
from triaged.loading import settings_problems
from triaged.servers import CaldavTable, ImapTable, SmtpOutgoing
from triaged.settings import Config

ROOT = Path(__file__).parents[2]

GOOD = """[firm]
name = "Desk House"
team = "Client Desk"

[hours]
timezone = "Europe/Berlin"
mon-fri = "09:00-17:30"

[[sign_in]]
name = "microsoft"
kind = "microsoft"
tenant = "desk.example"
client_id = "app-1"

[[sign_in]]
name = "service"
kind = "google"
service_account_file = "secret"

[[mailbox]]
name = "desk"
kind = "imap"
address = "desk@example.test"
host = "imap.example.test"
user = "desk"
password_file = "secret"
ca_file = "ca.pem"

[[mailbox]]
name = "second"
kind = "maildir"
address = "second@example.test"
path = "mail"

[outgoing]
kind = "smtp"
host = "smtp.example.test"
user = "desk"
password_file = "secret"
keep_sent_in = "desk"
message_id_domain = "example.test"

[[person]]
id = "lena"
name = "Lena Brandt"
email = "lena@example.test"

[person.calendar]
kind = "caldav"
url = "https://cal.example.test/lena/"
user = "lena"
password_file = "secret"
"""

CALDAV = 'kind = "caldav"\nurl = "https://cal.example.test/lena/"\nuser = "lena"\npassword_file = "secret"'


def read(folder: Path, text: str) -> Config:
    (folder / "config.toml").write_text(text, encoding="utf-8")
    (folder / "secret").write_text("pass word \n", encoding="utf-8")
    (folder / "empty").write_text("\n", encoding="utf-8")
    (folder / "latin").write_bytes(b"\xff\xe4")
    (folder / "ca.pem").touch()
    return load_config(folder / "config.toml")


def problems(folder: Path, text: str) -> list[tuple[str, str]]:
    """Where and what, the folder taken off; of the file and, if that is right, of what its words mean."""
    try:
        found = tuple(settings_problems(read(folder, text)))
    except ConfigError as error:
        found = error.problems
    return [(each.where.removeprefix(f"{folder}/config.toml:"), each.what) for each in found]


def line_of(text: str, words: str) -> str:
    assert text.count(words) == 1, words
    return str(text[: text.index(words)].count("\n") + 1)


def test_the_example_is_right(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    desk, _ = config.mailbox
    assert isinstance(desk, ImapTable)
    assert (desk.port, desk.security, desk.folder, desk.password(config.base)) == (993, "tls", "INBOX", "pass word ")
    assert isinstance(config.outgoing, SmtpOutgoing)
    assert (config.outgoing.port, config.outgoing.security) == (587, "starttls")
    assert isinstance(config.person[0].calendar, CaldavTable)
    assert config.state_dir == tmp_path / "state"
    assert problems(tmp_path, GOOD) == []


def test_a_sign_in_stands_where_a_password_stood(tmp_path: Path) -> None:
    text = GOOD.replace('password_file = "secret"\nca_file', 'sign_in = "microsoft"\nca_file')
    text = text.replace('user = "lena"\npassword_file = "secret"', 'user = "lena@example.test"\nsign_in = "service"')
    assert problems(tmp_path, text) == []
    config = read(tmp_path, text)
    desk, _ = config.mailbox
    assert isinstance(desk, ImapTable)
    assert (desk.sign_in, desk.password(config.base)) == ("microsoft", "")
    microsoft, service = config.sign_in
    assert (microsoft.is_app, service.is_app) == (False, True)
    assert service.secret_path("service_account", config.base) == tmp_path / "secret"
    assert microsoft.secret_path("secret", config.base) is None


def test_the_shipped_file_says_the_defaults() -> None:
    shipped = load_config(ROOT / "config.toml")
    bare = Config.model_validate(
        {
            "firm": {"name": "n", "team": "t"},
            "hours": {},
            "mailbox": [{"name": "m", "kind": "maildir", "address": "a@b", "path": "p"}],
            "outgoing": {"kind": "maildir", "path": "p", "message_id_domain": "b"},
        }
    )
    differ = {
        f"{table}.{key}"
        for table in ("service", "triage", "acknowledge", "due", "calls")
        for key in type(getattr(bare, table)).model_fields
        if getattr(getattr(shipped, table), key) != getattr(getattr(bare, table), key)
    }
    assert differ == {"service.rules_dir", "acknowledge.send", "calls.location"}


WRONG = [
    # name, what stands in the example, what stands there instead, words whose line is named, the sentence
    (
        "unknown key",
        'team = "Client Desk"',
        'team = "C"\ntaem = "C"',
        "taem",
        "there is no key 'firm.taem'; did you mean 'team'?",
    ),
    (
        "unknown table",
        "[hours]",
        "[houres]\na = 1\n[hours]",
        "[houres]",
        "there is no key 'houres'; did you mean 'hours'?",
    ),
    (
        "unknown key of a mailbox",
        'host = "imap',
        'hots = "x"\nhost = "imap',
        "hots",
        "there is no key 'mailbox.hots'; did you mean 'host'?",
    ),
    ("missing key", 'team = "Client Desk"\n', "", "[firm]", "'firm.team' is missing"),
    ("missing table", '[firm]\nname = "Desk House"\nteam = "Client Desk"\n', "", None, "'firm' is missing"),
    ("empty value", '"Client Desk"', '""', "team", "'firm.team' must not be empty"),
    (
        "wrong type",
        'host = "smtp.example.test"',
        "host = 7",
        "host = 7",
        "'outgoing.host' must be a text in \"quotes\", not 7",
    ),
    (
        "number as text",
        'host = "imap.example.test"',
        'host = "i"\nport = "993"',
        "port",
        "'mailbox.port' must be a whole number without quotes, not '993'",
    ),
    (
        "number out of range",
        'host = "imap.example.test"',
        'host = "i"\nport = 99999',
        "port",
        "'mailbox.port' is 99999; 65535 is the most it can be",
    ),
    (
        "bad choice",
        'host = "imap.example.test"',
        'host = "i"\nsecurity = "ssl"',
        "security",
        "'mailbox.security' must be 'tls', 'starttls' or 'none', not 'ssl'",
    ),
    (
        "bad kind",
        'kind = "imap"',
        'kind = "pop3"',
        '[[mailbox]]\nname = "desk"',
        "'mailbox.kind' must be 'maildir', 'imap', 'ews', 'graph', not 'pop3'",
    ),
    ("no kind", 'kind = "smtp"\n', "", "[outgoing]", "'outgoing.kind' is missing"),
    (
        "open line",
        'host = "imap.example.test"',
        'host = "i"\nsecurity = "none"',
        '[[mailbox]]\nname = "desk"',
        'mailbox: security = "none" is for this machine only; use "tls" or "starttls"',
    ),
    (
        "open calendar",
        '"https://cal',
        '"http://cal',
        "[person.calendar]",
        "person.calendar: http:// is for this machine only; use https://",
    ),
    (
        "no mail address",
        '"desk@example.test"',
        '"desk"',
        'address = "desk"',
        "mailbox.address: 'desk' is not a mail address",
    ),
    (
        "two senders in an address",
        '"lena@example.test"',
        '"a@b,c@d"',
        "email",
        "person.email: 'a@b,c@d' is not a mail address",
    ),
    (
        "doubled mailbox",
        'name = "second"',
        'name = "desk"',
        'name = "desk"\nkind = "maildir"',
        "there are two [[mailbox]] with name = 'desk'; give each its own",
    ),
    (
        "no secret",
        'user = "lena"\npassword_file = "secret"',
        'user = "lena"',
        "[person.calendar]",
        "person.calendar: user needs a password_file, a password_credential or a sign_in",
    ),
    (
        "unreadable secret",
        'user = "lena"\npassword_file = "secret"',
        'user = "lena"\npassword_file = "none"',
        'password_file = "none"',
        "the secret 'none' cannot be read: No such file or directory",
    ),
    (
        "secret that is no text",
        'user = "lena"\npassword_file = "secret"',
        'user = "lena"\npassword_file = "latin"',
        'password_file = "latin"',
        "the secret 'latin' cannot be read: is not UTF-8 text",
    ),
    (
        "empty secret",
        'user = "lena"\npassword_file = "secret"',
        'user = "lena"\npassword_file = "empty"',
        'user = "lena"',
        "the password file is empty",
    ),
    (
        "no credentials",
        'user = "lena"\npassword_file = "secret"',
        'user = "lena"\npassword_credential = "c"',
        "password_credential",
        "there is no $CREDENTIALS_DIRECTORY; only systemd's LoadCredential= makes one",
    ),
    ("missing CA file", '"ca.pem"', '"cb.pem"', "ca_file", "there is no file 'cb.pem'"),
    (
        "unknown mailbox for sent mail",
        'keep_sent_in = "desk"',
        'keep_sent_in = "dsek"',
        "keep_sent_in",
        "there is no IMAP mailbox called 'dsek'; did you mean 'desk'?",
    ),
    (
        "unknown mailbox for the canary",
        "[hours]",
        '[canary]\nevery_min = 5\nmailbox = "dsek"\n\n[hours]',
        "dsek",
        "there is no mailbox called 'dsek'; did you mean 'desk'?",
    ),
    (
        "a canary without a mailbox",
        "[hours]",
        "[canary]\nevery_min = 5\n\n[hours]",
        "[canary]",
        "canary: a canary needs a mailbox that it is sent to",
    ),
    (
        "a health page for everybody",
        "[hours]",
        '[health]\nlisten = "0.0.0.0:9871"\n\n[hours]',
        "listen",
        "health.listen: '0.0.0.0:9871' must be on this machine only: 127.0.0.1, [::1] or localhost, and a port",
    ),
    (
        "a health page without a port",
        "[hours]",
        '[health]\nlisten = "127.0.0.1"\n\n[hours]',
        "listen",
        "health.listen: '127.0.0.1' must be on this machine only: 127.0.0.1, [::1] or localhost, and a port",
    ),
    (
        "alert URLs in two places",
        "[hours]",
        '[alerts]\nurls_file = "secret"\nurls_credential = "c"\n\n[hours]',
        "[alerts]",
        "alerts: give urls_file or urls_credential, not both",
    ),
    (
        "no file of alert URLs",
        "[hours]",
        '[alerts]\nurls_file = "nowhere"\n\n[hours]',
        "urls_file",
        "the secret 'nowhere' cannot be read: No such file or directory",
    ),
    (
        "an empty file of alert URLs",
        "[hours]",
        '[alerts]\nurls_file = "empty"\n\n[hours]',
        "urls_file",
        "the file of alert URLs is empty; without one leave the key out",
    ),
    (
        "a proxy's word on a port",
        "[hours]",
        '[desk]\nlisten = "127.0.0.1:9870"\nuser_header = "X-Remote-User"\n\n[hours]',
        "[desk]",
        'desk: user_header needs listen = "unix:/run/triaged/desk.sock": on a port, any program of this machine could '
        "reach the desk past the proxy and say that it is anybody",
    ),
    (
        "a header that is none",
        "[hours]",
        '[desk]\nuser_header = "Remote User"\n\n[hours]',
        "user_header",
        "'desk.user_header' cannot be 'Remote User'; write the name of a header, such as X-Remote-User",
    ),
    (
        "a provider in the open",
        "[hours]",
        '[desk]\noidc_issuer = "http://login.example.test"\n\n[hours]',
        "oidc_issuer",
        "desk.oidc_issuer: 'http://login.example.test' must begin with https://, as the provider itself writes it",
    ),
    (
        "a provider that sends people nowhere",
        "[hours]",
        '[desk]\noidc_issuer = "https://login.example.test"\n\n[hours]',
        "[desk]",
        "desk: oidc_issuer needs address too: the provider sends people back there",
    ),
    (
        "a provider that does not know the desk",
        "[hours]",
        '[desk]\naddress = "https://desk.example.test"\noidc_issuer = "https://login.example.test"\n'
        'oidc_client_id = "desk"\n\n[hours]',
        "[desk]",
        "desk: oidc_issuer needs oidc_client_id, and either oidc_secret_file or oidc_secret_credential: "
        "what the provider gave you for this desk",
    ),
    (
        "two ways to say who it is",
        "[hours]",
        '[desk]\nlisten = "unix:/run/desk.sock"\naddress = "https://desk.example.test"\nuser_header = "X-User"\n'
        'oidc_issuer = "https://login.example.test"\n\n[hours]',
        "[desk]",
        "desk: give user_header or oidc_issuer, not both",
    ),
    (
        "a secret of the desk that is not there",
        "[hours]",
        '[desk]\naddress = "https://desk.example.test"\noidc_issuer = "https://login.example.test"\n'
        'oidc_client_id = "desk"\noidc_secret_file = "nowhere"\n\n[hours]',
        "oidc_secret_file",
        "the secret 'nowhere' cannot be read: No such file or directory",
    ),
    (
        "a Maildir keeps no sent mail",
        'keep_sent_in = "desk"',
        'keep_sent_in = "second"',
        "keep_sent_in",
        "there is no IMAP mailbox called 'second'",
    ),
    (
        "unknown sign-in",
        'password_file = "secret"\nca_file',
        'sign_in = "microsft"\nca_file',
        "microsft",
        "there is no [[sign_in]] called 'microsft'; did you mean 'microsoft'?",
    ),
    (
        "password and sign-in",
        'password_file = "secret"\nca_file',
        'password_file = "secret"\nsign_in = "microsoft"\nca_file',
        '[[mailbox]]\nname = "desk"',
        "mailbox: give a password or a sign_in, not both",
    ),
    (
        "sign-in without a user",
        'user = "desk"\npassword_file = "secret"\nca_file',
        'sign_in = "microsoft"\nca_file',
        '[[mailbox]]\nname = "desk"',
        "mailbox: sign_in needs user too: the address of the mailbox",
    ),
    (
        "Microsoft without CalDAV",
        'user = "lena"\npassword_file = "secret"',
        'sign_in = "microsoft"',
        'sign_in = "microsoft"',
        'Microsoft has no CalDAV; use kind = "graph" for this calendar',
    ),
    (
        "OAuth at Exchange without a sign-in",
        CALDAV,
        'kind = "ews"\nendpoint = "https://mail.example.test/EWS/Exchange.asmx"\nauth = "oauth"',
        "[person.calendar]",
        'person.calendar: auth = "oauth" needs a sign_in and the endpoint that its tokens are for',
    ),
    (
        "a sign-in at Exchange without OAuth",
        CALDAV,
        'kind = "ews"\nsign_in = "microsoft"',
        "[person.calendar]",
        'person.calendar: sign_in needs auth = "oauth"',
    ),
    (
        "nobody signs in at Exchange",
        CALDAV,
        'kind = "ews"\nendpoint = "https://mail.example.test/EWS/Exchange.asmx"',
        "[person.calendar]",
        "person.calendar: user is missing: who signs in",
    ),
    (
        "Exchange without TLS",
        CALDAV,
        'kind = "ews"\nendpoint = "http://mail.example.test/EWS"\nuser = "lena"\npassword_file = "secret"',
        "endpoint",
        "'person.calendar.endpoint' cannot be 'http://mail.example.test/EWS'; it begins with https://",
    ),
    (
        "Microsoft 365 without a sign-in",
        CALDAV,
        'kind = "graph"',
        "[person.calendar]",
        "'person.calendar.sign_in' is missing",
    ),
    (
        "Microsoft 365 with a sign-in at Google",
        CALDAV,
        'kind = "graph"\nsign_in = "service"',
        'sign_in = "service"',
        "this is a sign-in at Google, and the server is Microsoft's: name a [[sign_in]] of kind "
        '= "microsoft"; Gmail is kind = "imap" (docs/google.md)',
    ),
    (
        "service account for nobody",
        'user = "lena"\npassword_file = "secret"',
        'sign_in = "service"',
        'sign_in = "service"',
        "a service account acts for somebody: give user too, the address of the calendar's owner",
    ),
    (
        "two sign-ins of a name",
        'name = "service"',
        'name = "microsoft"',
        'name = "microsoft"\nkind = "google"',
        "there are two [[sign_in]] with name = 'microsoft'; give each its own",
    ),
    (
        "unknown key of a sign-in",
        'client_id = "app-1"',
        'client_id = "app-1"\ntennant = "x"',
        "tennant",
        "there is no key 'sign_in.tennant'; did you mean 'tenant'?",
    ),
    (
        "secret in the file",
        'client_id = "app-1"',
        'client_id = "app-1"\nclient_secret = "s3cret"',
        "client_secret",
        "a secret never stands here; write it into a file of its own and name that: secret_file",
    ),
    (
        "unknown kind of sign-in",
        'kind = "microsoft"',
        'kind = "azure"',
        '[[sign_in]]\nname = "microsoft"',
        "'sign_in.kind' must be 'microsoft', 'google', not 'azure'",
    ),
    (
        "unknown cloud",
        'client_id = "app-1"',
        'client_id = "app-1"\ncloud = "germany"',
        "cloud",
        "'sign_in.cloud' must be 'global', 'usgov', 'usgov-dod' or 'china', not 'germany'",
    ),
    (
        "no tenant",
        'tenant = "desk.example"\n',
        "",
        '[[sign_in]]\nname = "microsoft"',
        "'sign_in.tenant' is missing",
    ),
    (
        "tenant of everybody",
        'tenant = "desk.example"\n',
        'tenant = "common"\nsecret_file = "secret"\n',
        '[[sign_in]]\nname = "microsoft"',
        "sign_in: an app that proves itself needs its own tenant, such as example.com",
    ),
    (
        "two proofs",
        'client_id = "app-1"',
        'client_id = "app-1"\nsecret_file = "secret"\ncertificate_file = "secret"',
        '[[sign_in]]\nname = "microsoft"',
        "sign_in: give one of secret_file, secret_credential, certificate_file and certificate_credential",
    ),
    (
        "end of no secret",
        'client_id = "app-1"',
        'client_id = "app-1"\nsecret_ends = 2027-05-01',
        '[[sign_in]]\nname = "microsoft"',
        "sign_in: secret_ends is of a secret, and none is named; the end of a certificate is read from it",
    ),
    (
        "day in quotes",
        'client_id = "app-1"',
        'client_id = "app-1"\nsecret_file = "secret"\nsecret_ends = "2027-05-01"',
        "secret_ends",
        "'sign_in.secret_ends' must be a day without quotes, as in secret_ends = 2027-05-01, not '2027-05-01'",
    ),
    (
        "no such secret",
        'client_id = "app-1"',
        'client_id = "app-1"\nsecret_file = "none"',
        'secret_file = "none"',
        "the secret 'none' cannot be read: No such file or directory",
    ),
    (
        "empty certificate",
        'client_id = "app-1"',
        'client_id = "app-1"\ncertificate_file = "empty"',
        'certificate_file = "empty"',
        "the file 'empty' is empty",
    ),
    (
        "credential without systemd",
        'client_id = "app-1"',
        'client_id = "app-1"\nsecret_credential = "c"',
        "secret_credential",
        "there is no $CREDENTIALS_DIRECTORY; only systemd's LoadCredential= makes one",
    ),
    (
        "no CA file of a sign-in",
        'client_id = "app-1"',
        'client_id = "app-1"\nca_file = "cb.pem"',
        "cb.pem",
        "there is no file 'cb.pem'",
    ),
    (
        "open sign-in server",
        'client_id = "app-1"',
        'client_id = "app-1"\nauthority = "http://login.example"',
        "authority",
        "'sign_in.authority' cannot be 'http://login.example'; write https:// and a host, without a path",
    ),
    (
        "Google without a secret",
        'service_account_file = "secret"',
        'client_id = "app-2"',
        '[[sign_in]]\nname = "service"',
        "sign_in: give client_id and secret_file (a desktop app), or service_account_file",
    ),
    (
        "Google, both kinds",
        'service_account_file = "secret"',
        'service_account_file = "secret"\nsecret_file = "secret"',
        '[[sign_in]]\nname = "service"',
        "sign_in: a service account needs neither client_id nor secret_file; they are of a desktop app",
    ),
    (
        "way to call",
        "[hours]",
        '[calls]\nway = "ask"\n[hours]',
        "way",
        "'calls.way' must be 'book' or 'offer', not 'ask'",
    ),
    ("no offers", "[hours]", "[calls]\noffers = 0\n[hours]", "offers", "'calls.offers' is 0; 1 is the least it can be"),
    (
        "many offers",
        "[hours]",
        "[calls]\noffers = 6\n[hours]",
        "offers",
        "'calls.offers' is 6; 5 is the most it can be",
    ),
    (
        "calls a day",
        "[hours]",
        "[calls]\nper_day = -1\n[hours]",
        "per_day =",
        "'calls.per_day' is -1; 0 is the least it can be",
    ),
    (
        "a name in the location",
        "[hours]",
        '[calls]\nlocation = "Line {number}, {reference}"\n[hours]',
        "location",
        "calls.location: nothing is known as {number}; write {reference} or {organizer}",
    ),
    (
        "a name in a person's location",
        'email = "lena@example.test"',
        'email = "lena@example.test"\nlocation = "{organizer.name}"',
        "location",
        "person.location: nothing is known as {organizer.name}; write {reference} or {organizer}",
    ),
    (
        "a further calendar of no kind",
        "[person.calendar]",
        'also_busy = [{ kind = "vdir", path = "team" }, { kind = "ical", path = "x" }]\n[person.calendar]',
        "also_busy",
        "'person.also_busy.kind' must be 'vdir', 'caldav', 'ews', 'graph', not 'ical'",
    ),
    (
        "a further calendar, misspelt",
        "[person.calendar]",
        '[[person.also_busy]]\nkind = "vdir"\npaht = "team"\npath = "team"\n[person.calendar]',
        "paht",
        "there is no key 'person.also_busy.paht'; did you mean 'path'?",
    ),
    (
        "a further calendar's secret",
        "[person.calendar]",
        "[[person.also_busy]]\n" + CALDAV.replace('"secret"', '"none"') + "\n[person.calendar]",
        '"none"',
        "the secret 'none' cannot be read: No such file or directory",
    ),
    (
        "a further calendar's sign-in",
        "[person.calendar]",
        'also_busy = [\n  { kind = "graph", sign_in = "microsft" },\n]\n[person.calendar]',
        "also_busy",
        "there is no [[sign_in]] called 'microsft'; did you mean 'microsoft'?",
    ),
    (
        "further calendars without one's own",
        f"[person.calendar]\n{CALDAV}",
        'also_busy = [{ kind = "vdir", path = "team" }]',
        "[[person]]",
        "person: also_busy needs a calendar beside it: the one that calls are booked in",
    ),
    ("syntax", 'team = "Client Desk"', "team = Client Desk", "team", 'a text needs quotes: team = "Client Desk"'),
    (
        "curly quotes",
        'team = "Client Desk"',
        "team = “Client Desk”",
        "team",
        '“Client Desk” stands in curly quotes, as Word makes them; use straight ones: "…"',
    ),
]


@pytest.mark.parametrize(("old", "new", "at", "sentence"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, at: str | None, sentence: str) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    where = line_of(text, at) if at is not None else f"{tmp_path}/config.toml"
    assert problems(tmp_path, text) == [(where, sentence)]


MEANING = [
    ('mon-fri = "09:00-17:30"', 'mon-fri = "09:00-25:30"', "hours.mon-fri", "25:30"),
    ('mon-fri = "09:00-17:30"', 'mon-fry = "09:00-17:30"', "hours.mon-fry", "is no day"),
    ('mon-fri = "09:00-17:30"\n', "", "hours", "never open"),
    ('"Europe/Berlin"', '"Europe/Berln"', "hours.timezone", "did you mean 'Europe/Berlin'?"),
    ("[hours]", '[due]\nurgent = "soon"\n[hours]', "due.urgent", "'soon' is no span of time"),
    ("[hours]", '[calls]\nnotice = "0 hours"\n[hours]', "calls.notice", "'0 hours' is no span of time"),
    ("[hours]", '[acknowledge]\nsend = "never"\n[hours]', "acknowledge.send", "never"),
    ("[hours]", '[calls]\nhold = "a while"\n[hours]', "calls.hold", "'a while' is no span of time"),
    ("[hours]", '[hours]\ncountry = "Germany"', "hours.country", "did you mean 'DE'?"),
    ("[hours]", '[hours]\ncountry = "DE-BR"', "hours.country", "no part 'BR' of 'DE' is known"),
    (
        "[person.calendar]",
        '[person.hours]\nsat = "09:00-12:00"\ncountry = "FRA"\n[person.calendar]',
        "person lena: hours.country",
        "did you mean 'FR'?",
    ),
    ("[person.calendar]", '[person.hours]\nsat = "9-5"\n[person.calendar]', "person lena: hours.sat", "9-5"),
]


@pytest.mark.parametrize(("old", "new", "where", "words"), MEANING, ids=[row[2] for row in MEANING])
def test_words_without_meaning_are_named_by_their_key(
    tmp_path: Path, old: str, new: str, where: str, words: str
) -> None:
    assert GOOD.count(old) == 1
    ((found, sentence),) = problems(tmp_path, GOOD.replace(old, new))
    assert found == where
    assert words in sentence


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('team = "Client Desk"', "taem = 3").replace("user = ", "usr = ").replace('"lena"', '"Lena!"')
    found = problems(tmp_path, text)
    assert len(found) == 6
    assert sum("did you mean 'user'?" in what for _, what in found) == 3


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"[firm]\nname = \"\xff\"\n"), "is not UTF-8 text"),
        (lambda path: path.write_bytes(b"a = 1\n" * 50_000), "is larger than 256 KB"),
    ],
    ids=["missing", "folder", "not text", "huge"],
)  # fmt: skip
def test_a_file_that_cannot_be_read(tmp_path: Path, prepare: object, words: str) -> None:
    prepare(tmp_path / "config.toml")  # type: ignore[operator]
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "config.toml")
    (problem,) = raised.value.problems
    assert problem.where.startswith(str(tmp_path / "config.toml"))
    assert words in problem.what


def test_without_a_file_in_the_usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if Path("/etc/triaged/config.toml").exists():
        pytest.skip("triaged is installed on this machine")
    with pytest.raises(ConfigError, match="triaged init"):
        find_config(None)
    (tmp_path / "config.toml").touch()
    assert find_config(None) == Path("config.toml")
    assert find_config(Path("other")) == Path("other")
