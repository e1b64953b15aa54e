"""OpenAI's API under /v1, for any client that speaks it."""
