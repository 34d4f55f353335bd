"""A CSV file of accounts in, `Account` objects out, or every mistake in it by line and column."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TypeVar
from zoneinfo import available_timezones

from triaged.accounts.match import is_freemail, plain_address, plain_domain
from triaged.errors import ConfigError, Problem
from triaged.model import Account, Contact, Contract
from triaged.tomlfile import did_you_mean

COLUMNS = (
    "account_id", "name", "domain", "aliases", "contacts", "manager", "tier", "contract_no", "contract_ends",
    "timezone", "language", "hours", "country",
)  # fmt: skip
OPTIONAL = frozenset({"hours", "country"})
"""Columns that a file need not have."""

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Bytes; about 300,000 accounts."""

LANGUAGES = frozenset(
    """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo
    es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg
    ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn
    no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta
    te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    """.split()
)
"""ISO 639-1."""

_LABEL = re.compile(r"[^\W_](?:[^\W_]|-){0,62}")
_LOCAL = re.compile(r"[^\s\"(),:;<>@\[\]\\\x00-\x20\x7f]{1,64}")
_NAMED = re.compile(r'"?([^"<>]*?)"?\s*<([^<>]*)>')
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_T = TypeVar("_T")

Check = Callable[[Account], Iterable[tuple[str, str]]]
"""An account in, (column, sentence) of what is wrong in it out."""


def unchecked(_account: Account) -> tuple[tuple[str, str], ...]:
    """For who only reads accounts that were checked already."""
    return ()


@dataclass(slots=True)
class _Row:
    """One line of the file, and where its problems go."""

    line: int
    cells: dict[str, str]
    problem: Callable[[int, str, str], None]

    def wrong(self, column: str, what: str) -> None:
        self.problem(self.line, column, what)

    def parts(self, column: str) -> list[str]:
        return [part.strip() for part in self.cells[column].split(";") if part.strip() != ""]


def read_accounts(path: Path, *, people: frozenset[str], check: Check = unchecked) -> tuple[Account, ...]:
    """Read the accounts, in file order.

    The first line names the columns (`COLUMNS`, in any order, all but `OPTIONAL` ones); comma or semicolon separates;
    lists inside a cell are separated by `;`, so such a cell is quoted in a file separated by semicolons, as
    spreadsheets do. people: ids a manager may be; empty: not checked. check: tells what else is wrong in an account.
    Raises: ConfigError with every problem found, by `file:line` and column.
    """
    return parse_accounts(_octets(path), name=str(path), people=people, check=check)


def parse_accounts(
    octets: bytes, *, name: str, people: frozenset[str], check: Check = unchecked
) -> tuple[Account, ...]:
    """As `read_accounts`, of a file's octets; name: what problems call it."""
    problems: list[Problem] = []

    def problem(line: int, column: str, what: str) -> None:
        problems.append(Problem(f"{name}:{line}", f"column '{column}': {what}" if column else what))

    rows = list(_rows(_text(octets, name), name, problem))
    accounts, ids, claims = [], dict[str, int](), dict[str, tuple[str, int]]()
    for row in rows:
        account = _account(row, people)
        accounts.append(account)
        for column, what in check(account):
            row.wrong(column, what)
        if account.account_id in ids:
            row.wrong("account_id", f"'{account.account_id}' stands in line {ids[account.account_id]} already")
        elif account.account_id != "":
            ids[account.account_id] = row.line
        for column, value in _claims(account, row):
            holder = claims.setdefault(value, (account.account_id, row.line))
            if holder[1] != row.line:
                row.wrong(column, f"'{value}' belongs to account '{holder[0]}' of line {holder[1]} already")
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(accounts)


def read_cells(
    cells: Mapping[str, str], *, people: frozenset[str], check: Check = unchecked
) -> tuple[Account, tuple[tuple[str, str], ...]]:
    """One account as a form gives it: cells by column (`COLUMNS`), as a file's would be; missing ones are empty.

    Returns the account and (column, sentence) of every problem; with a problem it is not to be kept.
    """
    problems: list[tuple[str, str]] = []
    row = _Row(
        1,
        {column: cells.get(column, "").strip() for column in COLUMNS},
        lambda _line, column, what: problems.append((column, what)),
    )
    account = _account(row, people)
    problems.extend(check(account))
    return account, tuple(problems)


