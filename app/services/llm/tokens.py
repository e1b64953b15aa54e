"""Token counts where no tokenizer is at hand. An estimate is always marked as one."""

from typing import Final

CHARS_PER_TOKEN: Final = 4.0
TOKENS_PER_MESSAGE: Final = 4  # role and separators in common chat templates


def estimate_tokens(text: str) -> int:
    """ASCII at 4 characters a token, everything else at one: rather too many than too few."""
    ascii_chars = len(text.encode("ascii", "ignore"))
    return int(ascii_chars / CHARS_PER_TOKEN) + (len(text) - ascii_chars) + 1
