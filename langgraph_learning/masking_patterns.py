"""The patterns of secrets: prefixes of vendors, names in front of secrets, numbers of banks.

Every pattern takes linear time: it has no unbounded repeat inside a repeat, and can enter a long run only at its start.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

# Vendors' prefixes that are followed by letters and digits without a break; a name with dashes never fits.
_UNBROKEN: Final = (
    r"gh[pousr]_|npm_|hf_|api_org_|gsk_|r8_|pplx-|xai-|tvly-(?:dev-|prod-)?|shp(?:at|ca|pa|ss)_|sbp_|do[por]_v1_|rpa_"
    r"|lin_(?:api|oauth)_|whsec_|secret_|ntn_|ph[cx]_|fc-|dckr_(?:pat|oat)_|lsv2_(?:pt|sk)_|glsa_|glc_|sntry[su]_"
    r"|rubygems_|nvapi-|sk-or-v1-|key-|sk_(?:live|test)_|pk_(?:live|test)_|rk_(?:live|test)_|AC-|PMAK-|NRAK-|NRJS-"
    r"|HRKU-(?:AA)?|xkeysib-|ATATT3x|ATCTT3x|EAA(?=[A-Z])|tk_|e2b_|vcp_|vercel_|fly_|FlyV1_|cf_|re_|pat_|mlsn\."
)
_LEFT: Final = r"(?<![A-Za-z0-9_-])"


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the compiled pattern; each is compiled on first use, because all of them would slow every import."""
    return re.compile(pattern)


@dataclass(frozen=True, slots=True)
class Form:
    """A pattern, the mark that replaces its matches, and a test that a match must pass to be a secret.

    A pattern with a group `before` keeps that group and replaces the group `secret`. It is only searched in a text with
    one of the words of `needs` (lower case, separated by bars): searching a word costs a hundredth of searching a
    pattern.
    """

    pattern: str
    mark: str
    accepts: Callable[[str], bool] | None = None
    needs: str = ""

    def sub(self, text: str, lowered: str = "") -> str:
        """Return the text with its secrets replaced by marks; `lowered` is the text in lower case."""
        if self.needs and not has_one_of(self.needs, lowered):
            return text
        return compile_pattern(self.pattern).sub(self._instead, text)

    def _instead(self, match: re.Match[str]) -> str:
        if "secret" not in match.re.groupindex:
            return self.mark if self.accepts is None or self.accepts(match[0]) else match[0]
        secret = match["secret"]
        if secret.startswith(("[", "$", "<", "{", "*")):  # a mark already, or a placeholder
            return match[0]
        return match["before"] + self.mark if self.accepts is None or self.accepts(secret) else match[0]


def has_one_of(words: str, lowered: str) -> bool:
    """Return whether one of the words, separated by bars, occurs in a text in lower case."""
    return any(word in lowered for word in words.split("|"))


def has_digits(text: str) -> bool:
    """Return whether the text has ten letters and digits in a row, some of them digits."""
    return any(re.search(r"\d", run) for run in re.findall(r"[A-Za-z0-9]{10,}+", text)) or is_random(text)


def is_random(text: str) -> bool:
    """Return whether letters and digits alternate as in no word: `4eC39HqLyj`, but not `transformers2`."""
    return any(
        len(re.findall(r"[a-z](?=[A-Z0-9])|[0-9](?=[A-Za-z])", run)) > 3
        or (len(run) > 15 and len(re.findall(r"\d", run)) > 2)
        for run in re.findall(r"[A-Za-z0-9]{10,}+", text)
    )


def is_mixed(text: str) -> bool:
    """Return whether 24 letters of both cases and digits stand in a row, as in keys and hardly ever in names."""
    runs = re.findall(r"[A-Za-z0-9]{24,}+", text)
    return any(len(re.findall("[0-9]", run)) > 2 and len(re.findall("[a-z0-9][A-Z]", run)) > 3 for run in runs)


