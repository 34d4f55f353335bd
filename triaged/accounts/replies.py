"""Mails of a mailbox's folders in; which of them our people wrote, and which client each of those answers, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from triaged.accounts.match import is_freemail, plain_address, plain_domain
from triaged.model import Surveyed


@dataclass(frozen=True, slots=True)
class Ours:
    """Whose answers are people's answers. addresses, domains: plain (`accounts.match`)."""

    addresses: frozenset[str]
    domains: frozenset[str]

    def __contains__(self, sender: str) -> bool:
        return plain_address(sender) in self.addresses or plain_domain(sender.rpartition("@")[2]) in self.domains


def replies(surveyed: Iterable[Surveyed], ours: Ours) -> Iterator[Surveyed]:
    """Those that name a mail and that a person of ours wrote: they were sent, or come, from us."""
    for each in surveyed:
        is_from_us = each.is_sent_folder or each.sender in ours
        if is_from_us and not each.automatic and len(each.in_reply_to) + len(each.references) > 0:
            yield each


def reaches(reply: Surveyed, client: Iterable[str], ours: Ours) -> bool:
    """Whether a reply goes to somebody who waits for it, by one of these addresses or to a colleague of theirs.

    A mail that is forwarded names the one that it was made of too, and goes to somebody else: nobody is answered by it.
    """
    addresses = {plain_address(each) for each in client if each != ""}
    domains = {each.rpartition("@")[2] for each in addresses}
    firms = {each for each in domains if not is_freemail(each) and each not in ours.domains}
    to = {plain_address(each) for each in reply.recipients}
    return any(each in addresses or each.rpartition("@")[2] in firms for each in to)
