"""Envelopes of EWS requests and answers in, what Microsoft's schema says against them out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from lxml import etree

SHARED = Path(__file__).parents[2].parent / "shared" / "schemas" / "ews"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_XML = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace">
<xs:attribute name="lang" type="xs:language"/></xs:schema>"""


class _Beside(etree.Resolver):
    """The schema imports the `xml` namespace without saying from where."""

    def resolve(self, url: str, public_id: str, context: object) -> object:
        if url.endswith("xml-namespace.xsd"):
            return self.resolve_string(_XML, context)
        if url.endswith("types.xsd"):
            text = (SHARED / "types.xsd").read_text(encoding="utf-8")
            bare = '<xs:import namespace="http://www.w3.org/XML/1998/namespace"/>'
            assert bare in text
            return self.resolve_string(text.replace(bare, bare[:-2] + ' schemaLocation="xml-namespace.xsd"/>'), context)
        return None


@cache
def schema() -> etree.XMLSchema:
    """Skips by name where the schema is not at hand."""
    if not SHARED.is_dir():
        pytest.skip("needs Microsoft's EWS schema: ../shared/schemas/ews")
    parser = etree.XMLParser()
    parser.resolvers.add(_Beside())
    return etree.XMLSchema(etree.parse(str(SHARED / "messages.xsd"), parser))


def violations(envelope: bytes) -> list[str]:
    """What is wrong with the header's and the body's elements; a SOAP fault is no matter of this schema."""
    root = etree.fromstring(envelope)
    parts = [*root.iterfind(f"{SOAP}Header/*"), *root.iterfind(f"{SOAP}Body/*")]
    if root.tag != f"{SOAP}Envelope" or root.find(f"{SOAP}Body/*") is None:
        return ["is no SOAP envelope with a body"]
    found = []
    for part in parts:
        if part.tag != f"{SOAP}Fault":
            checked = etree.fromstring(etree.tostring(part))
            if not schema().validate(checked):
                found += [f"{etree.QName(part).localname}: {error.message}" for error in schema().error_log]
    return found
