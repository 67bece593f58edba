"""Recognize by its words, most often the first, that a prompt corrects what the model did.

Strict on purpose: patterns that were less so took "no, this is fine" and "never mind" for
corrections, and four of five prompts that began with a bare "no" were none. "No" counts only with
punctuation, or before a word that says what is wrong.
"""

import re
from typing import Final

_FILLER: Final = (
    r"(?:(?:hmm+|ok|okay|oh|ugh|well|sorry|but|wait|hey|please|pls|actually|and|also|nah"
    r"|bitte|aber|also|por favor|pero|s'il te pla[iî]t|mais)\b[\s,.:;!\u2026-]*){0,3}"
)
_SAY: Final = "(?:say|ask|want|mean|tell)"
_SAID: Final = "(?:said|told|meant|asked|wanted)"
_ENGLISH: Final = (
    # "no" with punctuation or with what is wrong; what reassures is left out below.
    r"(?:no|nope|nah)\s*[,.!:;\u2013\u2014-]+\s*\w",
    r"(?:no|nope|nah) (?:don'?t|do not|not|never|stop|wait|revert|undo|remove|keep|leave|use|put"
    r"|we|it|it's|you|i|that|that's|this|the|let's|because|make|add|please|only|just|they)\b",
    r"(?:don'?t|do not|never) (?!worry\b|mind\b|know\b|think\b|forget\b|hesitate\b|get me\b)\w",
    r"stop (?!hooks?\b|for a\b|here\b)\w+ing\b|stop it\b|stop that\b",
    r"(?:that|this|it)(?:'s| is| was)? (?:still |also |just |completely |simply )?"
    r"(?:wrong|incorrect|not (?:right|correct|what|how|it|true|working|the)\b)",
    r"(?:that|this|it) (?:isn't|wasn't|is not) (?:right|correct|what|how|true|the)\b",
    r"(?:that|this|it) (?:doesn't|does not|didn't|did not) (?:work|compile|build|help|make sense)",
    r"(?:it|this|that) should(?:n't| not| have)\b|(?:it|this|that) must not\b",
    r"you(?:'re| are| were)? (?:still )?(?:wrong|mistaken|not (?:correct|right|supposed)"
    r"|supposed to)\b",
    r"you(?:'ve| have)? (?:just )?(?:forgot|forgotten|missed|broke|broken|deleted|removed"
    r"|misunderstood|ignored|overwrote|skipped|changed the wrong|should(?:n't| not| have)"
    r"|must not|didn't|did not|keep \w+ing)\b",
    r"i (?:already |just )?" + _SAID + r"\b",
    r"i (?:did(?:n't| not) " + _SAY + r"|do(?:n't| not) want)\b",
    r"(?:undo|revert|roll ?back) (?:that|this|it|those|these|the|your|all|everything)\b",
    r"let'?s (?:not|roll ?back|revert|undo)\b",
    r"(?:it|this|that|they)(?:'s| is|'re| are)? still "
    r"(?:not|wrong|broken|fail\w*|there|(?!runn|build|go|work|load|wait|pend|us|compil)\w+ing)\b",
    r"instead of [^?]{1,150}\b(?:should|use|do|print|say|call|write|make|put)\b",
    r"wrong\b|not like (?:that|this)\b|not (?:as|in|on|for|with|the) [^.?]{1,80}\b(?:but|use)\b",
    r"use [^.?\n]{1,80}(?:, not | instead\b)",
)
_GERMAN: Final = (
    r"nein\s*[,.!:;\u2013\u2014-]+\s*\w|nein (?:nicht|das|du|ich|wir|es|bitte|mach)\b",
    r"nee,\s*\w|doch nicht\b",
    r"(?:das|es|so) (?:ist|war|stimmt|geht|funktioniert) (?:immer noch |leider |so )?"
    r"(?:falsch|nicht)",
    r"du (?:hast|solltest|sollst|darfst) [^.?\n]{0,60}?"
    r"(?:vergessen|nicht|kein\w*|gel[öo]scht|falsch)\b",
    r"ich (?:sagte|meinte|wollte|will nicht|hatte gesagt|habe (?:doch )?(?:gesagt|gemeint))\b",
    r"h[öo]r auf\b|lass das\b|falsch\b|nicht so\b|mach(?:e)? (?:das|es) r[üu]ckg[äa]ngig",
    r"(?:nimm|benutze?|verwende?|schreibe?|mache?|[äa]ndere?|l[öo]sche?) [^.?\n]{0,60}?"
    r"(?:nicht|kein\w*|stattdessen|niemals)\b",
)
_SPANISH: Final = (
    r"no (?:uses|hagas|toques|borres|cambies|pongas|escribas|quiero"
    r"|es (?:eso|as[ií]|correcto|lo que)|era|funciona|debes|deber[ií]as|ten[ií]as)\b",
    r"(?:eso|esto|as[ií])? ?(?:est[áa] mal|no es (?:correcto|lo que|as[ií])|no funciona)\b",
    r"(?:ya )?te (?:dije|ped[ií]|olvidaste|has olvidado|equivocas)\b|(?:yo )?(?:dije|quer[ií]a)\b",
    r"(?:deshaz|revierte)\b|deja de \w+|nunca \w+|as[ií] no\b",
)
_FRENCH: Final = (
    r"non\s*[,.!:;\u2013\u2014-]+\s*\w|non (?:pas|ce|c'est|tu|je|il|ne)\b",
    r"(?:ne |n')\w+[^.?\n]{0,40}? (?:pas|jamais|plus)\b",
    r"(?:c'est|cela est|ça) (?:toujours )?"
    r"(?:faux|pas (?:ça|ce|bon|correct|juste)|ne (?:marche|va))",
    r"ce n'est pas\b|pas comme ça\b",
    r"j'ai (?:dit|demand[ée])|je (?:voulais|n'ai pas (?:dit|demand[ée])|ne veux pas)\b",
    r"(?:arr[êe]te|annule)\b|tu (?:as (?:oubli[ée]|supprim[ée]|cass[ée])|n'as pas|ne dois pas)\b",
)
_ANYWHERE: Final = re.compile(
    r"\b(?:is|are|was|were)(?: not|n't) (?:correct|right|true|what i (?:want|ask|said|meant))"
    r"|\bi(?:'d| would) (?:rather|prefere?)(?: \S+){3}|\bthat'?s (?:just )?wrong\b"
    r"|\b(?:ist|war) (?:falsch|nicht (?:richtig|korrekt))\b|\bno es correct[oa]\b"
    r"|\bn'est pas (?:correcte?|juste|vrai)\b"
)
"""Says at any place of a short prompt that something is wrong."""
_OPENERS: Final = tuple(
    re.compile(_FILLER + "(?:" + "|".join(patterns) + ")")
    for patterns in (_ENGLISH, _GERMAN, _SPANISH, _FRENCH)
)
_REASSURING: Final = re.compile(
    _FILLER + r"(?:(?:no|nope|nah|nein|non)\b[\s,.!:;\u2013\u2014-]*"
    r"(?:problem|worries|need|rush|idea|thanks?|thank you|all good|it'?s (?:fine|ok|okay|good)"
    r"|(?:this|that)(?:'s| is| looks) (?:fine|ok|okay|good|great|perfect|correct|right)"
    r"|that'?s (?:fine|ok|okay|good|all|it)|go ahead|continue|sorry|i'?m good|alles gut"
    r"|(?:just )?(?:write|go|do(?! not|n't)|commit|push|continue|proceed)\b[^.]{0,40}$"
    r"|merci|gracias)"
    r"|never ?mind\b)"
)


def says_correction(text: str) -> bool:
    """Return whether a short text corrects what was done."""
    start = " ".join(text[:300].replace("\u2019", "'").casefold().split())
    if _REASSURING.match(start):
        return False
    if _ANYWHERE.search(start):
        return True
    return any(opener.match(start) for opener in _OPENERS)
