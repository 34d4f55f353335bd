"""A logged mail in, its decision made again from what was kept of it out, with all that differs from that of its day.

Nothing of today goes in: message, background, rules, templates, configuration and calibration are those that decided.
Only the secret that Message-IDs are made from is the site's own; it never changes.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from triaged.classify.model import remembered
from triaged.decide import decide
from triaged.decision import Decision, OfferCall
from triaged.errors import ConfigError, Problem
from triaged.loading import assembled, secret_path, text_id
from triaged.log.encode import DECISION, EFFECT
from triaged.log.read import Reader
from triaged.log.rows import EffectRow
from triaged.log.rulesets import calibrations, rule_set, settings_text
from triaged.log.undo import taken_out
from triaged.model import Locator, Message
from triaged.playbook import Background, Playbook
from triaged.rules.load import rule_set as parsed
from triaged.settings import Config

CHANGED = "is no longer as it was kept: a person named in it was forgotten, or somebody edited the log"
KEPT_PLAYBOOKS = 8
"""Playbooks kept at once; mails of some weeks share few."""
MOST_TOLD = 200
"""Letters of a value shown where it differs."""
_DECIDED = re.compile(r"(ack|call|offer|move|cancel|notify|file|ask:\d+):")
"""Keys of effects that `decide` plans, with the mail's key at the end; others follow from what was done, or a person
asked for them."""

PlaybookOf = Callable[[str, str, str], "Playbook | str"]
"""Ids of a rule set, a configuration and a model in; what decided with them out, or a sentence why it is not there."""


@dataclass(frozen=True, slots=True)
class Remade:
    """A decision made again, and all that it was made of. decision: its trace has every rule and every condition."""

    message: Message
    locator: Locator
    background: Background
    playbook: Playbook
    decision: Decision


@dataclass(frozen=True, slots=True)
class Replay:
    """stored: as it was written down, without effects. remade: None when it cannot be made again, and then `problem` is
    a sentence that says why. differences: what came out otherwise, in words; none when all is the same."""

    stored: Decision
    remade: Remade | None
    problem: str = ""
    differences: tuple[str, ...] = ()

    @property
    def reproduced(self) -> bool | None:
        """Whether the same came out, octet for octet; None when it cannot be made again."""
        return None if self.remade is None else len(self.differences) == 0


def replay(reader: Reader, row: int, *, playbook_of: PlaybookOf) -> Replay | None:
    """Make a logged mail's decision again; None of a mail whose text is not there (quarantined, removed).

    playbook_of: see `kept_playbooks`.
    """
    message, stored = reader.message(row), reader.decision(row)
    if message is None or stored is None:
        return None
    found = what_decided(reader, row, stored, playbook_of)
    if isinstance(found, str):
        return Replay(stored, None, found)
    playbook, background, locator = found
    plain, traced = (
        decide(message, locator=locator, playbook=playbook, background=background, now=stored.decided_at, full=full)
        for full in (False, True)
    )
    remade = Remade(message, locator, background, playbook, traced)
    differences = (*_differences(stored, plain), *_effect_differences(reader.effects(row), plain, playbook))
    return Replay(stored, remade, differences=differences)


def as_today(remade: Remade, config: Config) -> Remade:
    """The same mail, as known then, by the rules and the configuration of today. Raises: ConfigError.

    The model's opinion and its calibration stay those of its day.
    """
    playbook = assembled(config, dry=True, model=remade.playbook.model)
    if remade.locator.mailbox not in playbook.mailboxes:
        there = ", ".join(playbook.mailboxes)
        raise ConfigError(
            (Problem("mailbox", f"'{remade.locator.mailbox}' is no mailbox of today; there are {there}"),)
        )
    decision = decide(
        remade.message,
        locator=remade.locator,
        playbook=playbook,
        background=remade.background,
        now=remade.decision.decided_at,
        full=True,
    )
    return dataclasses.replace(remade, playbook=playbook, decision=decision)


def without(playbook: Playbook, *names: str) -> Playbook:
    """The same playbook as if these rules did not stand in it; a category that they alone gave does not exist then."""
    gone = frozenset(names)
    rules = parsed([rule for rule in playbook.rules.rules if rule.name not in gone], playbook.rules.lists)
    return dataclasses.replace(playbook, rules=rules)  # `sought` finds more words than these rules ask for: no harm


def kept_playbooks(reader: Reader, config: Config) -> PlaybookOf:
    """Playbooks from what was kept in the log, without a loaded model: its opinion is kept with each mail.

    config: the site's of today, for the place of its secret. Nothing is written, no secret is made.
    """
    secret = secret_path(config).read_bytes() if secret_path(config).exists() else b""

    @lru_cache(maxsize=KEPT_PLAYBOOKS)
    def playbook_of(rules_id: str, settings_id: str, model_id: str) -> Playbook | str:
        written, settings = rule_set(reader, rules_id), settings_text(reader, settings_id)
        fits = calibrations(reader).get(model_id)
        if written is None or settings is None or fits is None:
            kept = {"rule set": written, "configuration": settings, "model's calibration": fits}
            return (
                f"the {' and the '.join(name for name, value in kept.items() if value is None)} of that day is not kept"
            )
        if written.id != rules_id or text_id(settings) != settings_id:
            return f"the {'rule set' if written.id != rules_id else 'configuration'} of that day {CHANGED}"
        try:
            then = Config.model_validate_json(settings).model_copy(update={"file": config.file, "base": config.base})
            made = assembled(then, dry=True, model=remembered(model_id, fits), written=written)
        except ValidationError as error:
            return f"this version of triaged cannot read the configuration of that day: {error.errors()[0]['msg']}"
        except ConfigError as error:
            first = error.problems[0]
            return f"this version of triaged does not take the rules of that day: {first.where} {first.what}"
        return dataclasses.replace(made, secret=secret, settings=settings, settings_id=settings_id)

    return playbook_of


def what_decided(
    reader: Reader, row: int, stored: Decision, playbook_of: PlaybookOf
) -> tuple[Playbook, Background, Locator] | str:
    """All that the decision was made of, or a sentence why it is not there."""
    try:
        background = reader.background(row)
    except ValidationError:
        return f"what was known of this mail {CHANGED}"
    if background is None:
        return "it was decided before triaged kept what it knew of a mail, or that was removed"
    playbook = playbook_of(stored.verdict.rules_id, stored.settings_id, stored.verdict.model_id)
    if isinstance(playbook, str):
        return playbook
    locator = reader.locator(row)
    if locator is None or locator.mailbox not in playbook.mailboxes:
        return "the mailbox that it came into is not in the configuration of that day"
    return without(playbook, *taken_out(reader, row)), background, locator


def _differences(stored: Decision, remade: Decision) -> Iterator[str]:
    """Each part of the two that differs, effects aside (they lie in rows of their own)."""
    was, now = (DECISION.dump_python(dataclasses.replace(each, effects=()), mode="json") for each in (stored, remade))
    if DECISION.dump_json(dataclasses.replace(remade, effects=())) == DECISION.dump_json(stored):
        return
    for name in was:
        yield from _unlike(name, was[name], now[name])


def _unlike(name: str, was: Any, now: Any) -> Iterator[str]:
    """`priority: was "high", comes out "urgent"`; of what has parts, the parts that differ."""
    if was == now:
        return
    if isinstance(was, Mapping) and isinstance(now, Mapping) and was.keys() == now.keys():
        for key in was:
            yield from _unlike(f"{name}.{key}", was[key], now[key])
    else:
        yield f"{name}: was {_short(was)}, comes out {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_TOLD else text[: MOST_TOLD - 1] + "…"


def _effect_differences(rows: Sequence[EffectRow], remade: Decision, playbook: Playbook) -> Iterator[str]:
    """What was planned then and would not be now, or otherwise; what people or limits did with it since does not count.

    Payloads that were removed say nothing; without the site's secret no mail can come out the same.
    """
    if len(playbook.secret) == 0:
        return
    kept = {str(row.payload["key"]): row.payload for row in rows if "key" in row.payload}
    offers = (each.effect for each in remade.effects if isinstance(each.effect, OfferCall))
    follow = {each.offer.plain.key for each in offers if each.offer is not None}  # with times that nobody knew then
    then = {
        key: payload
        for key, payload in kept.items()
        if _DECIDED.match(key) and key.endswith(remade.message_key) and key not in follow
    }
    now = {each.effect.key: EFFECT.dump_python(each.effect, mode="json") for each in remade.effects}
    removed = {row.kind for row in rows if "key" not in row.payload}
    for key, payload in now.items():
        if key in then:
            yield from _unlike(key.rpartition(":")[0], then[key], payload)
        elif payload["kind"] not in removed:
            yield f"{key.rpartition(':')[0]}: was not planned, comes out now"
    for key in then.keys() - now.keys():
        yield f"{key.rpartition(':')[0]}: was planned, does not come out now"
