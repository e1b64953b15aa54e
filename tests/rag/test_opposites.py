"""Claims with the words and figures of a passage that say the contrary of it, and such as only look like it."""

from uuid import UUID

import pytest

from app.rag.citations import check
from app.schemas.chat import CitationChecked, Source

LEASE = (
    "The notice period is 90 days for tenants and 30 days for the landlord. Rent is due on the first business day of "
    "each month. A late fee of 5% applies after ten days. Pets are not allowed in the common rooms, but the garden is "
    "open to them. Subletting is permitted with written consent."
)
QUARTER = (
    "Q3 revenue: $48.2M, up 12% year over year. Operating margin fell from 18.4% to 15.1%. Headcount grew by 240 to "
    "3,105 employees. The board did not propose a dividend for the year."
)
PRICES = "| Model | Context | Price |\n|---|---|---|\n| Alpha | 8,192 | $0.50 |\n| Beta | 32,768 | $1.20 |\n"
CONCERT = (
    "Mara Lindqvist performed the national anthem, while Tomas Okafor provided the sign language translation. "
    "Lindqvist is a six-time winner of the Halden Prize."
)
WERK = (
    "Der Umsatz stieg 2021 um 8 % auf 54 Millionen Euro. Das Werk in Ulm wurde im Winter geschlossen. Rauchen ist im "
    "gesamten Werk nicht erlaubt."
)
HISTORY = "The edict abolished all legal recognition of the guilds in the 18th century and closed the northern ports."


def checked(claim: str, passage: str) -> CitationChecked:
    text = passage
    (found,) = check(f"{claim} [1].", [Source(1, UUID(int=1), "r.pdf", 1, 1, 0, len(text), text, 0.5, "")])
    return found


@pytest.mark.parametrize(
    ("claim", "passage", "said"),
    [
        ("Rent is due on the last business day of each month", LEASE, "contrary of “last”"),
        ("Pets are allowed in the common rooms", LEASE, "contrary of “not”"),
        ("Subletting is prohibited even with written consent", LEASE, "contrary of “prohibited”"),
        ("Pets are not allowed in the garden", "Pets are allowed in the garden.", "contrary of “not”"),
        ("Revenue fell 12% year over year", QUARTER, "contrary of “fell”"),
        ("Operating margin rose from 15.1% to 18.4%", QUARTER, "contrary of “rose”"),
        ("Operating margin increased to 15.1%", QUARTER, "contrary of “increased”"),
        ("Headcount grew by 3,105", QUARTER, "something else"),
        ("The board proposed a dividend for the year", QUARTER, "contrary of “not”"),
        ("Alpha costs $1.20", PRICES, "something else"),
        ("The context of Beta is 8,192", PRICES, "something else"),
        ("Tomas Okafor performed the national anthem", CONCERT, "of others than “Tomas”"),
        ("Mara Lindqvist provided the sign language translation", CONCERT, "of others than “Mara”"),
        ("Lindqvist is a seven-time winner of the Halden Prize", CONCERT, "“seven” is not in"),
        ("Der Umsatz sank 2021 um 8 % auf 54 Millionen Euro", WERK, "contrary of “sank”"),
        ("Der Umsatz stieg 2021 auf 8 %", WERK, "something else"),
        ("Das Werk in Ulm wurde im Winter eröffnet", WERK, "contrary of “eroffnet”"),
        ("Rauchen ist im gesamten Werk erlaubt", WERK, "contrary of “not”"),
        ("The edict restored legal recognition of the guilds", HISTORY, "contrary of “restored”"),
        ("The edict closed the southern ports", HISTORY, "contrary of “southern”"),
    ],
)
def test_the_contrary_is_flagged(claim: str, passage: str, said: str) -> None:
    found = checked(claim, passage)
    assert not found.supported
    assert said in (found.reason or "")


@pytest.mark.parametrize(
    ("claim", "passage"),
    [
        ("Tenants have to give 90 days of notice, the landlord 30", LEASE),
        ("Pets may use the garden but not the common rooms", LEASE),
        ("Tenants may sublet with written consent", LEASE),
        ("No late fee is due within the first ten days", LEASE),
        ("Third-quarter revenue rose 12 percent to 48.2 million dollars", QUARTER),
        ("The operating margin declined to 15.1% from 18.4%", QUARTER),
        ("With 240 more people the company now has 3,105 employees", QUARTER),
        ("There will be no dividend for the year", QUARTER),
        ("While the margin fell, revenue was up 12%", QUARTER),
        ("Beta's context of 32,768 costs $1.20", PRICES),
        ("Compared with Beta, the smaller model has a price of only $0.50", PRICES),
        ("Okafor translated the anthem into sign language", CONCERT),
        ("The anthem was sung by Lindqvist, a winner of the Halden Prize", CONCERT),
        ("2021 lag der Umsatz bei 54 Millionen Euro, 8 % höher", WERK),
        ("Rauchen ist im gesamten Werk verboten", WERK),
        ("In the 1700s the guilds lost their legal recognition", HISTORY),
        ("The northern ports were not kept open", HISTORY),
        ("Smoking is prohibited on the premises", "No smoking is allowed on the premises."),
        ("Subletting without consent is prohibited", LEASE),
        ("Der Zutritt ist mit Helm erlaubt", "Der Zutritt ist ohne Helm verboten."),
        ("Die Einreise ohne Visum ist unmöglich", "Die Einreise ist nur mit gültigem Visum möglich."),
        ("Cancellation is impossible after 14 days", "Cancellation is possible only within 14 days."),
        ("Drinks are excluded from the price", "The price includes breakfast but no drinks."),
        ("Access requires a key", "Access is not possible without a key."),
        ("The form is valid once it is signed", "The form is not valid until it is signed."),
        ("The offer is valid until 31 May", "The offer is not valid after 31 May."),
        ("Employees must give notice before leaving", "Employees may not leave before giving notice."),
        ("The tenant does not have to pay for repairs", "The tenant is exempt from paying for repairs."),
        ("Not all rooms have a balcony", "Some rooms have a balcony."),
        ("Most employees work from home", "At least 60% of employees work from home."),
        ("Der Krieg endete 1945", "Der Krieg begann 1939 und dauerte bis 1945."),
        ("The gate is closed until 8", "The gate opens at 8."),
        ("Growth is forecast at 3%", "The company reduced its growth forecast to 3%."),
        ("Women earn 20% less", "Men earn 20% more."),
        ("Emissions fell from 20 tonnes", "Emissions had risen to 20 tonnes before they fell to 12 tonnes."),
        ("The ALR of the guilds came to an end", "The edict ended the assured legal recognition of the guilds."),
    ],
)
def test_other_words_for_the_same_are_not(claim: str, passage: str) -> None:
    found = checked(claim, passage)
    assert found.supported, found.reason


def test_the_sentence_that_is_meant_is_shown() -> None:
    """In a page that was sent whole, a reader should not have to look for it."""
    found = checked("A tenant who pays rent more than ten days late owes a late fee of 5%", LEASE)
    assert found.quote is not None
    assert LEASE[found.quote.char_from : found.quote.char_to] == "A late fee of 5% applies after ten days."
    assert checked("The landlord is kind", LEASE).quote is None


@pytest.mark.parametrize("claim", ["Costs rose by 7", "Costs rose by 7, to 7, from 7, by 7, to 7, by 7 and to 7"])
def test_figures_that_stand_there_a_thousand_times_cost_no_more(claim: str) -> None:
    """This took a minute when every place was compared with every figure."""
    assert checked(claim, "7 " * 2000).supported
