"""The root of the errors that are meant for a person to read."""


class UserError(Exception):
    """Something that the user can mend. Its text names what failed, where, and what to do next."""


class PreparationError(Exception):
    """An action cannot be made into a request, or must not be sent; the message says why."""


class CommandRefusedError(Exception):
    """The command does not apply now; the message says why and what does."""
