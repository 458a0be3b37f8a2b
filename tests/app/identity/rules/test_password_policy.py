"""Which passwords are good enough."""

import pytest

from app.core.errors import ErrorCode
from app.identity.rules.password_policy import WeakPassword, check_password

ADDRESS = "ada.lovelace@engines.example"


@pytest.mark.parametrize(
    "password",
    [
        "tulip orchard fog",
        "correct horse battery staple",
        "Tr0ub4dor&3-zebra",
        "пароль из слов",
        "ein ruhiges langes Wort",
        "x7#Lq9!vT2$m",
        "w" * 4 + "hippopotamus" * 21,
    ],
)
def test_long_uncommon_passwords_are_accepted_as_they_are(password: str) -> None:
    assert check_password(password, address=ADDRESS) == password


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("", "at least 12"),
        ("elevenchars", "at least 12"),
        ("z y x w v u " * 22, "at most 256"),
        ("x" * 5_000_000, "at most 256"),
        ("password1234", "first that attackers try"),
        ("PassWord2026!", "first that attackers try"),
        ("P@ssw0rd!2026", "first that attackers try"),
        ("passwordpassword", "first that attackers try"),
        ("123456789012", "first that attackers try"),
        ("qwertyuiop123", "first that attackers try"),
        ("abcdefghijklm", "first that attackers try"),
        ("aaaaaaaaaaaaaaa", "first that attackers try"),
        ("abababababababab", "first that attackers try"),
        ("iloveyou!!2025", "first that attackers try"),
        ("ada.lovelace@engines.example", "not made of your address"),
        ("Ada.Lovelace@Engines.Example!", "not made of your address"),
        ("adalovelace123", "not made of your address"),
        ("!!engines!!2026", "not made of your address"),
        ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff11\uff12\uff13\uff14", "first that attackers try"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_weak_passwords_are_refused_with_a_reason(password: str, says: str) -> None:
    with pytest.raises(WeakPassword, match=says) as refused:
        check_password(password, address=ADDRESS)

    assert refused.value.code is ErrorCode.WEAK_PASSWORD
    assert refused.value.path == ("input", "password")


def test_two_ways_to_type_one_password_are_one() -> None:
    composed = check_password("caf\u00e9 orchard fog", address=ADDRESS)

    assert check_password("cafe\u0301 orchard fog", address=ADDRESS) == composed
