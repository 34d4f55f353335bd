"""Labelled mails and a playbook in, rule evidence and verdicts out: what `triaged train` and `evaluate` work with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from triaged.classify.evaluate import Row
from triaged.classify.language import language
from triaged.classify.model import Judged, judge
from triaged.classify.verdict import verdict
from triaged.decide import hits
from triaged.examples import EPOCH, bare_message
from triaged.log.labels import Label
from triaged.model import Evidence, Verdict
from triaged.playbook import Playbook, Sought
from triaged.rules.facts import Facts, Wall
from triaged.rules.grammar import RuleSet
from triaged.rules.match import suggest

BATCH = 256
AT_NOON = Wall(EPOCH, is_open=True, is_holiday=False)
"""Of a mail of which only the words are known."""


def rule_evidence(rules: RuleSet, sought: Sought) -> Callable[[str, str], tuple[Evidence, ...]]:
    """A function from subject and new text to what the suggesting rules make of them."""

    def evidence(subject: str, new_text: str) -> tuple[Evidence, ...]:
        message = replace(bare_message(subject, ""), text=new_text, new_text=new_text)
        spoken = language(new_text)
        facts = Facts(message, None, "", hits(sought, message.judged, spoken), spoken, AT_NOON)
        return suggest(rules, facts)[0]

    return evidence


def site_rows(labels: Sequence[Label], *, languages: Collection[str]) -> list[Row]:
    """What people said of the site's mails, as rows to learn from, in the same order; those without a text left out.

    languages: those the model covers; a mail in another is learned from, but makes nothing sure in its language.
    """
    rows = []
    for label in labels:
        if (message := label.message) is None:
            continue
        spoken = language(message.new_text)
        rows.append(
            Row(
                row_id=f"site-{label.row}",
                group=message.sender.addr_spec.lower() if message.sender is not None else f"site-{label.row}",
                subject=message.subject,
                body=message.new_text,
                labels={category: category in label.right for category in sorted(label.judged)},
                language=spoken if spoken in languages else "",
                origin="real",
            )
        )
    return rows


def judge_rows(playbook: Playbook, progress: Callable[[int], None]) -> Callable[[Sequence[Row]], list[Verdict]]:
    """A function from rows to verdicts, as the worker would reach them; `progress` hears how many are done."""
    evidence = rule_evidence(playbook.rules, playbook.sought)

    def verdicts(rows: Sequence[Row]) -> list[Verdict]:
        found: list[Verdict] = []
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            opinions = judge(playbook.model, [row.judged for row in batch])
            found += [_verdict(playbook, row, opinion, evidence) for row, opinion in zip(batch, opinions, strict=True)]
            progress(len(batch))
        return found

    return verdicts


def _verdict(
    playbook: Playbook, row: Row, opinion: Judged, evidence: Callable[[str, str], tuple[Evidence, ...]]
) -> Verdict:
    return verdict(
        model_scores=opinion.scores,
        model_evidence=opinion.evidence,
        rule_evidence=evidence(row.subject, row.body),
        calibration=playbook.model.calibration,
        categories=playbook.rules.categories,
        language=language(row.body),
        model_id=playbook.model.model_id,
        rules_id=playbook.written.id,
        sure=playbook.sure,
        readable=opinion.readable,
    )
