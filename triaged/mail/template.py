"""A template's source in, a checked tree out; the tree and its variables in, words out: a part of Jinja2.

Jinja2 reads, and we write: nothing is compiled and nothing can be called, so that no template can do more than is
below, and what it does is counted. Its own sandbox stops neither nested loops nor growing strings (mail-safety 4.9).
"""

from __future__ import annotations

import html
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.filters import do_title

from triaged.decision import WHEN
from triaged.errors import ConfigError, Problem
from triaged.mail.syntax import syntax_problem
from triaged.tomlfile import did_you_mean

MAX_SOURCE_CHARACTERS = 65_536
"""A layout with all its styles is a third of this."""
MAX_TOKENS = 4_000
"""Words and signs in one template; ours have up to 310. Jinja2 reads the worst 4,000 in 40 ms (2026-11-22)."""
MAX_DEPTH = 20
"""Things within things; ours have 6."""
MAX_CHARACTERS = 48_000
"""Characters of a filled template; a mail of ours stays under 64 KB (mail-safety S26)."""
MAX_WORK = 30_000
"""Steps of one filling: 70 ms at worst (2026-11-22). Our layout takes 160, or 9,200 for 2,000 empty lines."""
_MOST_PROBLEMS = 10
"""Told of one template at once."""
_CHARACTERS_A_STEP = 20
"""What a filter or comparison reads in a step's time."""

_MARK: Final = re.compile(r"\{[{%]|\{\Z|" + re.escape(WHEN))
_LOOP: Final = ("first", "last", "index")
_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}


def _truncate(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"


FILTERS: Final[Mapping[str, tuple[Callable[..., Any], tuple[type, ...]]]] = {
    "upper": (str.upper, ()),
    "lower": (str.lower, ()),
    "title": (do_title, ()),
    "capitalize": (str.capitalize, ()),
    "trim": (str.strip, ()),
    "truncate": (_truncate, (int,)),
    "join": (lambda items, between: between.join(items), (str,)),
    "first": (lambda items: items[0] if len(items) > 0 else "", ()),
    "last": (lambda items: items[-1] if len(items) > 0 else "", ()),
    "length": (len, ()),
}
"""Each with what stands in its brackets. All are linear, and none makes a text longer than its letters ask for."""
_OF_LISTS: Final = frozenset({"join", "first", "last", "length"})

_ALLOWED: Final = (
    *(nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Const, nodes.Filter, nodes.Getattr),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.CondExpr, nodes.List, nodes.Tuple),
)
_FILES: Final = "a template cannot include, import or extend another file"
_REFUSED: Final[tuple[tuple[type[nodes.Node] | tuple[type[nodes.Node], ...], str], ...]] = (
    ((nodes.Macro, nodes.CallBlock), "a template cannot define or use macros"),
    (nodes.Call, "a template cannot call functions"),
    ((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block), _FILES),
    (
        (nodes.Assign, nodes.AssignBlock, nodes.With),
        "a template cannot set variables; write the words where they belong",
    ),
    (nodes.Concat, "'~' is not needed: write the parts one after the other"),
    ((nodes.BinExpr, nodes.UnaryExpr), "a template cannot calculate"),
    ((nodes.Getitem, nodes.Slice), "a template cannot look into a variable"),
    (nodes.Test, "there is no 'is' here; what may be empty goes into {% if contact %}"),
    (nodes.FilterBlock, "a filter stands behind one variable: {{ contact|upper }}"),
    (nodes.Dict, "there are no tables here"),
)
_GRAMMAR: Final = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)  # noqa: S701 - it only reads


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template. markup: what is put in is escaped for HTML. first_line: where it begins in its file."""

    body: tuple[nodes.Node, ...]
    markup: bool
    first_line: int = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a filled template. line: of the file, where they begin. is_value: what a variable gave."""

    text: str
    line: int
    is_value: bool


