"""GGUF models: what a file says of itself, what it needs, and the process of its own that each loaded one lives in."""
