"""Keys as headers carry them: those that they can as they are, so that none changes."""

import pytest

from payments.keys import header_key


@pytest.mark.parametrize("key", ["sub_acme:2026-10:1", "sub_a b#~1:2026-10:2", "n" * 255])
def test_what_a_header_can_carry_is_the_key(key: str) -> None:
    assert header_key(key) == key


@pytest.mark.parametrize("key", ["sub_日本:2026-10:1", "a\nb", "a\tb", "a\x7fb", "n" * 256, ""])
def test_what_it_cannot_has_a_digest_of_its_own(key: str) -> None:
    assert header_key(key) == header_key(key)
    assert header_key(key).isascii()
    assert len(header_key(key)) == len("sha256-") + 64
    assert header_key(key) != header_key(f"{key}1")
