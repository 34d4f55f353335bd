# ruff: noqa: E501 - a line of a list of words is easier to keep whole
"""Subject and text of a mail go in, why its words look like a machine's comes out, in some thirty languages (S15)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import assert_never

from triaged.mail.subjects import kind_of

READ_CHARACTERS = 1_500
"""Of the text; an automatic answer says in its first sentences what it is."""
OWN_WORDS = 4
"""Words of one's own beside a forwarded delivery report up to which nothing was asked ("See below, thanks")."""

_SUBJECT_OF_A_REPORT = re.compile(
    r"(?:delivery|zustell|failed|failure|return|undeliver|reject|bounce|delay|block|unknown|quota|mailbox|"
    r"échec|remise|entrega|recapito|bezorg|lever|dostar|doruč|достав|配信|送信|退|投递)",
    re.IGNORECASE,
)
"""Parcels, too, are not delivered: such a subject counts only beside a report in the text."""

# --- the text ----------------------------------------------------------------------------------------------------

_DECLARES = re.compile(
    r"(?:^|[\n.,!:*_=#>\-—–(\[。！，、]\s*)(?:please note (?:that )?)?(?:"
    r"this is an? (?:auto(?:matic|mated|[- ]?generated|matically[- ]generated)?[- ]?)(?:e-?mail |system |out[- ]of[- ]office )?(?:reply|"
    r"response|message|e-?mail|answer|notification|acknowledge?ment|confirmation)|"
    r"this (?:e-?mail|message|reply|response) (?:was|is|has been) (?:sent |created |generated )?(?:auto(?:matically|-))"
    r"(?:[ -]?generated)?|"
    r"dies(?:e)? (?:ist eine automati\w+|(?:e-?mail|nachricht|antwort|mail) (?:wurde|wird|ist) (?:automati\w+|maschinell|"
    r"vom system))|dies ist eine (?:automatische|automatisch (?:generierte|erstellte|versandte))|"
    r"(?:ceci|il s[’']agit d[’']) ?(?:est )?(?:une? )?(?:réponse|message|courriel|e-?mail) "
    r"(?:automatique|généré automatiquement)|"
    r"ce (?:message|courriel|mail) (?:a été|est) (?:envoyé|généré) automatiquement|"
    r"(?:est[ae] )?(?:es|é) (?:una? |uma? )?(?:respuesta|mensaje|correo|resposta|mensagem) autom[áa]tic[oa]|"
    r"este (?:mensaje|correo|e-?mail) (?:se ha generado|ha sido generado|fue generado|foi gerado|foi enviado) "
    r"autom[áa]ticamente|est[ae] (?:é|es) uma? (?:resposta|mensagem|respuesta) autom[áa]tica|"
    r"(?:questo è un messaggio|questa è una risposta) automatic[oa]|"
    r"dit is een automatisch(?:e)? (?:antwoord|bericht|gegenereerd\w*|reactie)|"
    r"det(?:ta|te) (?:här )?är ett (?:automatiskt|autosvar)|det(?:te|ta) er (?:et|en) (?:automatisk|autosvar)|"
    r"tämä on automaattinen|(?:to|niniejsza wiadomość) jest (?:automatyczna|wiadomość (?:wygenerowana )?automatyczn)|"
    r"wiadomość (?:została )?wygenerowana automatycznie|toto je automatick|tato zpráva byla (?:vygenerována |odeslána )?"
    r"automaticky|ez egy automatikus|acesta este un (?:mesaj|răspuns) automat|αυτό είναι (?:ένα )?αυτόματ|"
    r"bu (?:bir )?otomatik|это автоматическ|данное (?:сообщение|письмо) (?:создано|отправлено|сформировано) автоматически|"
    r"це автоматичн|това е автоматич|ovo je automatsk|see on automaat|tai automatinis|šī ir automātisk|"
    r"(?:これは|このメールは|本メールは).{0,30}自動|自動(?:応答|返信)(?:メール)?(?:です|にて)|"
    r"(?:系统|系統)自[动動]|(?:这是|此(?:邮件|郵件)(?:为|為|由|系).{0,10}|這是).{0,6}自[动動]|이 (?:메일|메시지)(?:은|는).{0,20}자동|자동 ?(?:회신|응답)입니다|"
    r"đây là (?:thư|tin nhắn|email) tự động|ini adalah (?:balasan|pesan|email) otomatis|"
    r"هذه? (?:رسالة|رد|الرسالة) (?:آلي|تلقائي)|זוהי? (?:הודעה|תשובה) אוטומטית"
    r"|.{0,60}would like to recall the message[ ,]"
    r")",
    re.IGNORECASE,
)

