"""A template's name and its variables in, subject and text and HTML of a mail out; a folder of templates is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from triaged.decision import WHEN
from triaged.errors import ConfigError, Permanent, Problem
from triaged.mail.template import Template, fill, read_template
from triaged.plaintext import text_of

MAX_VALUE_CHARACTERS = 1_000
"""What is put in for one variable; a longer subject or name is cut."""
MAX_TEXT_CHARACTERS = 2_010
"""The same of `text`: as much as plan shows of a mail, and the sign that it was cut."""
MAX_ITEMS = 50
"""Of a list."""

ACKNOWLEDGEMENT = frozenset("contact account category reference due subject team desk organizer minutes slots".split())
"""Variables of every template that rules may name."""

OF_CALLS = ("invitation", "moved", "cancelled")
"""Templates of what a client is told of a call that stands or stood."""

VARIABLES: Mapping[str, frozenset[str]] = {
    "escalation": frozenset(
        "person account account_id tier contact sender categories score evidence subject text reference received "
        "contract_ends due call team trust risk signals trend chasers".split()
    ),
    "correction": frozenset("contact subject sent call colleague reference team desk".split()),
    **dict.fromkeys(
        OF_CALLS,
        frozenset("contact team organizer when minutes location reference subject summary".split()),
    ),
}
"""Variables of the templates that no rule names: the machine uses them, `correction` for drafts only."""

NEEDED = ("escalation", *OF_CALLS)
LAYOUT = "layout.html"
_MISSING = "is missing; the service needs it: take it from the folder that 'triaged init DIR' lays out"
_LAYOUT_VARIABLES = frozenset({"subject", "language", "paragraphs"})
_LISTS: Mapping[str, int] = {"evidence": 1, "signals": 1, "paragraphs": 2}
"""How many loops deep: `paragraphs` are lists of lines."""
_MANY_LINES = "text"
"""The one variable that may hold line breaks; every other is made one line."""
_TIMES = ("when", "slots")
_SUBJECT_ELSEWHERE = frozenset({"betreff", "objet", "asunto", "oggetto", "onderwerp", "assunto", "ämne", "temat"})
"""The word in other languages, which some would write."""
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of all that follows."""
_MARK = re.compile(r"\{(?=[{%]|\Z)|" + re.escape(WHEN[0]) + r"(?=" + re.escape(WHEN[1:]) + r"|\Z)")


@dataclass(frozen=True, slots=True)
class Templates:
    """Checked templates by file stem (`complaint`, `complaint.de`); layout makes the HTML part."""

    subjects: Mapping[str, Template]
    bodies: Mapping[str, Template]
    layout: Template

    @property
    def names(self) -> frozenset[str]:
        """What a rule's `then.acknowledge` may name."""
        return frozenset(stem for stem in self.bodies if "." not in stem and stem not in VARIABLES)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words; template: the file's stem that was used."""

    template: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Read:
    """What could be read of a folder of templates, and everything that is wrong with the rest. As in `Templates`;
    layout: None where it cannot be read."""

    subjects: Mapping[str, Template]
    bodies: Mapping[str, Template]
    layout: Template | None
    problems: tuple[Problem, ...]


def load_templates(files: Mapping[str, bytes]) -> Templates:
    """Read and check every template and the layout, handed over as octets by name. Raises: ConfigError."""
    read = read_templates(files)
    if read.layout is None or len(read.problems) > 0:
        raise ConfigError(read.problems)
    return Templates(read.subjects, read.bodies, read.layout)


def read_templates(files: Mapping[str, bytes]) -> Read:
    """As `load_templates`, for as much of it as is right."""
    problems: list[Problem] = []
    subjects: dict[str, Template] = {}
    bodies: dict[str, Template] = {}
    for name in sorted(each for each in files if each.endswith(".txt")):
        try:
            subjects[name[: -len(".txt")]], bodies[name[: -len(".txt")]] = _load(name, files[name])
        except ConfigError as error:
            problems.extend(error.problems)
    missing = [name for name in NEEDED if f"{name}.txt" not in files]
    problems.extend(Problem(f"templates/{name}.txt", _MISSING) for name in missing)
    layout = None
    if LAYOUT not in files:
        problems.append(Problem(f"templates/{LAYOUT}", _MISSING))
    else:
        try:
            source = text_of(files[LAYOUT], name=LAYOUT, markup=True, as_typed=True)
            layout = read_template(source, name=LAYOUT, variables=_LAYOUT_VARIABLES, lists=_LISTS, markup=True)
        except ConfigError as error:
            problems.extend(error.problems)
    return Read(subjects, bodies, layout, tuple(problems))


