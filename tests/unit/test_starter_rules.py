"""The rule files that ship load without a problem, each example does what it says, and handling is as promised."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

import triaged.rules
from tests.unit.rules_facts import ACME, PEOPLE, TEMPLATES, facts, message, verdict
from triaged.classify.phrases import PhraseIndex
from triaged.classify.verdict import Calibration
from triaged.classify.verdict import verdict as weigh_up
from triaged.model import Account, Automatic, Evidence, Verdict
from triaged.rules.grammar import Example, Rule, RuleSet
from triaged.rules.load import load_rules
from triaged.rules.match import Facts, handle, suggest

STARTER = Path(triaged.rules.__file__).parent / "starter"
RULES: RuleSet = load_rules(STARTER, templates=TEMPLATES, people=frozenset())
PHRASES = PhraseIndex(RULES.phrases)
SILVER = Account("beta", "Beta", manager="marek", tier="silver")


def seen(subject: str, text: str, *, account: Account | None = ACME, judged: Verdict | None = None) -> Facts:
    mail = message(subject=subject, text=text, new_text=text)
    hits: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for hit in PHRASES.find(mail.judged):
        hits[hit.phrase].append((hit.words, hit.start, hit.end))
    return facts(mail=mail, account=account, hits={key: tuple(value) for key, value in hits.items()}, judged=judged)


def test_the_files_hold_what_was_promised() -> None:
    assert [name for name, _ in RULES.files] == ["complaint.toml", "handling.toml", "renewal.toml", "request.toml"]
    assert set(RULES.categories) == {"request", "complaint", "renewal"}
    suggesting = [rule for rule in RULES.rules if len(rule.suggests) > 0]
    assert 12 <= len(suggesting) <= 25
    assert [rule.name for rule in RULES.rules if rule.because == ""] == []
    assert [rule.name for rule in suggesting if len(rule.examples) == 0] == []
    assert [rule.name for rule in RULES.rules if not rule.enabled] == []


def test_they_load_for_any_site() -> None:
    assert load_rules(STARTER, templates=TEMPLATES | {"own"}, people=PEOPLE).id == RULES.id


def weigh(evidence: tuple[Evidence, ...]) -> Verdict:
    """The rules alone, without a model."""
    return weigh_up(
        model_scores={},
        model_evidence=(),
        rule_evidence=evidence,
        calibration=Calibration((), {}),
        categories=RULES.categories,
        language="en",
        model_id="",
        rules_id=RULES.id,
    )


EXAMPLES = [(rule, example) for rule in RULES.rules for example in rule.examples]


def test_there_are_examples_both_ways() -> None:
    assert len(EXAMPLES) >= 30
    assert sum(1 for _, example in EXAMPLES if example.category is None) >= 5


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[example.source for _, example in EXAMPLES])
def test_an_example_is_hit_by_its_rule_or_spared(rule: Rule, example: Example) -> None:
    evidence, traces = suggest(RULES, seen(example.subject, example.mail), full=True)
    fired = {trace.name for trace in traces if trace.fired}
    chosen = weigh(evidence).chosen
    assert set(chosen).isdisjoint(example.not_category)
    assert (rule.name in fired) is (example.category is not None)
    if example.category is not None:
        assert set(chosen) == set(example.category)


HARD = [
    # none of these may count for the category, by the labelling guidelines
    ("renewal", "Meeting", "Sorry, the meeting is cancelled and so is my flight."),
    ("renewal", "Order 8", "Please cancel my order 8, I picked the wrong colour."),
    ("renewal", "News", "Click here to unsubscribe. To cancel your subscription click below."),
    ("renewal", "Harbour", "We invest in renewable energy and urban renewal along the harbour."),
    ("renewal", "Frist", "Verlängerungskabel sind wieder da."),
    ("renewal", "Kollege", "Herr Novak hat gekündigt, seine Stelle ist frei."),
    ("complaint", "Sale", "You won't be disappointed."),
    ("complaint", "Link", "If clicking on the link doesn't work, copy it into your browser."),
    ("complaint", "Danke", "Die Reklamation vom Oktober ist erledigt, vielen Dank."),
    ("complaint", "Hello", "Thank you once again for the nice evening."),
    ("request", "Draft", "The draft is attached. If you have any questions, please call me."),
    ("request", "Draft", "The draft is attached. Let me know if you have questions."),
    ("request", "Re: Tuesday?", "Yes, that works."),
    ("request", "Danke", "Vielen Dank, alles angekommen."),
]


@pytest.mark.parametrize(("category", "subject", "text"), HARD, ids=[text[:30] for _, _, text in HARD])
def test_hard_negatives(category: str, subject: str, text: str) -> None:
    evidence, _ = suggest(RULES, seen(subject, text))
    assert category not in {each.category for each in evidence}


@pytest.mark.parametrize(
    ("category", "text"),
    [
        ("complaint", "Wir sind wirklich unzufrieden mit der letzten Lieferung."),
        ("complaint", "Nous sommes déçus, la livraison est incomplète."),
        ("complaint", "Estamos decepcionados con el servicio."),
        ("complaint", "This is unacceptable. We aren’t paying, we were charged twice."),
        ("renewal", "Hiermit kündigen wir den Vertrag."),
        ("renewal", "Nous vous informons que nous souhaitons résilier le contrat."),
        ("renewal", "Queremos dar de baja la suscripción."),
        ("renewal", "Can we renew\nour contract for another year?"),
        ("request", "Könnten Sie uns bitte die Liste schicken?"),
        ("request", "Pourriez-vous nous envoyer la liste ?"),
        ("request", "¿Nos podrían enviar la lista?"),
        ("request", "COULD YOU PLEASE send the list"),
    ],
)
def test_four_languages_any_case_any_line_break(category: str, text: str) -> None:
    assert category in {each.category for each in suggest(RULES, seen("x", text))[0]}


COMPLAINT = verdict({"complaint": 0.9, "renewal": 0.1, "request": 0.2})
RENEWAL = verdict({"renewal": 0.9, "complaint": 0.1, "request": 0.2})
REQUEST = verdict({"request": 0.95, "renewal": 0.1, "complaint": 0.05})
BOTH = verdict({"complaint": 0.9, "renewal": 0.8, "request": 0.7})
MAYBE_COMPLAINT = verdict({"complaint": 0.6, "renewal": 0.1, "request": 0.2}, unsure=frozenset({"complaint"}))
NOTHING = verdict({"request": 0.05, "renewal": 0.02, "complaint": 0.01})
PERHAPS_NOTHING = verdict({"request": 0.3, "renewal": 0.02, "complaint": 0.01}, unsure=frozenset({"request"}))
LEAVING = "We have decided: please cancel our contract."
CALL = "Can we have a call tomorrow?"

PROMISED = [
    # what, text, account, verdict → priority, acknowledge, escalate, call within (None: no call)
    ("gold complaint", "x", ACME, COMPLAINT, "urgent", "complaint", "account manager", "1 business day"),
    ("silver complaint", "x", SILVER, COMPLAINT, "high", "complaint", "account manager", None),
    ("stranger's complaint", "x", None, COMPLAINT, "high", None, "account manager", None),
    ("perhaps a complaint", "x", ACME, MAYBE_COMPLAINT, "high", "received", None, None),
    ("complaint and renewal", "x", SILVER, BOTH, "high", "complaint", "account manager", None),
    ("renewal", "x", ACME, RENEWAL, "normal", "renewal", "account manager", None),
    ("leaving", LEAVING, SILVER, RENEWAL, "high", "renewal", "account manager", "1 business day"),
    ("stranger leaving", LEAVING, None, RENEWAL, "normal", None, "account manager", None),
    ("request", "x", ACME, REQUEST, "normal", "request", None, None),
    ("request for a call", CALL, ACME, REQUEST, "normal", "request", None, "2 business days"),
    ("stranger's call", CALL, None, REQUEST, "normal", None, None, None),
    ("nothing, sure", "x", ACME, NOTHING, "low", None, None, None),
    ("nothing, unsure", "x", ACME, PERHAPS_NOTHING, "normal", "received", None, None),
    ("stranger, unsure", "x", None, PERHAPS_NOTHING, "normal", None, None, None),
]


@pytest.mark.parametrize(
    ("text", "account", "judged", "priority", "acknowledge", "escalate", "within"),
    [row[1:] for row in PROMISED],
    ids=[row[0] for row in PROMISED],
)
def test_handling(
    text: str,
    account: Account | None,
    judged: Verdict,
    priority: str,
    acknowledge: str | None,
    escalate: str | None,
    within: str | None,
) -> None:
    handling = handle(RULES, seen("x", text, account=account, judged=judged))
    assert (handling.priority, handling.acknowledge, handling.escalate) == (priority, acknowledge, escalate)
    assert (handling.call.within if handling.call is not None else None) == within
    assert handling.send is None  # the site's [acknowledge] send decides


@pytest.mark.parametrize("by", ["machine", "hold"])
def test_machines_get_nothing(by: str) -> None:
    mail = message(automatic=Automatic(by, "x"))  # type: ignore[arg-type]
    handling = handle(RULES, facts(mail=mail, judged=COMPLAINT, says=("can we have a call",)))
    assert (handling.acknowledge, handling.call, handling.escalate) == (None, None, None)
    assert handling.stopped_by == "Machines get no answer"
