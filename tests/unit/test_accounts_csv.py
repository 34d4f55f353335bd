"""The accounts file: what a spreadsheet may do to it, and every mistake named by line and column."""

from __future__ import annotations

import dataclasses
import time
from datetime import date
from pathlib import Path

import pytest

from triaged.accounts.read_csv import COLUMNS, read_accounts
from triaged.errors import ConfigError
from triaged.model import Account, Contact, Contract
from triaged.playbook import client_problems

HEADER = ",".join(COLUMNS)
ACME = (
    "A-1,Acme GmbH,acme.example,acme-labs.example;orders@post.example,"
    "Anna Berg <Anna@acme.example>;bob@acme.example,lena,Gold,N-1;N-2,2027-03-31;,"
    "Europe/Berlin,DE,mon-thu 08:00-16:00,DE-BE"
)
READ = Account(
    account_id="A-1",
    name="Acme GmbH",
    domains=("acme.example", "acme-labs.example"),
    addresses=("orders@post.example",),
    contacts=(Contact("anna@acme.example", "Anna Berg"), Contact("bob@acme.example")),
    manager="lena",
    tier="gold",
    contracts=(Contract("N-1", date(2027, 3, 31)), Contract("N-2", None)),
    timezone="Europe/Berlin",
    language="de",
    hours="mon-thu 08:00-16:00",
    country="DE-BE",
)
PEOPLE = frozenset({"lena", "marek"})


def read(tmp_path: Path, content: str | bytes, people: frozenset[str] = PEOPLE) -> tuple[Account, ...]:
    path = tmp_path / "accounts.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_accounts(path, people=people, check=client_problems)


def problems(tmp_path: Path, content: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, content)
    return [str(each).removeprefix(f"{tmp_path}/") for each in raised.value.problems]


def row(**cells: str) -> str:
    return ",".join(cells.get(column, {"account_id": "A-1", "name": "Acme"}.get(column, "")) for column in COLUMNS)


