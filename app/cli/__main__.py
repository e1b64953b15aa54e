"""`python -m app.cli` is `llama-service`."""

from app.cli import main

main()
