"""Facts of invented firms in several languages: as a document says them, and as an answer may say them again.

The first half of each language is for tuning, the second for reporting. Names in braces are filled by `planted.py`.
"""

from typing import Final, NamedTuple


class Fact(NamedTuple):
    """A sentence of a document, and other ways to say it, of which the last one puts it in another order."""

    said: str
    again: tuple[str, ...]


FIRMS: Final = (
    *("Norvik Marine", "Aldera Foods", "Kestrel Optics", "Brightwater Energy", "Tamarind Textiles", "Halcyon Rail"),
    *("Quarrystone Cement", "Lumen Harbour", "Ostrava Gears", "Pinecrest Paper", "Solano Glass", "Veldt Mining"),
)
CITIES: Final = (
    *("Rotterdam", "Lisbon", "Hamburg", "Toulouse", "Valencia", "Gdansk", "Malmo", "Trieste", "Leeds", "Zagreb"),
    *("Bergen", "Antwerp"),
)
FACTS: Final[dict[str, tuple[Fact, ...]]] = {
    "en": (
        Fact(
            "{firm} employed {people} people at its plant in {city} at the end of {year}.",
            ("The {city} plant of {firm} had {people} employees at the end of {year}", "At the end of {year}, {people} people worked for {firm} in {city}"),
        ),
        Fact(
            "Revenue of {firm} rose by {pct} to {money} in {year}, mainly because freight rates recovered.",
            ("In {year} {firm} increased its sales by {pct} to {money}", "Freight rates recovered, which lifted the revenue of {firm} by {pct} to {money} in {year}"),
        ),
        Fact(
            "The board of {firm} approved the new terminal in {city} on {date}.",
            ("On {date} the {firm} board gave its approval to a new terminal in {city}", "The new terminal in {city} was approved by the board of {firm} on {date}"),
        ),
        Fact(
            "Maintenance of the pumps must be carried out every {hours} hours, and filters have to be replaced at the same time.",
            ("Pumps need maintenance every {hours} hours, together with a replacement of the filters", "Filters are replaced whenever the pumps are maintained, that is every {hours} hours"),
        ),
        Fact(
            "Customers may return goods within {days} days of delivery if the original packaging is undamaged.",
            ("Goods can be returned within {days} days of delivery in undamaged packaging", "If the packaging is undamaged, customers have {days} days to return goods"),
        ),
        Fact(
            "The auditors noted that inventory records in {city} were incomplete and that two shipments had been booked twice.",
            ("According to the auditors, inventory records were incomplete in {city} and two shipments were booked twice", "Two shipments were booked twice and the records in {city} were incomplete, the auditors found"),
        ),
        Fact(
            "{firm} plans to close its warehouse in {city} and to move {people} jobs to another site before {year}.",
            ("Before {year} {firm} wants to shut the {city} warehouse and relocate {people} jobs", "{people} jobs will be moved elsewhere when {firm} closes the warehouse in {city} before {year}"),
        ),
        Fact(
            "Operating costs of the ferry line fell to {money} as fuel consumption dropped by {pct}.",
            ("Fuel consumption went down {pct}, so operating costs of the ferry line fell to {money}", "With {pct} less fuel consumed, the ferry line's operating costs dropped to {money}"),
        ),
        Fact(
            "The licence granted to {firm} for the {city} quarry expires on {date} and cannot be renewed automatically.",
            ("{firm} holds a licence for the quarry in {city} until {date}, without automatic renewal", "Until {date} {firm} has a licence for the quarry near {city}; renewal is not automatic"),
        ),
        Fact(
            "Samples were stored at {degrees} and analysed in the laboratory within {hours} hours.",
            ("The laboratory analysed the samples within {hours} hours after storage at {degrees}", "After storage at {degrees} samples were analysed within {hours} hours"),
        ),
        Fact(
            "Visitors have to register at the gate, wear a helmet and stay with their guide at all times.",
            ("Visitors must register at the gate, wear helmets and remain with their guide", "A helmet and a guide are required, and visitors register at the gate"),
        ),
        Fact(
            "The {year} harvest yielded {tonnes} of barley, the largest quantity since records began.",
            ("A record quantity of {tonnes} of barley was harvested in {year}", "In {year} the barley harvest reached {tonnes}, more than ever recorded"),
        ),
    ),
    "de": (
        Fact(
            "{firm} beschäftigte Ende {year} im Werk {city} insgesamt {people} Mitarbeiter.",
            ("Im Werk {city} arbeiteten Ende {year} {people} Mitarbeiter für {firm}", "Ende {year} hatte {firm} {people} Beschäftigte im Werk {city}"),
        ),
        Fact(
            "Der Umsatz von {firm} stieg {year} um {pct} auf {money}, vor allem wegen höherer Frachtraten.",
            ("{firm} steigerte den Umsatz {year} um {pct} auf {money}", "Wegen höherer Frachtraten wuchs der Umsatz von {firm} {year} um {pct} auf {money}"),
        ),
        Fact(
            "Die Filter der Anlage sind alle {hours} Stunden zu wechseln; dabei ist die Pumpe auf Risse zu prüfen.",
            ("Alle {hours} Stunden müssen die Filter gewechselt und die Pumpe auf Risse geprüft werden", "Die Pumpe wird auf Risse geprüft, wenn die Filter nach {hours} Stunden gewechselt werden"),
        ),
        Fact(
            "Der Aufsichtsrat von {firm} genehmigte den Neubau in {city} am {date}.",
            ("Am {date} stimmte der Aufsichtsrat von {firm} dem Neubau in {city} zu", "Der Neubau in {city} wurde am {date} vom Aufsichtsrat der {firm} genehmigt"),
        ),
        Fact(
            "Kunden können Waren innerhalb von {days} Tagen zurückgeben, sofern die Verpackung unbeschädigt ist.",
            ("Eine Rückgabe der Waren ist innerhalb von {days} Tagen mit unbeschädigter Verpackung möglich", "Ist die Verpackung unbeschädigt, können Waren {days} Tage lang zurückgegeben werden"),
        ),
        Fact(
            "Die Betriebskosten der Fähre sanken auf {money}, weil der Verbrauch um {pct} zurückging.",
            ("Weil der Verbrauch um {pct} zurückging, lagen die Betriebskosten der Fähre bei {money}", "Die Fähre kostete im Betrieb nur noch {money}, da {pct} weniger verbraucht wurde"),
        ),
        Fact(
            "Die Ernte {year} ergab {tonnes} Gerste und damit die größte Menge seit Beginn der Aufzeichnungen.",
            ("{year} wurden {tonnes} Gerste geerntet, die größte Menge seit Beginn der Aufzeichnungen", "Mit {tonnes} Gerste war die Ernte {year} die größte seit Beginn der Aufzeichnungen"),
        ),
        Fact(
            "Besucher müssen sich am Tor anmelden, einen Helm tragen und bei ihrem Begleiter bleiben.",
            ("Am Tor melden sich Besucher an, tragen einen Helm und bleiben beim Begleiter", "Einen Helm tragen und sich am Tor anmelden müssen alle Besucher"),
        ),
    ),
    "fr": (
        Fact(
            "{firm} employait {people} personnes dans son usine de {city} à la fin de {year}.",
            ("À la fin de {year}, {people} personnes travaillaient pour {firm} dans l'usine de {city}", "L'usine de {city} comptait {people} employés de {firm} fin {year}"),
        ),
        Fact(
            "Le chiffre d'affaires de {firm} a augmenté de {pct} pour atteindre {money} en {year}.",
            ("En {year}, {firm} a réalisé un chiffre d'affaires de {money}, en hausse de {pct}", "Une hausse de {pct} a porté le chiffre d'affaires de {firm} à {money} en {year}"),
        ),
        Fact(
            "Les filtres doivent être remplacés toutes les {hours} heures et la pompe doit être contrôlée.",
            ("Il faut remplacer les filtres et contrôler la pompe toutes les {hours} heures", "La pompe est contrôlée et les filtres sont remplacés après {hours} heures"),
        ),
        Fact(
            "Le conseil de {firm} a approuvé le nouveau terminal de {city} le {date}.",
            ("Le {date}, le conseil de {firm} a approuvé un nouveau terminal à {city}", "Le nouveau terminal de {city} a été approuvé le {date} par le conseil de {firm}"),
        ),
        Fact(
            "Les clients peuvent retourner les marchandises dans un délai de {days} jours si l'emballage est intact.",
            ("Les marchandises peuvent être retournées sous {days} jours dans un emballage intact", "Si l'emballage est intact, le délai de retour des marchandises est de {days} jours"),
        ),
        Fact(
            "Les coûts d'exploitation du ferry sont tombés à {money} car la consommation a baissé de {pct}.",
            ("La consommation a baissé de {pct} et les coûts d'exploitation du ferry sont tombés à {money}", "Le ferry coûte {money} à exploiter, la consommation ayant baissé de {pct}"),
        ),
    ),
    "es": (
        Fact(
            "{firm} empleaba a {people} personas en su planta de {city} a finales de {year}.",
            ("A finales de {year}, {people} personas trabajaban para {firm} en la planta de {city}", "La planta de {city} de {firm} tenía {people} empleados a finales de {year}"),
        ),
        Fact(
            "Los ingresos de {firm} aumentaron un {pct} hasta {money} en {year}.",
            ("En {year} {firm} aumentó sus ingresos un {pct}, hasta {money}", "Con un aumento del {pct}, los ingresos de {firm} llegaron a {money} en {year}"),
        ),
        Fact(
            "Los filtros deben cambiarse cada {hours} horas y la bomba debe revisarse al mismo tiempo.",
            ("Cada {hours} horas se cambian los filtros y se revisa la bomba", "La bomba se revisa al cambiar los filtros, cada {hours} horas"),
        ),
        Fact(
            "El consejo de {firm} aprobó la nueva terminal de {city} el {date}.",
            ("El {date} el consejo de {firm} aprobó una nueva terminal en {city}", "La nueva terminal de {city} fue aprobada por el consejo de {firm} el {date}"),
        ),
        Fact(
            "Los clientes pueden devolver la mercancía en un plazo de {days} días si el embalaje está intacto.",
            ("La mercancía puede devolverse en {days} días con el embalaje intacto", "Si el embalaje está intacto, los clientes tienen {days} días para devolver la mercancía"),
        ),
        Fact(
            "Los costes de explotación del transbordador bajaron a {money} porque el consumo cayó un {pct}.",
            ("El consumo cayó un {pct} y los costes de explotación del transbordador bajaron a {money}", "El transbordador costó {money} al caer el consumo un {pct}"),
        ),
    ),
    "ja": (
        Fact(
            "{firm}は{year}年末に{city}工場で{people}人を雇用していた。",
            ("{year}年末、{city}工場では{people}人が{firm}で働いていた", "{firm}の{city}工場の従業員は{year}年末に{people}人を雇用する規模だった"),
        ),
        Fact(
            "{firm}の売上高は{year}年に{pct}増加し、{money}となった。",
            ("{year}年、{firm}の売上高は{money}で、{pct}増加した", "{pct}の増加により{firm}の売上高は{year}年に{money}となった"),
        ),
        Fact(
            "フィルターは{hours}時間ごとに交換し、同時にポンプを点検する必要がある。",
            ("{hours}時間ごとにフィルターを交換し、ポンプを点検する", "ポンプの点検とフィルターの交換は{hours}時間ごとに行う必要がある"),
        ),
        Fact(
            "{firm}の取締役会は{date}に{city}の新しい港湾施設を承認した。",
            ("{date}、{firm}の取締役会は{city}の港湾施設を承認した", "{city}の新しい港湾施設は{date}に{firm}の取締役会で承認された"),
        ),
    ),
}  # fmt: skip
QUOTED: Final = {
    "en": ("The report says that “{}”", 'It states: "{}"'),
    "de": ("Im Bericht heißt es: „{}“", "Wörtlich steht dort „{}“"),
    "fr": ("Selon le rapport, « {} »", "Le texte indique : «{}»"),
    "es": ("El informe dice: «{}»", "Según el informe, “{}”"),
    "ja": ("報告書には「{}」とある", "「{}」と記載されている"),
}
INVENTED: Final = {
    "en": (
        "margins are expected to remain under severe pressure",
        "the merger will be completed without further delay",
    ),
    "de": ("die Fusion wird ohne weitere Verzögerung abgeschlossen", "die Margen bleiben stark unter Druck"),
    "fr": ("la fusion sera achevée sans autre retard", "les marges resteront sous forte pression"),
    "es": ("la fusión se completará sin más demora", "los márgenes seguirán bajo fuerte presión"),
    "ja": ("合併は遅滞なく完了する見込みである", "利益率は引き続き厳しい状況にある"),
}
