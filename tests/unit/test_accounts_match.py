"""Whose mail it is: address before domain before conversation, and nobody where several claim it."""

# ruff: noqa: E501 - a case of the table is a line

from __future__ import annotations

import pytest

from triaged.accounts.freemail import FREEMAIL
from triaged.accounts.lookalike import index, lookalike
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
    "a domain that only starts alike": ("x@acme.example.evil.example", (), ONE(None, None, 0.0, "x@acme.example.evil.example is not of acme.example, a domain of Acme, but its domain could be mistaken for it", ("acme",), "acme.example")),
    "a domain with a Cyrillic letter": ("x@аcme.example", ("acme",), ONE(None, None, 0.0, "x@аcme.example is not of acme.example, a domain of Acme, but its domain could be mistaken for it; the conversation is of Acme, which anybody could have joined", ("acme",), "acme.example")),
    "a domain like our own": ("x@frim-desk.example", (), ONE(None, None, 0.0, "x@frim-desk.example is of no known account")),
    "a domain like our own, one letter moved": ("x@blot-desk.example", (), ONE(None, None, 0.0, "x@blot-desk.example is not of bolt-desk.example, our own domain, but its domain could be mistaken for it", (), "bolt-desk.example")),
    "another ending": ("x@shared.com", (), ONE(None, None, 0.0, "x@shared.com is not of shared.example, a domain of Bolt and Core, but its domain could be mistaken for it", ("bolt", "core"), "shared.example")),
    "like the domain of a contact": ("x@cons-ult.example", (), ONE(None, None, 0.0, "x@cons-ult.example is not of consult.example, a domain of Core and Dual, but its domain could be mistaken for it", ("core", "dual"), "consult.example")),
    "freemail imitates nobody": ("x@yahoo.fr", (), ONE(None, None, 0.0, "x@yahoo.fr is of no known account")),
    "freemail never tells": ("x@yahoo.com", (), ONE(None, None, 0.0, "x@yahoo.com is of no known account")),
    "freemail by a subdomain": ("x@a.yahoo.com", (), ONE(None, None, 0.0, "x@a.yahoo.com is of no known account")),
    "nobody": ("", (), ONE(None, None, 0.0, "the mail has no one sender")),
    "two claim the domain": ("x@shared.example", (), ONE(None, None, 0.0, "x@shared.example may belong to Bolt and Core", ("bolt", "core"))),
    "two claim it, the conversation tells": ("x@shared.example", ("core",), ONE("core", "thread", 0.8, "x@shared.example may belong to Bolt and Core; the conversation is of Core", ("bolt",))),
    "two claim it, the conversation is a third's": ("x@shared.example", ("acme",), ONE(None, None, 0.0, "x@shared.example may belong to Bolt and Core", ("bolt", "core", "acme"))),
    "two have the contact": ("carl@consult.example", (), ONE(None, None, 0.0, "carl@consult.example may belong to Core and Dual", ("core", "dual"))),
    "address before domain": ("dora@bolt.example", (), ONE("dual", "address", 1.0, "dora@bolt.example is a contact of Dual", ("bolt",))),
    "a stranger in a conversation": ("x@else.example", ("acme",), ONE(None, None, 0.0, "x@else.example is of no known account; the conversation is of Acme, which anybody could have joined", ("acme",))),
    "freemail in a conversation": ("x@gmail.com", ("acme", "acme"), ONE(None, None, 0.0, "x@gmail.com is of no known account; the conversation is of Acme, which anybody could have joined", ("acme",))),
    "one of us in a conversation": ("lena@firm.example", ("acme",), ONE(None, None, 0.0, "lena@firm.example is one of us; the conversation is of Acme, which anybody could have joined", ("acme",))),
    "one of us": ("lena@mail.firm.example", (), ONE(None, None, 0.0, "lena@mail.firm.example is one of us")),
    "another client in a conversation": ("x@bolt.example", ("acme",), ONE("bolt", "domain", 0.9, "bolt.example is a domain of Bolt; the conversation so far was of Acme", ("acme",))),
    "another contact in a conversation": ("anna@acme.example", ("bolt", "acme"), ONE("acme", "address", 1.0, "anna@acme.example is a contact of Acme; the conversation so far was of Bolt", ("bolt",))),
    "the same client in its conversation": ("eve@acme.example", ("acme",), ONE("acme", "domain", 0.9, "acme.example is a domain of Acme")),
    "a conversation of two": ("x@else.example", ("acme", "bolt"), ONE(None, None, 0.0, "x@else.example is of no known account; the conversation is of Acme and Bolt, which anybody could have joined", ("acme", "bolt"))),
    "a conversation of one who left": ("x@else.example", ("gone", "bolt"), ONE(None, None, 0.0, "x@else.example is of no known account; the conversation is of Bolt, which anybody could have joined", ("bolt",))),
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


LIKE = index(
    ["acme.example", "nordlicht.example", "müller.example", "paypal.com", "depot12.example", "brandstetter.co.uk"]
)
IMITATIONS = {
    "аcme.example": "acme.example", "acrne.example": "acme.example", "acme.invalid": "acme.example",
    "ac-me.example": "acme.example", "acme-example.com": "acme.example", "acmeexample.com": "acme.example",
    "acme.example.evil.invalid": "acme.example", "login.acme-example.invalid": "acme.example",
    "muller.example": "müller.example", "mueller.example": "müller.example", "paypa1.com": "paypal.com",
    "paypai.com": "paypal.com", "nordlight.example": "nordlicht.example", "norldicht.example": "nordlicht.example",
    "nordlichts.example": "nordlicht.example", "nordlich.example": "nordlicht.example",
    "nοrdlicht.example": "nordlicht.example", "nordlicht.com": "nordlicht.example",
    "brand-stetter.co.uk": "brandstetter.co.uk", "brandstetter.com": "brandstetter.co.uk",
}  # fmt: skip
OTHERS = (
    "acme.example", "mail.acme.example", "a.b.nordlicht.example", "depot13.example", "acne.example", "notacme.example",
    "elsewhere.example", "evil.example", "quay.example", "co.uk", "example", "", ".", "xn--p1ai", "nordwind.example",
)  # fmt: skip


def test_domains_that_could_be_mistaken_for_a_known_one() -> None:
    assert {domain: lookalike(domain, LIKE) for domain in IMITATIONS} == IMITATIONS
    assert {domain: lookalike(domain, LIKE) for domain in OTHERS} == dict.fromkeys(OTHERS, "")


def test_an_empty_directory_knows_nobody() -> None:
    found = match(directory([]), sender=Address("a@b.example"), thread_accounts=("x",), own_domains=frozenset())
    assert found == AccountMatch(None, None, 0.0, "a@b.example is of no known account")
