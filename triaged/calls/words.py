"""Nothing in, out the words of English, German and French that mails about a call are made of.

Phrases, divided by commas, stand under the kind of thing they say and its number, if it has one. A time is taken only
from a clause of which every word stands here: a word that is missing costs an answer, one under the wrong kind may
cost a wrong call. Names of months and weekdays are Babel's; only their short and misspelled forms stand here.

plain: says nothing · who: a person, says nothing either, but "I am there on Tuesday" is no yes · also, yes: assent ·
good: suits · talk: a call · callme: asks for one · ask: a wish · slot: what we offered · thanks · no, ne: negates ·
nay, sorry: a no by itself · bad: is in the way · none, any, both: of what was offered · maybe, if, check: not sure ·
cancel · keep: not to cancel · move: another time · late: for the call · other: another slot · swap: instead · what:
asks us · gone: past, a deadline, another topic · nice: a greeting that may hold a time · bye: the closing words ·
unclear: a time that means two things or none.

The rest are parts of times: weekday N, month N, day N (from today), part 0–3 (morning, afternoon, evening, whole
day), edge 0–2 (early, middle, late), week N, theweek (only "the end of the week"), shift and tail N (minutes by which
the words before and after an hour move it), half 0 and 12 (am, pm), later 1 and -1, sametime and
nextday (than the call that stands), number N, ordinal N (-1 the last), zone N (of ZONES), and how they are joined:
after (1: strictly, 2: "from"), at (1: "about"), between, except, and so on.
"""

from __future__ import annotations

from typing import Final

