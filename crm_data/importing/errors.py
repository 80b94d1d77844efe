"""Refusals of an import: what is wrong, where, and what to do. Nothing has been stored when one is raised."""


class ImportRefused(Exception):
    """The file, or an option, cannot be used; the message is meant for a person."""
