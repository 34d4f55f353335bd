"""Template files and rules in, what is wrong with the templates and what would come out wrong out, by file and line.

Each template is filled in with made-up values for all circumstances there are (`samples`), and what comes out is read
as a careful colleague would read it (`mail.slips`). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from babel import Locale, UnknownLocaleError

from triaged.accounts.read_csv import LANGUAGES
from triaged.classify.language import language as language_of
from triaged.errors import Permanent, Problem
from triaged.mail.compose import compose
from triaged.mail.render import (
    LAYOUT,
    OF_CALLS,
    VARIABLES,
    Read,
    Templates,
    plain_values,
    read_templates,
    render,
    variables_of,
)
from triaged.mail.slips import slips
from triaged.mail.template import Piece, names_in, trace, words_in
from triaged.model import Address
from triaged.plan import FIXED_TEXT
from triaged.rules.grammar import NO_TEMPLATE, RuleSet
from triaged.samples import Ours, Value, circumstances, emptied, sample

MAX_SUBJECT_CHARACTERS = 200
"""`compose` cuts at 250, and a list of mails shows 60 or so."""
LONG_SUBJECT = "RE: FW: AW: " + "Question about our contract, the invoices and the calls of last week, " * 4
"""As a mail's own subject is after some rounds; 292 characters."""
_NEEDED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "": (("reference", "the client has nothing to name when they call"),),
    **dict.fromkeys(OF_CALLS, (("reference", "the client has nothing to name when they call"),)),
    "escalation": (
        ("reference", "nobody can find the mail in the log by it"),
        ("sender", "nobody sees who wrote"),
    ),
}
"""What a template should say somewhere, by template, `""` for all that rules may name; and what happens if not."""
_HEADER: Final = re.compile(r"(from|to|cc|bcc|reply-to|date|subject|von|an|betreff|objet|asunto)[ \t]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Proof:
    """problems: what must be put right. hints: what may be meant. Both by file, then line. filled: mails read."""

    problems: tuple[Problem, ...]
    hints: tuple[Problem, ...]
    filled: int


def proofread(
    files: Mapping[str, bytes],
    *,
    rules: RuleSet | None,
    ours: Ours,
    colleagues: frozenset[str],
    now: datetime,
    others: Iterable[str] = (),
) -> Proof:
    """Read every template as a careful colleague would.

    files: octets by name, as they lie in the folder. rules: None where they cannot be read; then nothing is said of
    what they name. colleagues: the languages of our people. now: made-up days count from it. others: names of what
    else lies in the folder. Never raises.
    """
    read = read_templates(files)
    problems = [*read.problems, *_file_problems(files), *_layout_problems(read)]
    unused = _unused(files, rules)
    hints = [*_translation_hints(read, files)]
    hints += [Problem(f"{stem}.txt", why) for stem, why in unused.items()]
    used = frozenset(stem for stem in _stems(files) if "." not in stem and stem not in unused)
    hints += _language_hints(files, used, ours=ours, colleagues=colleagues)
    hints += _not_read(files, others)
    hints += _no_place_for_times(read, used, rules)
    filled = 0
    for stem in sorted(read.bodies):
        hints += _header_hints(stem, files)
        for found, is_hint in (*_left_out(read, stem), *_come_out(read, stem, ours=ours, now=now)):
            (hints if is_hint else problems).append(found)
        filled += len(circumstances(stem))
    return Proof(_in_order(problems), _in_order(hints), filled)


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    def place(problem: Problem) -> tuple[str, int]:
        name, _, line = problem.where.rpartition(":")
        return (name, int(line)) if line.isdigit() else (problem.where, 0)

    return tuple(sorted(problems, key=place))


# --- filled in and read ----------------------------------------------------------------------------------------


def _come_out(read: Read, stem: str, *, ours: Ours, now: datetime) -> Iterator[tuple[Problem, bool]]:
    """What comes out wrong of one template, each thing once, in the plainest circumstance; True for a hint."""
    values = sample(stem, language=stem.partition(".")[2], ours=ours, now=now)
    seen: set[tuple[str, str]] = set()
    for empty in circumstances(stem):
        for where, kind, what, is_hint in _mail(read, stem, emptied(values, empty), empty, ours=ours, now=now):
            if (where, kind) not in seen:
                seen.add((where, kind))
                yield Problem(where, what), is_hint
    if "subject" in values:
        yield from _long_subject(read, stem, values | {"subject": LONG_SUBJECT})


def _mail(
    read: Read, stem: str, values: Mapping[str, Value], empty: frozenset[str], *, ours: Ours, now: datetime
) -> Iterator[tuple[str, str, str, bool]]:
    """What is wrong with one mail: where, which kind of thing, a sentence, whether it is a hint."""
    name, language, when = f"{stem}.txt", stem.partition(".")[2] or ours.language, _when(stem, empty)
    parts = [(read.subjects[stem], True), (read.bodies[stem], False)]
    made: list[str] = []
    for template, is_subject in parts:
        pieces, stopped = trace(template, plain_values(values))
        if stopped is not None:
            yield f"{name}:{stopped[0]}", "stopped", f"cannot be filled in{when}: {_plainly(stopped[1])}", False
            return
        made.append(_joined(pieces))
        for slip in slips(pieces, variables=variables_of(stem), language=language, is_subject=is_subject):
            advice = "; take it out, unless it is meant so" if slip.is_written else _advice(empty)
            what = f"{slip.what}, in “{slip.shown}”{'' if slip.is_written else when}{advice}"
            yield f"{name}:{slip.line}", slip.what, what, slip.is_written
    yield from _whole(name, made[0], made[1], when)
    if read.layout is not None and made[1].strip() != "":
        yield from _composed(read, stem, values, when, now=now)


def _when(stem: str, empty: frozenset[str]) -> str:
    """In which circumstance, as the end of a sentence."""
    if len(empty) == 0:
        return ""
    if len(empty) > 1 and empty == circumstances(stem)[-1]:
        return ", when all that may be empty is empty"
    names = [f"'{name}'" for name in sorted(empty)]
    return f", when {_listed(names)} {'is' if len(names) == 1 else 'are'} empty"


def _advice(empty: frozenset[str]) -> str:
    if len(empty) == 0:
        return ""
    name = next(iter(empty)) if len(empty) == 1 else "…"
    return f"; put what belongs to it into {{% if {name} %}} … {{% endif %}}"


def _plainly(why: str) -> str:
    if "not supported between" in why or "requires string" in why:
        return "a text and a number cannot be compared; a text stands in quotes: {% if tier == 'gold' %}"
    return f"{why}; nobody would get it, and a person would be asked"


def _whole(name: str, subject: str, text: str, when: str) -> Iterator[tuple[str, str, str, bool]]:
    subject = " ".join(subject.split())
    if subject == "":
        advice = "write {{ subject or 'Your message' }}"
        yield f"{name}:1", "no subject", f"the mail has an empty subject{when}; {advice}", False
    if len(subject) > MAX_SUBJECT_CHARACTERS:
        much = f"the subject has {len(subject)} characters, more than {MAX_SUBJECT_CHARACTERS}{when}"
        yield f"{name}:1", "long subject", f"{much}; say less in it", False
    if text.strip() == "":
        yield name, "no text", f"the mail has no text{when}; write it below the Subject line", False


def _long_subject(read: Read, stem: str, values: Mapping[str, Value]) -> Iterator[tuple[Problem, bool]]:
    pieces, stopped = trace(read.subjects[stem], plain_values(values))
    words = _joined(pieces)
    if stopped is None and len(words) > MAX_SUBJECT_CHARACTERS and LONG_SUBJECT[:MAX_SUBJECT_CHARACTERS] in words:
        advice = "for theirs may be long; write {{ subject|truncate(60) }}"
        what = f"the subject can come to {len(words)} characters, {advice}"
        yield Problem(f"{stem}.txt:1", what), True


def _joined(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _composed(
    read: Read, stem: str, values: Mapping[str, Value], when: str, *, now: datetime
) -> Iterator[tuple[str, str, str, bool]]:
    """Why the whole mail, with its HTML part, could not leave."""
    assert read.layout is not None
    templates = Templates(read.subjects, read.bodies, read.layout)
    try:
        made = render(templates, stem, language=stem.partition(".")[2], variables=values)
        compose(
            message_id="<made-up@firm.example>",
            sender=Address("desk@firm.example"),
            envelope_sender="",
            recipient=Address("client@client.example"),
            subject=made.subject,
            text=made.text,
            html=made.html,
            date=now,
            automatic="auto-replied",
        )
    except Permanent as error:
        yield f"{stem}.txt", "composed", f"such a mail cannot leave{when}: {error}; a person would be asked", False


def _layout_problems(read: Read) -> Iterator[Problem]:
    if read.layout is None:
        return
    if "paragraphs" not in names_in(read.layout):
        yield Problem(
            LAYOUT, "never says 'paragraphs', so the HTML part has no text; write {% for paragraph in paragraphs %}"
        )
    _, stopped = trace(read.layout, {"subject": "Hello", "language": "en", "paragraphs": [["Hello"], ["a", "b"]]})
    if stopped is not None:
        yield Problem(f"{LAYOUT}:{stopped[0]}", f"cannot be filled in: {_plainly(stopped[1])}")


# --- the files -------------------------------------------------------------------------------------------------


def _stems(files: Mapping[str, bytes]) -> list[str]:
    return sorted(name[: -len(".txt")] for name in files if name.endswith(".txt"))


def _language_name(code: str) -> str:
    """`German` for `de`; the code itself where nobody knows it."""
    try:
        return Locale(code).get_language_name("en") or code
    except (UnknownLocaleError, ValueError):
        return code


def _file_problems(files: Mapping[str, bytes]) -> Iterator[Problem]:
    """Files that are never used because of how they are called."""
    stems = _stems(files)
    for stem in stems:
        name, _, language = stem.partition(".")
        if language != "" and language not in LANGUAGES:
            lower = language.lower()[:2]
            proposal = f", for example '{name}.{lower}.txt'" if lower in LANGUAGES else ", like 'complaint.de.txt'"
            what = f"is never used: '{language}' is no language; call it by two small letters{proposal}"
            yield Problem(f"{stem}.txt", what)
        elif language != "" and name not in stems:
            what = f"is never used: there is no '{name}.txt' for all other languages; write that too"
            yield Problem(f"{stem}.txt", what)
        if name == NO_TEMPLATE:
            yield Problem(
                f"{stem}.txt", f"is never used: '{NO_TEMPLATE}' in a rule forbids an answer; call it otherwise"
            )


def _unused(files: Mapping[str, bytes], rules: RuleSet | None) -> dict[str, str]:
    """Templates that nothing names, by name: what that means."""
    found = {}
    for stem, name, code in _misnamed(files):
        meant = f"if it is '{name}' in {_language_name(code)}, call it '{name}.{code}.txt'"
        found[stem] = f"is taken for a template of its own; {meant}"
    if rules is None:
        return found
    named = {rule.then.acknowledge: False for rule in rules.rules}
    named |= {rule.then.acknowledge: True for rule in rules.rules if rule.enabled}
    for stem in _stems(files):
        if "." in stem or stem in (FIXED_TEXT, NO_TEMPLATE, *VARIABLES, *found) or named.get(stem, False):
            continue
        if stem in named:
            found[stem] = "only rules that are switched off name it, so nobody gets it"
        else:
            found[stem] = f'no rule names it, so nobody gets it; a rule does with then.acknowledge = "{stem}"'
    return found


def _misnamed(files: Mapping[str, bytes]) -> Iterator[tuple[str, str, str]]:
    """`complaint_de` where there is `complaint`: the stem, the template and the language that are meant."""
    stems = _stems(files)
    for stem in stems:
        meant = re.fullmatch(r"(.+)[_ -]([A-Za-z]{2})", stem)
        if meant is not None and meant[1] in stems and meant[2].lower() in LANGUAGES:
            yield stem, meant[1], meant[2].lower()


def _not_read(files: Mapping[str, bytes], others: Iterable[str]) -> Iterator[Problem]:
    """What lies in the folder and is no template."""
    for name in files:
        if name.endswith(".html") and name != LAYOUT:
            yield Problem(name, f"is not used; the HTML part of every mail is made by {LAYOUT}")
    for name in others:
        yield Problem(
            name, "is not read; the name of a template ends in .txt, in small letters, and the file is plain text"
        )


def _language_hints(
    files: Mapping[str, bytes], used: frozenset[str], *, ours: Ours, colleagues: frozenset[str]
) -> Iterator[Problem]:
    """Templates that are not there in a language in which others are, or which one of us reads."""
    written = {tuple(stem.split(".")) for stem in _stems(files)}
    of_clients = {parts[1] for parts in written if len(parts) == 2 and parts[0] != "escalation"} & LANGUAGES
    for name in sorted(used):
        languages = colleagues if name == "escalation" else of_clients
        lacks = [each for each in sorted(languages) if (name, each) not in written and each != ours.language]
        if len(lacks) > 0:
            why = "one of us reads it" if name == "escalation" else "other templates are"
            what = f"is not there in {_listed(_language_name(each) for each in lacks)}, though {why}"
            meant = _listed(f"'{name}.{each}.txt'" for each in lacks)
            yield Problem(f"{name}.txt", f"{what}; write {meant}")


def _listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *rest, last = words
    return f"{', '.join(rest)} and {last}" if len(rest) > 0 else last


def _left_out(read: Read, stem: str) -> Iterator[tuple[Problem, bool]]:
    """What a template should say and does not; True for a hint."""
    if stem.split(".")[0] in OF_CALLS and "when" not in names_in(read.bodies[stem]):
        yield Problem(f"{stem}.txt", "never says {{ when }}: the client is not told when the call is; write it"), False
    if "." in stem and stem.split(".")[0] in read.bodies:
        return  # what a translation leaves out is told by `_translation_hints`
    for name, otherwise in _NEEDED.get(stem.split(".")[0], _NEEDED[""]):
        if name not in _names(read, stem):
            yield Problem(f"{stem}.txt", f"never says {{{{ {name} }}}}: {otherwise}"), True


def _no_place_for_times(read: Read, used: frozenset[str], rules: RuleSet | None) -> Iterator[Problem]:
    """Where a rule offers times for a call: acknowledgements that have no place for them."""
    offers = rules is not None and any(
        rule.enabled and rule.then.call is not None and rule.then.call.way == "offer" for rule in rules.rules
    )
    for stem in sorted(used - VARIABLES.keys()) if offers else ():
        if stem in read.bodies and "slots" not in names_in(read.bodies[stem]):
            what = "never says {{ slots }}: where a rule offers a call, no times can be offered in it; write it"
            yield Problem(f"{stem}.txt", what)


def _translation_hints(read: Read, files: Mapping[str, bytes]) -> Iterator[Problem]:
    """Where a template and the same in another language say different things."""
    for stem in sorted(read.bodies):
        name, _, language = stem.partition(".")
        if language == "" or name not in read.bodies:
            continue
        here, there = _names(read, stem), _names(read, name)
        if len(lacks := sorted(there - here)) > 0:
            yield Problem(f"{stem}.txt", f"leaves out {_signs(lacks)}, which {name}.txt says; say it here too")
        if len(more := sorted(here - there)) > 0:
            yield Problem(f"{stem}.txt", f"says {_signs(more)}, which {name}.txt leaves out; say it there too")
        text = files[f"{stem}.txt"].decode("utf-8", "replace")
        looks = language_of(words_in(read.bodies[stem]))
        if text.split() == files[f"{name}.txt"].decode("utf-8", "replace").split():
            yield Problem(f"{stem}.txt", f"is the same as {name}.txt, word for word; translate it or take it away")
        elif looks not in ("", language):
            said = f"reads like {_language_name(looks)}, but by its name it is {_language_name(language)}"
            yield Problem(f"{stem}.txt", f"{said}; call it otherwise or translate it")


def _signs(names: Iterable[str]) -> str:
    return _listed(f"{{{{ {name} }}}}" for name in names)


def _names(read: Read, stem: str) -> frozenset[str]:
    """The variables that a template says somewhere."""
    return (names_in(read.subjects[stem]) | names_in(read.bodies[stem])) & variables_of(stem)


def _header_hints(stem: str, files: Mapping[str, bytes]) -> Iterator[Problem]:
    """Lines right below the Subject that look like a mail's header, and are sent as text."""
    lines = files[f"{stem}.txt"].decode("utf-8-sig", "replace").splitlines()
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() == "":
            break
        if (found := _HEADER.match(line)) is not None:
            what = f"'{found[1]}:' is sent as part of the text; only Subject stands above the text, leave the line out"
            yield Problem(f"{stem}.txt:{number}", what)