_AWAY = re.compile(
    r"\b(?:i am|i['’]m|i will be|i['’]ll be|we are|(?:our|the) office is|(?:he|she) is) (?:\w+ly |now |presently )?"
    r"(?:out of (?:the |my )?(?:office|country)|(?:away|absent) from (?:the |my )?(?:office|desk|work|e-?mail)|away|"
    r"on (?:annual |parental |maternity |paternity |sick |medical |study )?leave|"
    r"on (?:vacation|holidays?|a business trip|pto|my honeymoon|jury duty)|travell?ing|attending|"
    r"not in (?:the )?office|(?:travell?ing|closed)\b.{0,60}\b(?:until|from|with limited|without)|"
    r"unavailable|not available|absent)|thank you for your (?:e-?mail|message)[.,!]? (?:i am|i['’]m) |"
    r"\b(?:i have|i['’]ve) (?:now )?left (?:the (?:company|firm|organi[sz]ation)|\w+)|"
    r"\bis (?:\w+ly )?(?:out of (?:the )?office|away from (?:the |his |her )?(?:office|desk)|on (?:\w+ )?(?:leave|vacation|holidays?))|no longer (?:works?|with|employed) (?:for|at|with|the)|"
    r"(?:ich bin|wir sind|unser büro ist|ich befinde mich|bin ich) .{0,60}(?:nicht (?:im (?:büro|haus|dienst)|"
    r"erreichbar|am arbeitsplatz|an meinem)|abwesend|außer haus|ausser haus|im urlaub|im ausland|in elternzeit|"
    r"auf dienstreise|geschlossen)|ich habe .{0,30}urlaub|"
    r"je (?:suis|serai) .{0,40}(?:absente?|en congés?|en vacances|hors du bureau|en déplacement|indisponible)|"
    r"(?:nos bureaux|notre bureau) .{0,30}fermés?|our offices? (?:is|are|will be) closed|nostri uffici .{0,20}chius|"
    r"irod[áa]nk .{0,60}zárva|(?:ons kantoor|onze kantoren) .{0,30}gesloten|nuestras? oficinas? .{0,30}cerrad|"
    r"(?:vårt|vores|vårt) kontor .{0,20}(?:stängt|lukket|stengt)|nasze biuro .{0,30}(?:zamknięt|nieczynn)|наш офис .{0,30}(?:закрыт|не работа)|"
    r"(?:estoy|estaré|me encuentro|me encontraré|no estaré) .{0,40}(?:fuera|ausente|de vacaciones|de baja|disponible|"
    r"en la oficina)|"
    r"(?:sono|sarò|mi trovo) .{0,40}(?:assente|fuori (?:sede|ufficio)|in ferie|in vacanza|non disponibile)|"
    r"(?:ik ben|wij zijn|ben ik) .{0,40}(?:afwezig|met (?:vakantie|verlof)|op vakantie|niet (?:aanwezig|op kantoor|"
    r"bereikbaar|beschikbaar))|"
    r"(?:estou|estarei|encontro-me|encontrar-me-ei) .{0,40}(?:ausente|fora|de férias|em férias|de licença)|"
    r"jag (?:är|kommer att vara) .{0,40}(?:inte på kontoret|på semester|bortrest|ledig|frånvarande|tjänstledig|"
    r"föräldraledig)|"
    r"jeg (?:er|vil være) .{0,40}(?:ikke på kontoret|på ferie|ude af (?:huset|kontoret)|fraværende|bortreist|"
    r"ute av kontoret|ikke til stede|på barsel)|"
    r"(?:olen|en ole) .{0,40}(?:lomalla|poissa|toimistolla|tavoitettavissa|paikalla|töissä|vapaalla)|"
    r"(?:jestem|będę|przebywam) .{0,40}(?:nieobecn|poza biurem|na urlopie|niedostępn)|"
    r"(?:jsem|budu) .{0,40}(?:mimo kancelář|na dovolené|nepřítom|nedostupn)|som .{0,40}(?:mimo kancelárie|na dovolenke|"
    r"neprítom)|"
    r"(?:nem vagyok|vagyok|leszek) .{0,40}(?:irodában|elérhető|szabadságon|házon kívül)|"
    r"szabadságon vagyok|irodán kívül vagyok|távol vagyok|"
    r"(?:sunt|voi fi|mă aflu|ma aflu) .{0,40}(?:plecat|în concediu|in concediu|absent|indisponibil)|"
    r"(?:είμαι|θα είμαι|βρίσκομαι|θα βρίσκομαι|απουσιάζω|θα απουσιάζω|λείπω).{0,40}(?:εκτός|άδεια|γραφείου|έως|μέχρι|απ)|"
    r"(?:ofis|büro) dışındayım|izindeyim|izinde olacağım|ofiste (?:değilim|olmayacağım)|tatildeyim|"
    r"(?:я|меня|нахожусь|буду).{0,40}(?:отсутству|в отпуске|в командировке|нет на месте|вне офиса|не в офисе|"
    r"нет в офисе)|"
    r"(?:я|мене|перебуваю|буду).{0,40}(?:відсутн|у відпустці|поза офісом|не в офісі|у відрядженні)|"
    r"(?:аз|съм|ще бъда|в момента).{0,40}(?:в отпуск|отсъств|извън офиса)|"
    r"(?:sam|bit ću|biću|bom|sem).{0,40}(?:odsut|odsot|izvan ureda|na godišnjem|na dopustu|van kancelarije)|"
    r"(?:viibin|olen) .{0,30}(?:puhkusel|kontorist|ära)|(?:esmu|būšu) .{0,30}(?:atvaļinājumā|prombūtnē|ārpus)|"
    r"(?:šiuo metu )?(?:atostogauju|esu atostogose|nesu biure|būsiu)|"
    r"(?:sóc|estic|seré) .{0,30}(?:fora|vacances|absent)|"
    r"不在(?:に(?:して|いた)|です|の(?:ため|期間)|となり)|休暇(?:中|をいただ|を頂|を取得)|出張中|席を外し|お休みをいただ|"
    r"(?:我|本人).{0,20}(?:不在|休假|出差|外出|请假|請假|度假)|正在休假|"
    r"부재 ?중|휴가 ?중|출장 ?중|사무실에 없|자리를 비|휴가입니다|"
    r"(?:tôi|hiện tôi).{0,30}(?:vắng mặt|nghỉ phép|đi công tác|không có mặt)|"
    r"saya .{0,30}(?:cuti|tidak berada|di luar kantor|luar kota)|(?:ผม|ดิฉัน|ฉัน|ขณะนี้).{0,30}(?:ไม่อยู่|ลาพักร้อน|ลาหยุด)|"
    r"मैं .{0,40}(?:कार्यालय (?:से|में)|छुट्टी)|"
    r"(?:أنا|سأكون|إنني|حاليا|حالياً).{0,30}(?:خارج المكتب|إجازة|غير متواجد)|"
    r"(?:אני|אהיה|נמצאת?) .{0,30}(?:מחוץ למשרד|בחופשה|לא (?:אהיה )?במשרד|נעדר)|"
    r"(?:من|اینجانب) .{0,30}(?:مرخصی|خارج از دفتر)",
    re.IGNORECASE | re.DOTALL,
)

