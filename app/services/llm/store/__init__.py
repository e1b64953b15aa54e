"""GGUF files on disk: which there are, where they come from, and how they are fetched."""
