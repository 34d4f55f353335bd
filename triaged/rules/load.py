"""Rule files in, a `RuleSet` out, whole or not at all: every mistake in every file is named at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from triaged.errors import ConfigError, Problem
from triaged.rules.check import Known, Spot, check_rule
from triaged.rules.grammar import KNOWN_CATEGORIES, KNOWN_SIGNALS, OTHER, ROLES, Rule, RuleSet
from triaged.tomlfile import TomlFile, did_you_mean, parse_toml


def load_rules(folder: Path, *, templates: frozenset[str], people: frozenset[str]) -> RuleSet:
    """Read every `*.toml` directly in `folder`, hidden files left out.

    templates: names that exist, without suffix. people: ids; the roles are known anyway. Raises: ConfigError.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise ConfigError((Problem(str(folder), f"the rule folder cannot be read: {error.strerror}"),)) from None
    problems = [
        Problem(path.name, f"is not read because of its name; rename it to '{path.name[: -len('.txt')]}'")
        for path in paths
        if path.name.lower().endswith(".toml.txt")
    ]
    files = []
    for path in paths:
        if path.suffix.lower() != ".toml":
            continue
        try:
            files.append((path.name, path.read_bytes()))
        except OSError as error:
            problems.append(Problem(path.name, f"cannot be read: {error.strerror}"))
    if len(files) == 0 and len(problems) == 0:
        problems.append(Problem(str(folder), "holds no rule file (*.toml)"))
    try:
        rules = parse_rules(files, templates=templates, people=people)
    except ConfigError as error:
        raise ConfigError((*problems, *error.problems)) from None
    problems += [*_missing_examples(rules, folder)]
    if problems:
        raise ConfigError(tuple(problems))
    return rules


def parse_rules(files: Sequence[tuple[str, bytes]], *, templates: frozenset[str], people: frozenset[str]) -> RuleSet:
    """Read rule files handed over as (name, octets); their order is by name. Raises: ConfigError."""
    known = Known(templates, people | ROLES)
    problems: list[Problem] = []
    found: list[tuple[Spot, Rule]] = []
    parsed: list[TomlFile] = []
    ordered = sorted(files)
    for name, octets in ordered:
        try:
            parsed.append(parse_toml(octets, name=name))
        except ConfigError as error:
            problems += error.problems
    for file in parsed:
        found += _rules_of(file, known, problems)
    _check_names(found)
    if len(parsed) == len(ordered):  # a file that cannot be read may hold the rule that suggests the category
        rules = [rule for _, rule in found]
        suggested = {category for rule in rules for category, _ in rule.suggests}
        signalled = {signal for rule in rules for signal, _ in rule.signals}
        _check_asked(found, "category", KNOWN_CATEGORIES | suggested | {OTHER}, "no rule suggests a category")
        _check_asked(found, "signal", KNOWN_SIGNALS | signalled, "no rule gives a signal")
    if problems:
        raise ConfigError(tuple(sorted(problems, key=_by_line)))
    return _rule_set([rule for _, rule in found], [(name, octets.decode("utf-8-sig")) for name, octets in ordered])


def _rules_of(file: TomlFile, known: Known, problems: list[Problem]) -> list[tuple[Spot, Rule]]:
    top = Spot(file, (), problems)
    for key in file.data:
        if key != "rule":
            top.at(key).wrong(f"'{key}' stands outside of a rule; a rule begins with a line [[rule]]")
    tables = file.data.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        top.at("rule").wrong("a rule begins with [[rule]], with two brackets on each side")
        return []
    spots = [top.at("rule", number) for number in range(len(tables))]
    return [(spot, check_rule(table, spot, known)) for spot, table in zip(spots, tables, strict=True)]


def _by_line(problem: Problem) -> tuple[str, int]:
    name, _, line = problem.where.rpartition(":")
    return (name, int(line)) if name != "" and line.isdigit() else (problem.where, 0)


def _check_names(rules: Sequence[tuple[Spot, Rule]]) -> None:
    first: dict[str, Rule] = {}
    for spot, rule in rules:
        other = first.setdefault(rule.name.casefold(), rule)
        if other is not rule and rule.name != "":
            spot.at("name").wrong(f"the name '{rule.name}' is taken by the rule at {other.source}; names are unique")


def _check_asked(rules: Sequence[tuple[Spot, Rule]], key: str, names: frozenset[str], problem: str) -> None:
    """What is asked for exists by itself or because some rule, enabled or not, gives it. key: `category`, `signal`."""
    known = sorted(names)
    for spot, rule in rules:
        asked = [
            (spot.at(side, key), condition.values)
            for side, conditions in (("when", rule.when), ("unless", rule.unless))
            for condition in conditions
            if condition.key == key
        ]
        for number, example in enumerate(rule.examples):
            gives, never = spot.at("example", number, "gives", key), spot.at("example", number, "not", key)
            if key == "category":
                asked += [(gives, example.category or ()), (never, example.not_category)]
            else:
                asked += [(gives, example.signal), (never, example.not_signal)]
        for place, values in asked:
            for value in values:
                if value not in known:
                    hint = f"{did_you_mean(value, known)} (there is: {', '.join(known)})"
                    place.wrong(f"{problem} '{value}'{hint}")


def _missing_examples(rules: RuleSet, folder: Path) -> list[Problem]:
    problems = []
    for rule in rules.rules:
        for example in rule.examples:
            path = PurePosixPath(example.file)
            if example.file == "":
                continue
            if path.is_absolute() or ".." in path.parts:
                problems.append(Problem(example.source, f"'{example.file}' must lie in the rule folder"))
            elif not (folder / path).is_file():
                problems.append(Problem(example.source, f"there is no file '{example.file}' in the rule folder"))
    return problems


def _rule_set(rules: Sequence[Rule], files: Sequence[tuple[str, str]]) -> RuleSet:
    by_phrase: dict[str, list[int]] = {}
    phrases: dict[str, None] = {}
    without = []
    categories = {category: None for rule in rules for category, _ in rule.suggests}
    for number, rule in enumerate(rules):
        for condition in (*rule.when, *rule.unless):
            if condition.key == "category":
                categories |= dict.fromkeys(condition.values)
        if not rule.enabled:
            continue
        asked = [condition.values for condition in rule.when if condition.key == "says"]
        for phrase in asked[0] if asked else ():
            by_phrase.setdefault(phrase, []).append(number)
        if len(asked) == 0:
            without.append(number)
        for condition in (*rule.when, *rule.unless):
            if condition.key == "says":
                phrases |= dict.fromkeys(condition.values)
    digest = hashlib.sha256()
    for part in (part for file in files for part in file):
        digest.update(f"{len(part)}\0{part}".encode())
    return RuleSet(
        id=digest.hexdigest()[:12],
        rules=tuple(rules),
        phrases=tuple(phrases),
        categories=tuple(category for category in categories if category != OTHER),
        files=tuple(files),
        by_phrase={phrase: tuple(numbers) for phrase, numbers in by_phrase.items()},
        without_phrase=tuple(without),
    )
