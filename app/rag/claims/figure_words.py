"""The words around numbers in the languages that are checked: months, magnitudes, units, and numbers that are words.

Everything is folded as `crud.terms.fold` does it. A unit is a dimension and a factor to the dimension's base.
"""

from typing import Final

from app.crud.terms import fold

_MONTHS: Final = """
january jan januar jaenner janvier janv enero ene gennaio gen janeiro januari stycznia styczen января январь ocak leden
february feb februar fevrier fevr febrero febbraio fevereiro fev februari lutego luty февраля февраль subat unor
march mar marz maerz mars marzo marco maart marca marzec марта март mart brezen
april apr avril avr abril abr aprile kwietnia kwiecien апреля апрель nisan duben
may mai mayo maggio mag maio mei maja maj мая май mayis kveten
june jun juni juin junio giugno giu junho czerwca czerwiec июня июнь haziran cerven
july jul juli juillet juil julio luglio lug julho lipca lipiec июля июль temmuz cervenec
august aug aout agosto ago augustus sierpnia sierpien августа август agustos srpen
september sep sept septembre septiembre settembre set setembro wrzesnia wrzesien сентября сентябрь eylul zari
october oct oktober okt octobre octubre ottobre ott outubro out pazdziernika pazdziernik октября октябрь ekim rijen
november nov novembre noviembre novembro listopada listopad ноября ноябрь kasim
december dec dezember dez decembre diciembre dic dicembre dezembro grudnia grudzien декабря декабрь aralik prosinec
"""
MONTHS: Final = {
    fold(name): number for number, line in enumerate(_MONTHS.strip().splitlines(), 1) for name in line.split()
}

_MAGNITUDES: Final = {
    1e2: "hundred hundert cientos",
    1e3: "k thousand thousands tausend tsd mille mila mil milles duizend tys tysiecy тыс тысяч тысячи bin tusen 千 천",
    1e4: "万 萬 만",
    1e5: "lakh lakhs लाख",
    1e6: "m mn mio mill million millions millionen millones millon milioni milione milhoes milhao miljoen mln milion"
    " milionow млн миллион миллиона миллионов milyon miljoner 百万 백만",
    1e7: "crore crores करोड़",
    1e8: "億 亿 억",
    1e9: "b bn billion billions mrd mia milliarde milliarden milliard milliards miliardi miliardo mld miliard miliardow"
    " miljard miljarder млрд миллиард миллиарда миллиардов milyar 十億 十亿 십억",
    1e12: "tn trillion trillions bio billionen billones biliony трлн триллион триллиона триллионов 兆 조",
}
MAGNITUDES: Final = {fold(word): value for value, line in _MAGNITUDES.items() for word in line.split()}

_UNITS: Final[dict[tuple[str, float], str]] = {
    ("percent", 1): "% percent pct percentage prozent prozentpunkte prozentpunkten prozentpunkt percentuale procent"
    " procentowych proc процент процента процентов yuzde パーセント 퍼센트 pourcent porcentaje pp",
    ("promille", 1): "‰",
    ("euro", 1): "€ eur euro euros евро 欧元 ユーロ 유로",
    ("euro", 1000): "teur t€",
    ("dollar", 1): "$ usd us$ dollar dollars dolares dollari dolary dolarow доллар доллара долларов 美元 ドル 달러",
    ("pound", 1): "£ gbp sterling",
    ("yen", 1): "¥ jpy yen 円 日元 엔",
    ("yuan", 1): "cny rmb yuan 元 人民币",
    ("franc", 1): "chf franken sfr",
    ("rupee", 1): "₹ inr rupees rupee रुपये",
    ("zloty", 1): "pln zł zl zlotych",
    ("rouble", 1): "₽ rub рублей рубля рубль",
    ("lira", 1): "₺ try lira",
    ("krona", 1): "sek nok dkk kronor kroner",
    ("length", 1): "metre metres meter meters metern metros metro metri metr метр метров метра 米 メートル",
    ("length", 1000): "km kilometre kilometres kilometer kilometers kilometern kilometros kilometri км километров 公里"
    " キロメートル キロ",
    ("length", 0.01): "cm centimetres centimetre centimeters zentimeter см 厘米",
    ("length", 0.001): "mm millimetre millimetres millimetern millimeter millimeters мм",
    ("length", 1609.344): "mile miles mi meilen millas",
    ("length", 0.3048): "ft foot feet",
    ("length", 0.0254): "inch inches zoll",
    ("mass", 1): "g gram grams gramm grammes gramos",
    ("mass", 1e-3): "mg milligram milligrams milligramm",
    ("mass", 1e3): "kg kilogram kilograms kilogramm kilo kilos кг 公斤 千克 キログラム",
    ("mass", 1e6): "t ton tons tonne tonnes tonnen toneladas tonnellate тонн 吨 トン 톤",
    ("mass", 453.592): "lb lbs pound_weight",
    ("time", 1): "s sec secs second seconds sekunde sekunden secondes segundos secondi секунд 秒",
    ("time", 1e-3): "ms millisecond milliseconds millisekunden",
    ("time", 60): "min mins minute minutes minuten minutos minuti минут 分 分钟 分間",
    ("time", 3600): "h hr hrs hour hours stunde stunden heures heure horas hora ore часов часа 小时 時間 시간",
    ("time", 86400): "day days tag tage tagen jour jours dia dias giorni giorno dagen dni день дней дня 天 日間 일간",
    (
        "time",
        604800,
    ): "week weeks woche wochen semaines semaine semanas semana settimane weken tygodni недель 周 週間 주",
    (
        "months",
        1,
    ): "month months monat monate monaten mois meses mes mesi maanden miesiecy месяцев месяца 个月 か月 개월",
    ("months", 12): "year years jahr jahre jahren an ans annees annee ano anos anni anno jaar lat lata лет года 年間",
    ("temperature", 1): "°c celsius",
    ("temperature_f", 1): "°f fahrenheit",
    ("data", 1): "kb",
    ("data", 1e3): "mb megabyte megabytes",
    ("data", 1e6): "gb gigabyte gigabytes",
    ("data", 1e9): "tb terabyte terabytes",
    ("power", 1): "w watt watts",
    ("power", 1e3): "kw kilowatt kilowatts",
    ("power", 1e6): "mw megawatt megawatts",
    ("power", 1e9): "gw gigawatt gigawatts",
    ("energy", 1): "kwh",
    ("energy", 1e3): "mwh",
    ("energy", 1e6): "gwh",
    ("energy", 1e9): "twh",
    ("volume", 1): "l litre litres liter liters litros litri литров",
    ("volume", 1e-3): "ml millilitre millilitres milliliter",
    ("area", 1): "m2 sqm m² square_metres quadratmeter",
    ("area", 1e4): "ha hectare hectares hektar",
    ("area", 1e6): "km2 km² quadratkilometer",
    ("speed", 1): "km/h kmh kph",
    ("speed_mph", 1): "mph",
    ("frequency", 1): "hz",
    ("frequency", 1e3): "khz",
    ("frequency", 1e6): "mhz",
    ("frequency", 1e9): "ghz",
    ("voltage", 1): "v volt volts",
}
UNITS: Final = {fold(word): unit for unit, line in _UNITS.items() for word in line.split()}