ENGLISH: Final = {
    "plain": """per, am, good to know, im, on our side, from our side, on my side, from my side, any, look,
        looking, mine, ours, work day, note, able, long, anyway, rest, already, completely, fully, entirely,
        during, together, again, directly, line, landline, direct, hear, from you, a quick, a short, answer,
        reply, that week, those days, those times, that day, that time, replying, response, message, writing,
        getting back to me, getting back, for getting back, a, the, me, us, my, our, your, it, its, that, these,
        those, them, is, are, be, will, shall, would, do, of, on, with, so, then, there, here, up, s, m, re, ll,
        ve, d, as, time, times, my time, our time, local time, just, really, very, quite, more, most, only,
        even, have, has, get, some, dear, hi, hello, hey, team, all, sir, madam, side, end, this one, actually,
        into, than, quick, short, brief, quickly, calendar, diary, my mobile, my cell, my number, number is,
        via, by phone, on the phone, over the phone, by telephone, moment, a bit, a little, start, begin, let,
        first of all, at least, about it, about this, about that, if that works for you, if that works for you
        too, if that works, if that suits you, if that suits, if it suits you, if that is ok, if that's ok, if
        that's okay, if that is okay, if this works, if this works for you, if this suits you, if possible, if
        convenient, if that is convenient, if you like, if it works for you, if that is alright, too, well, any
        chance, chance, i'm, i am, also on, still, exactly, sharp, local, for""",
    "who": "i, we, he, she, they, someone, somebody, anyone, my colleague, my team, you",
    "also": "also, does, as well, so does, either way",
    "yes": """is confirmed, yes, yep, yeah, yup, sure, ok, okay, agreed, confirmed, i confirm, confirm,
        absolutely, definitely, certainly, of course, deal, noted, no problem, not a problem, no worries, that's
        it, it's a date, see you, see you then, talk to you then, talk then, speak then, speak to you then,
        until then, looking forward to, look forward to, looking forward, look forward, it is then""",
    "good": """squeeze me in, fit me in, work, works, suit, suits, fine, good, great, perfect, perfectly, ideal,
        ideally, best, better, convenient, possible, would be nice, free, available, prefer, preferred, preferably,
        happy,
        glad, any good, excellent, lovely, brilliant, super, wonderful, easiest, easier, reachable, fits, fit,
        choose, pick, go for, go with, go ahead with, opt for, love, like, sounds, sound, accept, acceptable,
        manage, fantastic, awesome, cool, i'll take, we'll take, take, why not, can do, could do, can make,
        could make, alright, all right, not bad""",
    "talk": """call, phone, ring, talk, speak, chat, meet, meeting, appointment, conversation, callback, phone
        call, telephone, catch up, teams, zoom, reach me, reach us, touch base, discuss it, discuss this""",
    "callme": """call me, call me back, call us back, ring me, phone me, give me a ring, give me a call, call us,
        ring us, phone us, give us a call, call back""",
    "ask": """how does, how would, find, need to find, you offer, please, pls, plz, could, can, let's, lets, may
        i, may we, how about, what about, need, ask, suggest, propose, suggestion, proposal, set up, arrange,
        book, fix, give, make, try, hoping, let me know, put me down, put us down, want, wanted to ask, kindly,
        love to, like to, would like, used to""",
    "slot": """slot, slots, option, options, choice, number, nr, #, ones, suggestions, proposals, alternative,
        alternatives, timeslot, offered, proposed, suggested, date, dates""",
    "thanks": "thanks, thank, thx, many thanks, cheers, thanks so much, thanks a lot, thanks again, thank you",
    "no": """not, don't, dont, doesn't, doesnt, can't, cant, cannot, couldn't, won't, wont, wouldn't, isn't,
        aren't, isnt, never, unable, no longer, impossible, hardly, without, t""",
    "none": "none, neither, not any, any of those, any of these",
    "any": """any of, any of them, any of the, any one, each, all of them, all of these, whichever, up to you, you
        choose, you decide""",
    "both": "both, either, all three, all two, all four",
    "bad": """too early, too late, too soon, too short notice, busy, away, holiday, holidays, vacation,
        travelling, traveling, abroad, sick, ill, unavailable, booked up, fully booked, tied up, out of office,
        out of the office, conflict, clash, clashes, off sick, on leave, annual leave, bad, worse, difficult,
        tricky, problem, unsuitable, inconvenient, no good, occupied, on the road, off, out, swamped, no way,
        taken, gone, full""",
    "nay": "no, nope",
    "sorry": "unfortunately, sorry, i'm sorry, afraid, i'm afraid, apologies, sadly, however, really sorry",
    "maybe": """i'm good, i am good, we're good, maybe, perhaps, might, possibly, probably, likely, otherwise,
        else, was hoping, was thinking, presumably, hopefully, potentially, could work, could be, could suit,
        could fit, should, ought, tentatively, tentative, provisionally, depending, depends, not sure, unsure, i
        think, i guess, i believe, think, guess, believe, seems, seem, in theory, in case, provided, assuming,
        subject to, may, almost, try to, unless, if necessary""",
    "if": "if, whether, as long as, when, once, while, whenever",
    "check": """let you know, ignore, disregard, forget, scratch that, correction, i will call, i'll call, call
        you, ring you, phone you, call you back, i'll ring, check, double check, get back to you, come back to
        you, will see, i'll see, find out, will confirm, i'll confirm, confirm later, have to ask, need to ask,
        ask my, get back""",
    "cancel": """no call, cancel, call off, no need for, no longer need, no longer needed, no longer necessary,
        not interested, don't need, do not need, drop the, skip the, not needed, need no, no need to call""",
    "move": """move, reschedule, postpone, push, shift, rearrange, change, bring forward, put back, delay, rebook,
        put off, push back, move back, bring""",
    "other": """another, another time, another slot, other time, other times, other slot, other slots, other
        options, other option, other dates, other date, different time, different day, different slot, new time,
        new date, something else, other day, other days, any other""",
    "what": "what, which, who, where, why, how, what time, same, usual, how long, how early",
    "gone": """would have been, could have been, was, were, had, did, wrote, sent, said, told, asked, spoke,
        talked, met, called, visited, received, arrived, since, ago, yesterday, last week, last month, last
        year, last night, been, came, went, tried, agreed on, ordered, signed, discussed, missed, by, due,
        deadline, invoice, delivery, delivered, shipment, order, parcel, contract, expires, ends, ended, starts,
        started, effective, as of, report, bill, payment, paid, office hours, working hours, opening hours,
        business hours, closed, every, daily, weekly, takes place, took place, scheduled for, webinar, workshop,
        training, conference, announced, monthly, last time, got, left, begins, meets, mondays, tuesdays,
        wednesdays, thursdays, fridays, quote, offer, renewal, subscription, meetings, calls, talks""",
    "unclear": """weekday, weekdays, week, week after, the week after, week of, fortnight, end of day, eod, cob,
        weekend, lunch, lunchtime, night, midnight, month, next month, this month, year, your time, half one,
        half two, half three, half four, half five, half nine, half ten, half eleven, half twelve, tonight,
        after next, first thing, in a week, from today, from tomorrow, week from, ish""",
    "weekday 1": "tue, tues", "weekday 2": "wed, weds, wensday, wensdy", "weekday 3": "thu, thur, thurs",
    "weekday 4": "fri", "month 9": "sept", "day 0": "today", "day 1": "tomorrow, tomorow, tommorow, tommorrow, tmrw",
    "day 2": "day after tomorrow, overmorrow", "part 0": "mornings, morning, forenoon",
    "part 1": "afternoons, afternoon", "part 2": "evening",
    "part 3": "all day, all day long, whole day, any time, anytime, at any time, entire day, any time of day",
    "edge 0": "early, beginning of, start of", "edge 1": "middle of, mid, mid -", "edge 2": "late, end of",
    "theweek": "the week", "week 0": "this week, rest of the week, rest of this week",
    "week 1": "next week, following week, coming week", "week 2": "week after next, the week after next",
    "next": "next", "coming": "coming, upcoming", "this": "this", "last": "last, past, previous", "at 1": "about",
    "at": "at, @, make it, say, around, approx, approximately, roughly, circa, ca",
    "after": "starting, starting from, starting at, not before, no earlier than, not earlier than, not until",
    "after 1": "after, any time after, anytime after, later than", "after 2": "from",
    "onwards": "onwards, onward, or later, and later, or after, at the earliest",
    "before": "before, by no later than, no later than, not later than, not after, earlier than, prior to",
    "until": "until, till, til", "between": "between, in between, any time between, anytime between",
    "through": "to, through",
    "except": """except, excluding, but not, apart from, other than, and not, except for, except on, with the
        exception of, just not, but not on""",
    "instead": "instead of, rather than, in place of", "swap": "instead, rather",
    "or": "or, nor, or else, or alternatively, or also, /", "and": "and, &, plus, +, as well as",
    "but": "but, although, though, yet", "hour": "o'clock, oclock", "half 12": "pm",
    "noon": "noon, midday, mid-day, twelve noon", "shift 30": "half past", "shift 15": "quarter past, quarter after",
    "shift -15": "quarter to, quarter of, quarter til", "in": "in, within", "minutes": "minute, minutes, min, mins",
    "hours": "hour, hours", "later 1": "later", "later -1": "earlier", "sametime": "same time, same hour",
    "nextday": "next day, the next day, following day, the following day, a day later, one day later",
    "late": "running late, minutes late, mins late, be late, a bit late, running behind", "keep": "not cancel",
    "halfhour": "half an hour, half hour", "days": "days", "weeks": "weeks",
    "number 1": "one, an", "number 2": "two", "number 3": "three", "number 4": "four", "number 5": "five",
    "number 6": "six", "number 7": "seven", "number 8": "eight", "number 9": "nine", "number 10": "ten",
    "number 11": "eleven", "number 12": "twelve", "ordinal 1": "first, former", "ordinal 2": "second",
    "ordinal 3": "third", "ordinal 4": "fourth", "ordinal -1": "latter, final, latest", "thedate": "on the",
    "nice": """have a nice, have a good, have a great, have a lovely, enjoy your, enjoy the, good morning, good
        afternoon, good evening, happy monday, happy tuesday, happy wednesday, happy thursday, happy friday,
        happy weekend, happy new, happy birthday""",
    "bye": """best regards, kind regards, kindest regards, warm regards, regards, best wishes, sincerely, yours
        sincerely, yours faithfully, sent from my, with kind regards, all the best, rgds, brgds""",
    "zone 0": "utc", "zone 1": "gmt", "zone 2": "uk time, london time, british time, bst", "zone 20": "cet",
    "zone 3": "berlin time, german time, paris time, french time, central european time, vienna time, zurich time",
    "zone 4": "cest", "zone 5": "est", "zone 6": "edt",
    "zone 7": "et, eastern, eastern time, new york time, ny time, boston time", "zone 8": "cst", "zone 9": "cdt",
    "zone 10": "chicago time, us central", "zone 11": "mst, mountain, mountain time", "zone 12": "pst",
    "zone 13": "pdt", "zone 14": "pt, pacific, pacific time, california time, san francisco time, la time",
    "zone 15": "india time, indian time", "zone 16": "tokyo time, jst", "zone 17": "singapore time, sgt",
    "zone 18": "dubai time", "zone 19": "sydney time",
}  # fmt: skip

