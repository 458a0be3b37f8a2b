"""The public schema over identity with cheap argon2 and a letterbox."""

from tests.app.identity.conftest import acme, other, world

__all__ = ["acme", "other", "world"]