_LEAVE = re.compile(
    r"\b(?:pto|sabbatical|off sick|sick|ill|travell?ing|in meetings|no longer (?:with|works?|employed)|not monitored|unattended|"
    r"i (?:only )?(?:check|read) (?:my )?e-?mails?|office (?:is|will be) closed|erkrankt|krank|fortbildung|büro ist .{0,40}geschlossen|"
    r"nicht mehr (?:für|bei|im unternehmen)|arrêt maladie|formation|fermés?|ne travaille (?:pas|plus)|de viaje|de baja|ya no trabajo|"
    r"cerrad[ao]s?|chius[ie]|malattia|non lavoro più|ziek|ziekte|cursus|gesloten|werk niet (?:meer|op)|kurs|sjuk|slutat|syg|"
    r"matkoilla|sairaana|zwolnieniu|nie pracuję|chor[yoa]|služební cest\w*|nemocen|zárva|beteg|medical|închis|ofiste değil\w*|"
    r"больше не работа\w*|больнич\w*|лікарнян\w*|більше не працю\w*|"
    r"leave|vacation|holidays?|out of (?:the )?office|business trip|urlaub|elternzeit|mutterschutz|dienstreise|abwesen\w+|"
    r"congés?|vacances|déplacement|absen\w+|vacaciones|baja|ausen\w+|ferie|assen\w+|maternità|vakantie|verlof|afwezig\w*|férias|"
    r"licença|semester|\w*ledig\w*|tjänsteresa|barsel|permisjon|fravær\w*|loma\w*|\w*vapaalla|urlop\w*|nieobecn\w*|dovolen\w*|"
    r"szabadság\w*|concediu\w*|izin\w*|отпуск\w*|командировк\w*|відпустк\w*|відпустц\w*|odmor\w*|dopust\w*|puhkus\w*|"
    r"atvaļinājum\w*|atostog\w*|cuti|nghỉ phép)\b|άδεια|休暇|お休み|休業|休假|请假|請假|出差|휴가|휴직|출장|휴무|ลาพักร้อน|छुट्टी|إجازة|חופש|مرخصی",
    re.IGNORECASE,
)
"""Weaker than `_AWAY`: the bare words; they count beside what absent people say."""
_FOR_A_TIME = re.compile(
    r"\b(?:until|till|back (?:on|in|at)|bis (?:zum|ein|\w+tag|\d)|jusqu[’']|de retour|hasta (?:el|\d)|fino a|tot (?:en met|\d|\w+dag)|"
    r"até|till (?:den|\w+dag)|til (?:den|\w+dag)|asti|saakka|wracam|zpět|újra|revin|до|dön\w+)\b|έως|μέχρι|まで|戻り|至|返回|까지",
    re.IGNORECASE,
)
"""A span of time: enough beside a subject that speaks of absence."""
_AS_ABSENT_PEOPLE_SAY = re.compile(
    r"if it (?:can(?:no|['’])t wait|is urgent)|\b(?:will|['’]ll) (?:answer|reply|respond|get back|read)\b|repl(?:y|ies) (?:will|may) be delayed|\bfor (?:\w+ ){1,3}(?:questions|"
    r"matters|enquiries|inquiries|issues),? (?:please )?(?:contact|call|write)|use the form|"
    r"wieder (?:voll )?(?:da|erreichbar)|erst am .{0,20}(?:wieder|zurück)|wenden sie sich|melde mich|"
    r"adressez-vous|(?:vous )?(?:répondr\w+|traiterai) |\b(?:lo|le|les|te) responder|si es urgente|diríjase|"
    r"lees ik|beantwoord ik|svarar (?:på|jag)|svarer (?:på|jeg)|\bkontakta? (?:\w+ ){0,3}(?:\S+@|vid|ved|i )|\bpalaan\b|"
    r"odpowiem|(?:omezen\w+|obmedzen\w+) (?:přístup|prístup)\w*|odpovím|tól .{0,30}ig\b|contacta(?:ți|ţi)|voi răspunde|"
    r"επικοινων|απαντήσω|yanıt(?:layac|\s?ver)|(?:отвечу|обращайтесь|відповім|звертайтеся)|返信(?:いた|し|させ)|ご連絡(?:いた|し)|"
    r"(?:回复|回覆|联系|聯繫)(?:您)?|문의(?:는|사항)|답변|회신|sẽ trả lời|liên hệ|akan (?:membalas|kembali)|hubungi|سأرد|לפנות|"
    r"\bwill (?:be (?:back|returning)|return)\b|\bmy colleagues? \w+|\b(?:is covering|cover(?:s|ing)? for me|stands? in for me|"
    r"looks? after my|takes? over my|on my behalf|in my place)\b|"
    r"\b(?:as soon as i can|as soon as possible (?:after|when|on))|\bany questions?\b.{0,40}\bcontact|contact.{0,60}any questions|"
    r"\b(?:limited|no|only intermittent|intermittent|restricted|sporadic|without|reduced|infrequent) (?:\w+ )?access to\b|"
    r"\b(?:i|we) (?:will|['’]ll|shall|can)(?: only)? (?:\w+ )?(?:reply|respond|answer|get back|return|be back|"
    r"come back|read)\b|"
    r"\b(?:up)?on my return\b|when i (?:return|get back|am back)|\b(?:return(?:ing)?|back)(?: to work| in(?: the)? office)? on\b|"
    r"back in (?:the )?office|back at (?:my desk|work)|"
    r"(?:urgent|immediate|emergenc|in my absence|for assistance)\w*.{0,80}(?:contact|call|reach|write|e-?mail|turn to)|"
    r"(?:contact|call|reach|turn to|write to).{0,60}(?:in urgent|if (?:it is |it['’]s )?urgent|in my absence)|"
    r"please (?:contact|direct your|address your|get in touch with|refer)|"
    r"will not be (?:read|forwarded|monitored)|new address is|not (?:be )?forwarded|"
    r"(?:in dringenden|dringende|bei dringenden|eilige|vertret(?:ung|en|er))\w*|nicht weitergeleitet|"
    r"wenden sie sich|nach meiner rückkehr|(?:wieder|zurück) (?:da|im (?:büro|haus)|erreichbar|für sie)|"
    r"ab dem .{0,25} wieder|keinen zugriff|nur (?:eingeschränkt|sporadisch|unregelmäßig)|"
    r"(?:cas d[’']urgence|urgen(?:t|ce)).{0,60}(?:contact|adress|joind)|à mon retour|dès mon retour|de retour (?:le|à|en|d)|en mon absence|mon absence|"
    r"merci de contacter|veuillez (?:contacter|vous adresser)|accès limité|ne (?:sera|seront) pas (?:lus?|transféré)|"
    r"(?:urgente|urgencia|urgência|urgência)\w*.{0,60}(?:contact|escrib|dir[ií]|ligu|llam)|a mi (?:regreso|vuelta)|"
    r"p[óo]ngase en contacto|en mi ausencia|(?:por favor,? )?contact[ea] (?:com|con|a|o)\b|diríjase|na minha ausência|acceso limitado|no meu regresso|quando (?:eu )?(?:voltar|regressar)|"
    r"retorn(?:o|arei|aré)|(?:urgenz|urgent)\w*.{0,60}(?:contatt|rivolg)|al mio (?:rientro|ritorno)|rientr(?:o|erò)|"
    r"(?:dringend|spoed)\w*.{0,60}(?:contact|neem|bel|mail)|bij (?:mijn )?terugk(?:eer|omst)|tijdens mijn afwezigheid|(?:weer|terug) "
    r"(?:aanwezig|bereikbaar|op kantoor)|brådskande|\bhaste\w*|\bakuta?\b.{0,60}|"
    r"(?:åter|tilbage|tilbake)(?:kom\w*| på kontoret| den| igen| igjen)|när jag (?:är )?(?:kommer )?(?:tillbaka|åter)|"
    r"(?:kiireelli|kiireis)\w*|palaan|takaisin|"
    r"(?:piln|nagł)\w*.{0,60}(?:kontakt|prosz)|po (?:moim )?powrocie|wracam|wrócę|"
    r"(?:naléhav|urgent|súrn|neodkladn)\w*.{0,60}(?:kontakt|obra)|po (?:svém |mém |svojom )?(?:návratu|návrate)|vrátím se|"
    r"(?:sürgős)\w*|visszatér|(?:urgen[țt])\w*.{0,60}(?:contact|rug)|la (?:întoarcere|revenire)|revin|"
    r"(?:επείγ|έκτακτ)\w*|επιστρ|(?:acil)\b.{0,60}|dön(?:üş|ece|ünce)|"
    r"(?:срочн|безотлагательн|термінов|нагальн|спешн)\w*|по возвращении|вернусь|після повернення|повернуся|ще се върна|"
    r"(?:hitn|nujn)\w*|po povratku|vrat(?:im|it ću)|kiireloomulis|naasen|atgriezīšos|steidzam|grįšiu|skubi|"
    r"(?:tornaré|tornada)|"
    r"(?:お急ぎ|緊急|至急|ご用の方).{0,60}|復帰|戻り(?:次第|ます)|(?:後日|改めて)(?:ご)?(?:返信|連絡)|"
    r"(?:紧急|緊急|急事|如有急|要事).{0,60}|回来后|回來後|返回(?:办公室|辦公室)?|尽快(?:回复|回覆)|"
    r"(?:급한|긴급).{0,60}|복귀|돌아와|(?:khẩn|gấp).{0,60}|trở lại|quay lại|(?:mendesak|darurat).{0,60}|kembali|"
    r"(?:ด่วน|เร่งด่วน|กลับ)|(?:तत्काल|लौट|वापस)|(?:عاجل|طارئ|عودتي|سأعود)|(?:דחוף|דחופים|אחזור|שובי|בשובי)|"
    r"(?:فوری|بازگشت)",
    re.IGNORECASE,
)