GERMAN: Final = {
    "plain": """per, muss, müssen, soll, sollen, brauchen, komplett, bereits, gerade, soeben, rückmeldung,
        antwort, nachricht, selber, dieselbe, ihm, einzige, einziger, einen schönen tag noch, unbedingt,
        zusammen, gemeinsam, diese, lange, ganze, ganzen, paar, vorab, bei uns, bei mir, bei ihnen, derzeit,
        momentan, der, die, das, des, eine, einen, einem, ihr, ihre, ihren, ihrem, mir, mich, uns, mein, meine,
        meinem, unser, unsere, unserem, unseren, es, ist, sind, bin, sein, wird, werden, würde, würden, werde,
        zu, zur, im, an, auf, mit, für, von, bei, als, so, dann, da, hier, sehr, ganz, nur, noch, mal, doch,
        eben, einfach, also, hallo, guten tag, liebe, liebes, sehr geehrte, sehr geehrter, geehrte, frau, herr,
        herrn, damen, herren, team, moin, servus, grüezi, grüß gott, hi, kurz, kurzes, kurzen, kurze, kurzer,
        kalender, handy, unter, tag, uhrzeit, uhrzeiten, zeitpunkt, etwas, hätte, hätten, habe, haben, wenn das
        passt, wenn ihnen das passt, wenn das für sie passt, wenn möglich, wenn es geht, wenn das geht, falls
        möglich, falls ihnen das passt, sofern möglich, dazu, darüber, nun, jetzt, zuerst, ab und zu,
        wahrnehmen, lassen, lass, am besten, selbst, direkt, telefonisch, per telefon, am telefon, fest, halten,
        eintragen, einplanen, zurück, anfangen, beginnen, alternativ, ansonsten, sonst, punkt, pünktlich, wieder,
        schnell, schnelle,
        kleinen, kleines, würd, liebsten, dabei, will, daher, deshalb, genauso, meinerseits, von mir aus, denn,
        stehe, stehen, zeitlich, minuten lang, wäre es, wär es, wie, aber gerne, ihrerseits""",
    "who": "ich, wir, sie, ihnen, er, jemand, jemanden, man, kollege, kollegin",
    "also": "auch, schon, ebenfalls, ebenso, sehr wohl",
    "yes": """ja, jawohl, jo, jep, ok, okay, einverstanden, bestätigt, bestätige, ich bestätige, bestätigen,
        abgemacht, geht klar, geht in ordnung, in ordnung, kein problem, bis dann, notiert, alles klar,
        selbstverständlich, natürlich, klar, genau, freue mich auf, freuen uns auf, freue mich, freuen uns,
        notiere, vermerkt, vorgemerkt, sicher, auf jeden fall, läuft, eingetragen, steht""",
    "good": """passt, passen, passend, passte, gut, gute, super, prima, perfekt, ideal, optimal, bestens, besser,
        lieber, gern, gerne, toll, wunderbar, klappt, klappen, geht, ginge, gehen, gingen, möglich, frei,
        verfügbar, zeit hätte, bevorzuge, bevorzugt, bevorzugen, recht, erreichbar, zur verfügung, zeit, könnte
        ich, kann ich, hervorragend, ausgezeichnet, bequem, nehme, nehmen, wähle, wählen, entscheide, am
        liebsten, freue, freuen, hätte zeit, fein, wäre super, wunschtermin, spricht nichts dagegen, warum
        nicht, nichts dagegen, angenehm, günstig, einrichten, schaffe ich, schaffe""",
    "talk": """anruf, anrufe, telefonat, telefonieren, telefontermin, telefon, gespräch, gespräche, sprechen,
        reden, rückrufen, rufen, ruf, rufe, call, meeting, besprechung, termin, termine, unterhalten, austausch,
        austauschen, videocall, teams, zoom, treffen, telko, videokonferenz, zum telefonieren, besprechen,
        durchrufen, termins""",
    "callme": "rufen sie mich, rufen sie uns, rufen sie, rufen sie bitte, ruf mich, rückruf, zurückrufen, anrufen",
    "ask": """tragen sie mich, trag mich, bitte, bitten, könnten, könnte, können, kann, möchte, möchten, wäre,
        wär, wären, wollen, vorschlagen, schlage, schlagen, wünsche, wie wäre, wie wär, wie wäre es mit, wie
        wär's mit, wie wär es mit, ließe, brauche, dürfte, dürfen, darf, vereinbaren, ausmachen,
        buchen, planen, melden, geben, sagen, machen, lasst uns, gib""",
    "slot": """option, möglichkeit, nr, nummer, variante, alternative, zeitfenster, slot, terminvorschlag,
        vorschlag, vorschläge, #, wahl""",
    "thanks": "danke, vielen dank, dank, besten dank, herzlichen dank, danke schön, dankeschön, merci",
    "no": "nicht, nie, niemals, unmöglich, ohne, weder, noch nicht, kaum, nich, net",
    "none": "keiner, keine, keines, kein, keinen, keinem, keiner der, keinen der, alles nicht, alle nicht",
    "any": """alle, allen, alles, jeder, jeden der, egal, suchen sie aus, sie entscheiden, gleich, suchen sie sich einen
        aus, suchen sie sich etwas aus""",
    "both": "beide, beiden, beides, alle drei, allen drei, alle zwei",
    "bad": """zu früh, zu spät, zu kurzfristig, zu knapp, urlaub, verhindert, unterwegs, ausgebucht, belegt,
        krank, dienstreise, geschäftsreise, abwesend, verreist, im haus, außer haus, nicht im haus, nicht da,
        voll, schlecht, schwierig, ungünstig, ungelegen, ferien, frei nehmen, problem, eng, problematisch, auf
        reisen, freien tag, überschneidung, schulung, terminkollision, unpassend, nicht im büro""",
    "nay": "nein, nee, nö",
    "sorry": "leider, bedauere, bedaure, entschuldigung, tut mir leid, sorry, bedauerlicherweise, schade",
    "maybe": """nehme an, nehmen an, vielleicht, eventuell, evtl, evt, wahrscheinlich, vermutlich, möglicherweise,
        voraussichtlich, womöglich, hoffentlich, könnte passen, könnte klappen, könnte gehen, sollte, müsste,
        dürfte passen, denke, glaube, vorbehaltlich, unter vorbehalt, scheint, notfalls, zur not, unsicher,
        unter umständen, ggf, könnten passen, wohl, eigentlich, sollten, nicht sicher, gegebenenfalls, mal
        sehen, es sei denn, schätze, versuche, theoretisch""",
    "if": "falls, wenn, sofern, ob, solange, sobald, vorausgesetzt, je nachdem, während",
    "check": """vergessen sie, ignorieren, korrektur, ich rufe, rufe sie, rufe ich, rufe dich, prüfen, prüfe,
        abklären, kläre ab, nachsehen, nachschauen, schaue, melde mich, melden uns, gebe bescheid, abstimmen,
        klären, kläre, rücksprache, nachfragen""",
    "cancel": """absagen, abzusagen, absage, stornieren, storniere, sage ab, sagen ab, nicht mehr nötig,
        brauchen nicht anzurufen, brauche
        ich nicht mehr, brauchen wir nicht mehr, nicht mehr, erübrigt, kein interesse, ausfallen, streichen,
        hinfällig, hat sich erledigt, cancel, canceln""",
    "move": """verschieben, verschiebe, verlegen, verlege, umbuchen, umlegen, vorziehen, ändern, umplanen,
        vertagen, vorverlegen, zu verschieben, zu verlegen""",
    "other": """anderer, anderen, anderes, andere, anderen termin, andere termine, anderer termin, neuen termin,
        neuer termin, alternativtermin, ausweichtermin, ersatztermin, weitere termine, weiteren termin, ein
        andermal, anders""",
    "what": """was, wer, wann, welche, welcher, welchen, welches, warum, wo, wieso, gleichen,
        gleiche, selben, wie lange""",
    "gone": """war, waren, hatte, hatten, hat, konnte, konnten, wurde, wurden, kam, kamen, ging, geschrieben,
        gesprochen, besprochen, vereinbart, telefoniert, angerufen, gesendet, geschickt, seit, gestern,
        vorgestern, letzte woche, vergangenen, vergangener, vergangene, vorige, vorigen, rechnung, lieferung,
        geliefert, bestellung, vertrag, endet, läuft aus, beginnt, startet, findet, frist, fällig, spätestens
        bis, schicken, senden, jeden, jede, jedes, täglich, wöchentlich, montags, dienstags, mittwochs,
        donnerstags, freitags, geschäftszeiten, bürozeiten, öffnungszeiten, sprechzeiten, servicezeiten,
        geöffnet, geschlossen, techniker, kündigen, kündigung, angebot, zahlung, bezahlt, meldete, schrieb,
        messe, seminar, webinar, damals, neulich, verspätung, früh genug, erhalten, bekommen, angekommen, hatten
        wir""",
    "unclear": """woche, die woche darauf, der woche darauf, wochenende, mitternacht, nachts, nacht, monat, jahr,
        viertel, vierzehn tagen, in einer woche, in zwei wochen, übernächsten, ihrer zeit, ihre zeit, eurer
        zeit, über mittag, mittagspause, feierabend, heute in einer woche, mittags, abends spät, erst""",
    "weekday 5": "sonnabend", "month 1": "jänner", "month 2": "feber", "day 0": "heute", "day 1": "morgen",
    "day 2": "übermorgen", "part 0": "vormittag, vormittags, am morgen, morgens", "part 1": "nachmittag, nachmittags",
    "part 2": "abend, abends", "part 3": "ganztägig, ganztags, den ganzen tag, jederzeit, ganzen tag, ganztag",
    "edge 0": "anfang, früh, frühen, früher vormittag, zu beginn", "edge 1": "mitte",
    "edge 2": "ende, spät, späten, gegen ende", "theweek": "der woche, die woche",
    "week 0": "diese woche, dieser woche",
    "week 1": """nächste woche, nächster woche, nächsten woche, kommende woche, kommender woche, kommenden woche,
        folgewoche""",
    "week 2": "übernächste woche, übernächster woche, übernächsten woche",
    "last": "letzten, letzter, letzte, letztes", "next": "nächsten, nächster, nächste, nächstes",
    "coming": "kommenden, kommender, kommende", "this": "diesen, dieser, dieses",
    "at": "um, gegen, circa, ca, zirka, etwa, so um, so gegen, so circa, so ca, so etwa, ungefähr, rund",
    "after": """ab, nicht vor, erst ab, erst am, frühestens, frühestens um, frühestens am, frühestens ab,
        jederzeit ab""",
    "after 1": "nach, erst nach, jederzeit nach",
    "before": "vor, spätestens, spätestens um, nicht nach, bis spätestens, bis maximal, nicht später als",
    "until": "bis, bis um, bis zum", "between": "zwischen",
    "except": "außer, ausser, bis auf, ausgenommen, mit ausnahme von, nur nicht, nicht aber, und nicht, bloß nicht",
    "instead": "statt, anstatt, anstelle von, anstelle, an stelle von", "swap": "stattdessen, statt dessen, dafür",
    "or": "oder, bzw, beziehungsweise, oder auch, oder aber, /", "and": "und, sowie, &, +, und auch",
    "but": "aber, sondern, jedoch, allerdings, hingegen", "hour": "uhr, h", "noon": "mittag, zu mittag",
    "shift -30": "halb", "shift 15": "viertel nach", "shift -15": "viertel vor, dreiviertel, drei viertel",
    "in": "in, innerhalb von", "minutes": "minuten, min", "hours": "stunde, stunden",
    "later 1": "später", "later -1": "früher",
    "sametime": "gleiche uhrzeit, gleichen uhrzeit, gleiche zeit, gleichen zeit, selbe uhrzeit, selben uhrzeit",
    "nextday": "einen tag später, am tag darauf, tag danach, am folgetag",
    "late": "verspäte, verspäten, verspäte mich", "keep": "nicht absagen",
    "halfhour": "einer halben stunde, halben stunde, halbe stunde", "days": "tagen, tage", "weeks": "wochen",
    "number 1": "eins, einer, ein", "number 2": "zwei", "number 3": "drei", "number 4": "vier", "number 5": "fünf",
    "number 6": "sechs", "number 7": "sieben", "number 8": "acht", "number 9": "neun", "number 10": "zehn",
    "number 11": "elf", "number 12": "zwölf", "ordinal 1": "erste, ersten, erster, erstes, ersterer, ersteren",
    "ordinal 2": "zweite, zweiten, zweiter, zweites", "ordinal 3": "dritte, dritten, dritter, drittes",
    "ordinal 4": "vierte, vierten, vierter", "ordinal -1": "letzteren, letzterer",
    "thedate": "am, den, dem, vom, zum",
    "nice": """guten morgen, guten abend, schönen, schöne, schönes, einen schönen, eine schöne, ein schönes, gute
        woche, noch einen schönen, noch eine schöne""",
    "bye": """mit freundlichen grüßen, mit freundlichem gruß, freundliche grüße, viele grüße, beste grüße, liebe
        grüße, schöne grüße, herzliche grüße, mit besten grüßen, mit bestem gruß, gruß, grüße, lg, vg, mfg,
        danke und gruß, besten gruß, hochachtungsvoll, danke und viele grüße, von meinem, gesendet von""",
    "zone 2": "londoner zeit, britischer zeit, englischer zeit", "zone 20": "mez",
    "zone 3": "berliner zeit, deutscher zeit, pariser zeit, wiener zeit", "zone 4": "mesz",
    "zone 7": "new yorker zeit, ostküstenzeit", "zone 14": "kalifornischer zeit, pazifischer zeit",
}  # fmt: skip