def read_template(
    source: str,
    *,
    name: str,
    variables: frozenset[str],
    lists: Mapping[str, int],
    markup: bool = False,
    first_line: int = 1,
) -> Template:
    """Read and check a template; lists: those of its variables that a loop may go through, and how many loops deep.

    name, first_line: the file it stands in and where it begins there. Raises: ConfigError with every problem.
    """
    if len(source) > MAX_SOURCE_CHARACTERS:
        raise ConfigError((Problem(name, f"is longer than {MAX_SOURCE_CHARACTERS} characters"),))
    try:
        if next(islice(_GRAMMAR.lex(source), MAX_TOKENS, None), None) is not None:
            raise ConfigError((Problem(name, f"there are more than {MAX_TOKENS} words and signs in one template"),))
        tree = _GRAMMAR.parse(source)
    except TemplateSyntaxError as error:
        line, what = syntax_problem(_GRAMMAR, source, error)
        raise ConfigError((Problem(f"{name}:{line + first_line - 1}", what),)) from None
    except RecursionError:
        raise ConfigError((Problem(name, f"there are more than {MAX_DEPTH} things within each other"),)) from None
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError((Problem(name, f"cannot be read: {error}"),)) from None
    problems = _Check(variables, lists).problems(tree.body)
    if len(problems) > 0:
        raise ConfigError(tuple(Problem(f"{name}:{line + first_line - 1}", what) for line, what in problems))
    return Template(tuple(tree.body), markup, first_line)


def fill(template: Template, variables: Mapping[str, Any]) -> str:
    """The template's words. variables: str, int, or lists of str. Raises: ValueError, TypeError, LookupError."""
    writer = _Writer(dict(variables), markup=template.markup)
    writer.write(template.body)
    return "".join(text for text, _, _ in writer.pieces)


def trace(template: Template, variables: Mapping[str, Any]) -> tuple[tuple[Piece, ...], tuple[int, str] | None]:
    """As `fill`, each piece with its line, up to where it ends or fails; then the line of the file and the reason."""
    writer = _Writer(dict(variables), markup=template.markup)
    stopped = None
    try:
        writer.write(template.body)
    except (TypeError, ValueError, LookupError) as error:
        stopped = (writer.line + template.first_line - 1, str(error))
    above = template.first_line - 1
    return tuple(Piece(text, line + above, is_value) for text, line, is_value in writer.pieces), stopped


def names_in(template: Template) -> frozenset[str]:
    """Every name that stands in it: variables, and those that its loops give."""
    return frozenset(name.name for node in template.body for name in node.find_all(nodes.Name))


def words_in(template: Template) -> str:
    """All that stands in it outside of its signs, whatever the variables are."""
    found = (each for node in template.body for each in node.find_all(nodes.TemplateData))
    return " ".join(each.data for each in found)


# --- what may stand in a template ------------------------------------------------------------------------------


_Loops = tuple[tuple[str, int], ...]
"""Around a node, outermost first: the name that each loop gives, and how many loops more may go through that."""


