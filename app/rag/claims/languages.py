"""Which language a text is in, by its most frequent words: enough to say that two texts differ, no more."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final

from app.crud.terms import STOP_WORDS, fold

_LISTS: Final = {
    "en": " ".join(STOP_WORDS)
    + " also may must shall upon us while within without although however since per via such",
    "de": "der die das den dem des ein eine einer eines einem einen und oder aber nicht ist sind war waren wird werden"
    " wurde wurden hat haben hatte mit von vom zu zum zur auf aus bei beim nach uber unter fur durch gegen ohne um"
    " im in"
    " an am als auch wie so dass daß sich sie er es wir ihr ihre seine sein noch nur schon sehr mehr kann konnen muss"
    " diese dieser dieses sowie bis seit wahrend zwischen pro laut je es gibt dabei damit darauf dazu wenn weil da",
    "fr": "le la les un une des du de d l et ou mais ne pas est sont etait etaient a ont avait ete avec pour par sur"
    " sous"
    " dans en au aux ce cet cette ces son sa ses leur leurs il elle ils elles on nous vous qui que quoi dont plus moins"
    " tres aussi comme selon entre depuis pendant sans chez y se s n qu si etre avoir fait peut doit c",
    "es": "el la los las un una unos unas de del y o pero no es son era eran fue fueron ha han habia con para por sobre"
    " en al a que se su sus lo le les este esta estos estas ese esa como mas menos muy tambien segun entre desde hasta"
    " sin ya cuando donde ser estar puede debe e",
    "it": "il lo la i gli le un uno una di del della dei delle degli da dal dalla in nel nella nei con su sul sulla per"
    " tra fra e o ma non e sono era erano ha hanno aveva che chi si come piu meno molto anche secondo questo questa"
    " questi queste suo sua suoi al alla ai alle stato stata essere puo deve",
    "pt": "o a os as um uma uns umas de do da dos das e ou mas nao sao era eram foi foram tem com para por sobre em no"
    " na nos nas ao aos que se seu sua seus suas este esta como mais menos muito tambem segundo entre desde ate sem ser"
    " pode deve pelo pela",
    "nl": "de het een en of maar niet is zijn was waren wordt worden werd heeft hebben had met van voor door op in aan"
    " uit bij naar over onder tegen zonder om te dat die dit deze als ook hoe zo nog maar meer zeer tot sinds tussen"
    " er",
    "pl": "i w we na z ze do od o po za przez przy pod nad dla nie jest sa byl byla bylo byly ma maja to ten ta te tym"
    " ktory ktora ktore ze jak oraz lub ale sie jego jej ich bardziej rowniez miedzy",
    "ru": "и в во на с со к ко от до по за через при под над для не нет есть был была было были это этот эта эти тот"
    " который которая которые что как или но а его ее их также между из у о об он она они",
    "sv": "och i att det som en ett pa ar av for med den till inte om har de var fran vid men eller sig sin kan ska"
    " efter under mellan mer aven nar hade",
    "da": "og i at det som en et pa er af for med den til ikke om har de var fra ved men eller sig sin kan skal efter"
    " under mellem mere ogsa nar havde",
    "tr": "ve bir bu da de ile icin gibi daha cok olarak olan oldu ise ya ama degil en kadar sonra once",
    "cs": "a v ve na s se z ze do od o po za pri pod nad pro ne je jsou byl byla bylo byly ma to ten ta ktery ktera jak"
    " nebo ale jeho jeji jejich take mezi",
}
WORDS: Final = {name: frozenset(map(fold, words.split())) for name, words in _LISTS.items()}
EMPTY: Final = frozenset().union(*WORDS.values())
# What a sentence says of its source and not of the world.
_OF_SOURCES: Final = """
according source sources passage passages document documents documented text says said state states stated report
reports reported shows shown show see note noted notes mentions mentioned describes described cited citation ref
reference references page pages p pp yes no indeed also answer therefore thus hence ie eg laut quelle quellen siehe
vgl dokument abschnitt seite seiten angabe angaben zufolge bericht gemass ja nein selon voir oui non fuente segun
vease documento pasaje pagina si fonte secondo vedi bron volgens zie bladzijde zrodlo wedlug zobacz strona источник
согласно см страница summary summarised overall conclusion finally first additionally furthermore moreover
specifically
"""
_REPORTING: Final = frozenset(map(fold, _OF_SOURCES.split()))
IGNORED: Final = EMPTY | _REPORTING
_SURE: Final = 2  # frequent words by which one language must lead another
_ENOUGH: Final = 3
_OTHER_SHARE: Final = 0.15  # of the letters


def language(words: Iterable[str]) -> Counter[str]:
    """How many of these folded words are frequent in each language. A word of several counts for each."""
    counted: Counter[str] = Counter()
    for word, times in Counter(words).items():
        if word in EMPTY:
            counted.update({name: times for name, known in WORDS.items() if word in known})
    return counted


def differ(claim: Counter[str], passage: Counter[str]) -> bool:
    """Whether a sentence is surely of another language than a passage."""
    if not claim or not passage:
        return False
    main, hits = passage.most_common(1)[0]
    spoken, most = claim.most_common(1)[0]
    own = claim[main]
    if hits < _ENOUGH or spoken == main:
        return False
    return most - own >= _SURE or own == 0


def script(text: str) -> str:
    """The script of a text's beginning: LATIN, CYRILLIC, CJK ... Latin names are in texts of every script."""
    found = Counter(_script(char) for char in re.sub(r"[\W\d_]+", "", text[:2000]))
    if not found:
        return ""
    other = max((name for name in found if name != "LATIN"), key=found.__getitem__, default="LATIN")
    return other if found[other] >= _OTHER_SHARE * found.total() else "LATIN"


def _script(char: str) -> str:
    if char.isascii():
        return "LATIN"
    name = unicodedata.name(char, "").partition(" ")[0]
    return "CJK" if name in {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"} else name
