"""A template's name and a language in, made-up but plausible values for its variables out; and which may be empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from triaged.mail.render import OF_CALLS
from triaged.playbook import day_words, local_words, location_words

Value = str | int | list[str]


@dataclass(frozen=True, slots=True)
class Ours:
    """What a mail says of ourselves. desk: our address. colleague: one of us, by name. language: ISO 639-1."""

    team: str
    desk: str
    colleague: str
    location: str
    timezone: str
    language: str


@dataclass(frozen=True, slots=True)
class Client:
    """A made-up client who writes in one language. address: in a domain that is nobody's (RFC 2606)."""

    contact: str
    address: str
    account: str
    subject: str
    text: str
    evidence: tuple[str, ...]


CLIENTS: Final[Mapping[str, Client]] = {
    "en": Client(
        "Ann Archer",
        "ann.archer@harbour.example",
        "Harbour Freight Services",
        "Delivery note missing for order 4711",
        "Good morning,\n\nthe delivery note for order 4711 is still missing, and this is the third time I ask.\n\n"
        "Could somebody call me today?",
        ("still missing", "third time"),
    ),
    "de": Client(
        "Jana Vogt",
        "jana.vogt@vogt.example",
        "Vogt Maschinenbau GmbH",
        "Lieferschein zu Auftrag 4711 fehlt",
        "Guten Morgen,\n\nder Lieferschein zu Auftrag 4711 fehlt noch immer, und ich frage zum dritten Mal.\n\n"
        "Kann mich heute jemand anrufen?",
        ("fehlt noch immer", "zum dritten Mal"),
    ),
    "fr": Client(
        "Claire Morel",
        "claire.morel@morel.example",
        "Transports Morel",
        "Bon de livraison manquant, commande 4711",
        "Bonjour,\n\nle bon de livraison de la commande 4711 manque toujours, et c'est ma troisième demande.\n\n"
        "Quelqu'un peut-il m'appeler aujourd'hui ?",
        ("manque toujours", "troisième demande"),
    ),
    "es": Client(
        "Lucía Ortega",
        "lucia.ortega@ortega.example",
        "Bodegas Ortega",
        "Falta el albarán del pedido 4711",
        "Buenos días:\n\nsigue faltando el albarán del pedido 4711, y es la tercera vez que lo pido.\n\n"
        "¿Puede llamarme alguien hoy?",
        ("sigue faltando", "tercera vez"),
    ),
    "it": Client(
        "Giulia Conti",
        "giulia.conti@conti.example",
        "Officine Conti",
        "Manca la bolla dell'ordine 4711",
        "Buongiorno,\n\nmanca ancora la bolla dell'ordine 4711, ed è la terza volta che la chiedo.\n\n"
        "Qualcuno può chiamarmi oggi?",
        ("manca ancora", "terza volta"),
    ),
    "nl": Client(
        "Sanne de Vries",
        "sanne@devries.example",
        "De Vries Logistiek",
        "Pakbon van order 4711 ontbreekt",
        "Goedemorgen,\n\nde pakbon van order 4711 ontbreekt nog steeds, en ik vraag er voor de derde keer om.\n\n"
        "Kan iemand mij vandaag bellen?",
        ("ontbreekt nog steeds", "derde keer"),
    ),
    "pt": Client(
        "Inês Carvalho",
        "ines@carvalho.example",
        "Carvalho Têxteis",
        "Falta a guia de remessa da encomenda 4711",
        "Bom dia,\n\nainda falta a guia de remessa da encomenda 4711, e é a terceira vez que a peço.\n\n"
        "Alguém me pode ligar hoje?",
        ("ainda falta", "terceira vez"),
    ),
}
"""By language; every other language gets the English one."""
REFERENCE: Final = "T-7K3M9QX"
CATEGORY: Final = "request"

