"""Keyed digests of customers' ids: an erased customer is recognised again, and cannot be read back.

The key is `CRM_AGENTS["ERASURE_KEY"]`, or Django's SECRET_KEY where none is set. It must outlive every
erasure: earlier keys go on being tried as long as they stand in SECRET_KEY or SECRET_KEY_FALLBACKS.
"""

import hmac

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from crm_data.conf import setting

NAME_LENGTH = 16


class ErasureKeyMissing(ImproperlyConfigured):
    """Erasures were made under a key that the settings no longer hold, so nobody erased is recognised."""

    def __init__(self, rows: int) -> None:
        super().__init__(
            _(
                "%(rows)d erased customers are known by a key that is not in the settings any more, so they "
                "might come back. Put the earlier SECRET_KEY into SECRET_KEY_FALLBACKS, or into "
                'CRM_AGENTS["ERASURE_KEY"].'
            )
            % {"rows": rows}
        )


def keys() -> dict[str, bytes]:
    """Return the keys by their names, the one that new erasures use first."""
    texts = [setting("ERASURE_KEY"), settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    found = [str(text).encode() for text in texts if text]
    return {_hex(key, "name of the key")[:NAME_LENGTH]: key for key in found}


def digest(tenant: str, customer_id: str, key: bytes) -> str:
    """Return the 64 hex digits by which a customer is recognised."""
    return _hex(key, f"{tenant}\0{customer_id}")


def _hex(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()
