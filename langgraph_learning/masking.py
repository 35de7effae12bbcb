"""Masking of secrets before anything is stored: keys, tokens, passwords, numbers of cards and accounts.

A text goes through a few passes, from patterns that nothing else matches to values that only their name marks as
secret: blocks of private keys, passwords in URLs, headers and commands, the known forms of keys, values behind names,
numbers with a check digit. Each secret is replaced by a mark that says what it was: `[key]`, `[password]`, `[card
number]`.
"""

import base64
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from pydantic import JsonValue

from langgraph_learning.masking_patterns import (
    IN_PLACE,
    KEY_NEEDS,
    KNOWN_FORMS,
    LOGIN_NEXT,
    LONG_KEYS,
    NAMED_KEY,
    NAMED_PASSWORD,
    NUMBERED,
    PASSWORD_CHANGED,
    PASSWORD_NEEDS,
    PASSWORD_NEXT,
    PRIVATE_KEYS,
    STATES,
    compile_pattern,
    has_one_of,
    is_random,
)

Mask: TypeAlias = Callable[[str], str]
_Found: TypeAlias = re.Match[str]

_ROUNDS = 4
_MARK = re.compile(r"\[(?:key|token|secret|password|private key|card number|account number|identity number)\]")
_SCHEME = re.compile(r"(?i)\b(?P<scheme>bearer|basic)\s{1,4}(?P<secret>[\w.~+/=-]{8,}+)")
_USER_INFO = re.compile(
    r"(?<=://)(?P<user>[^\s/:@?#\"'<>]{0,256}):(?!\d{1,5}[/?#])"
    r"(?:(?P<password>[^\s/?#\"'<>]{1,256})@|(?P<odd>[^\s@\"'<>]{1,256})@)(?=[\w\[.-])"
)
_USER_TOKEN = re.compile(r"(?<=://)(?P<token>[\w.~%-]{16,256})(?=@[\w\[]|:\[password\]@)")
# A placeholder that a reader, a shell or an interpreter fills in.
_STAND_IN = re.compile(
    r"<.*|\$.*|%[\w(].*|\{\{?.*|\*+|[xX]{3,}|\.{3,}|…|-+|_+|\[.*\]|[:@][a-z_]+|your[-_ ].*"
    r"|(?:change|replace)[-_ ]?this.*"
    # what a program reads from elsewhere, and its types
    r"|(?:[A-Za-z_]\w*+[.(\[])*(?:os|env|process|settings|config|cfg|secrets|self|request|args|keyring|vault|getenv|environ"
    r"|Optional|Field|Annotated)\b[.(\[].*|lambda\b.*|[A-Za-z_][\w.]*\([\w.,]*\)?|.*\|\s?None"
    r"|(?:[a-z]{1,20}[._]){1,4}(?:password|passwd|pwd|secret|token|key|hash)|[A-Z][A-Z0-9]{0,20}(?:_[A-Z0-9]{1,20}){0,4}_(?:KEY|TOKEN|SECRET|PASSWORD)"
    # paths and addresses
    r"|[a-z]{2,8}://.*|~?(?:/[A-Za-z][a-z_.-]*+){2,}|[A-Z]:\\.*",
    re.DOTALL,
)
_CLAUSE_ENDS = re.compile(
    r"[.!?)\]]{0,2}(?:\s*\Z|\s*\n|\s*[,;/|。，]|[.!?]|\s{1,2}(?:and|und|et|y|e|please|bitte|but|or|now)\b)"
)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CJK_NEXT = re.compile(rf"[!-~]{{3,}}(?={_CJK.pattern})")
_LIKE_A_STATE = re.compile(
    r"(?i)\w{2,}(?:ed|ing|able|ible|ful|less|ous|ive|ated|ical|lich|bar|ig|é|ée|ado|ada|ido|ida|ato|ata|uto|uta|ito|ita)"
    r"|(?:ge|ver|ab|be|ent|zer)\w{3,}(?:t|en)"
)
# Said about a password, but not one: a date, a version, "12 characters", "SHA256-hashed".
_MEASURE = re.compile(
    r"(?i)\d{1,4}(?:[./:-]\d{1,4}){1,3}\S{0,9}|v?\d{1,3}(?:\.\d{1,3})+|(?:19|20)\d\d|\d{1,3}\+?|\d{1,3}[-–]?[a-z]{1,10}"
    r"|(?:base|sha|md|aes|rot|utf|argon|oauth|totp|v)-?\d{1,3}\S{0,20}"
    r"|\S{1,40}-(?:encoded|encrypted|hashed|based|protected|only|long|bits?|characters?|digits?|sensitive|specific|free)"
)
_DIGITS = re.compile(r"(?:(?<![A-Za-z0-9_.$€£-])|(?<=%B))\d++(?:[ .–-]\d++)*+")
_URL_PASSWORD = re.compile(
    r"\A(?!mailto:)([^:]*:/*[^:@/?#]*|[^:@]*(?=:(?!/))):(?!\d{1,5}(?:[/?#]|\Z))(?:[^?#]*|.*)@", re.DOTALL
)
_URL_PARAMETER = re.compile(r"(?i)([?&;][\w.-]{0,40}?(?:pass|pwd|pw|secret|token|key|sig|auth)\w{0,20}=)[^&#;\s]+")
_OTHER_NUMBER = re.compile(
    r"(?i)\b(?:imei|imsi|iccid|order|bestell\w{0,8}|auftrag\w{0,8}|tracking|parcel|invoice|serial|ticket|isbn|ean|gtin|upc|sku"
    r"|id|case|part|model|ref\w{0,7}|phone|tel|timestamp|epoch|article|member|library card)"
    r"[\s-]{0,2}(?:(?:id|no|nr|number|nummer|num|code)\b)?[\s.:#=]{0,3}\Z"
)
# The characters of keys, in a run long enough for one; the known forms are only searched in such runs.
_RUN = re.compile(r"[A-Za-z0-9_.~:/=-]{16,}+")
_SOME_DIGITS = re.compile(r"\d{3}|\d\d[ -]\d")
_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}")
_ACCOUNT_NUMBER = re.compile(r"[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_ATTACHED = re.compile("[A-Za-z0-9_]")
_ISSUERS = re.compile(
    r"(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
    r"|(?:50|5[6-9]|6[37])\d{14})"
)

# The length of an IBAN in each country.
_ACCOUNT_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def mask_secrets(text: str) -> str:
    """Return `text` with everything masked that looks like a key, a token, a password or a card number.

    It prefers known forms: a password that reads like an ordinary word is only recognised behind its name (`password:
    ...`). Give `LearningMachine(mask=...)` a function of your own to mask more, or less. Masking a masked text changes
    nothing.
    """
    # A mark is shorter than the secret, so it may bring a name and its value within reach of a pattern: search again.
    for _ in range(_ROUNDS):
        shown = _mask_once(text)
        if shown == text:
            break
        text = shown
    return text


def mask_url(url: str) -> str:
    """Return a URL without its password, as a message may show it, whatever the scheme and even if it cannot be parsed.

    `postgresql://alex:s3cret@db/app?sslpassword=x` is shown as
    `postgresql://alex:[password]@db/app?sslpassword=[password]`.
    """
    return _URL_PARAMETER.sub(r"\1[password]", _URL_PASSWORD.sub(r"\1:[password]@", url, count=1))


def mask_values(value: JsonValue, mask: Mask) -> JsonValue:
    """Return a JSON value with every secret in its texts masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [mask_values(item, mask) for item in value]
    if isinstance(value, Mapping):
        return {key: mask_values(item, mask) for key, item in value.items()}
    return value


def _mask_once(text: str) -> str:
    for block in PRIVATE_KEYS:
        text = compile_pattern(block).sub("[private key]", text)
    if "://" in text:
        text = _USER_TOKEN.sub(_without_user_token, _USER_INFO.sub(_without_user_info, text))
    lowered = text.lower()
    for form in IN_PLACE:
        text = form.sub(text, lowered)
    if has_one_of("bearer|basic", lowered):
        text = _SCHEME.sub(_without_credentials, text)
    text = _RUN.sub(_without_known_forms, text)
    for needs, named, accepts in _NAMED:
        if has_one_of(needs, lowered):
            text = compile_pattern(named).sub(partial(_without_value, accepts), text)
    for long in LONG_KEYS:
        text = long.sub(text, lowered)
    return _mask_numbers(text, lowered) if _SOME_DIGITS.search(text) else text


def _without_user_info(match: _Found) -> str:
    password = match["password"] or match["odd"]
    if _MARK.fullmatch(password) or _STAND_IN.fullmatch(password):
        return match[0]
    return f"{match['user']}:[password]@"


def _without_user_token(match: _Found) -> str:
    return "[token]" if is_random(match[0]) else match[0]


def _without_known_forms(match: _Found) -> str:
    run = match[0]
    for form in KNOWN_FORMS:
        run = form.sub(run)
    return run


def _without_credentials(match: _Found) -> str:
    """Return the match with what follows `Bearer` or `Basic` masked, unless it is a word."""
    secret = match["secret"]
    if match["scheme"].lower() == "basic":
        is_secret = _is_user_and_password(secret)
    else:
        is_secret = len(secret) >= 12 and (is_random(secret) or (bool(re.search(r"\d", secret)) and "." in secret))
    return f"{match['scheme']} [token]" if is_secret else match[0]


def _is_user_and_password(text: str) -> bool:
    """Return whether the base64 text holds `user:password`, as basic authentication sends it."""
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except ValueError:  # not base64, or not text
        return False
    return ":" in decoded and decoded.isprintable()


def _without_value(accepts: Callable[[_Found, str, bool], bool], match: _Found) -> str:
    """Return the match with the value behind a name masked; quotes stay if the name has them too (JSON stays JSON)."""
    value, remainder, ends = match["inside"] or match["curly"] or match["bare"], "", False
    if match["bare"]:
        if mark := _MARK.search(match.string, match.start("bare"), match.end() + 20):
            value = value[: mark.start() - match.start("bare")]
        attached = _CJK_NEXT.match(value)  # "パスワードはsakura77です"
        value = attached[0] if attached else value.rstrip(")]}")
        remainder = match["bare"][len(value) :]
        ends = attached is None and _CLAUSE_ENDS.match(match.string, match.end() - len(remainder)) is not None
    plain = value.rstrip(".!?")
    if not value or _MARK.fullmatch(value) or _STAND_IN.fullmatch(value + remainder) or plain.lower() in STATES:
        return match[0]
    if not accepts(match, plain, ends):
        return match[0]
    quote = match["quote"] if match["quote"] and match.groupdict().get("tail") else ""
    return f"{match['name']}{quote}[secret]{quote}{remainder}"


def _is_password(match: _Found, value: str, ends: bool) -> bool:
    """Return whether the value behind the name of a password is one, and not a statement about it."""
    if _MEASURE.fullmatch(value) and (match["said"] or match["strict"] or (match["bare"] and ":" in match["assigned"])):
        return False
    if re.search(r"[_!@#$%^&*+]", value) or (match["bare"] is None and not match["strict"]):
        return True
    if re.search(r"\d", value):
        return len(value) > 3 and not _CJK.search(value)
    assigned = (match["assigned"] or "").strip()
    if match["strict"]:
        return False
    if assigned in ("=", ":="):
        return True
    return ends and (
        assigned != ""
        or (len(value) > 4 and value.isalpha() and not _CJK.search(value) and not _LIKE_A_STATE.fullmatch(value))
    )


def _is_key(match: _Found, value: str, ends: bool) -> bool:
    """Return whether the value behind the name of a key looks random, or is assigned as in a program."""
    if _MEASURE.fullmatch(value) or len(value) < 6:
        return False
    digits = len(re.findall(r"\d", value))
    if match["said"]:
        return len(value) > 7 and digits > 1 and (is_random(value) or not re.search(r"[a-z]-[a-z]", value))
    if digits and re.search(r"[^\W\d]", value) and "/" not in value[:1]:
        return " " not in value
    in_program = "=" in match["assigned"] and (match["bare"] is None or match["name"].split("=")[0].strip().isupper())
    return is_random(value) or (in_program and len(value) > 7 and " " not in value)


def _is_password_next(match: _Found, value: str, ends: bool) -> bool:
    """Return whether the text right after the name of a password cannot be a word."""
    return (
        len(value) > 4
        and not _MEASURE.fullmatch(value)
        and re.search(r"\d", value) is not None
        and re.search(r"[a-z]", value) is not None
    )


def _is_new_password(match: _Found, value: str, ends: bool) -> bool:
    return not value.isalpha() or ends


_NAMED: tuple[tuple[str, str, Callable[[_Found, str, bool], bool]], ...] = (
    (PASSWORD_NEEDS, NAMED_PASSWORD, _is_password),
    (PASSWORD_NEEDS, PASSWORD_CHANGED, _is_new_password),
    (PASSWORD_NEEDS, PASSWORD_NEXT, _is_password_next),
    (PASSWORD_NEEDS, LOGIN_NEXT, _is_password_next),
    (KEY_NEEDS, NAMED_KEY, _is_key),
)


def _mask_numbers(text: str, lowered: str) -> str:
    """Return the text with card and account numbers masked by check digit, and others behind their names."""
    text = _mask_accounts(text)
    text = _DIGITS.sub(_without_cards, text)
    if "[card number]" in text:
        lowered += "[card number]"
    for form in NUMBERED:
        text = form.sub(text, lowered)
    return text


def _mask_accounts(text: str) -> str:
    """Return the text with each IBAN masked: its country defines its length, and its remainder by 97 is 1."""
    shown, at = [], 0
    for match in _ACCOUNT.finditer(text):
        number = _ACCOUNT_NUMBER.match(text, match.start())
        length = _ACCOUNT_LENGTHS.get(match[0][:2].upper(), 0)
        if match.start() < at or number is None or not length:
            continue
        places = [index for index, character in enumerate(number[0]) if character.isalnum()][:length]
        end = match.start() + places[-1] + 1
        digits = "".join(number[0][index] for index in places)
        whole = len(places) == length and not text[end : end + 1].isalnum()
        if whole and int("".join(str(int(character, 36)) for character in digits[4:] + digits[:4])) % 97 == 1:
            shown += [text[at : match.start()], "[account number]"]
            at = end
    return "".join(shown) + text[at:]


def _without_cards(match: _Found) -> str:
    """Return the digits with cards masked: an issuer's number with the right check digit, unless named otherwise."""
    groups = list(re.finditer(r"\d+", match[0]))
    if _ATTACHED.match(match.string, match.end()):
        groups.pop()
    shown, at, first = [], 0, 0
    while first < len(groups):
        start = groups[first].start()
        size = _card_size(groups[first : first + 5])
        if size == 0 or (size == 1 and _is_named_otherwise(match.string, match.start() + start)):
            first += 1
            continue
        shown += [match[0][at:start], "[card number]"]
        first += size
        at = groups[first - 1].end()
    return "".join(shown) + match[0][at:]


def _is_named_otherwise(text: str, at: int) -> bool:
    return _OTHER_NUMBER.search(text[max(0, at - 40) : at]) is not None


def _card_size(groups: list[_Found]) -> int:
    """Return how many of the groups, from the first on, form a card number; 0 if none do."""
    digits = ""
    for size, group in enumerate(groups, 1):
        if not 3 <= len(group[0]) <= 19:
            return 0
        digits += "".join(str(int(digit)) for digit in group[0])
        if _ISSUERS.fullmatch(digits) and _is_card(digits):
            return size
    return 0


def _is_card(text: str) -> bool:
    """Return whether the digits pass the check of payment cards (Luhn); most other long numbers do not."""
    digits = [int(character) for character in text]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1
