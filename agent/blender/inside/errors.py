"""The one error that a command can end with."""


class CommandError(Exception):
    """A command failed; ``code`` is one of docs/PROTOCOL.md (session protocol), the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
