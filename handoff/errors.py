"""Errors that carry a message meant for a person: what is wrong, which value, what to do."""


class HandoffError(Exception):
    """A file of the handoff is missing, damaged or of another version."""


class NotEnoughData(Exception):
    """The data cannot support the agent yet. This is an answer, not a failure.

    `missing` lists one plain sentence per unmet requirement.
    """

    def __init__(self, missing: list[str]) -> None:
        super().__init__(" ".join(missing))
        self.missing = missing
