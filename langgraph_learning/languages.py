"""The language of a text, as far as its words need it: cheap, deterministic, by characteristic words and letters.

Scripts tell most languages apart. Languages in Latin letters differ in function words, in letters that only
they have, and in a few endings. A text without any such sign counts as English.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

ENGLISH = "english"
_ENOUGH = 0.2
"""The evidence that makes a text another language than English: a function word that two others share is enough."""
_CERTAIN = 1.5
_READ = 200
"""The number of words that are read; a long text shows its language early."""

# Function words as they are written; those that are common English words too (die, on, in) count less.
_FUNCTION_WORDS = {
    "english": """a about after all also am an and any are as at be been but by can could did do does for from get had
        has have he her him his how i if in into is it its just like me more my no not of on one or our out really she
        should so some than thank thanks that the their them then there these they this those to too up us very was we
        were what when where which who why will with would yes you your wants prefers likes lives works uses
        ate bet bit bye care come d dig dog door end fur go hat hay hey hi ll m man mag men met mind mine most need non
        ok over plus pot pro re s sale see sense solo son sure t take ten ton under ve want war ya""",
    "german": """aber alle als am an auch auf aus bei bin bis bist bitte da dann das dass dein deine dem den denn der
        des die dich dir doch du durch ein eine einem einen einer er es für gegen gern gerne gibt habe haben hast hat
        hatte hier ich ihm ihn ihr ihre im in ist ja jeden jetzt kann kein keine man mein meine meinem meinen meiner
        mich mir mit mag möchte möchten nach nicht noch nur oder ohne schon seit sein seine sich sie sind so über um
        und uns unser von vom vor war waren warum was wegen welche welchen welcher wenn wer werden wie wieder will wir
        wird wo woher wohin wurde zu zum zur zwischen""",
    "french": """ai alors après au aussi autre aux avais avait avant avec avez avoir avons c ce cela ces cet cette
        chez comme comment d dans de depuis des donc du elle elles en est et était étais être fait habite il ils j je
        jamais l la le les leur leurs lui m ma mais me mes moi mon n ne nos notre nous on ont ou où par pas pendant
        peu peut plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se ses si son sont suis
        sur ta te tes toi ton toujours tous tout toute très tu un une va vos votre vous y""",
    "spanish": """a al algo algunos antes aunque bien como cómo con cual cuál cuales cuando cuándo cuanto cuánto cuántos
        de del desde donde dónde dos durante e el él ella ellas ellos en entre era eran es esa ese eso esta está están
        estar estas este esto estos estoy fue fui gusta gustan ha había hace hacia han hasta hay he la las le les llama
        llamo lo los más me mi mis muy nada ni no nos nosotros nunca o otra otro para pero por porque que qué quien
        quién quiero se ser si sí siempre sin sobre somos son soy su sus también tan te tengo ti tiene
        tienen todo todos tu tus un una uno unos vive vivo y ya yo""",
    "italian": """a abbiamo ai al alla alle allo anche ancora avere c che chi ci come con cosa così d da dal dalla dei
        del della delle dello di dopo dove e è ed era essere fa gli ha hai hanno ho i il in io l la le lei lo loro lui
        ma mai mi mia mie miei mio molto nei nel nella nelle noi non nostra nostro o ogni per perché piace più poi prima
        qual quale quali quando quanto quella quello questa questo sa se sei sempre si sia siamo solo sono sta su sua
        sue sugli sul sulla suo suoi ti tra tu tua tuo tutti tutto un una uno vi voi vuole""",
    "portuguese": """a agora ao aos as até com como da das de dela dele depois do dos e é ela elas ele eles em entre
        era essa esse esta está estão estas este estes eu foi fui gosta gosto há isso isto já lhe mais mas me mesmo
        meu meus minha minhas moro mora muito na não nas nem no nos nós nossa o onde os ou para pela pelo por porque
        qual quais quando quanto que quem se seja sem ser seu seus só sobre sou sua suas também te tem têm tenho tinha
        tudo um uma você vocês""",
    "catalan": """a al als amb aquest aquesta aquí això on el ella ells els em en ens entre era és està estan fins ha
        hi ho i jo la les li m meu meva meus més mi molt no nosaltres o on per perquè però que què quan qui quin quina
        s sense seu seva són sóc també tinc tot tots un una viu visc va vaig""",
    "dutch": """aan al alle als altijd bij ben bent dan dat de deze die dit doen door dus een en er geen graag had heb
        hebben heeft het hij hoe hun ik in is ja je jij jouw kan kunnen maar me mee meer met mij mijn moet na naar niet
        nog nu of om omdat onder ons onze ook op over te toen tot tussen u uit uw van vaak veel voor waar waarom wanneer
        want waren was wat we welke werd wie wij wil wilde woon woont wordt zal ze zei zij zijn zo zonder zou""",
    "swedish": """alla allt att av bara blev bor de dem den denna deras dess det detta dig din ditt du där då efter
        ej eller en ett från för gillar ha hade han hans har henne hennes hon hos hur här i icke inte jag kan man med
        mellan men mig min mina mitt mot mycket ni nu när någon något och om oss på samma sedan sig sin sina sitt ska
        skulle som så till under upp ut utan vad var vara varför vi vid vilken vill är även över""",
    "danish": """ad af alle alt at blev bliver bor da de dem den denne der deres det dette dig din disse dog du efter
        eller en end er et for fordi fra ham han hans har havde have hende hendes her hos hun hvad hvem hver hvilken
        hvis hvor hvordan hvornår i ikke ind jeg jer kan kunne lide med meget men mig min mine mit mod ned noget nogle
        nu når og også om op os over på sig sin skal skulle som så til ud under var vi vil ville være""",
    "norwegian": """alle at av bare ble blir bor da de deg dem den denne der deres det dette din du eller en er et ett
        etter for fordi fra ha hadde ham han hans har henne hennes her hun hva hvem hver hvilken hvis hvor hvordan i
        ikke inn jeg kan liker med meg meget men mellom min mitt mot mye ned noe noen nå når og også om opp oss over på
        seg selv sin skal skulle som så til ut var ved vi vil ville være å""",
    "finnish": """asuu asun ei en enkä että ettei hän häneltä hänellä hänen he heidän ja jo joka jos jossa jotka kanssa
        kaikki koska kuin kuka kun me meidän mikä millainen milloin mitä missä mihin minä minulla minun minut mutta
        myös ne niin nyt oli olen ole olla on ovat pidän pitää sekä se sen siellä sinä sinun sitä tai tämä tämän te
        tuo vain voi vuonna""",
    "hungarian": """a az ahol akkor aki ami amely azt be ben cég csak de egy el elég én és ez ezt fel ha hogy hogyan
        hol honnan hova is ja kell ki lakik lakom le lesz lett majd már meg mert mi mikor milyen mint mit most nagyon
        nem neki nekem ő ők olyan s sem szereti szeretem számára te ti után van vagy vagyok volt""",
    "polish": """a aby ale bardzo bez bo był była było być być ci co czy dla do gdy gdzie go i ich ja jak jaka jaki
        jakie
        jako jego jej jest jestem już każdy kiedy kto która które który lub lubi lubię ma mam mi mieszka mieszkam
        mnie moim mój moja moje może my na nad nie niego nim o od ona one oni oraz po pod przed przez przy są się skąd
        ta tak tam te tego tej ten to tu tym ty u w we więc wszystko z za ze że""",
    "czech": """a aby ale ani asi až bez bude být by byl byla bylo co či do ho i já jak jaká jaký jako je jeho její jen
        jeho jsem jsi jsme jsou již k kam kde kdo kdy když ke která které který ma má mám mě mezi mi mít mnou moc moje
        můj můžu na nad ne nebo není než o od on ona oni po pod podle pokud pro proč protože před při rád ráda s se si
        své ta tak také tam ten tento to tu ty už v ve však z za ze že""",
    "romanian": """a acest această ai al am are aș au ca că când care ce cel cine cu cum da dar de deci din după ea ei
        el ele era este eu fi fost iar în îi îmi îți la le locuiesc locuiește lui mai mea mei meu mi nu noastră nostru
        o pe pentru peste pot prin sa să și sale sau se și sunt ta te tot toate un una unde unei unui vă voi""",
    "turkish": """acaba ama ancak artık aslında az bana bazı belki ben benim bile bir biraz biri biz bizim bu bunu
        çok çünkü da daha de değil diye dolayı en gibi hangi hep hepsi her hiç için ile ise kadar ki kim kimin mı
        mi mu mü nasıl ne neden nerede nereye neresi nerede niçin o olan olarak oldu olduğu on ona onlar onu onun sen
        senin seviyor siz sonra şey şu tüm var ve veya ya yani yaşıyor yok zaman""",
    "indonesian": """ada adalah agar akan aku anda apa apakah atau bagaimana bahwa bisa bukan dalam dan dapat dari
        dengan di dia hanya ia ini itu jika juga kami kamu kapan karena ke kepada kita lebih mana mereka oleh pada
        para punya sangat saya sebagai sedang seperti siapa suka sudah telah tetapi tidak tinggal untuk yang""",
    "estonian": """aga ei elab elan ja jah kas kes kui kus kuidas ma mind mina minu mis mulle nad nagu need nii oli
        olen on ole oma sa seda see selle siin sina sinu ta tal tema ning või väga""",
    "lithuanian": """ar arba aš bet buvo būti dar iki ir iš jis jo jau jie jos kad kaip kas kada kur kuris labai mano
        man mes ne nes nuo o per po prie su ta tai tau tas tik tu už yra gyvena gyvenu""",
}  # fmt: skip

# Function words of languages that their script identifies.
_BY_SCRIPT = {
    "russian": """а без был была были было быть в вам вас весь во вот все всё всех вы где да даже для до его ее её если
        есть ещё еще же за и из или им их к как какая какие какой когда кто ли либо мне может мой моя моё мы на над
        надо наш не него неё нет ни них но о об однако он она они оно от по под при с со так также такой там те тем то
        того тоже той только том ты у уже чего чей чем что чтобы чья эта эти это этот я""",
    "arabic": """أن إن أو أي إلى التي الذي الذين بعد بين تلك ثم حتى ذلك على عن عند في قد كان كانت كل كما كيف لا لم لماذا
        لن ليس ما ماذا متى مع من منذ نحن هذا هذه هل هم هنا هناك هو هي و يا أنا أنت أين""",
    "persian": """از است این اما او با باید بر برای به بود تا چرا چه چی در را که کجا من ما می نه هم هر و یا یک""",
    "hebrew": """אבל או אותו אותה אין איפה איך אם אני אנחנו אתה את אל גם הוא היא הם היה הייתה זה זאת זו יש כי כל כמה
        לא לי לו לה מה מי מתי מאוד עם על עוד של שלי שלו שלה שלך למה""",
    "hindi": """और का की के को क्या कब कहाँ कहां कौन तो था थी थे ने नहीं पर भी मैं मेरा मेरी मेरे में यह ये वह वे से
        हम है हैं हूँ हूं ही हो""",
    "greek": """αν από αυτό αυτός για δεν εγώ είμαι είναι είχε έχει έχω ένα ένας η θα και με μου να ο οι όχι που πού
        ποιος
        πότε πως πώς σε στη στην στις στο στον τα τη την της τι τις το τον του τους των""",
}  # fmt: skip

_LETTERS = {
    "ß": "german",
    "ä": "german finnish swedish estonian",
    "ö": "german turkish swedish finnish hungarian",
    "ü": "german turkish hungarian estonian",
    "ñ¿¡": "spanish",
    "áéí": "spanish hungarian portuguese czech",
    "ó": "spanish hungarian polish",
    "êœ": "french",
    "àè": "french italian catalan",
    "ç": "french turkish portuguese",
    "ãõ": "portuguese",
    "ğı": "turkish",
    "ş": "turkish romanian",
    "łąęśź": "polish",
    "řěů": "czech",
    "őű": "hungarian",
    "ăț": "romanian",
    "øæ": "danish norwegian",
    "å": "swedish danish norwegian",
    "ėųū": "lithuanian",
    "đơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ": "vietnamese",
}
_ENDINGS = {
    "ung ungen lich liche keit heit schen": "german",
    "ción ciones miento mente ándose": "spanish",
    "ções ção": "portuguese",
    "eux euse aient": "french",
    "zione zioni": "italian",
    "ıyor iyor uyor üyor": "turkish",
    "ość ać": "polish",
    "heid lijk": "dutch",
    "ssa ssä lla llä sta stä": "finnish",
    "nak nek ból ből": "hungarian",
}
_COMMON = frozenset(
    "als an at be by den die du do for he i in is it man me no of on or over so to under us war was".split()
)
_SHARED = 0.25
"""The weight of a word for another language than English if English texts may have it too."""
_ENDING = 0.5


_ORDER = (*(language for language in _FUNCTION_WORDS if language != ENGLISH), "vietnamese")


@dataclass(frozen=True, slots=True)
class Guess:
    """The guessed language of a text in Latin letters, and whether the evidence is strong."""

    language: str = ENGLISH
    certain: bool = False
    known: bool = False
    """Whether there is any evidence at all."""


def without_accents(word: str) -> str:
    """Return `word` without the accents on its Latin letters, because people omit them."""
    decomposed = unicodedata.normalize("NFKD", word)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f"))


def guess_language(words: Sequence[str]) -> Guess:
    """Return the language of these words, given with folded case, with accents, in Latin letters."""
    scores: dict[str, float] = {}
    for word in words[:_READ]:
        for language, weight in _evidence(word):
            scores[language] = scores.get(language, 0.0) + weight
    english = scores.pop(ENGLISH, 0.0)
    best = max(scores.values(), default=0.0)
    # In a tie, the more widely spoken one.
    language = next((candidate for candidate in _ORDER if scores.get(candidate) == best), ENGLISH)
    if best < _ENOUGH or best <= english:
        return Guess(ENGLISH, english >= _CERTAIN and english >= 2 * best, english > 0)
    return Guess(language, best >= _CERTAIN and best >= 2 * english, True)


def stop_words(language: str) -> frozenset[str]:
    """Return the function words of `language`, without accents."""
    return _stop_words().get(language, frozenset())


@lru_cache(maxsize=50_000)
def _evidence(word: str) -> tuple[tuple[str, float], ...]:
    """Return the evidence of `word` for each language."""
    bare = without_accents(word)
    evidence: defaultdict[str, float] = defaultdict(float)
    _share(evidence, _languages_of(word) or _languages_of(bare), bare in _COMMON)
    if not word.isascii():
        for letters, languages in _LETTERS.items():
            if any(letter in word for letter in letters):
                _share(evidence, languages.split())
    if len(word) > 5:
        for endings, language in _ENDINGS.items():
            if word.endswith(tuple(endings.split())):
                evidence[language] += _ENDING
    return tuple(evidence.items())


def _share(evidence: defaultdict[str, float], languages: Sequence[str], common: bool = False) -> None:
    for language in languages:
        evidence[language] += (_SHARED if common and language != ENGLISH else 1.0) / len(languages)


def _languages_of(word: str) -> tuple[str, ...]:
    return _tables().get(word, ())


@cache
def _tables() -> Mapping[str, tuple[str, ...]]:
    """Return the function words as they are written, with the languages they may belong to."""
    languages_of_word: dict[str, list[str]] = {}
    for language, listed in _FUNCTION_WORDS.items():
        for word in dict.fromkeys(
            spelling for written in listed.split() for spelling in (written, without_accents(written))
        ):
            languages_of_word.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in languages_of_word.items()}


@cache
def _stop_words() -> Mapping[str, frozenset[str]]:
    every = {**_FUNCTION_WORDS, **_BY_SCRIPT}
    return {language: frozenset(map(without_accents, listed.split())) for language, listed in every.items()}