KNOWN_FORMS: Final = tuple(
    Form(pattern, mark, accepts)
    for pattern, mark, accepts in (
        (_LEFT + r"eyJ[\w-]{8,}+\.[\w-]{8,}+\.?[\w.-]*+", "[token]", None),  # a JSON web token
        (_LEFT + rf"(?:{_UNBROKEN})[A-Za-z0-9]{{20,}}+[\w-]*+", "[key]", is_random),
        (
            _LEFT + r"(?:sk-ant|sk-proj|sk-svcacct|github_pat|glpat|gl[a-z]{2,5}t|gh[pousr]|GOCSPX)[-_][\w-]{16,}+",
            "[key]",
            has_digits,
        ),
        (_LEFT + r"(?:sk|pk|rk|pypi|npm|hf)[-_][\w.-]{16,}+", "[key]", is_random),
        (_LEFT + r"(?:xox[a-z]|xapp)-[\w-]{12,}+", "[key]", has_digits),
        (_LEFT + r"(?:lsv2_pt|lsv2_sk|figd|figp|shpat|nvapi|dapi|ATATT3)[-_]?[\w=-]{16,}+", "[key]", has_digits),
        (_LEFT + r"(?:AKIA|ASIA|AROA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])", "[key]", None),
        (_LEFT + r"LTAI[A-Za-z0-9]{12,24}(?![\w-])", "[key]", is_random),
        (_LEFT + r"AIza[\w-]{30,}+", "[key]", None),
        (_LEFT + r"ya29\.[\w.-]{20,}+", "[token]", None),
        (_LEFT + r"1//0[\w-]{30,}+", "[token]", None),
        (_LEFT + r"AQ\.[\w-]{30,}+", "[key]", is_random),
        (_LEFT + r"SG\.[\w-]{16,}+\.[\w-]{16,}+", "[key]", None),
        (_LEFT + r"hv[sbr]\.[\w-]{20,}+", "[token]", is_random),
        (_LEFT + r"dp\.(?:st|pt|ct|sa)\.[\w.-]{30,}+", "[token]", is_random),
        (_LEFT + r"s\.[A-Za-z0-9]{24}(?![\w-])", "[token]", is_random),
        (_LEFT + r"(?:SK|AC)[0-9a-f]{32}(?![\w-])", "[key]", None),
        (_LEFT + r"[0-9a-f]{32}-us\d{1,2}(?![\w-])", "[key]", None),
        (_LEFT + r"sq0[a-z]{3}-[\w-]{20,}+", "[key]", is_random),
        (_LEFT + r"[A-Za-z0-9_~.]{3}\dQ~[\w~.-]{28,}+", "[key]", None),  # the client secret of an Azure application
        (_LEFT + r"\d{8,10}:AA[\w-]{30,}+", "[token]", None),  # a bot of Telegram
        (_LEFT + r"[MNO][\w-]{22,27}\.[\w-]{6}\.[\w-]{25,}+", "[token]", None),  # a bot of Discord
        (_LEFT + r"AGE-SECRET-KEY-1[A-Z0-9]{50,}+", "[private key]", None),
        # Vendors that are not in this list: a short prefix, then many letters of both cases and digits.
        (_LEFT + r"[A-Za-z]{2,12}(?:[_-][A-Za-z0-9]{1,6}){0,3}[_-][A-Za-z0-9]{24,}+[\w-]*+", "[key]", is_mixed),
    )
)

PRIVATE_KEYS: Final[tuple[str, ...]] = (
    (
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z)"
    ),
    (
        r"PuTTY-User-Key-File-\d:[\s\S]{0,3000}?Private-Lines: \d{1,3}\s{1,2}"
        r"(?:[A-Za-z0-9+/=]{1,80}(?:\r?\n|\Z)){1,100}+"
    ),
)

# A name is not one of the marks, and stands alone or begins with a capital: `db_secret`, `dbSecret`, not `asecret`.
_NO_MARK: Final = r"(?!(?<=\[)(?:token|secret|password|private key)\])"
_HUMP: Final = rf"{_NO_MARK}(?:(?<![^\W\d_])|(?-i:(?<=[a-z])(?=[A-Z])))"

# Names of a password, after any letters: `PGPASSWORD`, `我的密码`.
_PASSWORD_ENDS: Final = (
    r"pass[ _-]?words?|passwd|pass[ _-]?phrase|pass[ _-]?code|pwd|passwort|kennwort"
    r"|密码|密碼|口令|パスワード|비밀번호|암호"
)
_PASSWORD_WORDS: Final = (
    r"mots? de passe|code secret|mdp|contrase[ñn]a|senha|palavra[ -]passe|parola d['’]ordine|wachtwoord|has[łl]o"
    r"|lösenord(?:et)?|adgangskoden?|kodeord|salasanan?i?|heslo|jelszó|şifrem?|парол(?:ь|я|ем)"
    r"|كلمة (?:المرور|السر)|पासवर्ड|mật khẩu|kata sandi|סיסמה|κωδικός"
)
# Words with other meanings too: behind them, only a value that looks like a password counts.
_STRICT_WORDS: Final = r"pass|pw|clave|parola|psk|requirepass|creds|credentials|(?:alarm|login|door|gate|secret) code"