FRENCH: Final = {
    "plain": """prends note, prends bonne note, téléphonique, retour, réponse, message, imprévu, ensemble, est-ce
        que, est ce que, directement, fixe, ligne, rapide, complètement, entièrement, notamment, la, les, l, un,
        d, de, des, nous, me, m, moi, mon, ma, mes, notre, nos, votre, vos, c, cela, ça, ceci, ces, celui,
        celle, est, sont, suis, sommes, êtes, être, sera, serais, seriez, serai, seront, ai, avez, avons,
        aurais, aurons, aurai, avoir, pour, par, en, sur, avec, chez, et si, se, s, y, t, te, que, qui, qu, si
        possible, très, tout, toute, tous, plus, plutôt pour, donc, alors, bonjour, bonsoir, cher, chère, chers,
        madame, monsieur, mme, mr, équipe, salut, petit, petite, bref, courte, court, moment, instant, temps,
        portable, mobile, téléphone, date, jour, journée, quelques, moins, même, côté, par exemple, simplement,
        agenda, si cela vous convient, si ça vous convient, si cela vous va, si ça vous va, si c'est possible,
        si c'est bon pour vous, si vous voulez, si vous êtes disponible, si vous êtes d'accord, en ce qui me
        concerne, de mon côté, de notre côté, par téléphone, au téléphone, aux, là, ici, faire, le point, pile,
        précises, vraiment, particulièrement, parfaitement, surtout, éventuel, peut, puis, lui, leur, soit,
        sinon, dois, devons, obligé, obligée, préviens, seul, seule, finalement, seulement, uniquement, juste, autant,
        déjà,
        encore, toujours""",
    "who": "je, j, vous, il, elle, on, quelqu'un, collègue", "also": "oui, aussi, également, par contre, en revanche",
    "yes": """ok, d'accord, entendu, c'est noté, noté, confirmé, confirme, je confirme, confirmons, bien sûr,
        certainement, sans problème, pas de problème, pas de souci, aucun problème, aucun souci, c'est bon, ça
        marche, va pour, à bientôt au téléphone, volontiers, avec plaisir, au plaisir, hâte, réjouis, marché
        conclu, ça roule, absolument, tout à fait, vendu""",
    "good": """convient, conviennent, conviendrait, conviendraient, me va, nous va, me vont, va, vont, irait,
        iraient, disponible, disponibles, libre, libres, possible, parfait, parfaite, parfaits, idéal, idéale,
        super, bon, bonne, bien, mieux, préfère, préférons, préférerais, préférence, préférable, prends,
        prenons, choisis, choisissons, arrange, arrangerait, joignable, joignables, marche, excellent,
        excellente, génial, nickel, top, opte, pourquoi pas, impeccable, retiens, retenons, accepte, acceptons,
        peux, pourrais, pouvons, partant, n'y vois pas d'inconvénient, disponibilité, disponibilités, dispo,
        dispos, plaît bien""",
    "talk": """appel, appeler, appels, parle, discute, téléphoner, rappel, parler, parlons, discuter, entretien,
        échange, échanger, échangions, rendez-vous, rdv, réunion, visio, visioconférence, joindre, conversation, teams,
        zoom, contacter, entretenir, rencontrer""",
    "callme": "parlons-nous, appelez, rappelez, rappeler, m'appeler, téléphonez, appelle, rappelle, contactez",
    "ask": """pouvez, pourriez, pouvons-nous, pourrions, pourrait, peut-on, pourrait-on, s'il vous plaît, svp,
        stp, s'il te plaît, merci de, merci d', souhaite, souhaiterais, souhaitons, souhaiterions, voudrais,
        voudrions, aimerais, aimerions, aimerait, veuillez, propose, proposons, proposer, fixer, convenir,
        besoin, suggère, voulez, auriez, serait, serait-il, plutôt, disons, planifier, prévoir, prendre,
        envisageable, faisons, prévoyons, organiser, caler, inscrivez, inscrire, notez, et pourquoi pas""",
    "slot": """créneau, créneaux, option, options, choix, proposition, propositions, n°, nº, numéro, alternative,
        horaire, #""",
    "thanks": "merci, merci beaucoup, merci bien, mille mercis, remercie, remercions, merci d'avance",
    "no": """pas, ne pas, n'est pas, impossible, indisponible, jamais, ni, sans, ne suis plus, ne sera plus, ne
        convient plus, ne me va plus, ne nous va plus, ne peux plus, ne pouvons plus, ne serai plus, ne pourrai plus,
        ne me convient plus, n'est
        plus, ne pourrai pas, pourrai pas""",
    "ne": "ne, n",
    "none": "aucun des, aucune des, aucun des trois, aucun des deux, aucun, aucune, aucun de, aucune de",
    "any": """n'importe lequel, n'importe laquelle, chacun, peu importe, comme vous voulez, à vous de choisir,
        choisissez""",
    "both": """les deux, les trois, l'un ou l'autre, tous les deux, tous les trois, toutes les trois, tous les
        créneaux""",
    "bad": """trop tôt, trop tard, trop court, occupé, occupée, occupés, absent, absente, absents, congé, congés,
        vacances, déplacement, déplacements, pris, prise, malade, empêché, empêchée, voyage, compliqué,
        difficile, complet, problème, en formation, retenu, retenue, arrêt, chargé""",
    "nay": "non", "sorry": "malheureusement, désolé, désolée, navré, navrée, hélas, regrette, regrettons, excuses",
    "maybe": """ça va, peut-être, peut être, éventuellement, probablement, sans doute, probable, normalement, en
        principe, devrait, devraient, sous réserve, pense, crois, espère, semble, possiblement, pourrait
        convenir, pourrait aller, a priori, à priori, sûrement, au pire, tenter, essayer, ça dépend, à moins que,
        à moins d', pourrait
        marcher, à confirmer, théoriquement, pas sûr, pas sûre, pas certain""",
    "if": "si, s'il, s'ils, à condition, pourvu, dès que, quand, lorsque, selon, pendant",
    "check": """oubliez, ignorez, correction, je vous rappelle, je vous appelle, vous rappeler, vous appeler, vous
        rappellerai, vous appellerai, vérifier, vérifie, confirmerai, reviens vers vous, reviendrai vers vous,
        demander à, voir avec, recontacte, reviens, je vous confirme, tiens au courant""",
    "cancel": """annuler, annule, annulons, annulez, annulation, plus besoin, pas besoin, inutile, plus
        nécessaire, pas intéressé, pas intéressés, pas intéressée, supprimer""",
    "move": """décaler, reporter, déplacer, repousser, avancer, changer, reprogrammer, modifier, replanifier,
        décale, report, décalage, déplacez, reportez""",
    "other": """autre, autres, un autre, une autre, autre créneau, autres créneaux, autre date, autres dates,
        autre horaire, autre jour, autre moment, nouveau créneau, nouvelle date, d'autres""",
    "what": "quoi, où, quel, quelle, quels, quelles, comment, pourquoi, combien",
    "gone": """était, étaient, étions, avait, avaient, eu, fut, a eu, écrit, écris, envoyé, dit, parlé, discuté,
        appelé, reçu, arrivé, arrivée, livré, venu, venue, passé, passée, depuis, hier, avant-hier, il y a,
        convenu, facture, livraison, commande, contrat, termine, échéance, expire, commence, débute, devis,
        avant le, au plus tard le, d'ici, tous les, toutes les, chaque, horaires, bureaux, ouvert, ouverts,
        ouverture, fermé, fermés, technicien, lieu, formation, salon, webinaire, séminaire, résilier,
        résiliation, paiement, payé, relance, visité, rencontré, dû, due, prévu, prévue, envoyer, réponds,
        répondrai, envoie""",
    "unclear": """passe, semaine, semaine du, semaine d'après, week-end, votre heure, weekend, nuit, minuit, mois,
        quinzaine, huit jours, en huit, dans une semaine, dans deux semaines, année, déjeuner, dîner, fin de
        journée, début de journée, ce soir""",
    "month 2": "fevrier", "day 0": "aujourd'hui", "day 1": "demain", "day 2": "après-demain",
    "part 0": "matin, matinée, dans la matinée, en matinée, le matin, du matin, au matin",
    "part 1": "après-midi, aprem, l'après-midi, de l'après-midi, apm",
    "part 2": "soir, soirée, du soir, en soirée, le soir",
    "part 3": """toute la journée, n'importe quand, à tout moment, n'importe quelle heure, à n'importe quelle
        heure, toute la matinée""",
    "edge 0": "début, en début, tôt", "edge 1": "milieu, en milieu, au milieu", "edge 2": "fin, en fin",
    "theweek": "de la semaine, la semaine, de semaine", "week 0": "cette semaine",
    "week 1": """semaine prochaine, la semaine prochaine, de la semaine prochaine, prochaine semaine, semaine
        suivante, de semaine prochaine""",
    "last": "dernier, dernière", "coming": "prochain", "this": "ce, cet, cette",
    "at": "à, a, vers, autour de, environ, aux environs de, aux alentours de",
    "after": """à partir de, à partir du, dès, dès le, pas avant, pas avant le, au plus tôt, au plus tôt à, à
        compter de, pas avant de""",
    "after 1": "après, après le",
    "before": "avant, au plus tard, au plus tard à, pas après, avant de, pas plus tard que",
    "until": "jusqu'à, jusqu'au, jusque", "between": "entre",
    "except": "sauf, hormis, excepté, à part, à l'exception de, à l'exception du, mais pas, sauf le, et pas, hors",
    "instead": "au lieu de, au lieu du, à la place de, plutôt que", "swap": "à la place",
    "or": "ou, ou bien, ou alors, ou encore, /", "and": "et, &, +, ainsi que", "but": "mais, cependant, toutefois",
    "hour": "heures, heure, h", "noon": "midi", "tail 30": "et demie, et demi", "tail 15": "et quart, et le quart",
    "tail -15": "moins le quart, moins quart", "tail -10": "moins dix", "tail -5": "moins cinq",
    "tail -20": "moins vingt", "in": "dans", "minutes": "minutes, minute, min",
    "later 1": "plus tard", "later -1": "plus tôt", "sametime": "même heure, la même heure",
    "nextday": "lendemain, le lendemain, jour suivant, le jour suivant", "late": "de retard, en retard",
    "keep": "pas annuler", "halfhour": "une demi-heure, demi-heure", "days": "jours", "weeks": "semaines",
    "number 1": "une",
    "number 2": "deux", "number 3": "trois", "number 4": "quatre", "number 5": "cinq", "number 6": "six",
    "number 7": "sept", "number 8": "huit", "number 9": "neuf", "number 10": "dix", "number 11": "onze",
    "number 12": "douze", "ordinal 1": "premier, première", "ordinal 2": "deuxième, second, seconde",
    "ordinal 3": "troisième", "ordinal 4": "quatrième", "thedate": "le, du, au",
    "nice": """bonne semaine, bonne journée, bonne fin de, bon après-midi, bonne soirée, bonne continuation,
        excellente journée, belle journée, excellente semaine, belle semaine, bon week-end, bon weekend""",
    "bye": """cordialement, bien cordialement, bien à vous, salutations, sincères salutations, amicalement, bien à
        toi, envoyé de mon, meilleures salutations, respectueusement, cdt, cdlt, à bientôt, veuillez agréer,
        bises""",
    "zone 2": "heure de londres, heure anglaise, heure britannique",
    "zone 7": "heure de new york, heure de l'est, heure de montréal",
    "zone 3": "heure de paris, heure française, heure de bruxelles, heure allemande, heure de berlin",
    "zone 14": "heure du pacifique, heure de californie",
}  # fmt: skip

ZONES: Final[tuple[tuple[str, int | None], ...]] = (
    ("UTC", 0), ("Europe/London", 0), ("Europe/London", None), ("Europe/Berlin", None), ("Europe/Berlin", 2),
    ("America/New_York", -5), ("America/New_York", -4), ("America/New_York", None), ("America/Chicago", -6),
    ("America/Chicago", -5), ("America/Chicago", None), ("America/Denver", None), ("America/Los_Angeles", -8),
    ("America/Los_Angeles", -7), ("America/Los_Angeles", None), ("Asia/Kolkata", None), ("Asia/Tokyo", None),
    ("Asia/Singapore", None), ("Asia/Dubai", None), ("Australia/Sydney", None), ("Europe/Berlin", 1),
)  # fmt: skip
"""IANA zone by its number above, and the hours from UTC that its name claims: where they are not those of the day
("15:00 EST" in July, "GMT" in London's summer) one cannot tell which of the two is meant."""
