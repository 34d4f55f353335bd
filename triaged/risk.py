"""Signals, verdict and an account's trend in, the risk of losing the client with its evidence out (pure)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping

from triaged.model import FROM_LOG, FROM_VERDICT, Evidence, Risk, Trend, Verdict

SHARES: Mapping[str, float] = {
    "churn": 0.9,
    "escalation": 0.8,
    "renewal": 0.8,
    "complaint": 0.5,
    "chasing": 0.3,
}
"""Of a hundred clients of whom this is certainly true, how many a manager should count as at risk: a judgement of ours,
but for `renewal`: of our 35 examples that are a complaint and a renewal, 28 leave (2026-11-29). Only a threat reaches
0.7 alone; a chaser needs a complaint and a worsening account."""
OTHER_SHARE = 0.5
"""The same for a site's own signals."""
EARLIER_CHASER, MOST_CHASERS = 0.1, 4
"""What each mail of the last 30 days that chased us adds, and how many count at most."""
MIN_MAILS = 3
"""Mails that each of the two spans of a trend needs; a mean of fewer says nothing."""
MIN_CHANGE = 0.1
"""Difference of two means that is called rising or falling."""


def assess(signals: tuple[Evidence, ...], verdict: Verdict, trend: Trend | None) -> Risk:
    """How likely the client is to be lost: the strongest evidence of each kind, added up by noisy-or.

    That is 1 - (1 - a)(1 - b)…, so that more evidence never lowers it and order makes no difference. The kinds:

    - each signal: its weight (how sure the words are) times its share in `SHARES` (what it means for the client);
    - `complaint`, where it was chosen: its score times its share;
    - `renewal`, where both were chosen, for an unhappy client who speaks of the contract mostly ends it: the lower of
      the two scores times its share;
    - `trend`, where the complaint scores are rising: by how much they have risen;
    - `chasers`: 0.1 for each mail of the last 30 days that chased us, at most 0.4.

    signals: as rules give them. trend: None without an account or a log.
    """
    found = [dataclasses.replace(each, weight=each.weight * share_of(each.category)) for each in signals]
    found += _of_the_verdict(verdict)
    if trend is not None and change(trend) == "rising":
        found.append(Evidence(FROM_LOG, "trend", trend.recent - trend.before, trend_words(trend)))
    if trend is not None and trend.chasers > 0:
        weight = EARLIER_CHASER * min(trend.chasers, MOST_CHASERS)
        found.append(Evidence(FROM_LOG, "chasers", weight, f"{trend.chasers} in the last 30 days"))
    found.sort(key=lambda each: (-each.weight, each.category, each.source, each.start))
    strongest = {each.category: each.weight for each in reversed(found)}
    score = 1 - math.prod(1 - strongest[kind] for kind in sorted(strongest))
    return Risk(score, tuple(found), trend)


def _of_the_verdict(verdict: Verdict) -> Iterator[Evidence]:
    complaint, renewal = verdict.score("complaint"), verdict.score("renewal")
    if "complaint" in verdict.chosen:
        yield Evidence(FROM_VERDICT, "complaint", complaint * share_of("complaint"), f"score {complaint:.2f}")
    if {"complaint", "renewal"} <= set(verdict.chosen):
        both = min(complaint, renewal)
        yield Evidence(FROM_VERDICT, "renewal", both * share_of("renewal"), f"in one mail with a complaint, {both:.2f}")


def share_of(signal: str) -> float:
    """What certainty of a signal means for the client, 0..1."""
    return SHARES.get(signal, OTHER_SHARE)


def change(trend: Trend) -> str:
    """`rising`, `falling` or `steady`; `""` when there are too few mails to tell."""
    if min(trend.recent_mails, trend.before_mails) < MIN_MAILS:
        return ""
    difference = trend.recent - trend.before
    return "steady" if abs(difference) < MIN_CHANGE else "rising" if difference > 0 else "falling"


def trend_words(trend: Trend) -> str:
    """`complaint scores rising: 0.12 → 0.55 over 7 mails`, or that there are too few."""
    mails = trend.recent_mails + trend.before_mails
    if (how := change(trend)) == "":
        return f"too few mails for a trend: {trend.recent_mails} in 30 days, {trend.before_mails} in the 90 before"
    return f"complaint scores {how}: {trend.before:.2f} → {trend.recent:.2f} over {mails} mails"


def evidence_words(evidence: Evidence) -> str:
    """One piece of evidence for a person: `churn “looking at alternatives”`."""
    if evidence.source in (FROM_LOG, FROM_VERDICT):
        return evidence.words if evidence.category == "trend" else f"{evidence.category}: {evidence.words}"
    words = " ".join(evidence.words.split())
    return f"{evidence.category} “{words}”" if words != "" else evidence.category
