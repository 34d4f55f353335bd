"""The address of a search in, the search of the log out; and back, with words for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator

from triaged.log.find import Search, Sort, State

NONE = "none"
"""Stands for mails of no account."""
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9000, 1, 1)
"""Days before and after are these, for every clock has a midnight there."""

Name = Annotated[str, Field(min_length=1, max_length=300)]


def _written_out(value: object) -> object:
    """Pydantic takes numbers and moments for days too."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is None:
        raise ValueError("write a day as 2026-11-17")
    return value


Day = Annotated[date, BeforeValidator(_written_out)]


class Filters(BaseModel):
    """What a search of the log asks for; a filter that is left out lets every mail through."""

    search: str | None = Field(
        None,
        max_length=200,
        description='Words of subject, sender and text that all must stand there; "a phrase", begin*.',
    )
    category: Name | None = Field(None, description="One of the mail's categories; `other` for mails that have none.")
    account: Name | None = Field(None, description="Id of the client's account; `none` for mails of no account.")
    mailbox: Name | None = Field(None, description="The mailbox that it came into, as config.toml names it.")
    rule: Name | None = Field(None, description="A rule that fired, by its name.")
    state: State | None = Field(
        None,
        description="open: we owe an answer; waiting: for somebody else; done: nothing more is owed; held: something "
        "waits for approval; quarantined: it could not be read; automatic: a machine wrote it, or it looks so.",
    )
    owner: Name | None = Field(None, description="Id of the person who is to see to it.")
    sure: Literal["yes", "no"] | None = Field(None, description="Whether triaged was sure of the categories.")
    since: Day | None = Field(None, description="Received on that day or later, on the desk's clock.")
    until: Day | None = Field(None, description="Received on that day or earlier, on the desk's clock.")
    sort: Sort = Field(
        "newest",
        description="newest or oldest received first; due: the next due first; risk: the highest risk first; sender: "
        "by address. The last three order the newest 10,000 mails that fit.",
    )

    def search_of(self, zone: str) -> Search:
        """As the log takes it. zone: of the desk, whose days since and until are."""
        return Search(
            category=self.category,
            account="" if self.account == NONE else self.account,
            mailbox=self.mailbox,
            rule=self.rule,
            owner=self.owner,
            state=self.state,
            sure=None if self.sure is None else self.sure == "yes",
            since=_midnight(self.since, zone) if self.since is not None else None,
            until=_midnight(self.until, zone, days=1) if self.until is not None else None,
            text=self.search or "",
            sort=self.sort,
        )

    def query(self, **changes: Any) -> str:
        """What follows the `?` of an address, without what lets every mail through; changes: None takes one out."""
        kept = self.model_dump(mode="json", exclude_defaults=True) | changes
        return urlencode({name: value for name, value in kept.items() if value is not None})


class FormFilters(Filters):
    """The same, as a form sends it: what was left empty is not asked for."""

    @field_validator("*", mode="before")
    @classmethod
    def _empty(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if isinstance(value, str) and value.strip() == "" else value


def filters_of(query: str) -> FormFilters | None:
    """What the query of an address asks for; None when it is none of the log's."""
    try:
        return FormFilters.model_validate(dict(parse_qsl(query)))
    except ValidationError:
        return None


STATE_WORDS: Mapping[str, str] = {
    "open": "open: we owe an answer",
    "waiting": "waiting for somebody else",
    "done": "done",
    "held": "something waits for approval",
    "quarantined": "could not be read",
    "automatic": "automatic: from a machine",
}
SORT_WORDS: Mapping[str, str] = {
    "newest": "newest first",
    "oldest": "oldest first",
    "due": "next due first",
    "risk": "highest risk first",
    "sender": "by sender",
}


def chips(filters: Filters, *, accounts: Mapping[str, str], people: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each filter that is set, in words, and the query of the search without it. accounts, people: names by id."""
    told: dict[str, Callable[[], str]] = {
        "search": lambda: f"Words: {filters.search}",
        "category": lambda: f"Category: {filters.category}",
        "account": lambda: "No account" if filters.account == NONE else f"Account: {_named(filters.account, accounts)}",
        "mailbox": lambda: f"Mailbox: {filters.mailbox}",
        "rule": lambda: f"Rule: {filters.rule}",
        "state": lambda: f"State: {STATE_WORDS[filters.state or '']}",
        "owner": lambda: f"Owner: {_named(filters.owner, people)}",
        "sure": lambda: "Sure of the category" if filters.sure == "yes" else "Not sure of the category",
        "since": lambda: f"From {filters.since}",
        "until": lambda: f"Until {filters.until}",
    }
    for name, words in told.items():
        if getattr(filters, name) is not None:
            yield words(), filters.query(**{name: None})


def _named(key: str | None, names: Mapping[str, str]) -> str:
    return names.get(key or "", key or "")


def _midnight(day: date, zone: str, *, days: int = 0) -> datetime:
    kept = min(max(day, FIRST_DAY), LAST_DAY) + timedelta(days=days)
    return datetime.combine(kept, time(), ZoneInfo(zone)).astimezone(UTC)