_ASKS = re.compile(
    r"[?？؟]|\b(?:i found|noticed|found (?:the|that|two|out)|still (?:not|wrong|broken|missing)|unfinished|disappointed|again and again)\b|"
    r"\b(?:festgestellt|immer noch|noch immer|enttäuscht|ärgerlich)\b|\b(?:constate|toujours pas|rien n[’']|déçue?s?)|\b(?:encontr[ée]|"
    r"todavía|aún|sigue)\b|\b(?:ho trovato|ancora|purtroppo)\b|\b(?:nog steeds|zag dat)\b|\b(?:fortfarande|undrar|stadig)\b|"
    r"vieläkin|\bnadal\b|\bstále\b|\bmég mindig\b|всё ещё|до сих пор|все ще|まだ|还是|還是|아직|"
    r"\bprendre note\b|\b(?:can|could|would|will|may) (?:you|we|i|someone|somebody|anyone)\b|"
    r"\bplease (?!contact|call (?:my|our|the|\+|\d)|direct|address|get in touch|refer|note|reach|write to|expect|allow|"
    r"accept|be (?:aware|advised)|do not reply|excuse|in (?:urgent|case)|e-?mail|consider|turn to|bear|dial|feel|ring|"
    r"phone|send (?:urgent|your (?:message|mail|e-?mail|request)|it to|an e?-?mail|a mail)|resend|forward (?:it|your|urgent)|"
    r"use the|try|speak|leave|find)|"
    r"\b(?:i|we) (?:need|would like|['’]d like|want|still (?:have|need|wait)|are waiting|am waiting|expect|must|"
    r"have (?:a|an|to|not|two|some) |cannot|can['’]t|wonder|tried|notice|order|changed?)\b|\bbefore (?:i|we|then|that)\b|"
    r"\bso (?:please|can|could|i|we|the|it|let)\b|\blet (?:us|me)\b|\battached\b|\bin the meantime\b|\blet['’]s\b|"
    r"\b(?:invoice|order|contract|quote|delivery)\b.{0,40}\b(?:should|must|has to|have to|needs?|is wrong|is missing)\b|"
    r"\b(?:können|könnten|würden|wollen|möchten|haben) (?:sie|wir|ihr)\b(?!.{0,60}(?:wenden|anrufen|erreichen|kontaktieren))|\b(?:ich|wir) (?:brauche|benötige|bräuchte|hätte|"
    r"möchte|würde|bitte um|warte|erwarte|konnte|kann nicht|muss|müsse)\w*|\bbitte (?:neu|erneut|nochmals|umgehend|sofort|unbedingt|bis|vor|heute|morgen|tragen|passen|schicken|senden|prüfen|"
    r"bestätigen|geben|melden sie sich (?:vor|bis|bei mir)|machen|korrigieren|ändern|rufen sie mich|klären|stornieren|"
    r"buchen|liefern|legen|informieren|teilen|sagen|verschieben|erledigen|stellen|kümmern|lassen|nehmen sie .{0,30} auf|"
    r"setzen|planen|warten|leiten sie (?!ihre|dringende))|\b(?:vorher|zuvor|bevor|deshalb|daher|anbei|beigefügt)\b|"
    r"\b(?:pouvez|pourriez|pourrait|pouvons|serait-il)\b(?!.{0,20}(?:contacter|joindre|adresser))|(?:merci de|veuillez|prière de) (?!votre|vos|nous (?:avoir|contacter|écrire)|contacter|vous adresser|noter|"
    r"(?:ne pas )?répondre|adresser|joindre (?:m|le|la)|vous rapprocher)|\b(?:j[’']ai besoin|nous avons besoin|"
    r"je voudrais|nous souhait|je souhait|j[’']aimerais|j[’']attends|avant mon départ|d[’']ici là|ci-joint)|"
    r"\b(?:pueden?|podr[ií]an?|podemos|poderiam?|podem|pode) (?!contact|escrib|dirig|ligar|llamar|ponerse)|\b(?:necesit|precis|quisi[eé]r|querr[ií]|gostari|envíe|"
    r"envíen|enviem|mándenme|confirme|revis[ea]n?|adjunt|por favor,? (?!contact|dir[ií]|p[óo]ngase|escrib|llam))\w*|"
    r"\b(?:potete|può|potrebbe|potreste|possiamo|vorre[mi]|ho bisogno|abbiamo bisogno|vi prego di|la prego di|"
    r"mandate|inviate|confermate|in allegato|prima (?:di|che))|"
    r"\b(?:kunt|kan|kunnen|zou|zouden|wilt) (?:u|je|jij|jullie|we|wij|iemand)\b(?!.{0,40}(?:contact|terecht|bellen|mailen|bereiken))|\b(?:ik|wij|we) (?:heb|hebben|wil|willen|"
    r"zou|moet|moeten|wacht)\b|\bgraag (?!contact)|"
    r"\b(?:kan|kunne|skulle|vill|vil) (?:ni|du|i|vi|någon|dere)\b|\b(?:jag|vi|jeg) (?:behöver|skulle|trenger|har brug|vil gerne|"
    r"vill|ønsker|vantar|väntar)|\bvoisitte\w*|\btarvits\w+|"
    r"\b(?:czy|proszę o (?!kontakt)|potrzebuj|prosimy o (?!kontakt)|chciał)\w*|\b(?:můžete|mohli|prosím (?!kontakt|obra)|potřebuj|"
    r"môžete|potrebuj|chtěl)\w*|\b(?:kérem,? (?:küld|igazol)|szeretn|kérn|tudná)\w*|\b(?:puteți|aș dori|avem nevoie|vă rog să (?!contact))|"
    r"(?:μπορείτε|παρακαλώ στείλ|χρειαζ|θα ήθελα)|(?:rica eder|lütfen (?!.{0,30}(?:ile|iletişim|başvur))|gerekiyor|ihtiyac)|"
    r"(?:не могли бы|можете|могли б|пришлите|прошу|нам нужн|мне нужн|нужно|надішліть|потрібн|моля,? изпрат|бихте ли)|"
    r"(?:možete|molim (?!.{0,30}(?:obrat|kontakt|javite))|trebam|trebamo)|"
    r"(?:いただけ(?:ます|ません)|もらえ|お願いできます|教えて|送って)|(?:请(?:发|把|给|确认|帮|安排)|請(?:發|把|給|確認|幫|安排)|能否|可以(?:请|帮|吗)|"
    r"需要您)|(?:(?:보내|확인|검토|수정|처리|알려|연락|전화|취소|변경) ?(?:해 ?)?주(?:시|세요|실)|부탁드립니다|주실 수)|(?:vui lòng (?!liên hệ)|có thể)|(?:mohon (?!hubungi)|bisakah|tolong (?!hubungi))|"
    r"(?:يرجى (?!التواصل|الاتصال|مراسلة)|هل يمكن|أرجو|نحتاج)|(?:האם|אנא (?!פנו|צרו|פנה)|צריך|נא לשלוח)",
    re.IGNORECASE,
)
"""What a person writes who wants something. It only ever clears a mail of a suspicion, never the other way round."""

