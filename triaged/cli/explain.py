"""The command that says why: a logged mail in, its decision made again and told in plain words, or as JSON, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from triaged import terminal, views
from triaged.cli.common import ConfigOption, IdArgument, JsonOption, app, config_of, fail, reader_of, row_of
from triaged.decision import ConditionTrace
from triaged.errors import Gone
from triaged.explanation import (
    Explanation,
    ToldField,
    ToldRule,
    WhyNot,
    asked,
    explanation,
)
from triaged.model import FROM_LOG, FROM_VERDICT, Evidence, Risk
from triaged.replay import Replay, kept_playbooks, replay
from triaged.risk import evidence_words, trend_words
from triaged.rules.grammar import WORDS
from triaged.rules.match import met
from triaged.settings import Config
from triaged.terminal import coloured, wall

MOST_NEAR = 5
"""Near misses that are told without `--all`."""
WANTED_LETTERS = 70
"""Of what a condition wants, shown in lists; `--why-not` shows all of it."""
RuleOption = Annotated[
    str | None,
    typer.Option("--why-not", help="Say what became of this rule: its name, the beginning of it, or FILE:LINE."),
]


@app.command(epilog='Example: triaged explain 12 --why-not "Complaint of a gold account"')
def explain(
    mail: IdArgument,
    config: ConfigOption = None,
    rule: RuleOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Every rule with every condition.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say why a mail was decided as it was, by the rules and the model of its day; and why a rule did not fire."""
    loaded = config_of(config)
    with reader_of(loaded) as reader:
        row = row_of(reader, mail)
        message = reader.message(row.id)
        found = replay(reader, row.id, playbook_of=kept_playbooks(reader, loaded))
    if row.state != "quarantined" and message is None:
        fail(f"the text of mail {mail} was removed, and with it why it was decided so; 'triaged show {mail}' says when")
    if message is None or found is None:
        fail(f"mail {mail} is quarantined: it could not be read, so nothing was decided")
    wanted = _asked(rule, found, loaded) if rule is not None else None
    told = explanation(message, found, why_not=wanted)
    if as_json:
        print(views.line(views.explanation_view(str(row.id), told)))  # noqa: T201 - JSON lines, as they are
    elif told.why_not is not None:
        print_why_not(terminal.console(), told)
    else:
        print_explanation(terminal.console(), told, zone=loaded.hours.timezone, everything=everything)


def _asked(wanted: str, found: Replay, config: Config) -> WhyNot:
    """What became of the rule that is asked for; else the command ends."""
    try:
        return asked(wanted, found, config)
    except Gone as error:
        fail(str(error))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--why-not") from None


# --- in plain words -------------------------------------------------------------------------------------------------


def print_explanation(out: Console, told: Explanation, *, zone: str, everything: bool) -> None:
    """Why a mail was decided so: what it is about, whose it is, what is done, by when, and which rules said so."""
    _print_head(out, told, zone=zone)
    sources = {rule.source: rule.name for rule in told.rules}
    _print_verdict(out, told, sources)
    _print_account(out, told)
    print_risk(out, told.decision.risk, sources)
    _print_handling(out, told, sources)
    _print_due(out, told, zone=zone)
    _print_rules(out, told, everything=everything)


def _print_head(out: Console, told: Explanation, *, zone: str) -> None:
    decision, replayed = told.decision, told.replay
    _line(out, f"[bold]{escape(decision.reference)}  {escape(told.message.subject)}[/bold]")
    verdict = decision.verdict
    _line(
        out, f"Decided {wall(decision.decided_at, zone)} by model {verdict.model_id} and rule set {verdict.rules_id}."
    )
    if replayed.reproduced:
        _line(
            out, "[green]Decided again just now from what was kept of that day: the same, to the last letter.[/green]"
        )
    elif replayed.remade is None:
        _line(out, f"[yellow]It cannot be decided again: {escape(replayed.problem)}.[/yellow]")
        _line(out, "What follows was written down then.")
    else:
        _line(
            out, "[bold red]Decided again just now from what was kept of that day, it comes out otherwise:[/bold red]"
        )
        for each in replayed.differences:
            _line(out, f"    {escape(each)}")
        _line(
            out,
            "Either what was kept was changed, or this version of triaged decides otherwise. What was decided then:",
        )


