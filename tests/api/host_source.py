"""A Source that is not the built-in one, over tables that happen to be at hand."""

from crm_data.source import Customers, Source


class HostSource(Source):
    currency = "GBP"
    timezone = "UTC"
    customers = Customers("auth.User", name="username")
