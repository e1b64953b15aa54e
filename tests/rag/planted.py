"""A planted library in English and German, with questions that it answers, that it does not, and that lean on others.

Made for this project. The unanswerable questions are of three kinds: about something else, about something near that
no passage says, and such that share common words with passages.
"""

from typing import Final


def _passages(text: str) -> list[str]:
    """One for each paragraph, its lines joined."""
    return [" ".join(passage.split()) for passage in text.strip().split("\n\n")]


ENGLISH: Final = _passages("""
Employees may end their contract with a notice period of three months to the end of a quarter. During the
first six months, the probation period, two weeks are enough.

Every employee has thirty days of paid holiday a year. Days that are not taken by the end of March of the next
year are lost, unless illness was the reason.

The ferry Morning Star carries 320 passengers and 48 cars. It was built in Gdansk in 1998 and crosses the
strait in forty minutes.

The pump P-200 must be lubricated every 500 hours of operation. Use the grease LX-7 only; other greases damage
the seals and end the warranty.

In 2021 the harbour company earned a revenue of 48 million euros, eight per cent more than in the year before.
Most of it came from container handling.

In 2022 the harbour company's revenue fell to 41 million euros, because the strike in May closed the terminal
for three weeks.

The bakery opens at six in the morning on weekdays and at seven on Saturdays. It stays closed on Sundays and
on public holidays.

Visitors get a badge at the reception and must wear it visibly. Photographs are forbidden in the laboratory
and on the shop floor.

The observatory's main telescope has a mirror of 2.2 metres. It was moved to the mountain in 1974 and is used
for the search for exoplanets.

Travel expenses are refunded within two weeks when the receipts are handed in by the tenth of the following
month. First class tickets are refunded for journeys of more than four hours.

The apple trees in the northern orchard are pruned in February. Old branches that cross each other are cut
first.

The library lends books for four weeks. A book that is returned late costs twenty cents a day, at most ten
euros.
""")
GERMAN: Final = _passages("""
Der Mietvertrag kann mit einer Frist von drei Monaten zum Monatsende gekündigt werden. Die Kündigung muss
schriftlich erfolgen und vom Mieter unterschrieben sein.

Die Kaution beträgt zwei Monatsmieten und wird spätestens sechs Monate nach dem Auszug zurückgezahlt.

Das Schwimmbad ist dienstags bis sonntags von neun bis zwanzig Uhr geöffnet. Montags wird das Wasser gereinigt
und das Bad bleibt geschlossen.

Der Generator G-40 muss alle 250 Betriebsstunden gewartet werden. Dabei sind der Ölfilter und die Zündkerzen
auszutauschen.

Die Stadtwerke erzielten 2021 einen Umsatz von 92 Millionen Euro. Der größte Teil stammte aus dem Verkauf von
Fernwärme.

Im Jahr 2022 stieg der Umsatz der Stadtwerke auf 105 Millionen Euro, weil die Preise für Gas sich
verdoppelten.

Hunde sind im Botanischen Garten an der Leine zu führen. In den Gewächshäusern sind Tiere nicht erlaubt.

Die Brücke über den Fluss wurde 1931 gebaut und ist 214 Meter lang. Lastwagen über zwölf Tonnen dürfen sie
seit der Sanierung nicht mehr befahren.

Anträge auf Elternzeit sind spätestens sieben Wochen vor Beginn bei der Personalabteilung einzureichen.

Das Museum zeigt Gemälde der Romantik. Der Eintritt kostet neun Euro, für Schüler und Studenten vier Euro.

Im Notfall ist der Sammelplatz vor dem Haupttor aufzusuchen. Die Aufzüge dürfen bei Feuer nicht benutzt
werden.

Der Winterdienst räumt zuerst die Hauptstraßen und die Wege zu den Schulen. Nebenstraßen folgen bis zum
Mittag.
""")
# Question, and the number of the passage that answers it.
ANSWERABLE_EN: Final = [
    ("What is the notice period?", 0),
    ("How long is the probation?", 0),
    ("How many days off do I get in a year?", 1),
    ("When do unused holidays expire?", 1),
    ("How many cars fit on the Morning Star?", 2),
    ("Where was the ferry built?", 2),
    ("How often does the P-200 need grease?", 3),
    ("Which lubricant is allowed for the pump?", 3),
    ("What was the revenue in 2021?", 4),
    ("How much did the harbour company earn in 2022?", 5),
    ("Why did the revenue fall?", 5),
    ("When does the bakery open on Saturdays?", 6),
    ("Can I buy bread on a Sunday?", 6),
    ("Am I allowed to take pictures in the lab?", 7),
    ("Who must wear a badge?", 7),
    ("How large is the mirror of the telescope?", 8),
    ("What is the observatory looking for?", 8),
    ("Until when must receipts be handed in?", 9),
    ("Is a first class ticket paid for by the company?", 9),
    ("When are the apple trees cut?", 10),
    ("What does it cost to bring a book back too late?", 11),
    ("How long can I borrow a book?", 11),
]
UNANSWERABLE_EN: Final = [
    "Which enzyme unwinds the double helix during replication?",
    "What is the capital of Mongolia?",
    "Who won the football world cup in 1990?",
    "How do I bake a sourdough loaf at home?",
    "What did Einstein publish about light quanta?",
    "How many people live in Brazil?",
    "Explain the difference between TCP and UDP.",
    "Which vitamins does spinach contain?",
    "hello",
    "Write a poem about love.",
    "What is the boiling point of mercury?",
    "Who painted the Mona Lisa?",
    "How does a refrigerator work?",
    "What is the best way to learn the piano?",
    "Is there life on Mars?",
    "When was the French Revolution?",
    "How many bones does a human adult have?",
    "What are the symptoms of measles?",
    "Which programming language should a beginner choose?",
    "What is the tallest building in the world?",
    "Translate good night into Finnish.",
    "How do vaccines protect against a virus?",
]
ANSWERABLE_DE: Final = [
    ("Wie lange ist die Kündigungsfrist der Wohnung?", 0),
    ("Muss die Kündigung schriftlich sein?", 0),
    ("Wie hoch ist die Kaution?", 1),
    ("Wann wird die Kaution zurückgezahlt?", 1),
    ("An welchem Tag ist das Schwimmbad geschlossen?", 2),
    ("Wann öffnet das Schwimmbad?", 2),
    ("Wie oft wird der Generator gewartet?", 3),
    ("Was wird bei der Wartung des G-40 ausgetauscht?", 3),
    ("Wie hoch war der Umsatz der Stadtwerke 2021?", 4),
    ("Warum stieg der Umsatz im Jahr 2022?", 5),
    ("Darf ich meinen Hund in den Garten mitnehmen?", 6),
    ("Sind Tiere im Gewächshaus erlaubt?", 6),
    ("Wann wurde die Brücke gebaut?", 7),
    ("Wie lang ist die Brücke?", 7),
    ("Wann muss ich Elternzeit beantragen?", 8),
    ("Wo reicht man den Antrag auf Elternzeit ein?", 8),
    ("Was kostet der Eintritt ins Museum?", 9),
    ("Welche Bilder sind im Museum zu sehen?", 9),
    ("Wo ist der Sammelplatz?", 10),
    ("Darf man bei Feuer den Aufzug benutzen?", 10),
    ("Welche Straßen werden zuerst geräumt?", 11),
    ("Wann werden die Nebenstraßen geräumt?", 11),
]
UNANSWERABLE_DE: Final = [
    "Welches Enzym öffnet die Doppelhelix bei der Replikation?",
    "Was ist die Hauptstadt der Mongolei?",
    "Wer gewann die Fußballweltmeisterschaft 1990?",
    "Wie backe ich ein Sauerteigbrot?",
    "Was schrieb Einstein über Lichtquanten?",
    "Wie viele Menschen leben in Brasilien?",
    "Erkläre den Unterschied zwischen TCP und UDP.",
    "Welche Vitamine enthält Spinat?",
    "hallo",
    "Schreib ein Gedicht über die Liebe.",
    "Bei welcher Temperatur siedet Quecksilber?",
    "Wer malte die Mona Lisa?",
    "Wie funktioniert ein Kühlschrank?",
    "Wie lerne ich am besten Klavier spielen?",
    "Gibt es Leben auf dem Mars?",
    "Wann war die Französische Revolution?",
    "Wie viele Knochen hat ein Mensch?",
    "Was sind die Anzeichen von Masern?",
    "Welche Programmiersprache ist für Anfänger geeignet?",
    "Welches ist das höchste Gebäude der Welt?",
    "Übersetze gute Nacht ins Finnische.",
    "Wie schützt eine Impfung vor einem Virus?",
]
# Questions so far, the question that leans on them, and the passage that answers it.
FOLLOW_UPS_EN: Final = [
    (["What was the harbour company's revenue in 2021?"], "and in 2022?", 5),
    (["What was the harbour company's revenue in 2022?"], "why?", 5),
    (["What does the pump P-200 need?"], "How often?", 3),
    (["Who may take the ferry Morning Star?"], "When was it built?", 2),
    (["What is the observatory used for?", "When was it moved?"], "How large is its mirror?", 8),
    (["When does the bakery open?"], "What about Sundays?", 6),
    (["How long may I keep a book of the library?"], "And what does it cost when I am late?", 11),
    (["What is the notice period?"], "And during probation?", 0),
]
FOLLOW_UPS_DE: Final = [
    (["Wie hoch war der Umsatz der Stadtwerke 2021?"], "Und 2022?", 5),
    (["Wie hoch war der Umsatz der Stadtwerke 2022?"], "Warum?", 5),
    (["Wann ist das Schwimmbad geöffnet?"], "Und montags?", 2),
    (["Wie lang ist die Brücke über den Fluss?"], "Wann wurde sie gebaut?", 7),
    (["Wie hoch ist die Kaution?"], "Und wann wird sie zurückgezahlt?", 1),
    (["Was kostet der Eintritt ins Museum?"], "Und für Studenten?", 9),
    (["Was ist bei Feuer zu tun?"], "Und die Aufzüge?", 10),
    (["Wie oft wird der Generator G-40 gewartet?"], "Was wird dabei ausgetauscht?", 3),
]
