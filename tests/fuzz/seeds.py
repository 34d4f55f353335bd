"""Small mails written by hand that between them use every construct the parser knows; what the fuzzer starts from."""

import base64

_ADDRESSES = b"""From: "Lee, \\"Ann\\"" (of =?utf-8?q?M=C3=BCnchen?=) <@relay.example:ann@xn--mnchen-3ya.example>
To: Desk: desk@firm.example, <a@b.example>;, =?iso-2022-jp?b?GyRCMnE1RBsoQg==?= <c@d.example>
Cc: bob@client.example (Bob), "o'neil"@client.example
Reply-To: <ann@client.example>
Authentication-Results: mx.firm.example (host) 1; dkim=pass header.d=client.example;
 dmarc=pass (p=none "x") header.from=client.example
"""
_HEAD = b"""From: Ann <ann@client.example>
To: desk@firm.example
Message-ID: <1.2@client.example>
In-Reply-To: <0@firm.example>
References: <0@firm.example>
 <00@firm.example>
Date: Sun, 22 Nov 2026 10:00:00 +0100 (CET)
Subject: =?utf-8?q?Gr=C3=BC=C3?= =?utf-8?q?=9Fe?= =?gb2312?b?xPq6ww==?=
"""
_REPLY = b"""Hello,

yes, please. And call me at 10:30.

--\x20
Ann Lee
Client Ltd

On Fri, 20 Nov 2026 at 09:00, Desk <desk@firm.example> wrote:
> Shall we renew?
>> Yes
>
-----Original Message-----
From: Desk
Sent: Friday
To: Ann
Subject: Renewal

Old text. Sent from my iPhone
"""
_HTML = b"""<!DOCTYPE html><html><head><style>p{color:red}</style><meta charset="utf-8"></head><body>
<p style="x">Hello <b>you</b> &amp; all &#x41;&nbsp;<br><ol><li>one<li>two</ol>
<table><tr><td>1</td><td>2</td></tr></table>
<!-- a comment --><div style="display:none">hidden</div><img alt="logo" src="cid:1"><hr>
<div class="gmail_quote">On Fri wrote:<blockquote type="cite">old <blockquote>older</blockquote></blockquote></div>
<pre>  code
</pre></body></html>
"""
_TNEF = (
    b"\x78\x9f\x3e\x22\x01\x00"
    + b"\x01\x07\x90\x06\x00\x08\x00\x00\x00\xe4\x04\x00\x00\x00\x00\x00\x00\xe8\x00"
    + b"\x01\x0c\x80\x02\x00\x06\x00\x00\x00Hello\x00\xf4\x01"
    + b"\x02\x02\x90\x06\x00\x0e\x00\x00\x00"
    + b"\x00" * 14
    + b"\x00\x00"
    + b"\x02\x10\x80\x01\x00\x06\x00\x00\x00a.txt\x00\x00\x00"
    + b"\x02\x0f\x80\x06\x00\x04\x00\x00\x00data\x00\x00"
    + b"\x01\x03\x90\x06\x00\x14\x00\x00\x00"
    + b"\x01\x00\x00\x00\x1e\x00\x00\x10\x01\x00\x00\x00\x03\x00\x00\x00Hi\x00\x00\x00\x00"
)
_SIGNED = bytes.fromhex(
    "3080 06092a864886f70d010702 a080 3080 020101 3100 3080 06092a864886f70d010701 a080 2480"
    "0418 436f6e74656e742d547970653a20746578742f706c6169 0408 6e0a0a48656c6c6f 0000 0000 0000"
)


def _part(head: bytes, body: bytes) -> bytes:
    return b"--bc\n" + head + b"\n" + body + b"\n"


