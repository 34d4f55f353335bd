"""The id of a rule set in, the rules that were kept under it out; each set is read once a process (85 ms, no spaCy)."""

from __future__ import annotations

from collections import OrderedDict

from triaged.errors import ConfigError
from triaged.loading import rules_and_templates
from triaged.log.read import Reader
from triaged.log.rulesets import last_use, rule_set
from triaged.rules.grammar import RuleSet
from triaged.settings import Config

KEPT = 8
"""Sets in memory at once; mails of some weeks share few."""


class RuleSets:
    """What is kept under an id never changes, so that it needs no second look."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._read: OrderedDict[str, RuleSet | None] = OrderedDict()

    def rules(self, reader: Reader, rules_id: str) -> RuleSet | None:
        """The rules of a set; None when it is not kept, or is not taken by this version and configuration."""
        if rules_id not in self._read:
            written = rule_set(reader, rules_id)
            try:
                found = rules_and_templates(self._config, written)[0] if written is not None else None
            except ConfigError:
                found = None
            self._read[rules_id] = found
            while len(self._read) > KEPT:
                self._read.popitem(last=False)
        return self._read[rules_id]

    def in_use(self, reader: Reader) -> RuleSet | None:
        """The rules that decide now; None when none ever did."""
        use = last_use(reader)
        return self.rules(reader, use.rules_id) if use is not None else None