_NUMBERS: Final = {
    0: "zero",
    1: "one first erste erster ersten erstes primera primer premier premiere primo prima eerste",
    2: "two second both twice zwei zweite zweiten zweites beide beiden deux deuxieme dos segundo segunda due secondo"
    " dois"
    " duas twee tweede dwa dwie два две второй iki",
    3: "three third thrice drei dritte dritten drittes trois troisieme tres tercero tercer tre terzo drie derde trzy"
    " три"
    " третий uc",
    4: "four fourth vier vierte vierten viertes quatre quatrieme cuatro cuarto quattro quarto quatro cztery четыре"
    " dort",
    5: "five fifth funf fuenf funfte cinq cinquieme cinco quinto cinque vijf piec пять bes",
    6: "six sixth sechs sechste sis seis sexto sei zes szesc шесть alti",
    7: "seven seventh sieben siebte siete sette sete zeven siedem семь yedi",
    8: "eight eighth acht achte huit ocho otto oito osiem восемь sekiz",
    9: "nine ninth neun neunte neuf nueve nove negen dziewiec девять dokuz",
    10: "ten tenth zehn zehnte dix diez dieci dez tien dziesiec десять",
    11: "eleven eleventh elf elfte onze once undici jedenascie одиннадцать",
    12: "twelve twelfth dozen zwolf zwolfte douze doce dodici doze twaalf dwanascie двенадцать",
    13: "thirteen dreizehn treize trece tredici",
    14: "fourteen vierzehn quatorze catorce quattordici",
    15: "fifteen funfzehn quinze quince quindici",
    16: "sixteen sechzehn seize dieciseis sedici",
    17: "seventeen siebzehn",
    18: "eighteen achtzehn dieciocho diciotto",
    19: "nineteen neunzehn",
    20: "twenty zwanzig vingt veinte venti vinte twintig двадцать",
    30: "thirty dreissig trente treinta trenta trinta dertig тридцать",
    40: "forty vierzig quarante cuarenta quaranta",
    50: "fifty funfzig cinquante cincuenta cinquanta",
    60: "sixty sechzig soixante sesenta sessanta",
    70: "seventy siebzig setenta settanta",
    80: "eighty achtzig ochenta ottanta",
    90: "ninety neunzig noventa novanta",
    100: "hundred hundert cent cien cento honderd сто",
    1000: "thousand tausend mille mil",
}
NUMBERS: Final = {fold(word): float(value) for value, line in _NUMBERS.items() for word in line.split()}
_HEDGES: Final = """
about around approximately approx roughly nearly almost over under some more less than circa ca rund etwa knapp
ungefahr fast uber gut environ presque plus quasi casi aproximadamente cerca unos mas oltre ongeveer bijna около
примерно почти 約 约 大约
"""
HEDGES: Final = frozenset(map(fold, _HEDGES.split()))
HAN_DIGITS: Final = {digit: value for value, digit in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2, "兩": 2}
HAN_TENS: Final = {"十": 10, "百": 100, "千": 1000}
