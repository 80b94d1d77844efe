"""Who is left out of everything that agents do: customers who opted out, and customers who were erased."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from crm_data.digests import ErasureKeyMissing, digest, keys
from crm_data.models import Erasure, OptOut

OPTED_OUT = "opted out"
ERASED = "erased"


@dataclass(frozen=True)
class Standing:
    """Whether one customer is left out, and since when."""

    opt_out: OptOut | None
    erasure: Erasure | None

    @property
    def left_out(self) -> bool:
        return self.opt_out is not None or self.erasure is not None


class Suppressed:
    """Everybody of one tenant who is left out, as the tables say at the moment it is made.

    Raises ErasureKeyMissing where an erasure could not be recognised: better no work than a person back.
    """

    def __init__(self, tenant: str = "") -> None:
        self.tenant = tenant
        self.opted_out = frozenset(OptOut.objects.filter(tenant=tenant).values_list("customer_id", flat=True))
        rows = list(Erasure.objects.filter(tenant=tenant).values_list("key_name", "digest"))
        self.erasures = len(rows)
        self._digests = frozenset(found for _name, found in rows)
        known = keys()
        used = {name for name, _found in rows}
        if not used <= known.keys():
            raise ErasureKeyMissing(sum(name not in known for name, _found in rows))
        self._keys = [known[name] for name in known if name in used]

    def __bool__(self) -> bool:
        return bool(self.opted_out or self._digests)

    @property
    def fingerprint(self) -> str:
        """Name the set: another one means other files."""
        parts = [*sorted(self.opted_out), "", *sorted(self._digests)]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def is_erased(self, customer_id: str) -> bool:
        return any(digest(self.tenant, customer_id, key) in self._digests for key in self._keys)

    def why(self, customer_id: str) -> str:
        """Return ERASED, OPTED_OUT, or "" for a customer who is not left out."""
        if self.is_erased(customer_id):
            return ERASED
        return OPTED_OUT if customer_id in self.opted_out else ""

    def erased_among(self, customers: Iterable[str]) -> set[str]:
        return {customer for customer in customers if self.is_erased(customer)} if self._digests else set()

    def among(self, customers: Iterable[str]) -> set[str]:
        """Return those of `customers` who are left out for either reason."""
        return {customer for customer in customers if self.why(customer)} if self else set()


def erased_message() -> str:
    """Say why nothing may be stored of a customer."""
    return _("This customer was erased for good and may not be entered again.")


def standing(customer_id: str, tenant: str = "") -> Standing:
    """Look one customer up; two short queries."""
    digests = [digest(tenant, customer_id, key) for key in keys().values()]
    return Standing(
        OptOut.objects.select_related("by").filter(tenant=tenant, customer_id=customer_id).first(),
        Erasure.objects.select_related("by").filter(tenant=tenant, digest__in=digests).first(),
    )
