"""A sender and a conversation in, the account they belong to out, with the reason in words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from triaged.accounts.freemail import FREEMAIL
from triaged.accounts.lookalike import index, lookalike
from triaged.model import Account, AccountMatch, Address, How

BY_ADDRESS = 1.0
BY_DOMAIN = 0.9
BY_THREAD_OF_CLAIMANTS = 0.8
"""Scores, our own choice. A conversation alone gives nothing: anybody can forge References (field note 30)."""


@dataclass(frozen=True, slots=True)
class Directory:
    """All accounts, indexed. by_address: plain address → (account id, how), by_domain: domain → account ids.

    seen_as: what strangers' domains are held against, by `lookalike.index`, of the clients' domains.
    """

    accounts: Mapping[str, Account]
    by_address: Mapping[str, tuple[tuple[str, How], ...]]
    by_domain: Mapping[str, tuple[str, ...]]
    seen_as: Mapping[str, str]


def directory(accounts: Iterable[Account]) -> Directory:
    """Index the accounts; with two of one id the later one counts."""
    known = {account.account_id: account for account in accounts}
    by_address: dict[str, dict[str, How]] = {}
    by_domain: dict[str, list[str]] = {}
    for account_id, account in known.items():
        for contact in account.contacts:
            by_address.setdefault(plain_address(contact.addr_spec), {})[account_id] = "address"
        for address in account.addresses:
            by_address.setdefault(plain_address(address), {}).setdefault(account_id, "alias")
        for domain in dict.fromkeys(plain_domain(domain) for domain in account.domains):
            by_domain.setdefault(domain, []).append(account_id)
    return Directory(
        known,
        {address: tuple(claims.items()) for address, claims in by_address.items()},
        {domain: tuple(claims) for domain, claims in by_domain.items()},
        index(each for each in _client_domains(by_domain, by_address) if not is_freemail(each)),
    )


def _client_domains(by_domain: Iterable[str], by_address: Iterable[str]) -> Iterator[str]:
    yield from by_domain
    yield from (address.rpartition("@")[2] for address in by_address)


def match(
    directory: Directory,
    *,
    sender: Address | None,
    thread_accounts: tuple[str, ...],
    own_domains: frozenset[str],
) -> AccountMatch:
    """Whose mail it is: by address, else by domain.

    thread_accounts: account ids of the earlier mails of the conversation; ids nobody knows are passed over.
    A sender of one known client wins over the conversation, whose account is then named as a rival. Where
    several accounts claim the sender, none is chosen unless the conversation belongs to one of them. For a sender
    whom no account claims the conversation gives no account: whoever has seen one of its Message-IDs can join it.
    Such a match has no account, and the conversation's is a rival for a person to judge, as is that of a domain
    which the sender's could be mistaken for.
    """
    thread = tuple(dict.fromkeys(each for each in thread_accounts if each in directory.accounts))
    claims: tuple[tuple[str, How], ...] = ()
    domain = ""
    if sender is not None:
        by_domain, domain = _domain_claims(directory, sender, own_domains)
        claims = directory.by_address.get(plain_address(sender.addr_spec), ())
        named = tuple(each for each, _ in claims)
        claims = claims or tuple((each, "domain") for each in by_domain)
        others = tuple(dict.fromkeys((*by_domain, *thread)))
        if len(claims) == 1:
            account_id, how = claims[0]
            rivals = tuple(each for each in others if each != account_id)
            score = BY_ADDRESS if len(named) > 0 else BY_DOMAIN
            evidence = _reason(directory, sender, account_id, how, domain, thread)
            return AccountMatch(account_id, how, score, evidence, rivals)
    if len(claims) > 1 and sender is not None:
        return _of_claimants(directory, sender, tuple(each for each, _ in claims), thread)
    return _of_a_stranger(directory, sender, thread, own_domains)


def plain_domain(domain: str) -> str:
    """The domain as it is compared: lower case, NFC, U-labels, no dot at the end."""
    labels = unicodedata.normalize("NFC", domain).lower().rstrip(".").split(".")
    return ".".join(_u_label(label) if label.startswith("xn--") else label for label in labels)


def plain_address(addr_spec: str) -> str:
    """The address as it is compared: lower case, without `+tag`, its domain plain."""
    local, _, domain = addr_spec.rpartition("@")
    local = unicodedata.normalize("NFC", local).lower()
    return f"{local.partition('+')[0] or local}@{plain_domain(domain)}"


def is_freemail(domain: str) -> bool:
    """Whether anybody can have an address at the domain, or at one it is part of."""
    return any(each in FREEMAIL for each in _suffixes(plain_domain(domain)))


def _u_label(label: str) -> str:
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label


def _suffixes(domain: str) -> Iterator[str]:
    """`mail.acme.example`, `acme.example`; never a top-level domain alone."""
    labels = domain.split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])


def _is_own(sender: Address, own_domains: frozenset[str]) -> bool:
    own = {plain_domain(domain) for domain in own_domains}
    return any(each in own for each in _suffixes(plain_domain(sender.domain)))


def _domain_claims(directory: Directory, sender: Address, own_domains: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """Accounts of the longest known domain the sender's domain ends in, and that domain; none for freemail and us."""
    if is_freemail(sender.domain) or _is_own(sender, own_domains):
        return (), ""
    for domain in _suffixes(plain_domain(sender.domain)):
        if domain in directory.by_domain:
            return directory.by_domain[domain], domain
    return (), ""


