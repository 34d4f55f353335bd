# ruff: noqa: E501 - mails as programs write them
"""Mails in the forms that clients' programs write, by hand: a name, the text of the mail, what of it was written now."""

from __future__ import annotations

PLAIN: dict[str, tuple[str, str]] = {
    # --- Outlook ---
    "Outlook, German, with a signature of the firm": (
        """Guten Tag Frau Kern,

die Rechnung 4711 ist weiterhin falsch. Bitte stornieren Sie sie bis Freitag.

Mit freundlichen Grüßen
Jens Ortmann
Leiter Einkauf
Ortmann Pumpen GmbH
Hafenstr. 12, 28195 Bremen
Tel.: +49 421 555 12 30
www.ortmann-pumpen.example

Von: Petra Kern <kern@agentur.example>
Gesendet: Montag, 2. November 2026 09:14
An: Jens Ortmann <ortmann@ortmann-pumpen.example>
Cc: Buchhaltung
Betreff: AW: Rechnung 4711

Guten Tag Herr Ortmann,
wir prüfen das. Entschuldigen Sie die Beschwerde.
""",
        "Guten Tag Frau Kern,\n\ndie Rechnung 4711 ist weiterhin falsch. Bitte stornieren Sie sie bis Freitag.\n\n"
        "Mit freundlichen Grüßen\nJens Ortmann",
    ),
    "Outlook, French, with a disclaimer": (
        """Bonjour,

Pouvez-vous m'envoyer le devis avant jeudi ?

Cordialement,
Claire Morel

Ce message et toutes les pièces jointes sont confidentiels et établis à l'intention exclusive de leurs
destinataires. Si vous avez reçu ce message par erreur, merci de le détruire et d'en avertir l'expéditeur.

De : Marc Petit <petit@agence.example>
Envoyé : lundi 2 novembre 2026 10:02
À : Claire Morel
Objet : Votre demande

Bonjour, nous revenons vers vous.
""",
        "Bonjour,\n\nPouvez-vous m'envoyer le devis avant jeudi ?\n\nCordialement,\nClaire Morel",
    ),
    "Outlook, Spanish, original message": (
        """Hola Lucía:

No renovaremos el contrato en enero.

Un saludo,
Pedro Gil

-----Mensaje original-----
De: Lucía Sanz [mailto:sanz@agencia.example]
Enviado el: lunes, 2 de noviembre de 2026 10:15
Para: Pedro Gil
Asunto: Contrato

¿Han podido verlo?
""",
        "Hola Lucía:\n\nNo renovaremos el contrato en enero.\n\nUn saludo,\nPedro Gil",
    ),
    "Outlook, many recipients": (
        "Works for me.\n\nFrom: Ann Lee\nSent: Monday, November 2, 2026 10:15 AM\nTo: "
        + "\n".join(f"Person {n} <p{n}@firm.example>; Other {n} <o{n}@firm.example>;" for n in range(30))
        + "\nCc: Bo\nSubject: Lunch\n\nold",
        "Works for me.",
    ),
    "Outlook, appointment": (
        "I cannot make it.\n\n-----Original Appointment-----\nFrom: Ann\nSent: Monday\nTo: Bo\nSubject: Review\n\nold",
        "I cannot make it.",
    ),
    "Outlook on a telephone, German": (
        "Passt, danke!\n\nOutlook für iOS<https://aka.example/o0ukef> beziehen\n________________________________\n"
        "Von: Ann Lee <ann@firm.example>\nGesendet: Montag, November 2, 2026 10:15:00 AM\nAn: Bo <bo@firm.example>\n"
        "Betreff: Termin\n\nalt",
        "Passt, danke!",
    ),
    "the rule of Outlook's signature, then prose": (
        "We met the supplier.\n\n_____\n\nThe contract stays as it is.",
        "We met the supplier.\n\n_____\n\nThe contract stays as it is.",
    ),
    # --- Gmail ---
    "Gmail, English, wrapped": (
        "Yes, please go ahead.\n\nOn Mon, Nov 2, 2026 at 10:15 AM Bartholomew Featherstonehaugh <\n"
        "bartholomew@firm.example> wrote:\n\n> May we?\n>",
        "Yes, please go ahead.",
    ),
    "Gmail, German, with Uhr": (
        "Ja, gern.\n\nAm Mo., 2. Nov. 2026 um 10:15 Uhr schrieb Bo Li <bo@firm.example>:\n\n> Dürfen wir?",
        "Ja, gern.",
    ),
    "Gmail, French": (
        "Oui, merci.\n\nLe lun. 2 nov. 2026 à 10:15, Bo Li <bo@firm.example> a écrit :\n\n> On peut ?",
        "Oui, merci.",
    ),
    "Gmail, Spanish": (
        "Sí, gracias.\n\nEl lun, 2 nov 2026 a la(s) 10:15, Bo Li (bo@firm.example) escribió:\n\n> ¿Podemos?",
        "Sí, gracias.",
    ),
    "Gmail, a language nobody listed": (
        "Tak.\n\npon., 2 lis 2026, 10:15 użytkownik Bo Li <bo@firm.example> xyz:\n\n> Możemy?",
        "Tak.",
    ),
    # --- Apple, telephones, web ---
    "Apple, German": (
        "Einverstanden.\n\nVon meinem iPad gesendet\n\n> Am 02.11.2026 um 10:15 schrieb Bo <bo@firm.example>:\n> \n> alt",
        "Einverstanden.",
    ),
    "Apple, French": (
        "D'accord.\n\nEnvoyé de mon iPhone\n\n> Le 2 nov. 2026 à 10:15, Bo <bo@firm.example> a écrit :\n> \n> vieux",
        "D'accord.",
    ),
    "Samsung, Spanish": (
        "De acuerdo.\n\nEnviado desde mi smartphone Samsung Galaxy.\n\n-------- Mensaje original --------\n"
        "De: Bo <bo@firm.example>\nFecha: 2/11/26 10:15 (GMT+01:00)\nPara: Ann\nAsunto: Oferta\n\nviejo",
        "De acuerdo.",
    ),
    "Yahoo, English": (
        "Fine.\n\nSent from Yahoo Mail on Android \n \n  On Mon, 2 Nov 2026 at 10:15, Bo<bo@firm.example> wrote:   old",
        "Fine.",
    ),
    "GMX, German": (
        'Danke.\n\nGesendet: Montag, 02. November 2026 um 10:15 Uhr\nVon: "Bo Li" <bo@firm.example>\n'
        "An: ann@firm.example\nBetreff: Angebot\n\nalt",
        "Danke.",
    ),
    "T-Online, German": (
        "Danke.\n\n-----Original-Nachricht-----\nBetreff: Angebot\nDatum: 2026-11-02T10:15:00+0100\n"
        'Von: "Bo Li" <bo@firm.example>\nAn: ann@firm.example\n\nalt',
        "Danke.",
    ),
    "Zoho": (
        "Good.\n\n---- On Mon, 02 Nov 2026 10:15:00 +0100 Bo <bo@firm.example> wrote ----\n\nold",
        "Good.",
    ),
    "German, the date behind the name": (
        "Bitte kündigen.\n\nBo Li schrieb am 02.11.2026 um 10:15:\n\nalt",
        "Bitte kündigen.",
    ),
    "a help desk's line": (
        "It still does not work.\n\n##- Please type your reply above this line -##\n\nYour ticket is closed.",
        "It still does not work.",
    ),
    # --- Notes ---
    "Notes, English": (
        "I would decline.\n\n\n\n\nAnn Lee@FIRM\n11/02/2026 10:15 AM\nTo: Bo Li/LON/FIRM@FIRM\n"
        "cc: Cy Young/NA/Firm@Firm, Di \nWest/NA/Firm@Firm\n\nSubject: Re: Meeting\n\nold",
        "I would decline.",
    ),
    "Notes, indented": (
        "Thank you.\n\n\tAnn Lee\n\tSent by: Di West\n\t11/02/2026 10:15 AM\n\t\t \n\t\t To: Bo Li\n\t\t cc: \n"
        "\t\t Subject: Budget\n\nold",
        "Thank you.",
    ),
    "Notes, from outside": (
        'No.\n\n"Lee, Ann" <ann@client.example> on 11/02/2026 10:15:09 AM\nPlease respond to ann@client.example\n\n'
        "To: bo@firm.example\ncc:\n\nSubject: Offer\n\nold",
        "No.",
    ),
    "Notes, letterhead": (
        "Agreed.\n\n\tFirm North America Corp.\n\t\n\tFrom:  Ann Lee                    11/02/2026 10:15 AM\n\t\n\n"
        "To: Bo Li/HOU/FIRM@FIRM\ncc:  \nSubject: Re: Terms\n\nold",
        "Agreed.",
    ),
    "Notes, German, without colons": (
        "Bitte verlängern Sie um ein Jahr.\n\nAnn Lee/DE/FIRM@FIRM\n02.11.2026 10:15\n\nAn\nBo Li/DE/FIRM@FIRM\n"
        "Kopie\n\nThema\nRe: Vertrag\n\nalt",
        "Bitte verlängern Sie um ein Jahr.",
    ),
    "Notes in a browser": (
        "Thanks.\n\n-----Bo Li/LON/FIRM wrote: -----\n\nTo: Ann Lee/LON/FIRM@FIRM\nFrom: Bo Li/LON/FIRM\n"
        "Date: 11/02/2026 10:15AM\nSubject: Offer\n\nold",
        "Thanks.",
    ),
    "Notes, nothing of one's own": (
        "---------------------- Forwarded by Bo Li/HOU/FIRM on 11/02/2026 \n10:15 AM ---------------------------\n\n\n"
        "Ann Lee\n11/02/2026 09:00 AM\nTo: Bo Li/HOU/FIRM@FIRM\ncc: \n\nSubject: Plant down\n\nThe plant is down.\n"
        "---------------------- Forwarded by Ann Lee on 11/01/2026 \n05:00 PM ---------------------------\n\nolder",
        "The plant is down.",
    ),
    "Notes, FYI above": (
        "FYI - see e-mail below from Ann Lee.\n\nBo\n555-853-7751\n----- Forwarded by Bo Li/NA/Firm on 11/02/2026 10:15 AM"
        " -----\n\n\tAnn Lee\n\t11/02/2026 09:00 AM\n\t\t \n\t\t To: Bo Li\n\t\t cc: \n\t\t Subject: Plant\n\nWe stop.",
        "FYI - see e-mail below from Ann Lee.\n\nBo\n555-853-7751\n\nWe stop.",
    ),
    "Notes, own words above": (
        "Please handle this today.\n----- Weitergeleitet von Bo Li/DE/Firm am 02.11.2026 10:15 -----\n\nAnn Lee\n"
        "02.11.2026 09:00\nAn: Bo Li\nKopie:\nThema: Anlage\n\nDie Anlage steht.",
        "Please handle this today.",
    ),
    # --- forwards ---
    "Gmail forward, bare": (
        "---------- Forwarded message ---------\nVon: Ann Lee <ann@firm.example>\nDate: Mo., 2. Nov. 2026 um 10:15 Uhr\n"
        "Subject: Kündigung\nTo: <bo@firm.example>\n\n\nWir kündigen zum Jahresende.",
        "Wir kündigen zum Jahresende.",
    ),
    "Apple forward, quoted, bare": (
        "Begin forwarded message:\n\n> From: Ann Lee <ann@firm.example>\n> Subject: Leak\n> Date: 2 November 2026\n"
        "> To: Bo <bo@firm.example>\n> \n> It leaks again.\n> \n> > On 1 Nov 2026, Bo wrote:\n> > old",
        "It leaks again.",
    ),
    "Thunderbird forward, French, with words": (
        "Peux-tu répondre ?\n\n-------- Message transféré --------\nSujet : \tRetard\nDate : \tMon, 2 Nov 2026\n"
        "De : \tAnn <ann@firm.example>\nPour : \tBo\n\nToujours rien reçu.",
        "Peux-tu répondre ?",
    ),
    "Thunderbird forward, German, zur Kenntnis": (
        "Hallo Bo,\n\nzur Kenntnis.\n\nGruß\nAnn\n\n-------- Weitergeleitete Nachricht --------\nBetreff: \tMangel\n"
        "Datum: \tMo, 2 Nov 2026\nVon: \tCy <cy@client.example>\nAn: \tAnn\n\nDer Mangel besteht fort.",
        "Hallo Bo,\n\nzur Kenntnis.\n\nGruß\nAnn\n\nDer Mangel besteht fort.",
    ),
    # --- answers between ---
    "answers between, German": (
        "Am 02.11.2026 um 10:15 schrieb Bo:\n> Wann kommt die Ware?\nAm Freitag.\n\n> Wie viele Kartons?\nZwölf.\n",
        "Am Freitag.\n\nZwölf.",
    ),
    "answers between, with a greeting above": (
        "Hi Bo, see below.\n\nOn 2 Nov 2026, at 10:15, Bo wrote:\n> When?\nMonday.\n> Where?\nHere.",
        "Hi Bo, see below.\n\nMonday.\nHere.",
    ),
    "a mailer broke the quoted lines": (
        "Bo said:\n> the shipment of the twelve boxes that we ordered in the second week of\nseptember\n"
        "> has not come\n\nIt comes on Monday.",
        "It comes on Monday.",
    ),
    "quotes with initials": (
        "bl> one\nbl> two\nbl> three\n\nNo to all of these.",
        "No to all of these.",
    ),
    # --- footers ---
    "disclaimer, English, and one above": (
        "CAUTION: This email originated from outside the organization. Do not click links.\n\nPlease send the invoice.\n\n"
        "This e-mail and any attachments are confidential and intended solely for the addressee.\nIf you are not the "
        "intended recipient, please notify the sender and delete it.\n\nFirm Ltd, registered in England 123456",
        "Please send the invoice.",
    ),
    "disclaimer, German": (
        "Bitte senden Sie die Rechnung.\n\nDiese E-Mail enthält vertrauliche und/oder rechtlich geschützte Informationen. "
        "Wenn Sie nicht der\nrichtige Adressat sind, informieren Sie bitte sofort den Absender und vernichten Sie diese "
        "Mail.\n",
        "Bitte senden Sie die Rechnung.",
    ),
    "disclaimer, Spanish": (
        "Envíen la factura, por favor.\n\nAVISO LEGAL: Este mensaje va dirigido exclusivamente a su destinatario y puede "
        "contener\ninformación confidencial. Si usted no es el destinatario, bórrelo y avise al remitente.",
        "Envíen la factura, por favor.",
    ),
    "disclaimer below a rule": (
        "See attached.\n\n**********************************\nThe information contained in this communication is "
        "privileged and confidential\nand intended only for the individual or entity named above.\n****************",
        "See attached.",
    ),
    "the environment": ("Attached.\n\nPlease consider the environment before printing this e-mail.", "Attached."),
    "a list's footer": (
        "How do I log in?\n\n-- Ann\n_______________________________________________\nUsers mailing list\n"
        "users@lists.firm.example\nhttps://lists.firm.example/mailman/listinfo/users",
        "How do I log in?\n\n-- Ann",
    ),
    "a signature without hyphens": (
        "Could you call me back today?\n\nAnn Lee\nHead of Purchasing\nFirm Ltd\n12 High Street\nTel: +44 20 7946 0123",
        "Could you call me back today?\n\nAnn Lee",
    ),
    "numbers that are the message": (
        "Please call these people:\n\nAnn Lee\n020 7946 0123\n\nBo Li\n020 7946 0124",
        "Please call these people:\n\nAnn Lee\n020 7946 0123\n\nBo Li\n020 7946 0124",
    ),
    # --- what looks like history and is none ---
    "I wrote": (
        "On 2 November 2026 I wrote to you:\n\nThe pump leaks. You never answered.",
        "On 2 November 2026 I wrote to you:\n\nThe pump leaks. You never answered.",
    ),
    "ich schrieb": (
        "Guten Tag,\n\nam 02.11.2026 schrieb ich Ihnen bereits:\nDie Pumpe tropft. Ich warte noch immer.",
        "Guten Tag,\n\nam 02.11.2026 schrieb ich Ihnen bereits:\nDie Pumpe tropft. Ich warte noch immer.",
    ),
    "secrets that are a complaint": (
        "Hello,\n\nThis message concerns the disclosure of our confidential prices by your staff. We are angry.",
        "Hello,\n\nThis message concerns the disclosure of our confidential prices by your staff. We are angry.",
    ),
    "an order by fields": (
        "Order 12\n\nDate: Monday\nTo: our plant\nGoods: pumps\n\nPlease confirm.",
        "Order 12\n\nDate: Monday\nTo: our plant\nGoods: pumps\n\nPlease confirm.",
    ),
    "a receipt for a mail that was read": (
        "Your message\n\n   To: Ann Lee\n   Subject: Terms\n   Sent: Sunday, 22 November 2026 09:00\n\n was read on Monday.",
        "Your message\n\n   To: Ann Lee\n   Subject: Terms\n   Sent: Sunday, 22 November 2026 09:00\n\n was read on Monday.",
    ),
    "a table of mails": (
        "Waiting:\n\nFrom: a@firm.example\nCause: too big\n\nFrom: b@firm.example\nCause: too big\n\nFrom: c@firm.example",
        "Waiting:\n\nFrom: a@firm.example\nCause: too big\n\nFrom: b@firm.example\nCause: too big\n\nFrom: c@firm.example",
    ),
    "a table": ("Prices:\n| pump | 12 |\n| valve | 3 |\nOK?", "Prices:\n| pump | 12 |\n| valve | 3 |\nOK?"),
    "sections below hyphens": (
        "Itinerary\n--\n" + "\n".join(f"Flight {n} leaves at noon" for n in range(60)),
        "Itinerary\n--\n" + "\n".join(f"Flight {n} leaves at noon" for n in range(60)),
    ),
}