_REPORTS = re.compile(
    r"this is the mail (?:system|delivery (?:system|agent)|program|server)|this is the .{0,30}(?:mail agent|send program|mailer)|"
    r"i['’]?m (?:sorry to have to inform you|afraid i wasn['’]t able to deliver)|"
    r"(?:this|the following) (?:message|e-?mail|report|notification|mail) (?:was|is|has been) (?:created |generated )?automatically "
    r"(?:created |generated )?by (?:the )?mail|"
    r"this is (?:an? )?(?:automatically[- ]generated |permanent |courtesy )*(?:delivery status|nondelivery|non-delivery|"
    r"mail delivery|delivery (?:failure|failed)|error|bounce|undeliver)|"
    r"(?:your|the|a|this|original|following) (?:e-?mail |mail )?(?:message|e-?mail|mail)(?: (?:that )?you sent| to(?: the)?[^\n]{0,120}?| "
    r"(?:with|titled|from|sent)[^\n]{0,100}?)? ?(?:\s*\n?\s*)"
    r"(?:could ?n[o'’]t|couldn['’]t|can ?not|can['’]t|was ?n[o'’]t|was not|has not been|did not|hasn['’]t been|were not|"
    r"is|was|has been)\s+"
    r"(?:yet )?(?:able to )?(?:be(?:en)? )?(?:\w+ly )?(?:delivered|reach|undeliverable|returned|rejected|blocked|bounced|"
    r"relayed|sent to|undelivered|delayed|accepted by)|"
    r"your message\s+(?:to|subject|sent|from)\s*:|"
    r"delivery (?:to|of|for|has|attempt|is delayed to)(?: the)?(?: following)? ?(?:recipients?|failed|address|message|these|your)|"
    r"(?:was|were|am|are) (?:unable|not able) to deliver (?:your|the|a|this) (?:e-?mail|message|mail)|"
    r"(?:the )?following (?:address|recipient|message|user|mailbox|destination)\w*(?:\(es\))?[^.\n]{0,40}"
    r"(?:failed|fatal|could not|undeliver|unreach|rejected|unknown|delayed|problem)|"
    r"(?:the )?original message was received at|reason (?:for|of) (?:the )?(?:non-?delivery|failure)|"
    r"(?:user|recipient|mailbox|address)\w* (?:\S+ )?(?:is )?(?:unknown|not (?:found|listed|exist)|(?:does|did)(?: not|n['’]t) exist|"
    r"is full|over quota|over its|has exceeded|unavailable|rejected)|"
    r"transcript of (?:the )?session follows|permanent fatal errors|transport error|host unknown|"
    r"(?:was|has been) (?:read|displayed|opened) (?:on|at|by)\b|this is a return receipt|"
    r"return receipt for the mail|no guarantee that the message (?:was|has been) read|"
    r"(?:diese|ihre|die|folgende) (?:nachricht|e-?mail|mail)[^.\n]{0,120}(?:nicht (?:zugestellt|ausgeliefert|übermittelt|"
    r"zustellbar|erreicht)|unzustellbar|wurde (?:gelesen|abgelehnt|zurückgewiesen))|"
    r"(?:konnte|konnten|wurde) (?:leider )?nicht (?:zugestellt|ausgeliefert)|zustellung (?:an|ihrer)|postfach (?:\S+ )?(?:ist )?voll|"
    r"(?:fehler|problem)\w* bei der (?:zustellung|übermittlung)|empfänger (?:\S+ )?(?:ist )?(?:unbekannt|existiert nicht)|"
    r"(?:votre|le|ce) (?:message|courriel|e-?mail)[^.\n]{0,120}n[’'](?:a (?:pas pu|pu)|ont|a pas été)|échec de (?:la )?remise|"
    r"la remise (?:a échoué|à ces)|boîte (?:de réception |aux lettres )?(?:est )?pleine|n[’']a pas pu être (?:remis|distribué|livré)|"
    r"(?:su|el|seu|o|sua|a) (?:mensaje|correo|mensagem|e-?mail)[^.\n]{0,120}(?:no (?:se |ha |pudo|puede|ha sido)|não (?:pôde|foi|pode))|"
    r"no se (?:ha podido|pudo|puede) entregar|não (?:foi possível|pôde ser) entreg|error en la entrega|buzón (?:\S+ )?(?:está )?lleno|"
    r"(?:il|questo|suo) (?:messaggio|e-?mail)[^.\n]{0,120}non (?:è stato|può|è)|impossibile recapitare|recapito (?:non riuscito|fallito)|"
    r"(?:uw|het|dit) (?:bericht|e-?mail)[^.\n]{0,120}(?:niet (?:worden )?(?:bezorgd|afgeleverd|besteld)|kon niet)|bezorging .{0,40}mislukt|"
    r"(?:ditt|meddelandet|din|meddelelsen|meldingen|beskeden)[^.\n]{0,100}(?:kunde inte|kunne ikke|ikke (?:leveret|levert)|inte levereras)|"
    r"viestiäsi? ei (?:voitu|voida)|ei voitu toimittaa|"
    r"(?:wiadomo(?:ść|ści)|zpráv[ua]|správ[ua]|üzenet\w*|mesaj\w*|poruk[ua])[^.\n]{0,100}(?:nie (?:została|mogła|można)|nebyla|nelze|"
    r"nepodařilo|nebola|nem (?:sikerült|lehetett)|nu a (?:putut|fost)|teslim edileme|iletileme|nije)|nie udało się dostarczyć|"
    r"(?:сообщение|письмо|повідомлення|лист|съобщение)\w*[^.\n]{0,100}не (?:было|может|удалось|вдалося|доставлен|було|може|беше)|"
    r"не удалось доставить|το μήνυμ[^.\n]{0,60}δεν|"
    r"(?:配信|送信|配達|お届け)(?:が)?(?:でき|失敗|不能|されません)|宛先(?:が|の).{0,20}(?:存在|見つかり|不明)|"
    r"(?:无法|未能|無法|没有|不能)(?:成功)?(?:投递|送达|发送|傳遞|傳送|送達)|(?:邮件|郵件).{0,20}(?:被退回|退信|拒[绝收])|"
    r"(?:전달|배달|전송)(?:하지|되지|할 수|에 실패)|không thể (?:gửi|phân phát)|tidak dapat (?:dikirim|terkirim)|"
    r"تعذر (?:تسليم|إرسال)|לא ניתן (?:היה )?למסור",
    re.IGNORECASE,
)
_STATUS_FIELD = re.compile(
    r"^[ \t>|]*((?:final|original)-recipient|reporting-mta|diagnostic-code|remote-mta|x-postfix-queue-id|"
    r"original-envelope-id|action: *(?:failed|delayed)|status: *[245]\.\d)",
    re.IGNORECASE | re.MULTILINE,
)
_CODE = re.compile(
    r"\b[45]\d\d[ -]#?[45]\.\d{1,3}\.\d{1,3}\b|#[45]\.\d{1,3}\.\d{1,3}|^\s*<?\S+@\S+>?:?\s*$", re.MULTILINE
)
"""An enhanced status code (RFC 3463), or an address alone on its line."""
_PROOF = re.compile(
    r"\b[45]\d\d[ -]#?[45]\.\d{1,3}\.\d{1,3}\b|\bsmtp;? ?[45]\d\d\b|[\w.+-]+@[\w-]+\.[\w.-]+|^\s*(?:to|subject|sent|an|betreff|"
    r"gesendet|à|objet|envoyé|para|asunto|a|oggetto|aan|onderwerp|宛先|件名|收件人|主题)\s*[:：]",
    re.IGNORECASE | re.MULTILINE,
)