def _print_verdict(out: Console, told: Explanation, sources: Mapping[str, str]) -> None:
    verdict = told.decision.verdict
    _heading(out, "What it is about")
    for score in verdict.scores:
        chosen = coloured(score.category) if score.category in verdict.chosen else f"not {escape(score.category)}"
        trust = f", right {score.precision:.0%} of the time or more" if score.precision > 0 else ""
        counts = f" (counts from {told.thresholds[score.category]:.2f} on)" if score.category in told.thresholds else ""
        _line(out, f"  {chosen}: {score.score:.2f}{counts}, {'sure' if score.sure else 'a person looks'}{trust}")
        for each in (each for each in verdict.evidence if each.category == score.category):
            _line(out, f"      {each.weight:.2f} by {_by(each.source, sources)}{_spoken(each)}")
    if len(verdict.chosen) == 0:
        _line(out, "  So it is other: no category reached the score from which on it counts.")
    if verdict.runner_up is not None and len(verdict.chosen) > 0:
        _line(out, f"  Nearest of what it was not taken for: {escape(verdict.runner_up.category)}.")


def _print_account(out: Console, told: Explanation) -> None:
    account, message = told.decision.account, told.message
    _heading(out, "Whose it is")
    rivals = f" It could also have been: {', '.join(account.rivals)}." if len(account.rivals) > 0 else ""
    evidence = f": {account.evidence.rstrip('.')}." if account.evidence else "."
    _line(out, f"  {escape(account.account_id or 'nobody we know')}{escape(evidence)}{escape(rivals)}")
    trust = message.identity
    if trust.trust != "authenticated":
        _line(out, f"  The sender is not proven: {escape(trust.reason)}")
    if message.automatic.by != "person":
        words = "a machine wrote it" if message.automatic.by == "machine" else "perhaps a machine wrote it"
        _line(out, f"  By all signs {words}: {escape(message.automatic.reason)}")


def _print_handling(out: Console, told: Explanation, sources: Mapping[str, str]) -> None:
    decision = told.decision
    _heading(out, "What is done")
    names = {name: source for source, name in sources.items()}
    for field in decision.fields:
        _line(out, f"  {field.field} = {escape(field.value)}, by {_named(field.rule, names)}")
        for each in field.overruled:
            rule = next((name for name in names if each.startswith(f"{name}: ")), "")
            wanted = f"{_named(rule, names)} wanted {escape(each[len(rule) + 2 :])}" if rule else escape(each)
            _line(out, f"      [dim]overruled: {wanted}[/dim]")
    if all(field.field != "priority" for field in decision.fields):
        _line(out, f"  priority = {decision.priority}, for no rule sets another")
    sent = "is answered" if decision.acknowledge.would_send else "is not answered by machine"
    template = f" ({decision.acknowledge.template})" if decision.acknowledge.template else ""
    _line(out, f"  The client {sent}{escape(template)}: {escape(decision.acknowledge.reason)}")


def _print_due(out: Console, told: Explanation, *, zone: str) -> None:
    _heading(out, "By when")
    if told.no_due != "":
        _line(out, f"  {_sentence(told.no_due)}")
    elif len(told.due_steps) == 0:
        _line(out, f"  An answer is due {wall(told.decision.due, zone)} (priority {told.decision.priority}).")
    labels = {"received": "received", "span": "how soon", "due": "due"}
    for step in told.due_steps:
        style = "bold" if step.what == "due" else ""
        words = f"[{style}]{escape(step.words)}[/{style}]" if style else escape(step.words)
        _line(out, f"  {labels.get(step.what, ''):<10}{words}")


def _print_rules(out: Console, told: Explanation, *, everything: bool) -> None:
    fired = [rule for rule in told.rules if rule.fired]
    near = [rule for rule in told.rules if rule.near]
    _heading(out, f"All {len(told.rules)} rules" if everything else f"Rules that fired: {len(fired)}")
    for rule in told.rules if everything else fired:
        _print_rule(out, rule)
    if everything:
        return
    if len(near) > 0:
        _heading(out, f"Rules that nearly fired (one condition was not met): {len(near)}")
    for rule in near[:MOST_NEAR]:
        (unmet,) = (each for each in rule.conditions if not met(each))
        _line(out, f"  [dim]✗[/dim] {escape(rule.name)} [dim]({escape(rule.source)})[/dim]: {_condition_words(unmet)}")
    if len(near) > MOST_NEAR:
        _line(out, f"  … and {len(near) - MOST_NEAR} more")
    unseen = sum(rule.unseen != "" for rule in told.rules)
    others = len(told.rules) - len(fired) - len(near) - unseen
    passed = f", {unseen} were not looked at (switched off, or after a rule that stops)" if unseen > 0 else ""
    _line(out, f"\n{others} other rules did not fire{passed}. --all shows each; --why-not RULE says why one did not.")


