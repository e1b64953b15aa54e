"""A team's own ChatGPT over its own documents, in one process."""

__version__ = "0.1.0"