@dataclass(slots=True)
class _Check:
    """What stands in a tree that may not; a class for the sake of what all steps know."""

    variables: frozenset[str]
    lists: Mapping[str, int]

    def problems(self, body: Sequence[nodes.Node]) -> list[tuple[int, str]]:
        """(line, sentence) of each, in order. No recursion: `a or a or …` is as deep as it is long."""
        found: list[tuple[int, str]] = []
        line = 1
        rest: list[tuple[nodes.Node, int, _Loops]] = [(node, 1, ()) for node in reversed(body)]
        while len(rest) > 0 and len(found) < _MOST_PROBLEMS:
            node, depth, loops = rest.pop()
            line = node.lineno or line  # some have none
            what = self._refusal(node, loops)
            if depth > MAX_DEPTH:
                what = f"there are more than {MAX_DEPTH} things within each other"
            if what != "":
                found.append((line, what))
            else:
                rest.extend((child, depth + 1, inner) for child, inner in reversed(list(self._children(node, loops))))
        return found

    def _refusal(self, node: nodes.Node, loops: _Loops) -> str:
        """Why this node may not stand here, `""` if it may. loops: the names of the loops around it."""
        if not isinstance(node, _ALLOWED):
            told = (sentence for kind, sentence in _REFUSED if isinstance(node, kind))
            return next(told, f"'{type(node).__name__.lower()}' is not possible in a template")
        match node:
            case nodes.TemplateData(data=str(words)) | nodes.Const(value=str(words)):
                found = _MARK.search(words)
                return f"a mail that holds '{found[0]}' never leaves; take it out" if found is not None else ""
            case nodes.Name():
                return self._name(node.name, loops)
            case nodes.Getattr():
                if isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in _LOOP and loops:
                    return ""
                return (
                    "a template cannot look into a variable; in a loop there are loop.first, loop.last and loop.index"
                )
            case nodes.Filter():
                return _filter_refusal(node)
            case nodes.For():
                return self._loop(node, loops)
            case nodes.Output():
                shown = next((each.name for each in node.nodes if isinstance(each, nodes.Name)), "")
                listed = self._depth(shown, loops) > 0
                return f"'{shown}' is a list: use {{% for %}} or {{{{ {shown}|join(', ') }}}}" if listed else ""
            case nodes.CondExpr(expr2=None):
                return "'if' within {{ }} needs an 'else'"
            case nodes.List() | nodes.Tuple():
                plain = all(isinstance(each, nodes.Const) for each in node.items)
                return "" if plain else "a list may hold nothing but words and numbers"
        return ""

    def _name(self, name: str, loops: _Loops) -> str:
        if name in self.variables or name in dict(loops):
            return ""
        return f"there is no variable '{name}' here{did_you_mean(name, self.variables)}"

    def _loop(self, node: nodes.For, loops: _Loops) -> str:
        if not isinstance(node.target, nodes.Name) or node.target.name in (*self.variables, *dict(loops), "loop"):
            return "a loop needs one new name: {% for words in evidence %}"
        if node.recursive or node.test is not None:
            return "a loop goes through one list, nothing else; put an {% if %} into it"
        if not isinstance(node.iter, nodes.Name):
            return "a loop can only go through a list"
        if (unknown := self._name(node.iter.name, loops)) != "":
            return unknown
        if self._depth(node.iter.name, loops) == 0:
            return f"'{node.iter.name}' is no list, a loop cannot go through it"
        if len(loops) > 0 and node.iter.name != loops[-1][0]:
            return "a loop within a loop can only go through what the outer one gives"
        return ""

    def _depth(self, name: str, loops: _Loops) -> int:
        """How many loops may go through what this name stands for; 0 for a text."""
        return dict(loops).get(name, self.lists.get(name, 0) if name in self.variables else 0)

    def _children(self, node: nodes.Node, loops: _Loops) -> Iterator[tuple[nodes.Node, _Loops]]:
        """What is to be looked at within a node that may stand there, with the loops around each."""
        if isinstance(node, nodes.For):
            assert isinstance(node.target, nodes.Name)
            assert isinstance(node.iter, nodes.Name)
            gives = (node.target.name, self._depth(node.iter.name, loops) - 1)
            yield from ((child, (*loops, gives)) for child in node.body)
            yield from ((child, loops) for child in node.else_)
        elif not isinstance(node, nodes.Getattr):
            yield from ((child, loops) for child in node.iter_child_nodes())


def _filter_refusal(node: nodes.Filter) -> str:
    if node.name == "default":
        return "'default' is not here: write {{ contact or \"there\" }}"
    if node.name not in FILTERS:
        known = ", ".join(FILTERS)
        return f"there is no filter '{node.name}' here{did_you_mean(node.name, FILTERS)}; there are {known}"
    wanted = FILTERS[node.name][1]
    given = tuple(type(each.value) if isinstance(each, nodes.Const) else None for each in node.args)
    if given != wanted or len(node.kwargs) > 0 or node.dyn_args is not None or node.dyn_kwargs is not None:
        usage = {(): "nothing", (int,): "one whole number", (str,): "one text in quotes"}[wanted]
        return f"the filter '{node.name}' takes {usage} in brackets"
    return ""


# --- filling it in ---------------------------------------------------------------------------------------------


