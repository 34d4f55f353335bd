"""Domains of mail providers that anybody can have an address at: such a domain never tells a client."""

from __future__ import annotations

FREEMAIL: frozenset[str] = frozenset(
    """
    gmail.com googlemail.com outlook.com outlook.de outlook.fr outlook.es hotmail.com hotmail.de hotmail.fr hotmail.es
    hotmail.co.uk hotmail.it live.com live.de live.fr live.co.uk live.nl msn.com passport.com
    yahoo.com yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.co.uk yahoo.co.in yahoo.co.jp yahoo.com.br ymail.com
    rocketmail.com aol.com aol.de aim.com icloud.com me.com mac.com
    gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.org gmx.eu gmx.info web.de email.de freenet.de t-online.de magenta.de
    arcor.de online.de 1und1.de mail.de posteo.de posteo.net mailbox.org tutanota.com tutanota.de tuta.io tuta.com
    tutamail.com vodafone.de kabelmail.de o2online.de unitybox.de a1.net aon.at chello.at bluewin.ch hispeed.ch
    sunrise.ch orange.fr wanadoo.fr free.fr sfr.fr laposte.net neuf.fr bbox.fr numericable.fr club-internet.fr
    telefonica.net terra.es ono.com movistar.es orange.es wanadoo.es
    libero.it virgilio.it tiscali.it alice.it ziggo.nl kpnmail.nl planet.nl skynet.be telenet.be
    btinternet.com sky.com talktalk.net virginmedia.com ntlworld.com
    proton.me protonmail.com protonmail.ch pm.me fastmail.com fastmail.fm hey.com zoho.com mail.com email.com
    hushmail.com inbox.com yandex.com yandex.ru mail.ru bk.ru list.ru rambler.ru ukr.net wp.pl o2.pl onet.pl interia.pl
    seznam.cz centrum.cz qq.com 163.com 126.com sina.com naver.com daum.net rediffmail.com uol.com.br bol.com.br
    comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net
    """.split()
)
"""Lower case. Collected by hand (2026-11): the large providers, and those of de/at/ch, fr, es, it, nl, be, uk."""