SEMICOLONS = (
    HEADER.replace(",", ";")
    + '\r\nA-1;Acme GmbH;acme.example;"acme-labs.example;orders@post.example";'
    + '"Anna Berg <anna@acme.example>;bob@acme.example";lena;gold;"N-1;N-2";"2027-03-31;";Europe/Berlin;de;'
    + "mon-thu 08:00-16:00;DE-BE\r\n"
)
WAYS = {
    "plain": f"{HEADER}\n{ACME}\n",
    "without a last line end": f"{HEADER}\n{ACME}",
    "CRLF and a byte order mark": f"\ufeff{HEADER}\r\n{ACME}\r\n",
    "old Mac line ends": f"{HEADER}\r{ACME}\r",
    "semicolons, as German Excel writes it": SEMICOLONS,
    "empty lines": f"\n{HEADER}\n\n{ACME}\n,,,,,,,,,,\n\n",
    "spaces around": f"{HEADER}\n{ACME.replace(',', ' , ').replace(';', ' ; ')}\n",
    "capitals in the first line": f"{HEADER.upper()}\n{ACME}\n",
    "empty columns at the end": f"{HEADER},,\n{ACME},,\n",
    "quoted cells": HEADER + "\n" + ",".join(f'"{cell}"' for cell in ACME.split(",")) + "\n",
    "a domain in capitals and as A-labels": f"{HEADER}\n{ACME.replace('acme.example,', 'ACME.Example.,')}\n",
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_write_the_same_file(tmp_path: Path, way: str) -> None:
    assert read(tmp_path, WAYS[way]) == (READ,)


def test_the_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    turned = [",".join(reversed(line.split(","))) for line in (HEADER, ACME)]
    assert read(tmp_path, "\n".join(turned)) == (READ,)


def test_hours_and_country_may_be_missing(tmp_path: Path) -> None:
    """A file of the version before, and each of them alone."""
    without = [",".join(line.split(",")[:-2]) for line in (HEADER, ACME)]
    assert read(tmp_path, "\n".join(without)) == (dataclasses.replace(READ, hours="", country=""),)
    lines = [line.split(",") for line in (HEADER, ACME)]
    assert read(tmp_path, "\n".join(",".join(cells[:-2] + cells[-1:]) for cells in lines))[0].country == "DE-BE"
    several = row(timezone="Europe/Berlin", hours='"mon-thu 09:00-17:00, fri 09:00-13:00"')
    assert read(tmp_path, f"{HEADER}\n{several}")[0].hours == "mon-thu 09:00-17:00, fri 09:00-13:00"


def test_an_account_may_be_a_name_only(tmp_path: Path) -> None:
    assert read(tmp_path, f"{HEADER}\nA-1,Acme\n") == (Account("A-1", "Acme"),)


def test_a_name_may_hold_a_comma_and_any_letter(tmp_path: Path) -> None:
    assert read(tmp_path, f'{HEADER}\nA-1,"Müller, Søn ""& Cie"""\n')[0].name == 'Müller, Søn "& Cie"'


def test_international_domains_are_kept_as_u_labels(tmp_path: Path) -> None:
    (account,) = read(tmp_path, f"{HEADER}\n{row(domain='xn--mller-kva.example', contacts='x@MÜLLER.example')}")
    assert account.domains == ("müller.example",)
    assert account.contacts == (Contact("x@müller.example"),)


def test_managers_are_not_checked_without_people(tmp_path: Path) -> None:
    assert read(tmp_path, f"{HEADER}\n{row(manager='nobody')}", frozenset())[0].manager == "nobody"


def test_contracts_without_numbers_or_without_dates(tmp_path: Path) -> None:
    def contracts(numbers: str, ends: str) -> tuple[Contract, ...]:
        return read(tmp_path, f"{HEADER}\n{row(contract_no=numbers, contract_ends=ends)}")[0].contracts

    assert contracts("", "") == ()
    assert contracts("N-1;N-2", "") == (Contract("N-1", None), Contract("N-2", None))
    assert contracts("", "2027-01-31") == (Contract("", date(2027, 1, 31)),)
    assert contracts("N-1;N-2", ";2027-01-31") == (Contract("N-1", None), Contract("N-2", date(2027, 1, 31)))


WRONG = {
    "no id": (row(account_id=""), "accounts.csv:2: column 'account_id': is empty"),
    "no name": (row(name=""), "accounts.csv:2: column 'name': is empty"),
    "a domain with spaces": (row(domain="acme example"), "column 'domain': 'acme example' is no domain"),
    "a top-level domain": (row(domain="example"), "column 'domain': 'example' is no domain"),
    "an address as domain": (row(domain="a@acme.example"), "column 'domain': 'a@acme.example' is no domain"),
    "an IP address": (row(domain="192.0.2.1"), "column 'domain': '192.0.2.1' is no domain"),
    "freemail as domain": (row(domain="gmail.com"), "anybody can have an address at 'gmail.com'"),
    "freemail as alias": (row(aliases="web.de"), "column 'aliases': anybody can have an address at 'web.de'"),
    "half a country": (row(domain="co.uk"), "'co.uk' would fit every company under it"),
    "a broken contact": (row(contacts="Anna <anna@>"), "column 'contacts': 'anna@' is no mail address"),
    "a name as contact": (row(contacts="Anna Berg"), "column 'contacts': 'Anna Berg' is no mail address"),
    "two addresses in one": (row(contacts="a@x.example b@x.example"), "is no mail address"),
    "a hidden second address": (row(contacts="Anna <a@x.example> <b@y.example>"), "is no mail address"),
    "a broken alias": (row(aliases="@@x.example"), "column 'aliases': '@@x.example' is no mail address"),
    "a German date": (row(contract_no="N", contract_ends="31.03.2027"), "'31.03.2027' is no date"),
    "a day that no month has": (row(contract_no="N", contract_ends="2027-02-30"), "'2027-02-30' is no date"),
    "a week date": (row(contract_no="N", contract_ends="2027-W01-1"), "'2027-W01-1' is no date"),
    "fewer dates than contracts": (row(contract_no="N;M", contract_ends="2027-01-01"), "has 1 dates for 2 contracts"),
    "an unknown zone": (row(timezone="CEST"), "column 'timezone': 'CEST' is no time zone"),
    "a path as zone": (row(timezone="../../etc/passwd"), "is no time zone"),
    "a language by name": (row(language="German"), "column 'language': 'german' is no language code"),
    "two letters that are none": (row(language="xx"), "'xx' is no language code"),
    "an unknown manager": (row(manager="lema"), "'lema' is none of the people in the configuration; did you mean 'le"),
    "hours in words": (row(timezone="Asia/Tokyo", hours="9 to 5"), "column 'hours': '9 to 5' does not begin with"),
    "hours that no day has": (row(timezone="Asia/Tokyo", hours="mon 9:00-25:00"), "working hours (mon: '9:00-25:00'"),
    "hours without a zone": (row(hours="mon-fri 09:00-17:00"), "column 'hours': cannot be told without a time zone"),
    "a country by name": (row(country="Germany"), "column 'country': 'Germany' is no country whose holidays are known"),
    "an unknown part": (row(country="DE-XX"), "column 'country': 'DE-XX': no part 'XX' of 'DE' is known"),
    "a line break": (row(name='"Acme\nBcc: x@y.example"'), "column 'name': holds a line break"),
    "too many cells": (row(name="Acme, Inc.") + ",", "has 15 cells for 13 columns"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_named(tmp_path: Path, name: str) -> None:
    line, expected = WRONG[name]
    found = problems(tmp_path, f"{HEADER}\n{line}\n")
    assert len(found) == 1, found
    assert found[0].startswith("accounts.csv:2: ")
    assert expected in found[0]


def test_every_mistake_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    lines = [
        HEADER,
        row(domain="x y", language="zz"),
        "",
        row(account_id="A-2", name='"Two\nlines"'),
        row(timezone="Y"),
    ]
    found = problems(tmp_path, "\n".join(lines))
    assert [each.split(": ")[0:2] for each in found] == [
        ["accounts.csv:2", "column 'domain'"],
        ["accounts.csv:2", "column 'language'"],
        ["accounts.csv:4", "column 'name'"],
        ["accounts.csv:6", "column 'timezone'"],
        ["accounts.csv:6", "column 'account_id'"],
    ]


def test_what_belongs_to_two_accounts(tmp_path: Path) -> None:
    lines = [
        HEADER,
        row(domain="acme.example", aliases="acme-labs.example", contacts="Anna <anna@post.example>"),
        row(account_id="A-2", domain="ACME-labs.example.", aliases="ANNA+x@post.example"),
    ]
    assert problems(tmp_path, "\n".join(lines)) == [
        "accounts.csv:3: column 'domain': 'acme-labs.example' belongs to account 'A-1' of line 2 already",
        "accounts.csv:3: column 'aliases': 'anna@post.example' belongs to account 'A-1' of line 2 already",
    ]


def test_an_account_may_name_the_same_thing_twice(tmp_path: Path) -> None:
    line = row(domain="acme.example", aliases="acme.example", contacts="a@acme.example;A <a+x@acme.example>")
    assert read(tmp_path, f"{HEADER}\n{line}")[0].domains == ("acme.example",)


def test_a_doubled_id(tmp_path: Path) -> None:
    assert problems(tmp_path, "\n".join([HEADER, row(), row(account_id="A-2"), row()])) == [
        "accounts.csv:4: column 'account_id': 'A-1' stands in line 2 already"
    ]


def test_columns_that_are_wrong(tmp_path: Path) -> None:
    header = HEADER.replace("manager", "managr").replace("tier", "name")
    assert problems(tmp_path, f"{header}\n{ACME}") == [
        "accounts.csv:1: there is no column 'managr'; did you mean 'manager'?",
        "accounts.csv:1: column 'name' stands here twice",
        "accounts.csv:1: column 'manager' is missing; add it, its cells may be empty",
        "accounts.csv:1: column 'tier' is missing; add it, its cells may be empty",
    ]


FILES = {
    "nothing": (b"", "is empty"),
    "empty lines": (b"\n \n", "is empty"),
    "a workbook": (b"PK\x03\x04rest", "workbook"),
    "UTF-16": (HEADER.encode("utf-16"), "UTF-16"),
    "Windows-1252": (f"{HEADER}\nA-1,Müller\n".encode("cp1252"), "accounts.csv:2: is not UTF-8"),
    "a quotation mark that is not closed": (f'{HEADER}\nA-1,"Acme\nA-2,Other\n'.encode(), "quotation mark"),
    "a cell without end": (f"{HEADER}\nA-1,{'x' * 200_000}\n".encode(), "cannot be read"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_none(tmp_path: Path, name: str) -> None:
    octets, expected = FILES[name]
    found = problems(tmp_path, octets)
    assert len(found) == 1
    assert expected in found[0]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read_accounts(tmp_path / "none.csv", people=PEOPLE)


def test_ten_thousand_accounts_are_read_quickly(tmp_path: Path) -> None:
    lines = [
        f"A-{i},Client {i},c{i}.example,,P <p@c{i}.example>,lena,gold,N-{i},2027-01-01,Europe/Berlin,en,"
        "mon-fri 08:00-17:00,DE-BE"
        for i in range(10_000)
    ]
    started = time.perf_counter()
    assert len(read(tmp_path, "\n".join([HEADER, *lines]))) == 10_000
    assert time.perf_counter() - started < 10, "0.4 s were measured"
