"""What looks like a secret never reaches the store; what only looks a little like one does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_learning.masking import mask_secrets, masked

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
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_secrets(text) == text


def test_texts_are_masked_wherever_they_lie() -> None:
    value = masked({"a": ["4111 1111 1111 1111", 7], "b": {"c": "password: hunter22"}}, mask_secrets)
    assert value == {"a": ["[card number]", 7], "b": {"c": "password: [secret]"}}


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask_secrets(mask_secrets(text)) == mask_secrets(text)