_NOBODYS: Final = frozenset({"account", "account_id", "tier", "contract_ends", "trend", "chasers"})
_NO_RISK: Final = frozenset({"risk", "signals", "trend", "chasers"})
_NO_TIMES: Final = frozenset({"organizer", "minutes", "slots"})
_STRANGER: Final = frozenset({"contact", "account", "category", "due", "subject"}) | _NO_TIMES
EMPTY: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "": (
        _NO_TIMES,
        *(frozenset({name}) for name in ("contact", "due", "subject")),
        frozenset({"contact", "account", "subject"}) | _NO_TIMES,
        _STRANGER,
    ),
    **dict.fromkeys(OF_CALLS, tuple(frozenset({name}) for name in ("contact", "location", "subject"))),
    "correction": (*(frozenset({name}) for name in ("call", "colleague", "contact")),),
    "escalation": (
        *(frozenset({name}) for name in ("contact", "tier", "contract_ends", "subject", "text", "evidence", "due")),
        *(frozenset({name}) for name in ("call", "trust", "signals", "trend", "chasers")),
        frozenset({"contact", "sender"}),
        _NO_RISK,
        _NOBODYS,
    ),
}
"""By template, `""` for all that rules may name: what can be empty together (see `plan`), the likeliest first."""


def client_of(language: str) -> Client:
    """Who writes in that language."""
    return CLIENTS.get(language, CLIENTS["en"])


def may_be_empty(name: str) -> frozenset[str]:
    """The variables of a template that may be empty; name: with or without its language."""
    return circumstances(name)[-1]


def circumstances(name: str) -> tuple[frozenset[str], ...]:
    """What may be empty together, from nothing to all that ever may be. name: with or without its language."""
    found = EMPTY.get(name.split(".")[0], EMPTY[""])
    everything = frozenset[str]().union(*found)
    return tuple(dict.fromkeys((frozenset[str](), *found, everything)))


def emptied(values: Mapping[str, Value], names: frozenset[str]) -> dict[str, Value]:
    """The values with those of `names` empty."""
    nothing: Mapping[type, Value] = {str: "", int: 0, list: []}
    return {name: nothing[type(value)] if name in names else value for name, value in values.items()}


def sample(name: str, *, language: str, ours: Ours, now: datetime) -> dict[str, Value]:
    """A value for every variable of a template. name: with or without its language; language: the client's, or `""`."""
    language = language or ours.language
    client = client_of(language)
    due = now + timedelta(days=1)
    common: dict[str, Value] = {
        "contact": client.contact,
        "reference": REFERENCE,
        "subject": client.subject,
        "team": ours.team,
    }
    match name.split(".")[0]:
        case "escalation":
            return common | _escalation(client, language=language, ours=ours, now=now)
        case "correction":
            return common | {
                "sent": local_words(now, ours.timezone, language),
                "call": local_words(due, ours.timezone, language),
                "colleague": ours.colleague,
                "desk": ours.desk,
            }
        case kind if kind in OF_CALLS:
            return common | {
                "organizer": ours.colleague,
                "when": local_words(due, ours.timezone, language),
                "minutes": 30,
                "location": _location(ours),
                "summary": f"{ours.team} and {client.account}: {client.subject}",
            }
    return common | {
        "account": client.account,
        "category": CATEGORY,
        "due": day_words(due, ours.timezone, language),
        "desk": ours.desk,
        "organizer": ours.colleague,
        "minutes": 30,
        "slots": f"1. {local_words(due, ours.timezone, language)}",
    }


def _location(ours: Ours) -> str:
    return location_words(ours.location or "+49 40 123456", reference=REFERENCE, organizer=ours.colleague)


def _escalation(client: Client, *, language: str, ours: Ours, now: datetime) -> dict[str, Value]:
    due = local_words(now + timedelta(days=1), ours.timezone, language)
    return {
        "person": ours.colleague,
        "account": client.account,
        "account_id": "C-104",
        "tier": "gold",
        "sender": client.address,
        "categories": "complaint, request",
        "score": "93%",
        "evidence": list(client.evidence),
        "text": client.text,
        "received": local_words(now, ours.timezone, language),
        "contract_ends": (now + timedelta(days=60)).date().isoformat(),
        "due": due,
        "call": f"30 min ≤ {due}",
        "trust": "sender not authenticated: DMARC did not pass",
        "risk": "0.81",
        "signals": [f"chasing “{client.evidence[-1]}”"],
        "trend": "0.12 → 0.55",
        "chasers": 2,
    }
