"""Each mistake in the settings is told in a sentence; nothing is guessed."""

import pytest

from app.core.settings import Settings, SettingsInvalid, parse_master_keys, read_settings

GOOD = {
    "OLTP_URL": "postgresql://app@127.0.0.1/oltp",
    "CONTENT_URL": "postgresql://app@127.0.0.1/content",
    "OLAP_URL": "postgresql://app@127.0.0.1/olap",
    "REDIS_URL": "redis://127.0.0.1/0",
    "MASTER_KEYS": "1:" + "aa" * 32,
    "TOKEN_KEY": "bb" * 32,
}


def given(monkeypatch: pytest.MonkeyPatch, **changed: str) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PENGUINMAILS_{name.upper()}", raising=False)
    for name, value in (GOOD | changed).items():
        if value:
            monkeypatch.setenv(f"PENGUINMAILS_{name}", value)


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, EGRESS_ALLOW="127.0.0.1:2525, 127.0.0.1:2465", CLOCK_START="2026-01-01T00:00:00Z")

    settings = read_settings()

    assert settings.egress_allow == ("127.0.0.1:2525", "127.0.0.1:2465")
    assert settings.environment == "production"
    assert settings.clock_start is not None
    assert "aaaa" not in repr(settings)


def test_every_missing_setting_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, OLTP_URL="", REDIS_URL="")

    with pytest.raises(SettingsInvalid) as raised:
        read_settings()

    assert str(raised.value).splitlines() == [
        "PENGUINMAILS_OLTP_URL is not set (OLTP tier, as the role penguinmails_app).",
        "PENGUINMAILS_REDIS_URL is not set (Redis database of its own, with the policy noeviction).",
    ]


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("MASTER_KEYS", "aa" * 32, "version:key"),
        ("MASTER_KEYS", "1:zz", "is wrong"),
        ("TOKEN_KEY", "short", "is wrong"),
        ("PORT", "0", "greater than or equal to 1"),
        ("CLOCK_SPEED", "-1", "greater than 0"),
        ("CLOCK_START", "2026-01-01T00:00:00", "time zone"),
        ("DATABASE_DIALECT", "oracle", "'postgresql' or 'nile'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, part: str
) -> None:
    given(monkeypatch, **{name: value})

    with pytest.raises(SettingsInvalid) as raised:
        read_settings()

    assert f"PENGUINMAILS_{name} is wrong" in str(raised.value)
    assert part in str(raised.value)


def test_master_keys_come_by_version() -> None:
    assert parse_master_keys(f"1:{'aa' * 32},2:{'bb' * 32}") == {1: b"\xaa" * 32, 2: b"\xbb" * 32}