# Names of a key or a token; the value behind them must not read like words.
_KEY_WORDS: Final = (
    r"(?:api|access|secret|private|auth|client|account|encryption|signing|master|shared|service|license|session|admin"
    r"|deploy|app|consumer|webhook|refresh|bot|id|personal|security|csrf|ssh|host)[ _-]?(?:access[ _-]?)?"
    r"(?:key|token|secret)(?:(?<=private.key)[ _-]?id|(?<=secret.key)[ _-]?base)?"
    r"|token|secret|cl[ée] (?:api|secrète)|api[- ]schlüssel|clave (?:de )?api|chave (?:de )?api"
    r"|chiave api|api[- ]?ключ|ключ api|api[- ]?密钥|api[- ]?キー|api[- ]?키"
)

_FOR: Final = (
    r"(?:\s(?:for|of|to|on|at|from|für|fürs|vom|zum|im|am|du|de|des|del|della|do|da|pour|para|per|di|voor|от|для|к)"
    r"(?:\s[\w'’.-]{1,20}){1,3}?)?"
)
_ASSIGNED: Final = r"\s{0,4}(?::=|=>|->|[:=：＝])\s{0,8}|\s[—–]\s"
_IS: Final = (
    r"(?:\s(?:is|was|now is|is now|is still|ist|lautet|war|est|c['’]est|es|era|é|è|is nu|är|er|je|هي|هو)|(?<=[łl]o)\sto"
    r"|(?<=sanani)\son|['’]s)(?:\s{1,4}|\s?:\s{1,4})|\s?[是为為は는은가が이]\s?[:：]?\s?"
)
_VALUE: Final = (
    r"(?:(?P<quote>\\?[\"'`])(?P<inside>(?:(?!(?P=quote))(?:[^\n\\]|\\.)){1,400})(?P=quote)"
    r"|[“„«‘](?P<curly>[^\n“”»’]{1,400})[“”»’]"
    r"|\\?[\"'`]?(?P<bare>[^\s\"'`“”„,;<>&，。；、？！]{3,}+))"
)
_TAIL: Final = r"(?P<tail>\\?[\"'`\])]{0,2}|[*_]{2})"

_NAME: Final = rf"(?:{_HUMP}(?:{_PASSWORD_WORDS})|{_NO_MARK}(?:{_PASSWORD_ENDS}))"
NAMED_PASSWORD: Final = (
    rf"(?i)(?P<name>(?:(?P<strict>{_HUMP}(?:{_STRICT_WORDS}))|{_NAME}){_TAIL}{_FOR}"
    rf"(?:(?P<assigned>{_ASSIGNED})|(?P<said>{_IS}))){_VALUE}"
)
NAMED_KEY: Final = (
    rf"(?i)(?P<name>(?P<strict>{_HUMP}(?:{_KEY_WORDS})){_TAIL}{_FOR}"
    rf"(?:(?P<assigned>{_ASSIGNED})|(?P<said>{_IS}))){_VALUE}"
)
# "username alex, password Tiger99": nothing between them.
PASSWORD_NEXT: Final = rf"(?i)(?P<name>{_NAME}(?:\s(?:от|для)(?:\s\S{{1,20}}){{1,2}}?)?\s{{1,2}}){_VALUE}"
LOGIN_NEXT: Final = (
    r"(?i)(?P<name>\b(?:user(?:name)?|login|admin|account|root)\b[^\n]{0,40}?[\s,/;]"
    rf"(?:pass|pw|password|passwd)\s{{1,2}}){_VALUE}"
)
PASSWORD_CHANGED: Final = (
    r"(?i)(?P<name>\b(?:set|sets|chang\w{1,3}|reset|update\w?)\b[^.\n]{0,40}?"
    rf"(?:{_PASSWORD_ENDS}){_FOR}\sto\s){_VALUE}"
)

