"""What stops a demo, as a sentence that says what to do."""


class DemoProblem(Exception):
    """The demo cannot go on. The message is for the person; nothing of it is our own stack trace."""


class ServerGone(DemoProblem):
    """The API stopped answering in the middle, for longer than we wait."""