def suspicion(subject: str, new_text: str, quoted: str, *, replies: bool) -> str:
    """Why the words look like an automatic answer or a returned mail, as a sentence; `""` where they do not."""
    subject = " ".join(subject[:300].split())
    text = new_text[:READ_CHARACTERS].strip()
    return _by_subject(subject, text) or _by_report(subject, text, quoted) or _by_text(text, replies=replies)


def _by_subject(subject: str, text: str) -> str:
    kind = kind_of(subject)
    match kind:
        case "automatic" | "returned":
            certain = True
        case "likely automatic":
            certain = _is_away(text) or not asks(text)
        case "perhaps automatic":
            certain = _is_away(text) or (not asks(text) and _could_be_away(text))
        case "perhaps returned":
            certain = _is_report(text) or not asks(text)
        case "":
            certain = False
        case _:
            assert_never(kind)
    what = "a returned mail" if kind.endswith("returned") else "an automatic reply"
    return f"Its subject looks like {what}: {subject[:80]}" if certain else ""


def _could_be_away(text: str) -> bool:
    """Whether it says so at all, or says too little to tell ("Back on Monday.")."""
    said = any(each.search(text[:400]) is not None for each in (_AWAY, _AS_ABSENT_PEOPLE_SAY, _DECLARES, _FOR_A_TIME))
    return said or len(text.split()) <= OWN_WORDS