def _reason(
    directory: Directory, sender: Address, account_id: str, how: How, domain: str, thread: tuple[str, ...]
) -> str:
    name = directory.accounts[account_id].name
    match how:
        case "address":
            reason = f"{sender.addr_spec} is a contact of {name}"
        case "alias":
            reason = f"{sender.addr_spec} is an address of {name}"
        case _:
            reason = f"{domain} is a domain of {name}"
    others = [each for each in thread if each != account_id]
    return f"{reason}; the conversation so far was of {_names(directory, others)}" if others else reason


def _of_claimants(
    directory: Directory, sender: Address, claimants: tuple[str, ...], thread: tuple[str, ...]
) -> AccountMatch:
    words = f"{sender.addr_spec} may belong to {_names(directory, claimants)}"
    agreed = [each for each in thread if each in claimants]
    if len(agreed) == 1:
        rivals = tuple(each for each in dict.fromkeys((*claimants, *thread)) if each != agreed[0])
        evidence = f"{words}; the conversation is of {_names(directory, agreed)}"
        return AccountMatch(agreed[0], "thread", BY_THREAD_OF_CLAIMANTS, evidence, rivals)
    return AccountMatch(None, None, 0.0, words, tuple(dict.fromkeys((*claimants, *thread))))


def _of_a_stranger(
    directory: Directory, sender: Address | None, thread: tuple[str, ...], own_domains: frozenset[str]
) -> AccountMatch:
    imitates, theirs = _imitated(directory, sender, own_domains)
    if sender is None:
        who = "the mail has no one sender"
    elif _is_own(sender, own_domains):
        who = f"{sender.addr_spec} is one of us"
    elif imitates != "":
        whose = f"a domain of {_names(directory, theirs)}" if theirs else "our own domain"
        who = f"{sender.addr_spec} is not of {imitates}, {whose}, but its domain could be mistaken for it"
    else:
        who = f"{sender.addr_spec} is of no known account"
    if len(thread) > 0:
        who += f"; the conversation is of {_names(directory, thread)}, which anybody could have joined"
    return AccountMatch(None, None, 0.0, who, tuple(dict.fromkeys((*thread, *theirs))), imitates)


def _imitated(directory: Directory, sender: Address | None, own_domains: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """The domain of a client or of ours that the sender's could be mistaken for, and the accounts it belongs to."""
    if sender is None or is_freemail(sender.domain) or _is_own(sender, own_domains):
        return "", ()
    domain = plain_domain(sender.domain)
    ours = lookalike(domain, index(plain_domain(each) for each in own_domains))
    found = ours or lookalike(domain, directory.seen_as)
    if found == domain:
        return "", ()
    theirs = () if ours else directory.by_domain.get(found) or _with_addresses_at(directory, found)
    return found, theirs


def _with_addresses_at(directory: Directory, domain: str) -> tuple[str, ...]:
    claims = (claims for address, claims in directory.by_address.items() if address.endswith(f"@{domain}"))
    return tuple(dict.fromkeys(account_id for each in claims for account_id, _ in each))


def _names(directory: Directory, account_ids: Iterable[str]) -> str:
    return " and ".join(directory.accounts[each].name for each in account_ids)
