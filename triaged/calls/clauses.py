"""The sentences of a mail in, out what their clauses do with times: want them, rule them out, or leave doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from triaged.calls.days import Setting, Unclear, windows
from triaged.calls.grammar import asks
from triaged.calls.lexicon import Item, Sentence
from triaged.calls.said import Ask

Place = tuple[int, int]
"""Start and end in the text."""

NAMES: Final = frozenset(
    (
        "weekday", "day", "month", "week", "theweek", "part", "noon", "clock", "iso", "dotted", "slashed",
        "shift", "half", "hour", "halfhour", "ordinal", "nth", "number", "unclear",
    )
)  # fmt: skip
"""Kinds that name a time or a slot."""

DAYS: Final = frozenset(("weekday", "day", "month", "week", "iso", "dotted", "slashed", "ordinal", "nth"))
CLOCKS: Final = frozenset(("clock", "noon", "half", "hour", "shift", "at", "after", "before", "between"))
"""Kinds that name a day and those that name a time of it: "Tuesday, 1 December, 3 pm would suit" is one clause."""

SILENT: Final = NAMES | frozenset(
    (
        "tail", "at", "after", "before", "until", "between", "through", "onwards", "edge", "next", "coming",
        "this", "last", "in", "minutes", "hours", "days", "weeks", "zone", "thedate", "or", "and", "dash",
        "comma", "line", "plain", "who", "ne", "digits", "except", "instead",
    )
)  # fmt: skip
"""Kinds that pass no judgement: a piece of a sentence of these alone belongs to its neighbour."""

OPENERS: Final = frozenset(("nay", "sorry", "yes", "thanks"))
"""Kinds that stand before what is judged: "No, not on Tuesday"."""

JUDGES: Final = frozenset(
    ("good", "yes", "also", "ask", "callme", "slot", "no", "none", "bad", "cancel", "move", "other")
)
"""Kinds of which a clause needs one before its time counts: "I have a meeting on Tuesday at 10" has none."""

DOUBTS: Final = {
    "maybe": "They are not sure.",
    "if": "It depends on something.",
    "check": "They have to ask or look first, or take something back.",
    "what": "They ask for a time, or point at one that is not in the mail.",
}


TOPICS: Final = frozenset(
    ("about", "regarding", "concerning", "wegen", "bezüglich", "über", "concernant", "sujet", "propos")
)
"""Words behind which it is said what the call is about."""


@dataclass(slots=True)
class Found:
    """What the clauses read so far say; each list in the order of the text.

    strange: a sentence about something else stood before. moves: they ask for another time than the one that stands.
    is_open: a day was taken without its hours, or a yes.
    """

    wishes: list[Ask] = field(default_factory=list)
    against: list[Ask] = field(default_factory=list)
    doubts: list[tuple[str, Place]] = field(default_factory=list)
    agrees: list[Place] = field(default_factory=list)
    declines: list[Place] = field(default_factory=list)
    cancels: list[Place] = field(default_factory=list)
    strange: bool = False
    moves: bool = False
    is_open: bool = False


def judged(sentences: Sequence[Sentence], setting: Setting) -> Found:
    """Every clause of a mail.

    Where nothing was offered and no call stands, a time counts only beside a word of talking or suiting, in its own
    sentence or the next, and only if all words of that are known: else a mail about anything would want a call.
    """
    found = Found()
    sentences = [_without_topic(sentence) for sentence in sentences]
    for place, sentence in enumerate(sentences):
        around = sentences[max(0, place - 1) : place + 2]
        near = setting.known != () or (
            _is_known(sentence) and any(_is_known(each) and _is_wish(each.items, each.asks) for each in around)
        )
        _judge_sentence(sentence, near=near, setting=setting, found=found)
    return found


def beside_a_wish(sentences: Sequence[Sentence]) -> Place | None:
    """Where the first sentence stands that names a time and speaks of talking or suiting, whatever else it says."""
    for sentence in sentences:
        kinds = {item.kind for item in sentence.items}
        if kinds & {"talk", "callme", "good"} and kinds & (NAMES - {"number", "ordinal", "nth", "unclear"}):
            return sentence.items[0].start, sentence.items[-1].end
    return None


def time_beside(sentences: Sequence[Sentence], found: Found) -> Place | None:
    """Where a sentence names a time of which nothing was taken: "Can we talk on Thursday? I'm free 10 to 12."

    It may narrow the day that another sentence names; what is past or of another topic does not.
    """
    taken = [(ask.start, ask.end) for ask in (*found.wishes, *found.against)]
    for sentence in sentences:
        start, end = sentence.items[0].start, sentence.items[-1].end
        if _names_time(sentence) and not any(start <= begin and last <= end for begin, last in taken):
            return start, end
    return None


def _names_time(sentence: Sentence) -> bool:
    kinds = {item.kind for item in sentence.items}
    if kinds & {"gone", "nice"}:
        return False
    bounded = kinds & {"after", "before", "until", "between"}
    joined = kinds & {"through", "dash", "at"} and kinds & {"good", "talk", "callme", "no", "bad", "none"}
    return bool(
        kinds & (NAMES - {"number", "ordinal", "nth", "unclear"}) or ("number" in kinds and (bounded or joined))
    )


def _without_topic(sentence: Sentence) -> Sentence:
    """What the call is about, left out where it stands behind its time: "Friday at 10 about the invoices".

    Before the time it stays, for then that may be the topic's: "about the delivery on Friday".
    """
    items = sentence.items
    if not any(item.kind in ("talk", "callme") for item in items):
        return sentence
    opens = next((place for place, item in enumerate(items) if item.text in TOPICS), len(items))
    opens -= opens < len(items) and opens > 0 and items[opens - 1].text in ("au", "à")
    closes = next((n for n in range(opens, len(items)) if items[n].kind in ("talk", "callme", "comma")), len(items))
    topic, before = items[opens:closes], items[:opens]
    timed = any(item.kind in DAYS | CLOCKS for item in before)
    if not timed or any(item.kind in NAMES for item in topic) or len(items) == len(topic):
        return sentence
    return replace(sentence, items=(*before, *items[closes:]))


def _is_known(sentence: Sentence) -> bool:
    return all(item.kind != "?" for item in sentence.items)


def _is_wish(items: Iterable[Item], asked: bool) -> bool:
    kinds = {item.kind for item in items}
    if "talk" in kinds and ("ask" in kinds or asked):
        return True
    # "Is it available on Monday?" asks for a thing, "are you" for a person.
    return "callme" in kinds or ("good" in kinds and (not asked or bool(kinds & {"who", "talk", "ask"})))


def _judge_sentence(sentence: Sentence, *, near: bool, setting: Setting, found: Found) -> None:
    """Clause by clause; what makes one of them uncertain makes all of them so."""
    clauses = list(_clauses(sentence))
    before = len(found.wishes) + len(found.agrees)
    for clause, asked in clauses:
        _judge(clause, asked, sentence.language, near=near, setting=setting, found=found)
    if len(found.wishes) + len(found.agrees) == before:
        return
    for clause, _ in clauses:
        kinds = {item.kind for item in clause}
        doubtful = kinds & {"maybe", "if", "check"} or (clause[0].kind == "but" and "?" in kinds)
        names = bool(kinds & NAMES)
        if (doubtful and not names) or ("?" in kinds and names and "gone" not in kinds):
            found.doubts.append((DOUBTS["if"], (sentence.items[0].start, sentence.items[-1].end)))


# --- a sentence into clauses ---------------------------------------------------------------------------------------


def _clauses(sentence: Sentence) -> Iterable[tuple[list[Item], bool]]:
    """The clauses of a sentence, none empty, each with whether it asks: only the last one can.

    A piece between commas, or after "but", opens a clause of its own when it judges a time: "Tuesday does not work,
    Wednesday does". A piece that only names times goes on with the one before, and opens one after "no, but".
    """
    clause: list[Item] = []
    for joint, piece in _pieces(sentence.items):
        if len(clause) > 0 and _opens(clause, joint, piece):
            yield clause, False
            clause = [joint] if joint is not None and joint.kind == "but" else []
        elif joint is not None and len(clause) > 0:
            clause.append(joint)
        clause.extend(piece)
    if len(clause) > 0:
        yield clause, sentence.asks


def _pieces(items: Sequence[Item]) -> Iterable[tuple[Item | None, list[Item]]]:
    """What stands between commas and "but", with the one before it; without greetings ("have a nice Tuesday")."""
    joint: Item | None = None
    piece: list[Item] = []
    for item in (*items, None):
        if item is not None and item.kind not in ("comma", "but"):
            piece.append(item)
            continue
        if len(piece) > 0 and all(each.kind != "nice" for each in piece):
            yield joint, piece
        joint, piece = item, []


def _opens(clause: list[Item], joint: Item | None, piece: list[Item]) -> bool:
    kinds, before = {item.kind for item in piece}, {item.kind for item in clause}
    names, named = bool(kinds & NAMES), bool(before & NAMES)
    judges, was_judged = bool(kinds - SILENT), bool(before - SILENT - OPENERS)
    after_but = joint is not None and joint.kind == "but"
    if names and not kinds & DAYS and before & DAYS and not before & (CLOCKS | {"no", "bad", "none"}):
        return False
    if names and not judges:
        return after_but and bool(before & {"no", "bad", "none"})
    if names:
        return was_judged or (named and after_but)
    if kinds - SILENT <= {"ask", "thanks"}:  # "please" goes with what it stands beside
        return False
    return judges and was_judged and (named or after_but)


# --- a clause ------------------------------------------------------------------------------------------------------


def _judge(clause: list[Item], asked: bool, language: str, *, near: bool, setting: Setting, found: Found) -> None:
    kinds = {item.kind for item in clause}
    unknown = sum(item.kind == "?" for item in clause)
    near = near or (unknown == 0 and bool(kinds & {"talk", "callme"}) and _is_wish(clause, asked))
    named, left = asks(clause, minutes=setting.minutes, language=language)
    if len(setting.offered) == 0:
        named = tuple(ask for ask in named if ask.slot is None and ask.nth is None)
    place = (clause[0].start, clause[-1].end)
    if len(named) == 0 and not (left and kinds & (NAMES - {"number"})):
        _judge_words(clause, kinds, asked, setting=setting, found=found)
    elif "gone" in kinds or "gone" in left:
        if setting.known and unknown == 0 and kinds & {"good", "yes", "bad", "no", "cancel"}:
            found.doubts.append(("A time that may be about something else.", place))
    elif unknown > 0 or left:
        if _matters(kinds, unknown, asked, setting):
            found.doubts.append(("Words stand beside a time that may change what it says.", place))
    elif (doubt := _doubt(clause, kinds, asked, named, setting)) != "":
        if near:
            found.doubts.append((doubt, place))
    else:
        _take(kinds, named, place, near=near, setting=setting, found=found)
    found.strange = found.strange or unknown > 1 or "gone" in kinds


def _matters(kinds: set[str], unknown: int, asked: bool, setting: Setting) -> bool:
    """Whether a clause that was not understood may be about the call."""
    if setting.known:
        return unknown <= 1 or bool(kinds & (JUDGES | {"talk", "maybe", "if"}))
    talks = bool(kinds & {"talk", "callme"})
    return talks and ("callme" in kinds or "good" in kinds or "ask" in kinds or asked)


def _doubt(clause: list[Item], kinds: set[str], asked: bool, named: tuple[Ask, ...], setting: Setting) -> str:
    """Why a clause whose words are all known still does not surely say something of its times; "" if it does."""
    negated = bool(kinds & {"no", "none", "bad"})
    if "thanks" in kinds and not kinds & {"good", "yes", "cancel"}:
        return "Thanks for something that has a time."
    if [item.text for item in clause] == ["morgen"]:
        return "“Morgen” may be a greeting or tomorrow."
    if any(item.kind == "nay" and after.kind not in ("comma", "line") for item, after in _neighbours(clause)):
        return "A no, but it is not clear to what."
    for kind, why in DOUBTS.items():
        if kind in kinds:
            return why
    if "ne" in kinds and not kinds & {"no", "none", "cancel"}:
        return "It is not clear what the negation means."
    if kinds & {"both", "any"} and not kinds & {"no", "none"}:
        return "More than one slot suits."
    if "other" in kinds and not asked and "ask" not in kinds:
        return "They want another time."
    if kinds & {"who", "talk"} and not kinds & JUDGES and not asked:
        return "A time, but no word of whether it suits."
    if "cancel" in kinds:
        surely = setting.standing is not None and "no" not in kinds and all(_is_standing(ask, setting) for ask in named)
        return "" if surely else "It is not clear what they cancel."
    if negated and ((asked and "bad" not in kinds) or {"no", "bad"} <= kinds or _is_split(clause, named)):
        return "It is not clear what does not suit."
    if all(ask.excluded for ask in named):
        return "It is not clear what does suit."
    if (
        _is_farewell(kinds)
        and setting.known == (setting.standing,)
        and not all(_is_standing(ask, setting) for ask in named)
    ):
        return "They name another time than that of the call that stands."
    return ""


def _neighbours(clause: list[Item]) -> Iterable[tuple[Item, Item]]:
    return zip(clause, (*clause[1:], clause[0]), strict=True)


def _is_farewell(kinds: set[str]) -> bool:
    """ "See you Thursday"."""
    return "yes" in kinds and not kinds & {"good", "ask", "move", "other"}


def _is_split(clause: list[Item], named: tuple[Ask, ...]) -> bool:
    """Whether a no stands between two times, so that one cannot tell to which it belongs, or one is an exception."""
    noes = [item for item in clause if item.kind in ("no", "none", "bad") and item.text != "ni"]
    return any(ask.excluded for ask in named) or any(
        first.end <= item.start and item.end <= second.start for item in noes for first in named for second in named
    )


def _is_standing(ask: Ask, setting: Setting) -> bool:
    """Whether a time is that of the call that stands."""
    try:
        return all(each.start <= slot.start < each.end for each in windows(ask, setting) for slot in setting.known)
    except Unclear:
        return False


def _take(kinds: set[str], named: tuple[Ask, ...], place: Place, *, near: bool, setting: Setting, found: Found) -> None:
    """What a clause that is understood says of its times."""
    if "cancel" in kinds:
        found.cancels.append(place)
    elif kinds & {"no", "none", "bad"}:
        found.against.extend(named)
    elif near:
        wishes = [ask for ask in named if not ask.excluded]
        if "move" in kinds and len(wishes) > 1:
            # "move it from Tuesday to Thursday": the old time is no wish.
            wishes = [ask for ask in wishes if not (setting.standing and _is_standing(ask, setting))]
        found.wishes.extend(wishes)
        found.against.extend(ask for ask in named if ask.excluded)
        found.moves = found.moves or bool(kinds & {"move", "other"})


def _judge_words(clause: list[Item], kinds: set[str], asked: bool, *, setting: Setting, found: Found) -> None:
    """A clause that names no time: a yes, a no, or what makes the rest uncertain."""
    place = (clause[0].start, clause[-1].end)
    if setting.known == () or "gone" in kinds:
        return
    doubt = _doubt_of_words(clause, kinds, asked, found)
    if doubt != "":
        found.doubts.append((doubt, place))
    elif "?" in kinds:
        return
    elif "cancel" in kinds and not kinds & {"move", "other"}:
        found.cancels.append(place)
    elif kinds & {"move", "other", "none", "no", "bad"}:
        found.declines.append(place)
    elif kinds & {"yes", "good"} and not asked and not kinds & {"what", "at", "sorry"}:
        found.agrees.append(place)


def _doubt_of_words(clause: list[Item], kinds: set[str], asked: bool, found: Found) -> str:
    known, no = "?" not in kinds, bool(kinds & {"no", "none"})
    first = next((item.kind for item in clause if item.kind != "plain"), "")
    if "check" in kinds:
        return DOUBTS["check"]
    if known and kinds & {"maybe", "if"}:
        return DOUBTS["maybe"]
    if first == "nay" or (known and "nay" in kinds):
        return "A no, but it is not clear to what."
    if not known:
        if {"yes", "but"} <= kinds:
            return "A yes with something to it."
        unwanted = kinds & {"cancel", "none"} and kinds & {"talk", "slot"}
        return "They may not want the call." if unwanted else ""
    if "ne" in kinds and not no and "cancel" not in kinds:
        return "It is not clear what the negation means."
    if "cancel" in kinds and "no" in kinds:
        return "It is not clear whether they cancel."
    if kinds & {"move", "other", "cancel"}:
        return ""
    if no or "bad" in kinds:
        call = kinds & {"talk", "callme"} and not kinds & {"good", "slot"}
        return "It is not clear what does not suit." if (no and "bad" in kinds) or asked or call else ""
    if kinds & {"both", "any"} and not asked:
        return "More than one slot suits."
    if kinds & {"yes", "good"} and not asked and found.strange:
        return "A yes that may be about something else."
    return ""