# --- octets → rows -------------------------------------------------------------------------------------------


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError((Problem(str(path), "there is no such file"),)) from None
    except OSError as error:
        raise ConfigError((Problem(str(path), f"cannot be read: {error.strerror}"),)) from None


def _text(octets: bytes, name: str) -> str:
    if len(octets) > MAX_FILE_BYTES:
        raise ConfigError((Problem(name, f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MB"),))
    save = "save it as 'CSV UTF-8 (comma separated)'"
    if octets.startswith((b"\xff\xfe", b"\xfe\xff", b"PK")) or b"\0" in octets:
        raise ConfigError((Problem(name, f"is a workbook or UTF-16 text, no CSV in UTF-8; {save}"),))
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise ConfigError((Problem(f"{name}:{line}", f"is not UTF-8 text; {save}"),)) from None


def _rows(text: str, name: str, problem: Callable[[int, str, str], None]) -> Iterator[_Row]:
    """The lines below the first that are not empty. Raises: ConfigError when the columns are wrong."""
    first = text.lstrip("\r\n").splitlines()[0] if text.strip() != "" else ""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;", key=first.count), strict=True)
    columns: list[str] = []
    width = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            break
        except csv.Error as error:
            problem(line, "", f"cannot be read ({error}); look for a quotation mark that is not closed")
            return
        if not any(cells):
            continue
        if len(columns) == 0:
            columns = _columns(cells, f"{name}:{line}")
            width = len(cells)
        elif len(cells) > width:
            problem(line, "", f"has {len(cells)} cells for {width} columns; quote a cell that holds a comma")
        else:
            cells += [""] * (len(columns) - len(cells))
            yield _Row(line, dict.fromkeys(OPTIONAL, "") | dict(zip(columns, cells, strict=False)), problem)
    if len(columns) == 0:
        raise ConfigError((Problem(name, f"is empty; its first line names the columns: {','.join(COLUMNS)}"),))


def _columns(cells: list[str], where: str) -> list[str]:
    names = [cell.lower() for cell in cells]
    while names[-1] == "":
        names.pop()
    problems = [
        Problem(where, f"there is no column '{name}'{did_you_mean(name, COLUMNS)}")
        for name in names
        if name not in COLUMNS
    ]
    problems += [Problem(where, f"column '{name}' stands here twice") for name in COLUMNS if names.count(name) > 1]
    problems += [
        Problem(where, f"column '{name}' is missing; add it, its cells may be empty")
        for name in COLUMNS
        if name not in names and name not in OPTIONAL
    ]
    if problems:
        raise ConfigError(tuple(problems))
    return names


# --- row → account ---------------------------------------------------------------------------------------------


def _account(row: _Row, people: frozenset[str]) -> Account:
    for column, cell in row.cells.items():
        if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in cell):
            row.wrong(column, "holds a line break or another control character")
    for column in ("account_id", "name"):
        if row.cells[column] == "":
            row.wrong(column, "is empty")
    aliases = row.parts("aliases")
    domains = _checked(row, "domain", row.parts("domain"), _domain)
    domains += _checked(row, "aliases", [alias for alias in aliases if "@" not in alias], _domain)
    addresses = _checked(row, "aliases", [alias for alias in aliases if "@" in alias], _address)
    manager = row.cells["manager"]
    if manager != "" and people and manager not in people:
        row.wrong("manager", f"'{manager}' is none of the people in the configuration{did_you_mean(manager, people)}")
    zone, language = row.cells["timezone"], row.cells["language"].lower()
    if zone != "" and zone not in _zones():
        row.wrong("timezone", f"'{zone}' is no time zone; write such as 'Europe/Berlin'")
    if language != "" and language not in LANGUAGES:
        row.wrong("language", f"'{language}' is no language code; write two letters such as 'en' or 'de'")
    return Account(
        account_id=row.cells["account_id"],
        name=row.cells["name"],
        domains=tuple(dict.fromkeys(domains)),
        addresses=tuple(dict.fromkeys(addresses)),
        contacts=_once(row, "contacts", _checked(row, "contacts", row.parts("contacts"), _contact), _spec),
        manager=manager,
        tier=row.cells["tier"].lower(),
        contracts=_once(row, "contract_no", _contracts(row), _number),
        timezone=zone,
        language=language,
        hours=row.cells["hours"],
        country=row.cells["country"],
    )


@cache
def _zones() -> frozenset[str]:
    """Kept, because Python looks through 600 files for them each time (4 ms)."""
    return frozenset(available_timezones())


def _claims(account: Account, row: _Row) -> Iterator[tuple[str, str]]:
    """(column, domain or plain address) of all that tells the account."""
    named = {plain_domain(part) for part in row.parts("domain")}
    yield from (("domain" if domain in named else "aliases", domain) for domain in account.domains)
    yield from (("aliases", plain_address(address)) for address in account.addresses)
    yield from (("contacts", plain_address(contact.addr_spec)) for contact in account.contacts)


def _checked(row: _Row, column: str, parts: list[str], read: Callable[[str], _T]) -> list[_T]:
    """What `read` makes of each part; its ValueError is a problem of the column."""
    values = []
    for part in parts:
        try:
            values.append(read(part))
        except ValueError as error:
            row.wrong(column, str(error))
    return values


def _once(row: _Row, column: str, found: Iterable[_T], key_of: Callable[[_T], str]) -> tuple[_T, ...]:
    """Each once; two that differ under one key are a problem."""
    known: dict[str, _T] = {}
    for each in found:
        if known.setdefault(key_of(each), each) != each:
            what = f"'{key_of(each)}' stands here twice" if key_of(each) != "" else "two contracts have no number"
            row.wrong(column, f"{what}, and not alike; leave one")
    return tuple(known.values())


def _spec(contact: Contact) -> str:
    return contact.addr_spec


def _number(contract: Contract) -> str:
    return contract.number


def _domain(text: str) -> str:
    domain = plain_domain(text.removeprefix("@"))
    if not _is_domain(domain):
        raise ValueError(f"'{text}' is no domain; write such as 'acme.example'")
    if is_freemail(domain):
        raise ValueError(f"anybody can have an address at '{text}'; name the client's addresses under contacts")
    labels = domain.split(".")
    if len(labels) == 2 and labels[0] in ("co", "com") and len(labels[1]) == 2:
        raise ValueError(f"'{text}' would fit every company under it; write the client's whole domain")
    return domain


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    fine = all(_LABEL.fullmatch(label) and not label.endswith("-") for label in labels)
    return fine and len(labels) > 1 and len(domain) <= 253 and not labels[-1].isdigit()


def _address(text: str) -> str:
    local, _, domain = text.rpartition("@")
    domain = plain_domain(domain)
    if not _LOCAL.fullmatch(local) or not _is_domain(domain):
        raise ValueError(
            f"'{text}' is no mail address; write such as 'anna@acme.example' or 'Anna Berg <anna@acme.example>'"
        )
    return f"{local.lower()}@{domain}"


def _contact(text: str) -> Contact:
    found = _NAMED.fullmatch(text)
    return Contact(_address(text)) if found is None else Contact(_address(found[2].strip()), found[1].strip())


def _contracts(row: _Row) -> Iterator[Contract]:
    """Numbers and dates side by side; an empty place among the dates is a contract without an end."""
    numbers = [part.strip() for part in row.cells["contract_no"].split(";")]
    ends = [part.strip() for part in row.cells["contract_ends"].split(";")]
    if not any(ends):
        ends = [""] * len(numbers)
    if len(numbers) != len(ends):
        what = (
            f"has {len(ends)} dates for {len(numbers)} contracts; an open-ended one has an empty place: '2027-03-31;'"
        )
        row.wrong("contract_ends", what)
        return
    for number, end in zip(numbers, ends, strict=True):
        try:
            ends_on = date.fromisoformat(end) if end != "" else None
            if end != "" and not _ISO_DATE.fullmatch(end):
                raise ValueError(end)
        except ValueError:
            row.wrong("contract_ends", f"'{end}' is no date; write year-month-day such as '2027-03-31'")
        else:
            if number != "" or ends_on is not None:
                yield Contract(number, ends_on)
