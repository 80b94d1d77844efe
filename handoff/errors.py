"""Errors that carry a message meant for a person: what is wrong, which value, what to do."""

from handoff.missing import Missing, plain


class HandoffError(Exception):
    """A file of the handoff is missing, damaged or of another version."""


class NotEnoughData(Exception):
    """The data cannot support the agent yet. This is an answer, not a failure.

    `missing` lists one fact per unmet requirement, see `handoff.missing`; the message is for logs.
    """

    def __init__(self, missing: list[Missing]) -> None:
        super().__init__(f"Not enough data: {', '.join(map(plain, missing))}.")
        self.missing = missing