HTML: dict[str, tuple[str, str]] = {
    "Gmail": (
        '<div dir="ltr">Yes, go ahead.</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, Nov 2,'
        ' 2026 at 10:15 AM Bo &lt;<a href="mailto:bo@firm.example">bo@firm.example</a>&gt; wrote:<br></div>'
        '<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex">old</blockquote></div>',
        "Yes, go ahead.",
    ),
    "Gmail, a language nobody listed": (
        '<div dir="ltr">Jah.</div><div class="gmail_quote"><div class="gmail_attr">Kontakt Bo xyz:<br></div>'
        '<blockquote class="gmail_quote">vana</blockquote></div>',
        "Jah.",
    ),
    "Gmail forward, bare": (
        '<div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>From: <b>Ann</b> '
        "&lt;ann@firm.example&gt;<br>Date: Mon, Nov 2, 2026<br>Subject: Leak<br>To: bo@firm.example<br></div><br>"
        "<div>It leaks.</div></div>",
        "It leaks.",
    ),
    "Outlook, German": (
        "<div class=WordSection1><p class=MsoNormal>Bitte stornieren.<o:p></o:p></p><p class=MsoNormal>"
        "<o:p>&nbsp;</o:p></p><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'>"
        "<p class=MsoNormal><b>Von:</b> Bo &lt;bo@firm.example&gt; <br><b>Gesendet:</b> Montag, 2. November 2026 10:15"
        "<br><b>An:</b> Ann<br><b>Betreff:</b> Rechnung<o:p></o:p></p></div><p class=MsoNormal>alt</p></div>",
        "Bitte stornieren.",
    ),
    "Outlook on the web": (
        '<div style="font-family:Calibri">Works.</div><div id="appendonsend"></div><hr style="width:98%">'
        '<div id="divRplyFwdMsg" dir="ltr"><font><b>From:</b> Bo<br><b>Sent:</b> Monday<br><b>To:</b> Ann<br>'
        "<b>Subject:</b> Call</font><div>&nbsp;</div></div><div>old</div>",
        "Works.",
    ),
    "Outlook in a table of fields": (
        "<p>Nein.</p><table><tr><td>Von:</td><td>Bo</td></tr><tr><td>Gesendet:</td><td>Montag</td></tr>"
        "<tr><td>An:</td><td>Ann</td></tr><tr><td>Betreff:</td><td>Angebot</td></tr></table><p>alt</p>",
        "Nein.",
    ),
    "Apple": (
        '<html><body>Agreed.<br><div><br><blockquote type="cite"><div>On 2 Nov 2026, at 10:15, Bo &lt;bo@firm.example'
        "&gt; wrote:</div><br><div>old</div></blockquote></div></body></html>",
        "Agreed.",
    ),
    "Thunderbird": (
        '<p>Ja.</p><div class="moz-cite-prefix">Am 02.11.26 um 10:15 schrieb Bo:<br></div>'
        '<blockquote type="cite" cite="mid:x">alt</blockquote><p>PS: Danke.</p>',
        "Ja.\n\nPS: Danke.",
    ),
    "Thunderbird, signature": (
        '<p>Ja.</p><pre class="moz-signature" cols="72">-- \nBo Li\nFirm</pre>',
        "Ja.",
    ),
    "Gmail signature": (
        '<div dir="ltr">Please call.<div><br></div>-- <br><div class="gmail_signature">Bo Li<br>Firm</div></div>',
        "Please call.",
    ),
    "answers between": (
        '<div>On 2 Nov 2026, Bo wrote:</div><blockquote type="cite">When?</blockquote><div>Monday.</div>'
        '<blockquote type="cite">Where?</blockquote><div>Here.</div>',
        "Monday.\n\nHere.",
    ),
    "Yahoo": (
        '<div>Fine.</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Monday, November 2, 2026 at 10:15 AM, Bo '
        "&lt;bo@firm.example&gt; wrote:</div><div>old</div></div>",
        "Fine.",
    ),
    "GMX": (
        '<div>Danke.</div><div name="quote" style="margin:10px 5px 5px 10px;border-left:2px solid #C3D9E5">'
        "<div><b>Gesendet:</b>&nbsp;Montag<br><b>Von:</b>&nbsp;Bo<br><b>An:</b>&nbsp;Ann<br><b>Betreff:</b>&nbsp;X</div>"
        "<div>alt</div></div>",
        "Danke.",
    ),
    "Proton": (
        '<div>Fine.</div><div class="protonmail_quote">On Monday, 2 November 2026 at 10:15, Bo &lt;bo@firm.example&gt; '
        'wrote:<br><blockquote class="protonmail_quote" type="cite">old</blockquote></div>',
        "Fine.",
    ),
    "Zimbra": (
        '<div>Oui.</div><hr id="zwchr"><div><b>De: </b>Bo<br><b>À: </b>Ann<br><b>Envoyé: </b>Lundi<br><b>Objet: </b>X'
        "</div><div>vieux</div>",
        "Oui.",
    ),
    "Outlook's blue line": (
        "<p>No.</p><div style='border:none;border-left:solid blue 1.5pt;padding:0cm 0cm 0cm 4.0pt'><div><p><b>From:</b> Bo"
        "<br><b>Sent:</b> Monday<br><b>To:</b> Ann<br><b>Subject:</b> X</p></div><p>old</p></div>",
        "No.",
    ),
    "Notes": (
        "<font>No renewal.</font><br><br><table><tr><td>From: </td><td>Bo Li/LON/FIRM</td></tr><tr><td>To: </td><td>"
        "Ann</td></tr><tr><td>Date: </td><td>11/02/2026 10:15 AM</td></tr><tr><td>Subject: </td><td>Offer</td></tr></table>"
        "<hr noshade><br>old",
        "No renewal.",
    ),
    "a banner of the firm's server": (
        "<table><tr><td>CAUTION: This email originated from outside of the organization.</td></tr></table><p>Hello.</p>",
        "Hello.",
    ),
    "indented, not quoted": (
        '<div>Our terms:</div><blockquote style="margin:0 0 0 40px;border:none;padding:0px"><div>30 days</div>'
        "</blockquote>",
        "Our terms:\n\n30 days",
    ),
}