PASSWORD_NEEDS: Final = (
    "pass|pwd|pw|wort|mdp|secret|contras|senha|parola|palavra|wacht|has|lösen|adgang|kodeord|salasan|heslo|jelsz|şifre|парол"
    "|كلمة|पासवर्ड|khẩu|sandi|סיסמה|κωδικός|密|口令|パスワード|비밀|암호|clave|psk|cred|code"
)
KEY_NEEDS: Final = "key|token|secret|schlüssel|api|secrète|密钥"

# Words that describe a password instead of being one.
STATES: Final = frozenset(
    """
    a about above again ago all already also always an and any as at be because been before below better by can
    changed compromised correct different easy empty enough expired false fine for forgotten from gone good hard here
    hidden i if important in incorrect invalid is it just known later long lost mandatory me mine missing my needed
    never new nil no none not nothing now null of off ok okay old on one only optional or our out outdated over
    private protected public ready redacted required reset safe same saved secret secure set she short simple so some
    somewhere soon stale stolen strong stuck such that the their them then there these they this those to too true
    unknown unsafe unset until up us useless valid very wanted we weak what when where which who why with wrong yes
    yet you your string str text bytes bool boolean int integer number object undefined todo tbd na hash hashed
    encrypted masked shared abgelaufen falsch richtig sicher unsicher schwach stark kurz lang neu alt leer gesperrt
    vergessen geheim pflicht bitte nicht zu sehr noch schon weg gut besser ungültig erforderlich geändert expiré faux
    fausse faible fort court courte perdu oublié obligatoire requis nouveau trop très pas invalide incorrecte muy
    débil fuerte incorrecta larga corta obligatoria caducada vencida nueva segura insegura olvidada demasiado
    requerida fraca forte obrigatória errada incorreta expirada muito curta longa nova esquecida scaduta debole
    sbagliata errata lunga nuova sicura molto troppo obbligatoria dimenticata verlopen zwak sterk fout te heel kort
    vergeten jest za bardzo słabe silne błędne krótkie för svagt starkt fel gammalt zayıf güçlü yanlış çok something
    anything another nowhere secretstr varchar 必填 必填项 必須 必须 无 無 空 可选 なし 未设置 필수 없음 нет пусто
    обязательно забыла не слишком очень неверный простой забыт старый новый
    """.split()
)

