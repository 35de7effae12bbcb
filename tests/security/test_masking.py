"""What looks like a secret never reaches the store; what only looks a little like one does."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from security import secrets_held_out, secrets_tuned
from security.measuring import measure, plain

from langgraph_learning import masking, masking_patterns
from langgraph_learning.masking import mask_secrets, mask_url, mask_values

SECRETS = {
    "sk-proj-abcdefghijklmnop1234567890": "[key]",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc": "[key]",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a": "[key]",
    "AKIAIOSFODNN7EXAMPLE": "[key]",
    "AIzaSyA-1234567890abcdefghijklmnopqrstu": "[key]",
    "xoxb-123456789012-abcdefghijkl": "[key]",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P": "[token]",
    "4111 1111 1111 1111": "[card number]",
    "4111-1111-1111-1111": "[card number]",
    "378282246310005": "[card number]",
}


@pytest.mark.parametrize(("secret", "instead"), SECRETS.items(), ids=[each[:12] for each in SECRETS])
def test_a_secret_of_a_known_form_is_masked_wherever_it_stands(secret: str, instead: str) -> None:
    assert mask_secrets(f"My key: {secret}, please keep it.").count(instead) == 1
    assert secret not in mask_secrets(f"before {secret} after")
    assert mask_secrets(secret) == instead


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("The password is hunter2!", "The password is [secret]"),
        ("password: correct-horse-7", "password: [secret]"),
        ('api_key="abc_123_def"', "api_key=[secret]"),
        ("My PIN is 4711.", "My PIN is [secret]"),
        ("postgresql://alex:s3cret@db.example.com/app", "postgresql://alex:[password]@db.example.com/app"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer [token]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[private key]"),
    ],
)
def test_a_secret_behind_its_name_is_masked_and_the_name_stays(text: str, kept: str) -> None:
    assert mask_secrets(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "Prefers concise answers",
        "Works on order 1234567890123, due 2026-03-01",
        "The secret is patience",
        "Keeps a password manager",
        "The token is expired",
        "Phone +49 170 1234567",
        "Wants task-based pricing and sk-learn examples",
        "Version 1.2.3.4 of the API",
        "0000 0000 0000 0000",
        "Authorization: Bearer XXXXXXXXXXXX",
        "curl -u ${NAME}:${WORD} https://x.example",
        'curl -u ":" https://x.example',
        "curl -u <user:password> https://x.example",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_secrets(text) == text


def test_texts_are_masked_wherever_they_lie() -> None:
    value = mask_values({"a": ["4111 1111 1111 1111", 7], "b": {"c": "password: hunter22"}}, mask_secrets)
    assert value == {"a": ["[card number]", 7], "b": {"c": "password: [secret]"}}


# Pieces that names, values and marks are made of: put together at random they meet as no list foresees.
PIECES = st.sampled_from(
    [
        *(plain(form) for form in secrets_tuned.SECRETS + secrets_tuned.NEAR_MISSES),
        *"password token secret PIN cvv pass user set is to = : ' \" \\ [ ] @ / ? & sig= 4711 12/27 123".split(),
        *"[secret] [key] [card number] [private key] hunter2 :// curl basic 密码 是 パスワード です -----BEGIN".split(),
    ]
)


@given(
    st.text() | st.tuples(st.sampled_from(["", " "]), st.lists(PIECES, max_size=8)).map(lambda of: of[0].join(of[1]))
)
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask_secrets(mask_secrets(text)) == mask_secrets(text)


def test_of_the_forms_that_the_patterns_were_made_with_each_is_masked_and_no_near_miss_is_changed() -> None:
    score = measure(mask_secrets, secrets_tuned.SECRETS, secrets_tuned.NEAR_MISSES)
    assert (score.missed, score.changed) == ([], [])
    assert len(score.blurred) <= 2


def test_of_the_forms_that_were_held_out_at_least_93_in_100_are_masked_and_no_near_miss_is_changed() -> None:
    score = measure(mask_secrets, secrets_held_out.SECRETS, secrets_held_out.NEAR_MISSES)
    assert len(score.missed) <= len(secrets_held_out.SECRETS) * 6 // 86  # 80 of 86, as was asked
    assert (len(score.blurred), score.changed) == (0, [])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"password": "hunter2", "port": 1}', '{"password": "[secret]", "port": 1}'),
        ("{'api_key': '9f8e7d6c5b4a'}", "{'api_key': '[secret]'}"),
        ("postgres://app:p@ss@db/app", "postgres://app:[password]@db/app"),
        ("curl -u alex:hunter2 https://x.example", "curl -u alex:[password] https://x.example"),
        ("curl https://x.example \\\n  -u 'alex:a b1' -v", "curl https://x.example \\\n  -u 'alex:[password]' -v"),
        ("curl --user alex:'hunter2' -v", "curl --user alex:'[password]' -v"),
        ("Authorization: 5eb4223e-5008-46e5", "Authorization: [token]"),
        ("Authorization: Api-Token 22cb987851bc", "Authorization: Api-Token [token]"),
        ("4111 1111 1111 1111 12/27 737", "[card number] 12/27 [secret]"),
        ("iban DE89 3704 0044 0532 0130 00 now", "iban [account number] now"),
        ("SSN 078-05-1120", "SSN [identity number]"),
        ("パスワードはsakura77です", "パスワードは[secret]です"),
    ],
)
def test_only_the_secret_goes_and_json_stays_json(text: str, kept: str) -> None:
    assert mask_secrets(text) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("DE88 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),  # the check digits are wrong
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("order 4111111111111111", "order 4111111111111111"),  # an order's number may pass the check by chance
        ("order paid with 4111111111111111", "order paid with [card number]"),
    ],
)
def test_a_number_is_masked_by_its_check_digits_unless_it_is_called_something_else(text: str, kept: str) -> None:
    assert mask_secrets(text) == kept


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://alex:s3cret@db/app", "postgresql://alex:[password]@db/app"),
        ("redis://:pw@h", "redis://:[password]@h"),
        ("oracle+thin://a:b@c", "oracle+thin://a:[password]@c"),
        ("postgres://app:p@s/s@db/app", "postgres://app:[password]@db/app"),
        ("postgres//alex:s3cret@db/app", "postgres//alex:[password]@db/app"),
        ("postgres:/alex:s3cret@db/app", "postgres:/alex:[password]@db/app"),
        ("alex:s3cret@db/app", "alex:[password]@db/app"),
        ("postgres://db/app?user=a&password=s3cret&x=1", "postgres://db/app?user=a&password=[password]&x=1"),
        ("postgres://a:$PW@db", "postgres://a:[password]@db"),
        ("postgres://db:5432/app", "postgres://db:5432/app"),
        ("http://localhost:3000/@alex", "http://localhost:3000/@alex"),
        ("mailto:alex@example.com", "mailto:alex@example.com"),
        ("sqlite:///learning.db", "sqlite:///learning.db"),
        ("learning.db", "learning.db"),
    ],
)
def test_a_url_is_shown_without_its_password_whether_it_can_be_read_or_not(url: str, shown: str) -> None:
    assert mask_url(url) == shown
    assert mask_url(shown) == shown


def all_patterns() -> Iterator[str]:
    """Yield every pattern of the two modules, also those in tables."""
    for module in (masking, masking_patterns):
        for name, value in vars(module).items():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, (masking_patterns.Form, re.Pattern)):
                    yield item.pattern
                elif isinstance(item, str) and not name.startswith("_"):  # with one, it is a part of others
                    yield item


def unbounded_inside(tree: Any, parser: Any, outer: int = 1) -> Iterator[Any]:
    """Yield each unbounded repeat that can be walked back into and stands in a repeat, however few the rounds."""
    for operation, argument in tree:
        if operation in (parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT):
            _, most, inner = argument
            if outer > 1 and most is parser.MAXREPEAT and operation is not parser.POSSESSIVE_REPEAT:
                yield inner
            yield from unbounded_inside(inner, parser, max(outer, int(most)))
        elif operation is parser.BRANCH:
            for branch in argument[1]:
                yield from unbounded_inside(branch, parser, outer)
        elif isinstance(argument, tuple):
            for part in argument:
                if isinstance(part, parser.SubPattern):
                    yield from unbounded_inside(part, parser, outer)
        elif isinstance(argument, parser.SubPattern):
            yield from unbounded_inside(argument, parser, outer)


def test_no_pattern_repeats_without_bound_inside_a_repeat() -> None:
    parser = importlib.import_module("re._parser")
    patterns = list(all_patterns())
    assert len(patterns) > 70
    assert list(unbounded_inside(parser.parse("(?:a+b?)*c"), parser))
    assert [each for each in patterns if list(unbounded_inside(parser.parse(each), parser))] == []


@pytest.mark.parametrize("piece", ["1", "=", '"', "aGVsbG8gd29ybGQ", "1 ", "4111 ", "password=", "://a:", "eyJ", " "])
def test_a_hostile_text_of_200_kb_ends(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert len(mask_secrets(text)) <= len(text) + 10