class _Writer:
    """One template being filled: what is written so far, and what may still be done."""

    def __init__(self, scope: dict[str, Any], *, markup: bool) -> None:
        self.pieces: list[tuple[str, int, bool]] = []
        """As the fields of `Piece`; made here, those would take as long as all the rest."""
        self.line = 1
        """Of the template, where we are."""
        self._scope = scope
        self._markup = markup
        self._characters = 0
        self._work = 0

    def write(self, body: Sequence[nodes.Node]) -> None:
        """Write what stands in a body, in order."""
        for node in body:
            self.line = node.lineno or self.line  # some have none
            if isinstance(node, nodes.Output):
                for each in node.nodes:
                    self.line = each.lineno or self.line
                    if isinstance(each, nodes.TemplateData):
                        self._put(each.data, is_value=False)
                    else:
                        self._put(self._shown(each), is_value=True)
            elif isinstance(node, nodes.If):
                self.write(self._branch(node))
            else:
                assert isinstance(node, nodes.For)
                self._loop(node)

    def _shown(self, node: nodes.Node) -> str:
        words = _words(self._value(node))
        return html.escape(words) if self._markup else words

    def _put(self, words: str, *, is_value: bool) -> None:
        self._step()
        self._characters += len(words)
        if self._characters > MAX_CHARACTERS:
            raise ValueError(f"it makes more than {MAX_CHARACTERS} characters")
        self.pieces.append((words, self.line, is_value))

    def _step(self, read: int = 0) -> None:
        self._work += 1 + read // _CHARACTERS_A_STEP
        if self._work > MAX_WORK:
            raise ValueError(f"it takes more than {MAX_WORK} steps")

    def _branch(self, node: nodes.If) -> Sequence[nodes.Node]:
        for each in (node, *node.elif_):
            if self._value(each.test):
                return each.body
        return node.else_

    def _loop(self, node: nodes.For) -> None:
        assert isinstance(node.target, nodes.Name)
        items = self._value(node.iter)
        if not isinstance(items, list):
            raise TypeError("a loop can only go through a list")
        outer = dict(self._scope)
        for index, item in enumerate(items, start=1):
            self._step()
            self._scope[node.target.name] = item
            self._scope["loop"] = {"first": index == 1, "last": index == len(items), "index": index}
            self.write(node.body)
        self._scope = outer
        if len(items) == 0:
            self.write(node.else_)

    def _value(self, node: nodes.Node) -> Any:
        self._step()
        match node:
            case nodes.Name():
                if node.name not in self._scope:
                    raise LookupError(f"'{node.name}' has no value")
                return self._scope[node.name]
            case nodes.Const():
                return node.value
            case nodes.Or():
                return self._value(node.left) or self._value(node.right)
            case nodes.And():
                return self._value(node.left) and self._value(node.right)
            case nodes.Not():
                return not self._value(node.node)
            case nodes.CondExpr():
                assert node.expr2 is not None
                return self._value(node.expr1 if self._value(node.test) else node.expr2)
            case nodes.Getattr():
                return self._scope["loop"][node.attr]
            case nodes.List() | nodes.Tuple():
                return [self._value(each) for each in node.items]
            case nodes.Filter():
                return self._filtered(node)
            case nodes.Compare():
                return self._compared(node)
        raise TypeError(f"'{type(node).__name__}' was let through")

    def _filtered(self, node: nodes.Filter) -> Any:
        assert node.node is not None
        value = self._value(node.node)
        if not isinstance(value, list) or node.name not in _OF_LISTS:
            value = _words(value)
            if node.name == "join":
                raise TypeError("only a list can be joined")
        self._step(_size(value))
        made = FILTERS[node.name][0](value, *(self._value(each) for each in node.args))
        self._step(_size(made))
        return made

    def _compared(self, node: nodes.Compare) -> bool:
        left = self._value(node.expr)
        for operand in node.ops:
            right = self._value(operand.expr)
            self._step(_size(left) + _size(right))
            if not _COMPARE[operand.op](left, right):
                return False
            left = right
        return True


def _size(value: Any) -> int:
    return len(value) if isinstance(value, (str, list)) else 0


def _words(value: Any) -> str:
    if isinstance(value, list):
        raise TypeError("a list cannot be written as it is")
    return str(value)
