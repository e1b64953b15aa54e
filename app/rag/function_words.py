"""Words that carry no subject, in several languages: English, German, French, Spanish, Italian, Portuguese, Dutch,
Polish, Russian. All are folded as index terms are, and not stemmed."""

from typing import Final

from app.crud.terms import STOP_WORDS, fold

# Words that stand for something that was said before.
POINTS_BACK: Final = frozenset(
    fold(
        "it its they them their theirs this that these those he she him his her hers there one ones former latter same"
        " another others second third former above"
        " er sie ihn ihm ihr ihre ihren ihrem ihrer ihres seine seinen seinem dies diese dieser dieses diesen"
        " diesem dessen deren davon dazu darüber dafür dagegen damit daran darin dort dabei letztere erstere"
        " zweite zweiten dritte dritten andere anderen anderer"
        " ce elle ils elles lui leur leurs cela ça ceci celui celle ceux celles cette cet ces"
        " ella ellos ellas esto eso ese esa este esta estos estas aquel aquello suyo segundo segunda tercero otra otro"
        " esso essa essi questo questa quello quella questi quelle loro secondo seconda altro altra"
        " isso isto ele ela eles elas deste desta disso disto outro outra"
        " dit dat deze hun hem haar ervan daarvan tweede andere"
        " to ten ta tego jego jej tam drugi druga"
        " это этот эта эти этого он она оно они его её их там том нём второй другой"
    ).split()
)
# Pronouns that are articles or verbs as well, here or in another language.
POINTS_MAYBE: Final = frozenset({"das", "es", "il", "la", "le", "lo", "el", "den", "een"})
# Words that say nothing about a subject: with these alone a question is about what was said before.
EMPTY: Final = frozenset(
    fold(
        "a an the of in on at to for from by with as is are was were be been do does did has have had can could will"
        " would should may might must what which who whom whose when where why how much many more most less"
        " least few often long"
        " any some all both each such than no not yes please tell give show me us i you we explain detail details"
        " example examples exactly really else again still about mean means meant elaborate continue ok okay thanks"
        " der die das den dem des ein eine einen einem einer in im am an auf zu zum zur von vom mit für aus bei nach"
        " ist sind war waren sein wird werden wurde hat haben hatte kann können soll sollte muss was welche welcher"
        " welches welchen wer wen wem wann wo warum wieso weshalb wie viel viele mehr genau bitte mir noch mal"
        " ich wir man sein du dir sie ihr oft lang lange kannst können könntest könnten denn ja nein nicht"
        " erkläre erklär"
        " erklären genauer beispiel beispiele bedeutet heißt"
        " le la les un une des du de au aux en dans sur pour par avec est sont était quoi quel quelle quels quelles qui"
        " que quand où pourquoi comment combien plus moins exemple exactement s'il vous plaît merci"
        " el los las una unos de del en por para con es son era fue qué cuál cuáles quién cuándo dónde cómo cuánto"
        " cuánta porque más menos ejemplo favor gracias"
        " lo gli di da nel della con è sono cosa quale quali chi quando dove perché come quanto più meno esempio"
        " o os as um uma do da no na em com qual quais quem onde porquê quanto mais"
        " de het een van op met zijn was wat welke wie wanneer waar waarom hoe veel meer"
        " w na z do jest są był co który kto kiedy gdzie dlaczego jak ile"
        " в на с по у к от до из за для был была было что какой какая какие кто когда где почему зачем как сколько"
    ).split()
)
FUNCTION_WORDS: Final = EMPTY | POINTS_BACK | POINTS_MAYBE | STOP_WORDS
# What one asks to be done with whole documents, and what these are called.
TASKS: Final = frozenset(
    fold(
        "summarise summarize summary summaries overview outline translate describe list"
        " fasse fass zusammenfassen zusammenfassung überblick übersetze übersetzen beschreibe gliederung"
        " résume résumer résumé résumez traduis traduire décris resume resumen resumir traduce describe"
        " riassumi riassunto traduci descrivi resuma resumo traduza samenvatten samenvatting vertaal"
        " streść podsumuj przetłumacz резюмируй перескажи переведи опиши кратко"
    ).split()
)
DOCUMENTS: Final = frozenset(
    fold(
        "document documents file files text texts pdf report reports page pages content contents paper article main key"
        " point points everything whole briefly short words sentences bullet"
        " dokument dokumente dokuments datei dateien bericht berichts berichte seite seiten inhalt inhalte zusammen"
        " alles kurz wichtigsten punkte sätzen"
        " fichier fichiers texte rapport pages contenu points documento documentos archivo archivos texto informe"
        " contenido puntos testo relazione contenuto punti arquivo relatório documenten bestand tekst inhoud"
        " dokumentu tekst plik документ документа файл текст"
    ).split()
)
