"""The root of the errors that are meant for a person to read."""


class UserError(Exception):
    """Something that the user can mend. Its text names what failed, where, and what to do next."""


class CommandRefusedError(Exception):
    """The command does not apply now; the message says why and what does."""
