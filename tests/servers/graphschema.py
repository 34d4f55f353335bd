"""Microsoft's description of Graph (CSDL, OData 4.0) in; what is wrong with a path, its options or a JSON value out."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

METADATA = Path(__file__).parents[2] / "../shared/schemas/graph/metadata.xml"
_EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
_OFFSET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)")
_STRING = re.compile(r"'(?:[^']|'')*'")
_WORDS = frozenset("eq ne gt ge lt le and or not any all contains startswith endswith true false null".split())
OPTIONS = frozenset("$select $filter $expand $orderby $top $skip $count $search $deltatoken $skiptoken".split())


@dataclass(slots=True)
class Type:
    base: str
    stream: bool
    properties: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Name → type, and whether it may be null."""
    navigation: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """What a path leads to. type: short name; many: a list of it; name: of an action or function, `""` for none."""

    type: str
    many: bool
    name: str = ""
    stream: bool = False
    parameters: dict[str, str] | None = None
    """Of an action, names in lower case: they are compared so, as Graph does."""
    returns: str = ""


class Schema:
    def __init__(self, path: Path) -> None:
        schema = next(
            each for each in etree.parse(path).iter(f"{_EDM}Schema") if each.get("Namespace") == "microsoft.graph"
        )
        self.types: dict[str, Type] = {}
        self.enums: dict[str, frozenset[str]] = {}
        self.bound: dict[tuple[str, str], Any] = {}
        for each in schema:
            name = each.get("Name", "")
            if each.tag == f"{_EDM}EnumType":
                self.enums[name] = frozenset(member.get("Name") for member in each.iter(f"{_EDM}Member"))
            elif each.tag in (f"{_EDM}EntityType", f"{_EDM}ComplexType"):
                found = Type(_short(each.get("BaseType", "")), each.get("HasStream") == "true")
                for one in each.iterfind(f"{_EDM}Property"):
                    found.properties[one.get("Name")] = (one.get("Type"), one.get("Nullable") != "false")
                for one in each.iterfind(f"{_EDM}NavigationProperty"):
                    found.navigation[one.get("Name")] = one.get("Type")
                self.types[name] = found
            elif each.tag in (f"{_EDM}Action", f"{_EDM}Function") and each.get("IsBound") == "true":
                first = each.find(f"{_EDM}Parameter")
                self.bound[name, first.get("Type")] = each

    def properties(self, name: str) -> dict[str, tuple[str, bool]]:
        found: dict[str, tuple[str, bool]] = {}
        while name in self.types:
            found = self.types[name].properties | found
            name = self.types[name].base
        return found

    def navigation(self, name: str) -> dict[str, str]:
        found: dict[str, str] = {}
        while name in self.types:
            found = self.types[name].navigation | found
            name = self.types[name].base
        return found

    def place(self, segments: Sequence[str]) -> Place | str:
        """What a path after the version leads to, or what is wrong with it. segments: decoded."""
        if len(segments) < 2 or segments[0] != "users":
            return f"no entity set {segments[:1]}"
        here = Place("user", many=False)
        for segment in segments[2:]:
            bound = self._bound(here, segment)
            if bound is not None:
                here = bound
            elif here.name != "" or here.stream:
                return f"nothing follows {here}"
            elif here.many:
                here = Place(here.type, many=False)
            elif segment == "$value" and self._is_stream(here.type):
                here = Place(here.type, many=False, stream=True)
            elif segment in self.navigation(here.type):
                kind = self.navigation(here.type)[segment]
                here = Place(_short(kind), many=kind.startswith("Collection("))
            else:
                return f"{here.type} has no {segment}"
        return here

    def _bound(self, here: Place, name: str) -> Place | None:
        kind = f"Collection(graph.{here.type})" if here.many else f"graph.{here.type}"
        found = self.bound.get((name, kind))
        if found is None:
            return None
        after_first = list(found.iterfind(f"{_EDM}Parameter"))[1:]
        parameters = {each.get("Name").lower(): each.get("Type") for each in after_first}
        returned = found.find(f"{_EDM}ReturnType")
        returns = returned.get("Type") if returned is not None else ""
        return Place(here.type, here.many, name=name, parameters=parameters, returns=returns)

    def _is_stream(self, name: str) -> bool:
        return any(self.types[each].stream for each in self._line(name))

    def _line(self, name: str) -> list[str]:
        found = []
        while name in self.types:
            found.append(name)
            name = self.types[name].base
        return found

    def option_faults(self, here: Place, options: Sequence[tuple[str, str]]) -> list[str]:
        faults = []
        for name, value in options:
            if name not in OPTIONS:
                faults.append(f"no query option {name}")
            elif name == "$select":
                known = self.properties(here.type)
                faults += [f"$select: {here.type} has no {each}" for each in value.split(",") if each not in known]
            elif name == "$expand":
                relation, _, inner = value.partition("(")
                kind = self.navigation(here.type).get(relation)
                if kind is None:
                    faults.append(f"$expand: {here.type} has no {relation}")
                elif inner:
                    faults += self._filter_faults(_short(kind), inner.removesuffix(")").removeprefix("$filter="))
            elif name == "$filter":
                faults += self._filter_faults(here.type, value)
            if here.name == "delta" and name in ("$top", "$filter", "$orderby", "$search", "$skip"):
                faults.append(f"{name} in a delta query ends or limits it")
        return faults

    def _filter_faults(self, name: str, condition: str) -> list[str]:
        bare = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", _STRING.sub("", condition))
        lambdas = {variable: relation for relation, variable in re.findall(r"([\w/]+)/[Aa](?:ny|ll)\((\w+):", bare)}
        faults = []
        for word in re.findall(r"[A-Za-z_][\w/]*", bare):
            parts = [part for part in word.split("/") if part.lower() not in _WORDS]
            kind = name
            if parts and parts[0] in lambdas:
                kind, parts = _short(self.navigation(name).get(lambdas[parts[0]], "")), parts[1:]
            for part in parts:
                if part not in self.properties(kind) and part not in self.navigation(kind):
                    faults.append(f"$filter: {kind} has no {part}")
                    break
                kind = _short(self.navigation(kind).get(part) or self.properties(kind)[part][0])
        return faults

    def faults(self, value: object, kind: str, where: str = "") -> list[str]:
        """What is wrong with a JSON value that is to be of a type."""
        if kind.startswith("Collection("):
            if not isinstance(value, list):
                return [f"{where}: no list"]
            return [
                fault
                for index, each in enumerate(value)
                for fault in self.faults(each, kind[11:-1], f"{where}[{index}]")
            ]
        if kind.startswith("Edm."):
            return [] if _is_edm(value, kind) else [f"{where}: {value!r:.60} is no {kind}"]
        name = _short(kind)
        if name in self.enums:
            return [] if value in self.enums[name] else [f"{where}: {value!r:.60} is no {name}"]
        if not isinstance(value, dict):
            return [f"{where}: {value!r:.60} is no {name}"]
        if isinstance(said := value.get("@odata.type"), str):
            derived = _short(said.lstrip("#"))
            if name not in self._line(derived):
                return [f"{where}: {derived} is no {name}"]
            name = derived
        faults = self._date_faults(value, name, where)
        properties, navigation = self.properties(name), self.navigation(name)
        for key, each in value.items():
            if key.startswith("@") or "@odata." in key:
                faults += [] if isinstance(each, str) or key == "@removed" else [f"{where}.{key}: no string"]
            elif key in properties:
                declared, nullable = properties[key]
                if each is None:
                    faults += [] if nullable else [f"{where}.{key}: is null"]
                else:
                    faults += self.faults(each, declared, f"{where}.{key}")
            elif key in navigation:
                faults += self.faults(each, navigation[key], f"{where}.{key}")
            else:
                faults.append(f"{where}: {name} has no {key}")
        return faults

    def _date_faults(self, value: dict[str, Any], name: str, where: str) -> list[str]:
        """A dateTimeTimeZone's dateTime is a string to CSDL, and a time without an offset to its documentation."""
        if name != "dateTimeTimeZone":
            return []
        try:
            found = datetime.fromisoformat(value["dateTime"])
        except (KeyError, TypeError, ValueError):
            return [f"{where}: {value!r:.80} has no dateTime"]
        return [f"{where}: an offset beside a time zone"] if found.tzinfo is not None else []


def _short(name: str) -> str:
    return name.removeprefix("Collection(").removesuffix(")").removeprefix("microsoft.").removeprefix("graph.")


def _is_edm(value: object, kind: str) -> bool:
    match kind:
        case "Edm.Boolean":
            return isinstance(value, bool)
        case "Edm.Int32" | "Edm.Int64" | "Edm.Int16" | "Edm.Byte":
            return isinstance(value, int) and not isinstance(value, bool)
        case "Edm.Double" | "Edm.Single" | "Edm.Decimal":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "Edm.DateTimeOffset":
            return isinstance(value, str) and _OFFSET.fullmatch(value) is not None
        case "Edm.Binary":
            return isinstance(value, str) and len(base64.b64decode(value, validate=True)) >= 0
        case _:
            return isinstance(value, str)


@cache
def schema() -> Schema | None:
    """Microsoft's, None where it does not lie beside the project."""
    return Schema(METADATA) if METADATA.is_file() else None
