"""How a command says that it cannot do what was asked."""


class CommandFailed(Exception):
    """Ends the command with exit code 1; the message is a sentence for the person, with what to do."""