# Commands, headers and markup: (a word the text must have, pattern, mark).
_SENSITIVE: Final = rf"[\w.-]{{0,40}}?(?:{_PASSWORD_ENDS}|secret|token|api[_-]?key|private[_-]?key|access[_-]?key)"
_ARGUMENT: Final = r"(?P<secret>(?(open)[^\"'\n]{2,200}|[^\s\"']{2,200}))"
IN_PLACE: Final = tuple(
    Form(pattern, mark, needs=needs)
    for needs, pattern, mark in (
        (
            "authorization",
            r"(?i)(?P<before>authorization[\"']?\s{0,2}[:=]\s{0,2}[\"']?(?:bearer|basic|token|apikey|digest|negotiate)\s{1,2})"
            r"(?P<secret>(?![xX]++\b|\.++)[\w.~+/=:@-]{8,}+)",
            "[token]",
        ),
        (
            "authorization",
            r"(?i)(?P<before>authorization[\"']?\s{0,2}[:=]\s{0,4}[\"']?(?:[a-z-]{3,12}\s{1,2})?)"
            r"(?P<secret>(?=[^\s\"']{0,60}?\d[^\s\"']{0,60}?\d)[\w.~+/=:@-]{8,}+)",
            "[token]",
        ),
        (
            "x-|private-token|api-key",
            r"(?i)(?P<before>(?<![\w-])(?:x-(?:api|auth|access|amz-security)-?(?:key|token)|private-token|api-key|x-vault-token)"
            r"[\"']?\s{0,2}:\s{0,2}[\"']?)(?P<secret>[\w.~+/=-]{8,}+)",
            "[token]",
        ),
        (
            "cookie",
            r"(?i)(?P<before>(?<!\w)cookie:\s{0,2}(?:[^\n=;]{1,40}=[^\n;]{0,100};\s?+){0,9}?[\w.-]{0,30}"
            r"(?:sess|sid|auth|token)[\w.-]{0,20}=)(?P<secret>[^\s;\"',]{6,}+)",
            "[token]",
        ),
        (
            "curl",
            r"(?P<before>\bcurl\b[\s\S]{0,400}?\s(?:-u|--user|--proxy-user)[ =]{0,4}(?P<open>[\"'])?"
            r"(?!<)[^\s\"':]{0,60}(?:[\"']:[\"']|:(?(open)|[\"']?)))" + _ARGUMENT,
            "[password]",
        ),
        ("mysql", r"(?P<before>\bmysql(?:dump|admin)?\b[^\n]{0,120}?\s-p(?P<open>[\"'])?)" + _ARGUMENT, "[password]"),
        (
            "sshpass|docker|podman|az login|ldapsearch|smbclient",
            r"(?P<before>\b(?:sshpass|docker login|podman login|az login|ldapsearch|smbclient)\b[^\n]{0,120}?"
            r"\s-[pw][ =]?(?P<open>[\"'])?)" + _ARGUMENT,
            "[password]",
        ),
        ("redis-cli", r"(?P<before>\bredis-cli\b[^\n]{0,120}?\s-a\s(?P<open>[\"'])?)" + _ARGUMENT, "[password]"),
        (
            "--",
            r"(?i)(?P<before>(?<!\S)--(?:[a-z]{1,12}-){0,3}"
            r"(?:password|passwd|passphrase|token|secret|api-key)[ =][\"']?)"
            r"(?P<secret>(?!-)(?=[^\s\"']{0,60}?[\d_!@#$%^&*+]|(?<=password[ =])(?=[^\s\"']{6}))[^\s\"']{4,}+)",
            "[password]",
        ),
        (
            "machine",
            r"(?i)(?P<before>\bmachine\s\S{1,100}\s{1,4}login\s\S{1,100}\s{1,4}password\s)(?P<secret>\S{3,}+)",
            "[password]",
        ),
        ("requirepass", r"(?i)(?P<before>\brequirepass\s)(?P<secret>\S{3,}+)", "[password]"),
        ("</", rf"(?i)(?P<before><({_SENSITIVE})>\s{{0,4}})(?P<secret>[^<\n]{{3,400}})(?=</)", "[secret]"),
        (
            "value=",
            rf"(?i)(?P<before>\b(?:key|name)=[\"']{_SENSITIVE}[\"']\s{{1,4}}value=[\"'])(?P<secret>[^\"'\n]{{3,400}})",
            "[secret]",
        ),
        (
            "value",
            rf"(?i)(?P<before>\bname[\"']?:\s{{0,2}}[\"']?{_SENSITIVE}[\"']?,?\s{{1,20}}[\"']?value[\"']?:\s{{0,2}}[\"']?)"
            r"(?P<secret>[^\s\"']{3,}+)",
            "[secret]",
        ),
        (
            "hooks.slack",
            r"(?P<before>hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/)(?P<secret>[A-Z0-9][\w/]{16,}+)",
            "[token]",
        ),
        ("api/webhooks", r"(?P<before>discord(?:app)?\.com/api/webhooks/)(?P<secret>\d{8,20}/[\w-]{20,}+)", "[token]"),
        ("webhook.office", r"(?P<before>webhook\.office\.com/webhookb2/)(?P<secret>[\w@/-]{20,}+)", "[token]"),
        ("logic.azure", r"(?P<before>logic\.azure\.com[^\s]{0,300}?[?&]sig=)(?P<secret>[\w%-]{20,}+)", "[token]"),
        (
            "?|&|;",
            r"(?i)(?P<before>[?&;](?:x-amz-(?:signature|security-token)|x-goog-signature|sig|signature|key|auth|pass|pw|token)=)"
            r"(?P<secret>(?=[^\s&\"']{0,80}?\d)[\w%~.+/=-]{8,}+)",
            "[token]",
        ),
        (
            "phrase|words",
            r"(?i)(?P<before>\b(?:seed|recovery|mnemonic|backup) (?:phrase|words)\b[^\n]{0,20}?[\s:\"'])"
            r"(?P<secret>(?:[a-z]{3,8},?\s){11,23}[a-z]{3,8})",
            "[secret]",
        ),
        (
            "security",
            r"(?i)(?P<before>\b(?:answer to (?:my|the|his|her) security question|security answer) (?:is|=|:)\s?[\"']?)"
            r"(?P<secret>[\w-]{2,30})",
            "[secret]",
        ),
    )
)

