"""Text to vectors. Whatever is imported from here comes after this."""

from app.core.settings import silence_libraries

silence_libraries()
