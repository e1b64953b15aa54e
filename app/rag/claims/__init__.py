"""What a sentence claims, and whether a passage says so: marks, quotations, figures, names and words."""