def variables_of(name: str) -> frozenset[str]:
    """The variables of a template, named with or without its language."""
    return VARIABLES.get(name.split(".")[0], ACKNOWLEDGEMENT)


def language_of_mail(templates: Templates, name: str, *, wanted: str, otherwise: str) -> str:
    """The language in which a mail of this template leaves: the one wanted if it is there in it, else the desk's.

    Days and times are written in it too, or a date in Italian stands in an English mail.
    """
    return wanted if f"{name}.{wanted}" in templates.bodies else otherwise


def render(templates: Templates, name: str, *, language: str, variables: Mapping[str, Any]) -> Rendered:
    """Render `name` in `language` where there is such a file.

    variables: str, int, or a list of str. Control characters in them are taken out, a long one is cut, and all but
    `text` become one line. Two braces in a client's words are parted, so that they are never taken for a variable
    that was not filled in. Raises: Permanent when a variable has no value, or the template fails or is endless.
    """
    stem = f"{name}.{language}" if f"{name}.{language}" in templates.bodies else name
    try:
        values = plain_values(variables)
        subject = " ".join(fill(templates.subjects[stem], values).split())
        text = fill(templates.bodies[stem], values).strip() + "\n"
        html = laid_out(templates, subject=subject, text=text, language=language)
    except (TypeError, ValueError, LookupError) as error:
        raise Permanent(f"the template {stem}.txt failed: {error}") from None
    return Rendered(stem, subject, text, html)


def laid_out(templates: Templates, *, subject: str, text: str, language: str) -> str:
    """The HTML part of a text: its paragraphs in the site's layout. Raises: TypeError, ValueError, LookupError."""
    paragraphs = [paragraph.split("\n") for paragraph in text.strip().split("\n\n")]
    return fill(templates.layout, {"subject": subject, "language": language or "en", "paragraphs": paragraphs})


def plain_values(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables as they are put in (see `render`). Raises: TypeError."""
    return {each: _value(each, value) for each, value in variables.items()}


def _value(name: str, value: Any) -> Any:
    match value:
        case str():
            return _plain(name, value)
        case int():
            return value
        case list() | tuple():
            return [_value(name, each) for each in value[:MAX_ITEMS]]
    raise TypeError(f"'{name}' is no text")


def _plain(name: str, value: str) -> str:
    """Words of a client, fit to stand in a template; only `_TIMES` may hold the mark of a time not known yet."""
    most = MAX_VALUE_CHARACTERS if name != _MANY_LINES else MAX_TEXT_CHARACTERS
    words = _UNSEEN.sub(" ", value[: 2 * most]).encode("utf-8", "replace").decode("utf-8")
    words = words if name == _MANY_LINES else " ".join(words.split())
    words = words if len(words) <= most else words[: most - 1].rstrip() + "…"
    return words if name in _TIMES else _MARK.sub(r"\g<0> ", words)


def _load(name: str, octets: bytes) -> tuple[Template, Template]:
    """Subject and body. Raises: ConfigError with every problem of both."""
    text = text_of(octets, name=name, as_typed=True)
    head, _, body = text.partition("\n")
    problems: list[Problem] = []
    made: list[Template] = []
    if not head.lower().startswith("subject:") or head.partition(":")[2].strip() == "":
        problems.append(Problem(f"{name}:1", f"must begin with a line 'Subject: …'{_where_it_went(text)}"))
        head, body = "", text if ":" not in head else body
    first_line = text.count("\n") - body.lstrip("\n").count("\n") + 1
    for source, line in ((head.partition(":")[2].strip(), 1), (body.lstrip("\n"), first_line)):
        try:
            made.append(read_template(source, name=name, variables=variables_of(name), lists=_LISTS, first_line=line))
        except ConfigError as error:
            problems += error.problems
    if len(problems) > 0:
        raise ConfigError(tuple(problems))
    return made[0], made[1]


def _where_it_went(text: str) -> str:
    """What became of the Subject line that does not come first, as the end of a sentence."""
    lines = text.split("\n")
    begins = [line.partition(":")[0].strip().lower() for line in lines]
    if begins[0] in _SUBJECT_ELSEWHERE and ":" in lines[0]:
        return f"; the word is Subject in every language, not '{lines[0].partition(':')[0].strip()}'"
    if begins[0] == "subject":
        return "; nothing stands behind 'Subject:'" if lines[0].lower().startswith("subject:") else ""
    if "subject" in begins:
        return f"; it stands in line {begins.index('subject') + 1}, move it to the top"
    return " with what the mail is about; write one above the text"