def _print_rule(out: Console, rule: ToldRule) -> None:
    mark = "[green]✓[/green]" if rule.fired else "[dim]✗[/dim]"
    because = f": not looked at, {rule.unseen}" if rule.unseen else f": {rule.because}" if rule.because else ""
    _line(out, f"  {mark} {escape(rule.name)} [dim]({escape(rule.source)}){escape(because)}[/dim]")
    for condition in rule.conditions:
        _line(out, f"      {_mark(condition)} [dim]{_condition_words(condition)}[/dim]")
    gave = ", ".join(f"{each.category} {each.weight:.2f}" for each in rule.gave)
    if gave != "":
        _line(out, f"      gives {escape(gave)}")


def print_why_not(out: Console, told: Explanation) -> None:
    """What became of one rule, condition by condition."""
    asked, decision = told.why_not, told.decision
    assert asked is not None
    _line(out, f"[bold]{escape(decision.reference)}  {escape(told.message.subject)}[/bold]")
    because = f": {asked.because}" if asked.because else ""
    _line(out, f"Rule “{escape(asked.name)}” ({escape(asked.source)}){escape(because)}\n")
    if asked.today:
        _line(
            out,
            "The rules of that day do not have it; today's do. By today's rules and configuration, with what was known "
            "of the mail then:",
        )
    for sentence in asked.answer:
        _line(out, _sentence(sentence))
    for condition in asked.conditions:
        _line(out, f"  {_mark(condition)} {_condition_words(condition, short=False)}")
    for field in asked.fields:
        _line(out, f"  → {escape(field.field)} = {escape(field.value)}: {escape(_outcome(field))}")
    if told.replay.reproduced is False:
        _line(
            out,
            "\n[yellow]The decision of that day comes out otherwise now; 'triaged explain' says in what.[/yellow]",
        )


def _outcome(field: ToldField) -> str:
    match field.outcome:
        case "set":
            return "set by it"
        case "same":
            return f"“{field.by}” stands before it and had set the same"
        case "overruled":
            return f"overruled, for “{field.by}” stands before it and set {field.now}"
        case "not set":
            return "not set by it"


def _mark(condition: ConditionTrace) -> str:
    return "[green]✓[/green]" if met(condition) else "[red]✗[/red]"


def _condition_words(condition: ConditionTrace, *, short: bool = True) -> str:
    """`when.score wanted >= 0.8, was complaint 0.63`, as rich markup; a found phrase goes without the list it is of."""
    side, _, key = condition.key.rpartition(".")
    found = "found" if key in WORDS else "was"
    wanted = condition.wanted
    if short and len(wanted) > WANTED_LETTERS:
        wanted = wanted[:WANTED_LETTERS].rpartition(" or ")[0] + " or …"
    asks = f"{condition.key} {'must not be' if side == 'unless' else 'wanted'} {wanted}, "
    if short and key in WORDS and condition.holds == (side == "when"):
        asks = f"{condition.key} "
    return escape(f"{asks}{found} {condition.actual}")


def _by(source: str, sources: Mapping[str, str]) -> str:
    """Who gave a piece of evidence: a rule by its name, or what is no rule."""
    if source in ("model", FROM_VERDICT, FROM_LOG):
        return f"the {source}"
    return f"“{escape(sources[source])}” ({escape(source)})" if source in sources else escape(source)


def _named(rule: str, names: Mapping[str, str]) -> str:
    return f"“{escape(rule)}”" + (f" ({escape(names[rule])})" if rule in names else "")


def _spoken(each: Evidence) -> str:
    return f": “{marked(each)}”" if each.words != "" else ""


def marked(each: Evidence) -> str:
    """The words of a piece of evidence on one line, those that spoke most in bold."""
    pieces, done = [], each.start
    for start, end in each.marks:
        pieces += [escape(each.words[done - each.start : start - each.start])]
        pieces += [f"[bold]{escape(each.words[start - each.start : end - each.start])}[/bold]"]
        done = end
    return " ".join("".join((*pieces, escape(each.words[done - each.start :] if each.marks else each.words))).split())


def print_risk(out: Console, risk: Risk, sources: Mapping[str, str]) -> None:
    """Why the client may be lost; a trend also where it adds nothing."""
    if risk.score > 0:
        _heading(out, f"Risk of losing the client: {risk.score:.2f}")
    for each in risk.evidence:
        _line(out, f"  {each.weight:.2f} by {_by(each.source, sources)}: {escape(evidence_words(each))}")
    if risk.trend is not None and all(each.category != "trend" for each in risk.evidence):
        _line(out, f"  This account: {trend_words(risk.trend)}.")


def _heading(out: Console, words: str) -> None:
    _line(out, f"\n[bold]{escape(words)}[/bold]")


def _sentence(words: str) -> str:
    """With a capital and an end, escaped."""
    end = "" if words.endswith((":", ".")) else "."
    return escape(words[:1].upper() + words[1:] + end)


def _line(out: Console, words: str) -> None:
    out.print(words, soft_wrap=True)