def _is_away(text: str) -> bool:
    """Whether it says what answering machines say: that somebody is away, and what to do meanwhile."""
    return _AWAY.search(text[:400]) is not None and _AS_ABSENT_PEOPLE_SAY.search(text) is not None


def _is_report(text: str) -> bool:
    return (_REPORTS.search(text[:600]) is not None and _PROOF.search(text) is not None) or _status_fields(text) >= 2


def _status_fields(text: str) -> int:
    """How many different fields of a delivery report (RFC 3464 2) stand in the text."""
    return len({each[1].lower()[:12] for each in _STATUS_FIELD.finditer(text)})


def _by_report(subject: str, text: str, quoted: str) -> str:
    """A delivery report as plain text: it begins like one, or one is passed on with hardly a word."""
    found = _REPORTS.search(text[:600])
    if found is not None and _PROOF.search(text) is not None:
        before = len(text[: found.start()].split())
        certain = _SUBJECT_OF_A_REPORT.search(subject) is not None and _CODE.search(text) is not None
        if (before <= OWN_WORDS and certain) or (before <= 3 * OWN_WORDS and not asks(text)):
            return "Its text is a delivery report's"
    if _status_fields(text) >= 2:
        own = text[: _first_field(text)]
        if len(own.split()) <= 15 * OWN_WORDS and not asks(own):
            return "Its text is a delivery report's"
    if _status_fields(quoted[: 4 * READ_CHARACTERS]) >= 2 and len(text.split()) <= OWN_WORDS and not asks(text):
        return "It passes on a delivery report with hardly a word of its own"
    return ""


def _first_field(text: str) -> int:
    found = _STATUS_FIELD.search(text)
    return found.start() if found is not None else 0


def _by_text(text: str, *, replies: bool) -> str:
    if _DECLARES.search(text) is not None:
        return "Its text says that it is an automatic message"
    if len(text) >= READ_CHARACTERS:
        return ""
    away = _AWAY.search(text[:400])
    instead = _AS_ABSENT_PEOPLE_SAY.search(text) if away is not None or _LEAVE.search(text[:400]) is not None else None
    if instead is not None and not asks(text):
        return "Its text says that its author is away, and asks for nothing"
    if replies and away is not None and not asks(text):
        others = [each for each in _sentences(text) if away[0] not in each]
        return "It answers a mail, says that its author is away, and nothing more" if _say_little(others) else ""
    return ""


def asks(text: str) -> bool:
    """Whether the text wants something, as only a person's does."""
    return _ASKS.search(text) is not None


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!。！])\s+|\n+", text)


def _say_little(sentences: Iterable[str]) -> bool:
    """Greetings, thanks, names."""
    return all(len(each.split()) <= 5 for each in sentences)