SEEDS = (
    _HEAD + b"\n" + _REPLY,
    _ADDRESSES
    + b"Subject: plain\nContent-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\n\n> a \n> b \nc\n",
    _HEAD + b"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + _HTML,
    _HEAD
    + b'Content-Type: multipart/mixed; boundary*0="b"; boundary*1="c"; charset="utf-8"\n\npreamble\n'
    + _part(b"Content-Type: text/plain; charset=us-ascii\n", _REPLY)
    + _part(b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n", base64.encodebytes(_HTML))
    + _part(
        b"Content-Type: application/pdf; name*0*=utf-8''%C3%BC; name*1=x.pdf\n"
        b'Content-Disposition: attachment; filename="a\\"b.pdf"\nContent-Transfer-Encoding: base64\n',
        b"AAAA",
    )
    + b"--bc--\nepilogue\n",
    _HEAD
    + b"Content-Type: multipart/alternative; boundary=bc\n\n"
    + _part(b"Content-Type: text/plain; charset=gb2312\nContent-Transfer-Encoding: quoted-printable\n", b"=C4=FA=BA=C3")
    + _part(b"Content-Type: text/html; charset=windows-1251\n", b"<p>\xcf\xf0\xe8\xe2\xe5\xf2")
    + b"--bc--\n",
    _HEAD
    + b"Content-Type: multipart/digest; boundary=bc\n\n"
    + _part(b"", b"Subject: inner\nFrom: x@y.example\n\ninner text")
    + _part(
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n", base64.encodebytes(_HEAD + b"\n" + _REPLY)
    )
    + b"--bc--\n",
    _HEAD + b"Content-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(_TNEF),
    _HEAD
    + b"Content-Type: application/pkcs7-mime; smime-type=signed-data\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(_SIGNED),
    _HEAD + b"Content-Type: text/plain; charset=iso-2022-jp\n\n" + "会議の件です".encode("iso2022_jp"),
    _HEAD + b"Content-Type: text/plain; charset=hz-gb-2312\n\n~{:OM,~} and\n~~ more",
    _HEAD + b"Content-Type: text/plain; charset=utf-7\n\nGr+APwA3w-e +ADw-b+AD4-",
    _HEAD + b"Content-Type: text/plain; charset=utf-16\n\n" + "Hello, schön".encode("utf-16"),
    _HEAD + b"Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 a.txt\n%:&5L;&\\\n`\nend\n",
    b"From MAILER-DAEMON Sun Nov 22 10:00:00 2026\nReturn-Path: <>\nAuto-Submitted: auto-replied; x=y\n"
    b"Precedence: bulk\nList-Id: <x.y>\nX-Auto-Response-Suppress: DR, NDR, OOF\nSubject: Out of office\n"
    b"From: postmaster@client.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=bc\n\n"
    + _part(b"", b"Your mail could not be delivered.")
    + _part(b"Content-Type: message/delivery-status\n", b"Final-Recipient: rfc822; a@b.example\nStatus: 5.1.1\n")
    + b"--bc--\n",
)

TOKENS = (
    b"\r|\n|\r\n|\n\n|\0|\xff|\xc3|\xe2\x80\xae|\x1b$B|\x1b(B|\x1b$)C|~{|~}|\xe4\xbd\xa0|\xc4\xe3|\x80\x81|\x24\x80\0\0"
    b"|=?|?=|=?utf-8?q?|=?utf-8?b?|=?x?Q??=|=?iso-2022-jp?b?GyRC?=|=C3|=\n|==|=3D|%C3|+AGE-|begin 644 a\n"
    b'|"|\\|(|)|<|>|@|,|;|:|' + b"'|''|*0*=|*1=|[|]|.|--|--bc|--bc--\n"
    b"|Content-Type: |multipart/mixed; boundary=|message/rfc822|text/html|format=flowed|charset=|application/ms-tnef"
    b"|Content-Transfer-Encoding: |base64|quoted-printable|x-uuencode|9999999999999999999999999999|-1|a@b.example|xn--"
    b"|utf-7|utf-16|gb2312|big5|euc-kr|idna|punycode|zlib|rot13|unicode_escape|application/pkcs7-mime"
    b"|From: |Subject: |Date: |To: |References: |Message-ID: |Authentication-Results: |Auto-Submitted: |List-Id: "
    b"|<!--|-->|<a |<div>|</div>|<blockquote>|<table><tr><td>|&#|&amp;|<![CDATA[|<style>|<pre>|<ol>|<li>"
    b"|> |>>|On | wrote:|-----Original Message-----\n|-- \n|From: x\nSent: y\nTo: z\n|{\\rtf1|\\par|\\u8364"
).split(b"|")
"""What is put in between: what means something to some part of the parser."""
