"""Recognise the language of a rule by its words.

English has a long list, of which most words must be in a text; they come from the documentation of
Python's standard library and of common packages. Of the other languages there is a short list of
words about code, and all words of a text must be in it: who writes no other words can ask for
nothing but code.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final

from orchestrator.rulebook.screening.sentences import remove_code

_WORD: Final = re.compile(r"[a-z\u00df-\u00f6\u00f8-\u024f]+(?:'[a-z]+)?")
_KNOWN_SHARE: Final = 0.72
"""Share of the words of an English text that must be known: names of things are not."""
_MOST_FREE: Final = 2
"""Unknown words that a text may have whatever their share, if it has as many known ones."""

_SHARED: Final = (
    "decimal float int str string list dict tuple set none null true false utf json csv html cent cents"
    " test tests code parser token index array buffer cache log logs name status version modul module"
    " import export format type object enum iterator generator lambda callback async utc datum date"
    " timeout query sql join filter sort pandas numpy django flask react python java rust go"
)
_OTHER_LANGUAGES: Final = {
    "German": """
        aber alle allen aller alles als am an andere anderen anders auch auf aus ausgabe ausgeben
        bei beim bereits betrag betraege beträge beträgen bevor bis bleibt bleiben brach brauchen
        braucht byte da damit dann das dass daten dem den der des dezimal die diese diesen dieser
        dieses doch doppelt dort durch ein eine einem einen einer eines einlesen eingabe element
        elemente elementen ende enthält enthalten ergab ergebnis ergebnisse ersetzen erst erste
        ersten es falls fehlt fehlte fehler feld felder feldern filtern formatieren funktion
        funktionen für ganze ganzen gab gebe geben gelten genau gibt gilt gleich gleiche gleichen
        groß größe größer hat haben hier hinter ihr im immer in ist ja je jede jeden jeder jedes
        kein keine keinen keiner klasse klassen klein kleiner kommt konnte kopie kopiere kopieren
        kunde kunden laden lang länge leer leere leeren leerzeichen lese lesen liefere liefern
        liefert liste listen lädt mal man mehr menge mengen mit monat monate muss müssen nach name
        namen negativ negative nenner nicht nichts nie niemals noch null nur nutze nutzen nutzt ob
        oder ohne parameter prüfe prüfen rechne rechnen rechnung rechnungen reihenfolge rückgabe
        runde runden rundet rundung satz schleife schlüssel schon schreibe schreiben sein seit
        sekunde sekunden sich sie sind sollte sollten sommerzeit sonst sortiere sortieren sortiert
        spalte spalten statt steht stelle stellen stets stunde stunden summe summen suche suchen
        tag tage tausend teile teilen text texte trennzeichen typ um umbenennen umgerechnet umlaut
        umlaute umlauten und unter variable variablen vergleich vergleiche vergleichen verwende
        verwenden verwendet vom von vor vorher war warf waren weil wenn werden werte werten wert
        wie wieder wird wurde wurden zahl zahlen zeichen zeichenkette zeichenketten zeile zeilen
        zeit zeitstempel zeitstempeln zeitzone zeitzonen zu zum zur zurück zurückgeben zwei zwischen
        berechnung berechnen umrechnen umwandeln gerundet rabatt preis preise bestellung
        bestellungen führen ab führt abrunden aufrunden lesbar lade gefunden vorhanden
    """,
    "French": """
        a à afin ainsi ajouter ajoute alors ancien ancienne après arrondi arrondie arrondir arrondis
        arrondissant arrondit attendait au aucun aucune aussi autre autres aux avait avant avec base
        boucle but car cas ce cela celle celui centime centimes ces cette chaîne chaînes champ champs
        chaque classe clé clés colonne colonnes comme comparaison comparer compare compte convertir
        convertis copie copier créer d dans date dates de décodé décodés des dernier dernière deux
        dictionnaire doit doivent donc données du élément éléments elle en encore entier entiers entre
        erreur erreurs est et été être était faire fait faut fichier fichiers fin fonction fonctions
        format fuseau heure heures horaire il ils indice jamais jour jours l la le les lecture ligne
        lignes lire liste listes littéral lors mais mal même mêmes méthode mettre mois montant montants
        moins n ne négatif négative nom nombre nombres noms non nouveau nouvelle nul nulle on ont ordre
        ou où paramètre par pas passer passe perd perdu place plus plutôt point pour première premier
        prix puis quand que qui quantité recherche remplacer renvoie renvoient renvoyer retourne
        retourner s sa sans sauf se sera ses seulement si sinon soit somme son sont sortie sous sur
        tableau taille taxe test texte textes tests toujours total toujours tous tout toute toutes
        traiter trier trop tva type un une utilise utiliser utilisez va valeur valeurs variable vérifie
        vérifier vers vide vides virgule voir y zéro calcul calculer accents fichiers commencent commence celles ceux ignorer ignore ajouté enlever enlève espaces
        majuscules minuscules arrondissent texte étaient mal décimales décimal virgules séparateur heures minutes secondes
    """,
    "Spanish": """
        a al algo alguna alguno antes añade añadir aunque cada cadena cadenas calcula calcular cambiaba
        cambiar campo campos caracteres céntimo céntimos cero clase clases clave claves código columna
        columnas como compara comparar comprobar compruebe con convertir convierte copia copiar cuando
        cuenta dato datos de debe deben decimal decimales del después devolver devuelve día días donde
        dos durante e ejecuciones el elemento elementos en encima entero enteros entre entrada error
        errores es esa ese eso espacios esta estaba está están este esto falta faltaba fecha fechas
        fichero fila filas filtrar final formato fue función funciones guardar ha hace hasta hay hora
        horaria horas importe importes índice la las leer lista listas llamada lo los lugar mayúsculas
        medio menos mes meses método mientras minúsculas mismo modificar moneda más nada negativo
        negativos ni ninguna ninguno no nombre nombres nulo nunca nuevo número números o objeto orden
        ordena ordenar os otra otro pantalla para parámetro pasar perdía pero por porque precio precios
        primero primer pruebas que queda recorre redondea redondear redondeo resultado sale saltaba se
        según segundo segundos sea serializar ser si siempre sin sobre solo son su suma sumar sus tabla
        también tiene tienen tipo toda todas todo todos total transformar tras un una unas uno unos usa
        usar use utiliza utilizar vacía vacías vacío vacíos valor valores variable vez y ya zona
        exportar detectar longitudes longitud distintas distintos distinta distinto iguales igual elementos lee leer
        espacio quitar quita tamaño listas consulta índices pares par impar claves
    """,
    "Italian": """
        a ad agli ai al alla alle anche ancora arrotonda arrotondare articoli articolo campo campi
        carattere centesimi centesimo che chiave chiavi ci classe codice codici colonna colonne come
        con confrontare confronta confronto controlla controllare converti convertire copia copiare
        corrispondenza così così creare da dagli dai dal dalla data date dati del della delle dello
        dei deve devono di dizionario dopo due dunque e è elemento elementi era errore errori essere
        file finale finali fine formato fra funzione funzioni fuso già giorno giorni gli ha i il
        importo importi impedivano in indice indici intero interi invece io la le leggere lista liste
        lo ma mai maiuscole mancava meno mese mesi metodo minuscole modificare modifica negativo nei
        nel nella nelle nome nomi non nullo numero numeri o ogni oltre or ora orario ordina ordinare
        ordine oggetto parametro passare per perché perdeva più poi prezzo prezzi prima primo quando
        quantità quando questo qui restituire restituisce ricerca riga righe risultato se secondi
        secondo sempre senza si solo somma sommare sono spazi stringa stringhe su sua sul sulla suo
        tabella testo tipo totale tra tutte tutti tutto un una uno usa usare utilizza utilizzare va
        valore valori variabile vuota vuote vuoti vuoto zero durante iterazione costruirne costruire nuova nuovo nuovi nuove nulla usano gli ricerca numeri vuota
        trovare trovato ordinata ordinati uguale uguali l dell all nell un' dall quell ultimo ultima
    """,
    "Portuguese": """
        a ao aos antes após arredonda arredondar arredonde as cada cadeia calcular campo campos
        caractere centavo centavos chave chaves classe código coluna colunas com como comparar compare
        converter converta copiar cópia da dados das data datas de deve devem decimal depois dia dias
        do dois dos duas e é elemento elementos em entre entrada era erro erros espaços está estava
        este faltava fica final formato função funções fuso há hora horas índice inteiro inteiros isso
        já lista listas ler linha linhas lugar mais mas menos mês meses método mesmo modificar moeda na
        nada não nas negativo nem nenhum nenhuma no nome nomes nos novo nulo número números nunca o
        objeto ordem ordenar ordene os ou outra outro para parâmetro passar pelo pela perdia por porque
        preço preços primeiro quando que quantidade resultado retorna retornar retorne se segundo
        segundos sem sempre ser seu só soma somar sua também tabela tem texto tipo toda todas todo todos
        total um uma usar use utilize valor valores variável vazia vazio vez zero remover remove espaço pontas ponta igual iguais maiúsculas minúsculas último última primeira
        tamanho consulta devolver devolve lê ler zona maior menor par ímpar
    """,
    "Dutch": """
        aan aantal aantallen af alle alleen alles als altijd ander andere bedrag bedragen begin bestand
        bij dag dagen dan dat datum de deel delen den deze die dit door dus een eerst eerste eind elk
        elke elkaar en er fout fouten functie functies gebruik gebruiken geef geeft geen gehele geldig
        getal getallen gelijk gezien groot heeft hele het hier hoeveelheid hun iedere in index is je
        juist kan kolom kolommen komma kopie kopieer kunnen laatste laat lang lees leeg lege lengte
        letter lijst lijsten lus maak maand maanden maar mag meer men met methode min minder moet moeten
        na naam naar namen nee negatief niet niets nieuw nieuwe nog nooit nul nummer nummers of om omdat
        omgezet ook op orde over per plaats prijs prijzen regel regels rekenen rij rijen rond ronden
        schrijf seconde seconden som sorteer sorteren soms spatie spaties staat sleutel sleutels tabel
        tekst teken tekens tel tellen terug tijd tijdzone tijdstempel toch toe tot totaal tussen twee
        type uit uren uur van vanaf vast vergelijk vergelijken volgorde voor vóór waarde waarden waar
        want was wat werd werden wordt worden zet ze zich zijn zonder zou ontbrekend controleren gevonden lijst lege terug geef getal deelbaar zoek zoeken vinden vindt laatste
    """,
}


def is_known_language(text: str) -> bool:
    """Return whether the words of a text are English, or all of them words about code.

    Args:
        text: the fields of a rule, joined.
    """
    words = _WORD.findall(remove_code(text).casefold())
    if not words:
        return True
    unknown = sum(word.removesuffix("'s") not in _load_english() for word in words)
    if unknown <= (1 - _KNOWN_SHARE) * len(words) or unknown <= min(_MOST_FREE, len(words) // 2):
        return True
    return find_other_language(text) != ""


def is_english_word(word: str) -> bool:
    """Return whether a word is in the list of English words."""
    return word in _load_english()


def find_other_language(text: str) -> str:
    """Return the language other than English of which all words of a text are known; or empty."""
    words = set(re.split(r"[^a-z\u00df-\u00f6\u00f8-\u024f]+", remove_code(text).casefold()))
    for language, known in _load_others().items():
        if words <= known:
            return language
    return ""


@cache
def _load_english() -> frozenset[str]:
    text = files("orchestrator.rulebook.screening").joinpath("english_words.txt")
    return frozenset(text.read_text(encoding="utf-8").split())


@cache
def _load_others() -> dict[str, frozenset[str]]:
    shared = frozenset(["", *_SHARED.split()])
    return {name: shared | frozenset(words.split()) for name, words in _OTHER_LANGUAGES.items()}
