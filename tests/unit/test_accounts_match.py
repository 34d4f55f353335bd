"""Whose mail it is: address before domain before conversation, and nobody where several claim it."""

# ruff: noqa: E501 - a case of the table is a line

from __future__ import annotations

import pytest

from triaged.accounts.freemail import FREEMAIL
from triaged.accounts.match import directory, is_freemail, match
from triaged.model import Account, AccountMatch, Address, Contact

ACME = Account(
    "acme",
    "Acme",
    ("acme.example", "müller.example"),
    ("orders@post.example",),
    (Contact("anna@acme.example", "Anna"),),
)
BOLT = Account("bolt", "Bolt", ("bolt.example", "shared.example"), (), (Contact("bo@gmail.com"),))
CORE = Account("core", "Core", ("labs.acme.example", "shared.example"), (), (Contact("carl@consult.example"),))
DUAL = Account("dual", "Dual", (), (), (Contact("carl@consult.example"), Contact("dora@bolt.example")))
MAIL = Account("mail", "Mail", ("yahoo.com",))
KNOWN = directory([ACME, BOLT, CORE, DUAL, MAIL])
OURS = frozenset({"firm.example", "bolt-desk.example"})


def judge(sender: str, *thread: str) -> AccountMatch:
    address = Address(sender) if sender else None
    return match(KNOWN, sender=address, thread_accounts=thread, own_domains=OURS)


ONE = AccountMatch
CASES = {
    "a contact": ("anna@acme.example", (), ONE("acme", "address", 1.0, "anna@acme.example is a contact of Acme")),
    "a contact in capitals": ("ANNA@Acme.Example", (), ONE("acme", "address", 1.0, "ANNA@Acme.Example is a contact of Acme")),
    "a contact with a tag": ("anna+news@acme.example", (), ONE("acme", "address", 1.0, "anna+news@acme.example is a contact of Acme")),
    "an alias address": ("orders@post.example", (), ONE("acme", "alias", 1.0, "orders@post.example is an address of Acme")),
    "a neighbour of an alias": ("x@post.example", (), ONE(None, None, 0.0, "x@post.example is of no known account")),
    "a freemail contact": ("bo@gmail.com", (), ONE("bolt", "address", 1.0, "bo@gmail.com is a contact of Bolt")),
    "a domain": ("eve@acme.example", (), ONE("acme", "domain", 0.9, "acme.example is a domain of Acme")),
    "a subdomain": ("eve@mail.acme.example", (), ONE("acme", "domain", 0.9, "acme.example is a domain of Acme")),
    "the nearest domain": ("eve@x.labs.acme.example", (), ONE("core", "domain", 0.9, "labs.acme.example is a domain of Core")),
    "a domain as A-labels": ("x@xn--mller-kva.example", (), ONE("acme", "domain", 0.9, "müller.example is a domain of Acme")),
    "a domain with a dot": ("x@bolt.example.", (), ONE("bolt", "domain", 0.9, "bolt.example is a domain of Bolt")),
    "a domain that only ends alike": ("x@notacme.example", (), ONE(None, None, 0.0, "x@notacme.example is of no known account")),
    "a domain that only starts alike": ("x@acme.example.evil.example", (), ONE(None, None, 0.0, "x@acme.example.evil.example is of no known account")),
    "freemail never tells": ("x@yahoo.com", (), ONE(None, None, 0.0, "x@yahoo.com is of no known account")),
    "freemail by a subdomain": ("x@a.yahoo.com", (), ONE(None, None, 0.0, "x@a.yahoo.com is of no known account")),
    "nobody": ("", (), ONE(None, None, 0.0, "the mail has no one sender")),
    "two claim the domain": ("x@shared.example", (), ONE(None, None, 0.0, "x@shared.example may belong to Bolt and Core", ("bolt", "core"))),
    "two claim it, the conversation tells": ("x@shared.example", ("core",), ONE("core", "thread", 0.8, "x@shared.example may belong to Bolt and Core; the conversation is of Core", ("bolt",))),
    "two claim it, the conversation is a third's": ("x@shared.example", ("acme",), ONE(None, None, 0.0, "x@shared.example may belong to Bolt and Core", ("bolt", "core", "acme"))),
    "two have the contact": ("carl@consult.example", (), ONE(None, None, 0.0, "carl@consult.example may belong to Core and Dual", ("core", "dual"))),
    "address before domain": ("dora@bolt.example", (), ONE("dual", "address", 1.0, "dora@bolt.example is a contact of Dual", ("bolt",))),
    "a stranger in a conversation": ("x@else.example", ("acme",), ONE("acme", "thread", 0.6, "x@else.example is of no known account; the conversation is of Acme")),
    "freemail in a conversation": ("x@gmail.com", ("acme", "acme"), ONE("acme", "thread", 0.6, "x@gmail.com is of no known account; the conversation is of Acme")),
    "one of us in a conversation": ("lena@firm.example", ("acme",), ONE("acme", "thread", 0.6, "lena@firm.example is one of us; the conversation is of Acme")),
    "one of us": ("lena@mail.firm.example", (), ONE(None, None, 0.0, "lena@mail.firm.example is one of us")),
    "another client in a conversation": ("x@bolt.example", ("acme",), ONE("bolt", "domain", 0.9, "bolt.example is a domain of Bolt; the conversation so far was of Acme", ("acme",))),
    "another contact in a conversation": ("anna@acme.example", ("bolt", "acme"), ONE("acme", "address", 1.0, "anna@acme.example is a contact of Acme; the conversation so far was of Bolt", ("bolt",))),
    "the same client in its conversation": ("eve@acme.example", ("acme",), ONE("acme", "domain", 0.9, "acme.example is a domain of Acme")),
    "a conversation of two": ("x@else.example", ("acme", "bolt"), ONE(None, None, 0.0, "x@else.example is of no known account; the conversation is of Acme and Bolt", ("acme", "bolt"))),
    "a conversation of one who left": ("x@else.example", ("gone", "bolt"), ONE("bolt", "thread", 0.6, "x@else.example is of no known account; the conversation is of Bolt")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_whose_it_is(name: str) -> None:
    sender, thread, expected = CASES[name]
    assert judge(sender, *thread) == expected


def test_our_own_domain_is_no_clients_domain() -> None:
    known = directory([Account("us", "Us", ("firm.example",))])
    found = match(known, sender=Address("x@firm.example"), thread_accounts=(), own_domains=OURS)
    assert found.account_id is None
    other = match(known, sender=Address("x@firm.example"), thread_accounts=(), own_domains=frozenset())
    assert other.account_id == "us", "the other half: without own domains it would be one"


def test_freemail_domains_are_written_as_they_are_compared() -> None:
    assert len(FREEMAIL) > 100
    assert all(domain == domain.lower() and "." in domain for domain in FREEMAIL)
    assert is_freemail("GMX.de.")
    assert not is_freemail("notgmx.de")
    assert not is_freemail("de")


def test_an_empty_directory_knows_nobody() -> None:
    found = match(directory([]), sender=Address("a@b.example"), thread_accounts=("x",), own_domains=frozenset())
    assert found == AccountMatch(None, None, 0.0, "a@b.example is of no known account")
