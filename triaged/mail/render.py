"""A template's name and its variables in, subject and text and HTML of a mail out (Jinja2, sandboxed, strict)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from triaged.errors import ConfigError, Permanent, Problem
from triaged.tomlfile import did_you_mean

MAX_OUTPUT_CHARACTERS = 48_000
"""Characters of a rendered text; a mail of ours stays under 64 KB (mail-safety S26)."""

ACKNOWLEDGEMENT = frozenset(
    {"contact", "account", "category", "reference", "due", "subject", "team", "desk"},
)
"""Variables of every template that rules may name."""

VARIABLES: Mapping[str, frozenset[str]] = {
    "escalation": frozenset(
        "person account account_id tier contact sender categories score evidence subject text reference received "
        "contract_ends due call team".split()
    ),
    "invitation": frozenset("contact team organizer when minutes location reference subject summary".split()),
}
"""Variables of the templates that the machine itself uses."""

NEEDED = ("escalation", "invitation")
LAYOUT = "layout.html"
_LAYOUT_VARIABLES = frozenset({"subject", "language", "paragraphs"})


@dataclass(frozen=True, slots=True)
class Templates:
    """Compiled templates by file stem (`complaint`, `complaint.de`); layout makes the HTML part."""

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


def load_templates(folder: Path) -> Templates:
    """Read and check every `*.txt` of a folder and its layout.html. Raises: ConfigError with every problem."""
    problems: list[Problem] = []
    subjects: dict[str, Template] = {}
    bodies: dict[str, Template] = {}
    for path in sorted(folder.glob("*.txt")):
        try:
            subjects[path.stem], bodies[path.stem] = _load(path)
        except ConfigError as error:
            problems.extend(error.problems)
    missing = [name for name in NEEDED if name not in bodies and not any(p.where.startswith(name) for p in problems)]
    problems.extend(Problem(f"{folder.name}/{name}.txt", "is missing; the service needs it") for name in missing)
    layout = None
    try:
        layout = _compile(_read(folder / LAYOUT), name=LAYOUT, known=_LAYOUT_VARIABLES, html=True)
    except ConfigError as error:
        problems.extend(error.problems)
    if layout is None or len(problems) > 0:
        raise ConfigError(tuple(problems))
    return Templates(subjects, bodies, layout)


def render(templates: Templates, name: str, *, language: str, variables: Mapping[str, Any]) -> Rendered:
    """Render `name` in `language` where there is such a file. Raises: Permanent when a template fails or is endless."""
    stem = f"{name}.{language}" if f"{name}.{language}" in templates.bodies else name
    try:
        subject = " ".join(_bounded(templates.subjects[stem], variables).split())
        text = _bounded(templates.bodies[stem], variables).strip() + "\n"
        paragraphs = [paragraph.split("\n") for paragraph in text.strip().split("\n\n")]
        words = {"subject": subject, "language": language or "en", "paragraphs": paragraphs}
        html = _bounded(templates.layout, words)
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
        raise Permanent(f"the template {stem}.txt failed: {error}") from None
    return Rendered(stem, subject, text, html)


def _bounded(template: Template, variables: Mapping[str, Any]) -> str:
    pieces, length = [], 0
    for piece in template.generate(variables):
        length += len(piece)
        if length > MAX_OUTPUT_CHARACTERS:
            raise ValueError(f"it makes more than {MAX_OUTPUT_CHARACTERS} characters")
        pieces.append(piece)
    return "".join(pieces)


def _load(path: Path) -> tuple[Template, Template]:
    text = _read(path)
    head, _, body = text.partition("\n")
    if not head.lower().startswith("subject:") or head.partition(":")[2].strip() == "":
        raise ConfigError((Problem(f"{path.name}:1", "must begin with a line 'Subject: …'"),))
    known = VARIABLES.get(path.stem.split(".")[0], ACKNOWLEDGEMENT)
    subject = _compile(head.partition(":")[2].strip(), name=path.name, known=known)
    first_line = text.count("\n") - body.lstrip("\n").count("\n") + 1
    return subject, _compile(body.lstrip("\n"), name=path.name, known=known, first_line=first_line)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError((Problem(path.name, f"cannot be read: {error.strerror}"),)) from None
    except UnicodeDecodeError:
        raise ConfigError((Problem(path.name, "is not UTF-8 text; save the file as UTF-8"),)) from None


def _compile(source: str, *, name: str, known: frozenset[str], html: bool = False, first_line: int = 1) -> Template:
    environment = _environment(html=html)
    try:
        tree = environment.parse(source)
        wanted, others = meta.find_undeclared_variables(tree), tuple(meta.find_referenced_templates(tree))
        template = environment.from_string(source)
    except TemplateSyntaxError as error:
        raise ConfigError((Problem(f"{name}:{error.lineno + first_line - 1}", f"{error.message}"),)) from None
    except TemplateError as error:
        raise ConfigError((Problem(name, str(error)),)) from None
    problems = tuple(
        Problem(
            f"{name}:{_line_of(source, variable) + first_line - 1}",
            f"there is no variable '{variable}' here{did_you_mean(variable, known)}",
        )
        for variable in sorted(wanted - known)
    )
    if len(others) > 0:
        problems += (Problem(name, "a template cannot include, import or extend another file"),)
    if len(problems) > 0:
        raise ConfigError(problems)
    return template


def _line_of(source: str, word: str) -> int:
    return next((number for number, line in enumerate(source.split("\n"), start=1) if word in line), 1)


def _environment(*, html: bool) -> Environment:
    """Nothing but our own variables is at hand: no range, lipsum, cycler, joiner or namespace.

    Not optimized: the optimizer works constants out when a template is loaded, and 'x' * 4000000000 is a constant.
    """
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=html,
        optimized=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.clear()
    return environment
