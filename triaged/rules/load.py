"""Rule files in, a `RuleSet` out, whole or not at all: every mistake in every file is named at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from triaged.errors import ConfigError, Problem
from triaged.rules.check import check_rule
from triaged.rules.grammar import KNOWN_CATEGORIES, KNOWN_SIGNALS, OTHER, ROLES, Rule, RuleSet, plain, words_of
from triaged.rules.index import index
from triaged.rules.lists import read_lists
from triaged.rules.values import Known, Spot, TokenProblem, unchecked
from triaged.tomlfile import TomlFile, did_you_mean, parse_paragraphs
from triaged.written import MAX_MAIL_BYTES


def parse_rules(
    files: Mapping[str, bytes],
    *,
    templates: frozenset[str],
    people: frozenset[str],
    mailboxes: frozenset[str] = frozenset(),
    token_problem: TokenProblem = unchecked,
) -> RuleSet:
    """Read the folder of the rules, handed over as octets by name; `*.toml` by name, then in file order.

    templates: names that exist, without suffix. people: ids; the roles are known anyway. mailboxes: their names, none
    where they are not known. token_problem: as in `Known`. Raises: ConfigError.
    """
    problems = [
        Problem(name, f"is not read because of its name; rename it to '{name[: -len('.txt')]}'")
        for name in files
        if name.lower().endswith(".toml.txt")
    ]
    ordered = sorted(name for name in files if name.lower().endswith(".toml"))
    if len(ordered) == 0 and len(problems) == 0:
        problems.append(Problem("rules", "the folder holds no rule file (*.toml)"))
    lists = read_lists(files, problems)
    known = Known(templates, people | ROLES, mailboxes, lists, token_problem)
    found: list[tuple[Spot, Rule]] = []
    parsed, is_whole = _read(files, ordered, problems)
    for file in parsed:
        found += _rules_of(file, known, problems)
    _check_names(found)
    _check_example_files(found, files)
    if is_whole:  # else what was not read may suggest it
        suggested, signalled = _named(parsed, "suggests"), _named(parsed, "signals")
        _check_asked(found, "category", KNOWN_CATEGORIES | suggested | {OTHER}, "no rule suggests a category")
        _check_asked(found, "signal", KNOWN_SIGNALS | signalled, "no rule gives a signal")
    if len(problems) > 0:
        raise ConfigError(tuple(sorted(problems, key=_by_line)))
    return rule_set([rule for _, rule in found], lists)


def _read(files: Mapping[str, bytes], names: Sequence[str], problems: list[Problem]) -> tuple[list[TomlFile], bool]:
    """The files, without the rules in them that cannot be read, and whether there was none such."""
    parsed, before = [], len(problems)
    for name in names:
        try:
            file, unread = parse_paragraphs(files[name], name=name, begin="[[rule]]")
        except ConfigError as error:
            problems += error.problems
        else:
            parsed.append(file)
            problems += unread
    return parsed, len(problems) == before


def _rules_of(file: TomlFile, known: Known, problems: list[Problem]) -> list[tuple[Spot, Rule]]:
    top = Spot(file, (), problems)
    for key in file.data:
        if key != "rule":
            top.at(key).wrong(f"'{key}' stands outside of a rule; a rule begins with a line [[rule]]")
    tables = file.data.get("rule", [])
    if isinstance(tables, dict) and isinstance(tables.get("example"), list):
        top.at("rule", "example", 0).wrong("an example stands below its rule; above this one there is no line [[rule]]")
        return []
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        top.at("rule").wrong("a rule begins with [[rule]], with two brackets on each side")
        return []
    spots = [top.at("rule", number) for number in range(len(tables))]
    return [(spot, check_rule(table, spot, known)) for spot, table in zip(spots, tables, strict=True)]


def _named(files: Sequence[TomlFile], key: str) -> set[str]:
    """What stands in every `then.suggests` or `then.signals`, whatever is wrong with its weight."""
    found = set[str]()
    for file in files:
        tables = file.data.get("rule")
        for table in tables if isinstance(tables, list) else ():
            then = table.get("then") if isinstance(table, dict) else None
            given = then.get(key) if isinstance(then, dict) else None
            found |= {plain(name) for name in given} if isinstance(given, dict) else set()
    return found


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
            asked += [(gives, dict(example.gives).get(key, ())), (never, dict(example.never).get(key, ()))]
        for place, values in asked:
            for value in values:
                if value not in known:
                    hint = f"{did_you_mean(value, known)} (there is: {', '.join(known)})"
                    place.wrong(f"{problem} '{value}'{hint}")


def _check_example_files(rules: Sequence[tuple[Spot, Rule]], files: Mapping[str, bytes]) -> None:
    for spot, rule in rules:
        for number, example in enumerate(rule.examples):
            here, path = spot.at("example", number, "file"), PurePosixPath(example.file)
            if example.file == "":
                continue
            if path.is_absolute() or ".." in path.parts:
                here.wrong(f"'{example.file}' must lie in the rule folder")
            elif path.suffix.lower() != ".eml":
                here.wrong(f"'{example.file}' must be a mail saved as a file that ends in .eml")
            elif example.file not in files:
                there = [name for name in files if name.lower().endswith(".eml")]
                here.wrong(f"there is no file '{example.file}' in the rule folder{did_you_mean(example.file, there)}")
            elif len(files[example.file]) > MAX_MAIL_BYTES:
                here.wrong(f"'{example.file}' is larger than {MAX_MAIL_BYTES // 1_000_000} MB; take a smaller mail")


def rule_set(rules: Sequence[Rule], lists: Mapping[str, tuple[str, ...]]) -> RuleSet:
    """Checked rules with what is looked for in mails."""
    categories = {category: None for rule in rules for category, _ in rule.suggests}
    for condition in (condition for rule in rules for condition in (*rule.when, *rule.unless)):
        if condition.key == "category":
            categories |= dict.fromkeys(condition.values)
    words = words_of(rule for rule in rules if rule.enabled)
    by_key, always = index(rules)
    return RuleSet(
        rules=tuple(rules),
        phrases=words["says"],
        patterns=words["pattern"],
        tokens=words["tokens"],
        categories=tuple(category for category in categories if category != OTHER),
        lists=lists,
        by_key=by_key,
        always=always,
    )
