"""The sentences of a mail in, out what their clauses do with times: want them, rule them out, or leave doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from triaged.calls.days import Setting, Unclear, windows
from triaged.calls.grammar import asks
from triaged.calls.lexicon import Item, Sentence
from triaged.calls.pieces import CLOCKS, DAYS, NAMES, SILENT, clauses
from triaged.calls.said import Ask, Clock

Place = tuple[int, int]
"""Start and end in the text."""

JUDGES: Final = frozenset(
    ("good", "yes", "also", "ask", "callme", "slot", "no", "none", "bad", "cancel", "move", "other")
)
"""Kinds of which a clause needs one before its time counts: "I have a meeting on Tuesday at 10" has none."""

DOUBTS: Final = {
    "maybe": "They are not sure.",
    "if": "It depends on something.",
    "check": "They have to ask or look first, or take something back.",
    "what": "They ask for a time, or point at one that is not in the mail.",
    "later": "They want it earlier or later, but it is not clear when.",
    "nextday": "It is not clear which day is meant.",
    "sametime": "They point at a time that is not in the mail.",
    "late": "They will be late.",
}


TOPICS: Final = frozenset(
    ("about", "regarding", "concerning", "wegen", "bezüglich", "über", "concernant", "sujet", "propos")
)
"""Words behind which it is said what the call is about."""

SHUT: Final = frozenset(("closed", "geschlossen", "fermé", "fermée", "fermés"))
"""Words that take something from a time that was wished for before: "Monday? We are closed in the morning"."""


@dataclass(slots=True)
class Found:
    """What the clauses read so far say; each list in the order of the text.

    strange: a sentence about something else stood before; elsewhere: one that names a time. moves: they ask for another
    time than the one that stands. is_open: a day was taken without its hours, or a yes.
    """

    wishes: list[Ask] = field(default_factory=list)
    against: list[Ask] = field(default_factory=list)
    doubts: list[tuple[str, Place]] = field(default_factory=list)
    agrees: list[Place] = field(default_factory=list)
    declines: list[Place] = field(default_factory=list)
    cancels: list[Place] = field(default_factory=list)
    strange: bool = False
    elsewhere: bool = False
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
    """Where the first sentence stands that names a time and speaks of talking or suiting, whatever else it says; or the
    first with day and hours before or behind one that speaks of talking.
    """
    for sentence in sentences:
        kinds = {item.kind for item in sentence.items}
        if kinds & {"talk", "callme", "good"} and kinds & (NAMES - {"number", "ordinal", "nth", "unclear"}):
            return sentence.items[0].start, sentence.items[-1].end
    for sentence, after in zip((*sentences, *sentences[1:]), (*sentences[1:], *sentences), strict=False):
        talks = any(item.kind in ("talk", "callme") for item in sentence.items)
        kinds = {item.kind for item in after.items}
        if talks and kinds & DAYS and kinds & {"clock", "through", "dash"} and "gone" not in kinds:
            return after.items[0].start, after.items[-1].end
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
    those = list(clauses(sentence))
    before = _said(found)
    for clause, asked in those:
        _judge(clause, asked, sentence.language, near=near, setting=setting, found=found)
    if _said(found) == before:
        return
    for clause, _ in those:
        kinds = {item.kind for item in clause}
        doubtful = kinds & {"maybe", "if", "check"} or (clause[0].kind == "but" and "?" in kinds)
        # "Great, Friday afternoon, nobody else works then."
        doubtful = doubtful or ("?" in kinds and kinds & {"no", "none", "what"})
        names = bool(kinds & NAMES)
        if (doubtful and not names) or "if" in kinds or ("?" in kinds and names and "gone" not in kinds):
            found.doubts.append((DOUBTS["if"], (sentence.items[0].start, sentence.items[-1].end)))


def _said(found: Found) -> int:
    return len(found.wishes) + len(found.agrees) + len(found.declines) + len(found.cancels)


# --- a clause ------------------------------------------------------------------------------------------------------


def _judge(clause: list[Item], asked: bool, language: str, *, near: bool, setting: Setting, found: Found) -> None:
    kinds = {item.kind for item in clause}
    unknown = sum(item.kind == "?" for item in clause)
    near = near or (unknown == 0 and bool(kinds & {"talk", "callme"}) and _is_wish(clause, asked))
    named, left = asks(clause, minutes=setting.minutes, language=language)
    if len(setting.offered) == 0:
        named = tuple(ask for ask in named if ask.slot is None and ask.nth is None)
    place = (clause[0].start, clause[-1].end)
    if len(named) == 0 and not (left and kinds & (NAMES - {"number"} | {"days", "weeks"})):
        _judge_words(clause, kinds, asked, setting=setting, found=found)
    elif "gone" in kinds or "gone" in left:
        shut = found.wishes and any(item.text in SHUT for item in clause)
        if shut or (setting.known and unknown == 0 and kinds & {"good", "yes", "bad", "no", "cancel"}):
            found.doubts.append(("A time that may be about something else.", place))
    elif unknown > 0 or left:
        if _matters(kinds, unknown, asked, setting) or _amends(kinds, unknown, found):
            found.doubts.append(("Words stand beside a time that may change what it says.", place))
    elif (doubt := _doubt(clause, kinds, asked, named, setting)) != "":
        if near:
            found.doubts.append((doubt, place))
    elif not near and _amends(kinds, unknown, found):
        found.doubts.append(("They say more about a time than is understood.", place))
    else:
        if "sametime" in kinds and setting.standing is not None:
            at = setting.standing.start.astimezone(setting.zone)
            named = tuple(replace(ask, clock=Clock(at.hour, at.minute, exact=True)) for ask in named)
        _take(kinds, named, place, near=near, setting=setting, found=found)
    found.strange = found.strange or unknown > 1 or "gone" in kinds
    found.elsewhere = found.elsewhere or (bool(kinds & (DAYS | {"clock"})) and ("gone" in kinds or "gone" in left))


def _matters(kinds: set[str], unknown: int, asked: bool, setting: Setting) -> bool:
    """Whether a clause that was not understood may be about the call."""
    if setting.known:
        return unknown <= 1 or bool(kinds & (JUDGES | {"talk", "maybe", "if"}))
    talks = bool(kinds & {"talk", "callme"})
    return talks and ("callme" in kinds or "good" in kinds or "ask" in kinds or asked)


def _amends(kinds: set[str], unknown: int, found: Found) -> bool:
    """Whether a clause may change a time that was wished for before: "Not in the morning though"."""
    return bool(found.wishes) and unknown <= 1 and bool(kinds & {"good", "no", "none", "bad", "except", "swap"})


def _doubt(clause: list[Item], kinds: set[str], asked: bool, named: tuple[Ask, ...], setting: Setting) -> str:
    """Why a clause whose words are all known still does not surely say something of its times; "" if it does."""
    negated = bool(kinds & {"no", "none", "bad"})
    if "thanks" in kinds and not kinds & {"good", "yes", "cancel"}:
        return "Thanks for something that has a time."
    if [item.text for item in clause] == ["morgen"]:
        return "“Morgen” may be a greeting or tomorrow."
    if any(item.kind == "nay" and after.kind not in ("comma", "line") for item, after in _neighbours(clause)):
        return "A no, but it is not clear to what."
    moved = _is_moved(clause, kinds, asked, named, setting)
    for kind, why in DOUBTS.items():
        if kind in kinds and not (moved and kind in ("later", "nextday", "sametime")):
            return why
    first = next((item.kind for item in clause if item.kind != "plain"), "")
    if first == "until" and not kinds - SILENT and not all(_holds_any(ask, setting) for ask in named):
        return "It may be a farewell or a deadline."  # "Bis Freitag um zwölf"
    if _is_excepted(clause, kinds):
        return "A day behind “but” may be an exception."
    if setting.standing is not None and _asks_whether(kinds, named, asked, setting):
        return "They ask whether the call stands."
    if "ne" in kinds and not kinds & {"no", "none", "cancel"}:
        return "It is not clear what the negation means."
    if kinds & {"both", "any"} and not kinds & {"no", "none"}:
        return "More than one slot suits."
    if "other" in kinds and not asked and "ask" not in kinds:
        return "They want another time."
    if kinds & {"who", "talk"} and not kinds & JUDGES and not asked:
        return "A time, but no word of whether it suits."
    if "cancel" in kinds:
        open_ended = kinds & {"no", "before", "after", "until"}  # "no need to call before Friday"
        surely = setting.standing is not None and not open_ended and all(_is_standing(ask, setting) for ask in named)
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


def _is_moved(clause: list[Item], kinds: set[str], asked: bool, named: tuple[Ask, ...], setting: Setting) -> bool:
    """Whether the only time is told from the call that stands: "ten minutes later?", "same time next day?"."""
    if setting.known != (setting.standing,) or len(named) != 1 or not (asked or kinds & {"ask", "move"}):
        return False
    if "sametime" in kinds:
        day = named[0].day
        one = day is not None and not named[0].is_timed and (day.week, day.last, day.bound) == (None, None, "")
        return (one or named[0].shift is not None) and "later" not in kinds
    lengths = [item for item in clause if item.kind in ("number", "halfhour")]
    return named[0].shift is not None and "nextday" not in kinds and len(lengths) == 1


def _is_excepted(clause: list[Item], kinds: set[str]) -> bool:
    """ "Any morning but Wednesday"; not "Friday, but at three", nor "not Tuesday, but Wednesday"."""
    but = next((place for place, item in enumerate(clause) if item.kind == "but"), 0)
    return (
        not kinds & {"no", "none", "bad"}
        and any(item.kind in NAMES for item in clause[:but])
        and any(item.kind in DAYS for item in clause[but:])
    )


def _asks_whether(kinds: set[str], named: tuple[Ask, ...], asked: bool, setting: Setting) -> bool:
    """ "Is Thursday at eleven still good?" is no yes."""
    stands = setting.offered == () and all(_is_standing(ask, setting) for ask in named)
    return (
        asked
        and stands
        and bool(kinds & {"good", "yes"})
        and not kinds & {"ask", "move", "other", "no", "none", "bad", "cancel"}
    )


def _is_farewell(kinds: set[str]) -> bool:
    """ "See you Thursday"."""
    return "yes" in kinds and not kinds & {"good", "ask", "move", "other"}


def _is_split(clause: list[Item], named: tuple[Ask, ...]) -> bool:
    """Whether a no stands between two times, so that one cannot tell to which it belongs, or one is an exception."""
    noes = [item for item in clause if item.kind in ("no", "none", "bad") and item.text != "ni"]
    if any(item.end <= named[0].start for item in noes) and any(ask.joined == "comma" for ask in named[1:]):
        return True  # "Not Thursday, Friday": both are refused, or one instead of the other
    return any(ask.excluded for ask in named) or any(
        first.end <= item.start and item.end <= second.start for item in noes for first in named for second in named
    )


def _is_standing(ask: Ask, setting: Setting) -> bool:
    """Whether a time is that of the call that stands."""
    try:
        return all(each.start <= slot.start < each.end for each in windows(ask, setting) for slot in setting.known)
    except Unclear:
        return False


def _holds_any(ask: Ask, setting: Setting) -> bool:
    """Whether a time is that of an offered slot or of the call that stands."""
    try:
        return any(each.start <= slot.start < each.end for each in windows(ask, setting) for slot in setting.known)
    except Unclear:
        return False


def _take(kinds: set[str], named: tuple[Ask, ...], place: Place, *, near: bool, setting: Setting, found: Found) -> None:
    """What a clause that is understood says of its times."""
    if "cancel" in kinds:
        found.cancels.append(place)
    elif kinds & {"no", "none", "bad"}:
        found.against.extend(replace(ask, excluded=True) for ask in named)
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
        found.moves = found.moves or bool(kinds & {"move", "other"})
    elif kinds & {"yes", "good"} and not asked and not kinds & {"what", "later", "sametime", "at", "sorry"}:
        found.agrees.append(place)


def _doubt_of_words(clause: list[Item], kinds: set[str], asked: bool, found: Found) -> str:
    known, no = "?" not in kinds, bool(kinds & {"no", "none"})
    first = next((item.kind for item in clause if item.kind != "plain"), "")
    if doubt := next((DOUBTS[kind] for kind in ("check", "late") if kind in kinds), ""):
        return doubt
    if known and kinds & {"maybe", "if"}:
        return DOUBTS["maybe"]
    if known and kinds & {"move", "later", "sametime"} and kinds & {"minutes", "hours", "hour", "halfhour", "sametime"}:
        return DOUBTS["later"]  # "Can we bring it forward by 30 minutes?"
    if first == "nay" or (known and "nay" in kinds):
        return "A no, but it is not clear to what."
    if no and any(
        item.kind == "no" and after.kind == "move"
        for item, after in _neighbours([item for item in clause if item.kind != "plain"])
    ):
        return "It is not clear whether they want another time."
    if no and any(item.kind == "number" and item.text.isdecimal() for item in clause):
        return "It is not clear what does not suit."
    if not known:
        if {"later", "ask"} <= kinds:
            return DOUBTS["later"]
        if {"yes", "but"} <= kinds:
            return "A yes with something to it."
        unwanted = kinds & {"cancel", "none"} and kinds & {"talk", "slot"}
        return "They may not want the call." if unwanted else ""
    if "ne" in kinds and not no and "cancel" not in kinds:
        return "It is not clear what the negation means."
    if ("cancel" in kinds and "no" in kinds) or ("keep" in kinds and asked):
        return "It is not clear whether they cancel."
    if kinds & {"move", "other", "cancel"}:
        return ""
    if no or "bad" in kinds:
        if found.elsewhere:
            return "A no that may be about another time."  # "The delivery is due on Friday, so not then."
        call = kinds & {"talk", "callme"} and not kinds & {"good", "slot"}
        return "It is not clear what does not suit." if (no and "bad" in kinds) or asked or call else ""
    if kinds & {"both", "any"} and not asked:
        return "More than one slot suits."
    if kinds & {"yes", "good"} and not asked and found.strange:
        return "A yes that may be about something else."
    return ""
