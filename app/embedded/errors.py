"""What can go wrong with the servers that we start ourselves."""


class EmbeddedError(Exception):
    """An embedded server cannot do what was asked; the message is a sentence that says what to do."""


class DataFolderInUse(EmbeddedError):
    """Another running process owns this data folder."""
