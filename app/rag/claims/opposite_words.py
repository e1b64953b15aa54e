"""Pairs of words that cannot both be said of one thing, and words that deny, in the languages that are checked most.

Words that change places with their two things are none: `A won`, `B lost`; `before`, `after`; `bought`, `sold`. Folded
as `crud.terms.fold` does it; forms that Porter's stemmer does not join are named one by one.
"""

import re
from collections.abc import Sequence
from typing import Final

from app.crud.stemmer import stem

Sides = tuple[frozenset[str], frozenset[str]]
# A line for each pair, its sides parted by a bar; a line that is indented goes on with the one before it.
_PAIRS: Final = """
rise rises rose risen rising increase increases increased increasing grow grows grew grown growing up climb
    climbed gained surged stieg stiegen steigt gestiegen erhohte erhoht erhohung wuchs wuchsen gewachsen zunahm
    zugenommen augmenta hausse crecio aumento subio | fall falls fell fallen falling
    decrease decreases decreased decreasing decline declines declined declining drop drops dropped dropping shrink
    shrank shrunk down lowered reduced sank sanken gesunken sinkt fiel fielen gefallen verringerte
    verringert abnahm abgenommen geschrumpft baisse baissa disminuyo cayo descendio
first erste ersten erster erstes premier premiere primer primera | last final letzte letzten letzter letztes dernier
    derniere ultimo ultima
minimum mindestens | maximum hochstens
highest hochste hochsten | lowest niedrigste niedrigsten
largest biggest grosste grossten | smallest kleinste kleinsten
fastest schnellste | slowest langsamste
best | worst schlechteste
oldest alteste | youngest newest jungste neueste
longest langste | shortest kurzeste
top obere oberen | bottom untere unteren
inside innerhalb | outside ausserhalb
northern nordlich | southern sudlich
eastern ostlich | western westlich
legal legally rechtmassig | illegal illegally unlawful rechtswidrig
necessary essential critical mandatory required compulsory notwendig erforderlich verpflichtend obligatorisch |
    unnecessary optional voluntary unnotig freiwillig
allowed permitted allows permits erlaubt zulassig | prohibited forbidden banned prohibits forbids disallowed
    verboten untersagt unzulassig
included includes including inklusive einschliesslich | excluded excludes excluding exklusive ausschliesslich
accepted accepts approved approves angenommen genehmigt | rejected rejects refused denied abgelehnt verweigert
positive positiv | negative negativ
true wahr | false falsch
succeeded successful successfully erfolgreich | failed unsuccessful unsuccessfully gescheitert erfolglos
opened opens eroffnet eroffnete | closed closes geschlossen schloss
restored restores reinstated wiederhergestellt | abolished abolishes repealed revoked abgeschafft aufgehoben
strengthened strengthens gestarkt | weakened weakens geschwacht
improved improves verbessert verbesserte | worsened worsens deteriorated verschlechtert verschlechterte
accelerated accelerates beschleunigt | slowed slows decelerated verlangsamt
guilty schuldig | innocent acquitted unschuldig freigesprochen
possible moglich | impossible unmoglich
summer sommer | winter
activates activated activation | inhibits inhibited inhibition suppresses suppressed
hot heiss | cold kalt
"""


def _stems(said: str) -> frozenset[str]:
    return frozenset(stem(word) for word in said.split())


def _sides(line: str) -> Sides:
    left, _, right = line.partition("|")
    return _stems(left), _stems(right)


OPPOSITES: Final[Sequence[Sides]] = [_sides(line) for line in _PAIRS.replace("\n    ", " ").strip().splitlines()]
EITHER: Final = frozenset[str]().union(*(left | right for left, right in OPPOSITES))
CHANGES: Final = OPPOSITES[0]
_NOT: Final = re.compile(
    r"\b(?:not|never|neither|nor|none|cannot|nicht|nie|niemals|kein|keine|keinen|keiner|keinem|weder|jamais|aucune?|nunca"
    r"|ningun[ao]?|refuse[sd]?|refusing|denie[sd]|failed to|no longer|nicht mehr)\b|n['’]t\b|\bne\b.{1,30}\bpas\b",
    re.IGNORECASE,
)
NOT_ONLY: Final = re.compile(
    r"\b(?:not|nicht)\s+(?:only|nur|just|merely|more|mehr|less|weniger|later|spater|später|least|exceed)\b|\bif not\b",
    re.IGNORECASE,
)


def is_denied(text: str) -> bool:
    """Whether something in it is said not to be so."""
    return _NOT.search(NOT_ONLY.sub(" ", text)) is not None