_NUMBER_IS: Final = (
    r"[\"']?\s?(?:\((?:[\w ]{1,20})\)\s?)?"
    r"(?:(?:(?:for|on|of|vom|zum|für|del?|du|von|zur|der)(?:\s[\w'’-]{1,20}){1,3}?\s?)?"
    r"(?:[:=：#]|is now|is|was|ist|lautet|est|es|é|è|['’]s|是|は|to|на|—|->)\s{0,3})?(?:no\.?\s?|[:=]\s{0,2})?[\"']?"
)
# A key behind its name, if it is long and no text that a person would write.
LONG_KEYS: Final = (
    Form(
        r"(?P<before>(?<![a-z])[A-Z][A-Z0-9_]{2,40}_KEY\s{0,2}[=:]\s{0,2}[\"']?)(?P<secret>[\w+/=-]{16,}+)",
        "[key]",
        is_random,
    ),
    Form(r"(?i)(?P<before>\b(?:key|token|secret)\s)(?P<secret>[\w-]{20,}+)", "[key]", is_mixed),
)
NUMBERED: Final = (
    *(
        Form(
            rf"(?P<before>{name}{_NUMBER_IS})(?P<secret>{number})(?![A-Za-z0-9_]|[.,/:-]\d)[.!]?",
            mark,
            needs=needs,
        )
        for needs, name, number, mark in (
            (
                "cv|csc|cid|code|prüfziffer",
                r"(?i:(?<!\w)(?:cvv2?|cvc2?|(?-i:CSC|CID)|security code|card code|card verification code|prüfziffer))",
                r"\d{3,4}",
                "[secret]",
            ),
            (
                "pin|geheimzahl|暗証番号|пин",
                r"(?:\bPIN\b|\bPIN[- ]?[Cc]ode|\b[Pp]in(?=\s?[:=]|\s(?:is|for|ist|number)\b|['’]s)"
                r"|\bpincode|Geheimzahl|暗証番号|пин-?код)",
                r"\d{4,8}",
                "[secret]",
            ),
            (
                "code|time|otp|tan|código|codice|验证码|認証コード|код",
                r"(?i:(?<!\w)(?:one[- ]time (?:code|password|passcode)|verification code|confirmation code"
                r"|(?-i:OTP|TAN)|2fa code|mfa code|login code|alarm code|access code|door code|gate code"
                r"|bestätigungscode|einmalcode"
                r"|code de vérification|código de verificación|código de verificação|codice di verifica"
                r"|验证码|認証コード|код подтверждения|код из смс))",
                r"\d{4,8}",
                "[secret]",
            ),
            (
                "ssn|social",
                r"(?i:\b(?:ssn|social security(?: number| no\.?)?|social))",
                r"\d{3}[- ]?\d{2}[- ]?\d{4}",
                "[identity number]",
            ),
            (
                "steuer|tax|tin|cpf|codice|bsn|pesel|national",
                r"(?i:\b(?:steuer-?id(?:entifikationsnummer)?|steuernummer|tax id"
                r"|(?-i:TIN|ITIN|CPF|BSN|PESEL)|codice fiscale|national id))",
                r"\d[\d ./-]{7,14}\d",
                "[identity number]",
            ),
            (
                "account|konto|kto|cuenta|compte|rekening",
                r"(?i:\b(?:account (?:number|no\.?)|bank account|kontonummer"
                r"|kto\.?|número de cuenta|numéro de compte|rekeningnummer))",
                r"\d[\d -]{5,17}\d",
                "[account number]",
            ),
            (
                "nino|insurance|ni number",
                r"(?i:\b(?:nino|national insurance(?: number)?|ni number))",
                r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
                "[identity number]",
            ),
        )
    ),
    # A social security number is recognised by its form, and the code of a card by following one.
    Form(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-]|\.\d)", "[identity number]"),
    Form(
        (
            r"(?P<before>\[card number\][\s,;|/]{1,3}(?:exp\w{0,6}\.?:?\s)?"
            r"(?:0?[1-9]|1[0-2])\s?[/|.-]\s?(?:20)?\d\d[\s,;|/]{1,3})"
            r"(?P<secret>\d{3,4})(?![\w/])"
        ),
        "[secret]",
    ),
)
