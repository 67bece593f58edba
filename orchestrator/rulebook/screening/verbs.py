"""Recognise what a rule about code asks for.

A request is accepted if its verb is one of writing code, or if it is a statement about code. Any
other verb is not understood, and what is not understood waits for a person.
"""

import re
from typing import Final

from orchestrator.rulebook.screening.languages import is_english_word
from orchestrator.rulebook.screening.sentences import Segment, list_sentences, remove_code

_CODE_VERBS: Final = frozenset(
    """
    accept accumulate add adjust align allocate allow annotate anchor append apply arrange assign
    assert assume attach avoid await base begin bind bound box branch break buffer build cache
    calculate call cap capture cast catch center centre chain change check choose clamp clip clone
    close coerce collapse collect combine compare compile complete compose compute concatenate
    configure confirm consume construct contain continue convert copy count cover create cut
    deal debounce declare decode decorate decrement deduplicate default defer define delegate
    dereference derive describe design detect determine dispatch display dispose distinguish
    divide document draw duplicate emit enable encode end ensure enter enumerate escape estimate
    evaluate examine exit expand expect explicitly express extend extract fill filter find finish
    fix flatten flip flush fold format freeze gather generate get group guard guarantee handle
    have hash hold ignore implement import increment indent index infer inherit init initialise
    initialize inject inline insert instantiate interpolate invalidate invert iterate join keep
    label leave limit link list load localise localize lock log loop lower make map mask match
    maintain measure memoise memoize merge mock model modify multiply mutate name negate nest
    normalise normalize note number omit open order override pad pair parametrise parametrize
    parameterise parameterize parse partition pass patch perform pick pin place plot pop populate
    prefer prefix prepare prepend preserve process produce propagate protect provide quantise
    quantize query quote raise read rebuild receive recompute record redact reduce refactor refer
    reference refresh register reject release reload remember remove rename render repeat replace
    represent request require reraise rescale reset reshape resize resolve respect restore
    restrict retain rethrow retry return reuse reverse rewind rewrite rotate round sanitise
    sanitize save scale scan schedule scope search seed select separate serialise serialize set
    settle share shift shorten show shuffle simplify skip slice sort specify split spread stack
    start state stop store strip structure stub subclass subtract suffix sum supply support
    suspend swap switch take test throttle throw time toggle tokenise tokenize track transform
    translate transpose traverse treat trim truncate try turn type unescape unify unpack unwrap
    update upsert use validate verify wait walk wrap write yield zip base64 hide sample round
    animate average batch blend bucket cancel chunk collate confine crop debug default demote
    diff drop edit encapsulate explode fade feed fetch flag floor gate guess highlight hydrate
    initialise intersect invoke join lookup mark mirror mount move notify paginate pool preload
    promote prune pull re-raise rebase recalculate redraw reindex render reorder rerender report
    put send archive include expose fail modify alter block hardcode hard-code monkeypatch lowercase uppercase
    deep-copy overwrite acknowledge refuse print work download roll lookup retrieve persist truncate pin chunk
    reserve run sanitize schedule seed shard smooth snap spell stash step strip submit subscribe
    sync tag tick time tokenise trigger unmount unsubscribe vary version weigh
    """.split()
)
"""Verbs of writing code. Those that also act on something else (run, remove, report, ...) are
judged by what they act on, see `outside_subjects`."""

_OPENERS: Final = frozenset(
    """
    a an the this that these those each every all any some no both either neither one two three
    several many most such another other only always never please do don't does not and or but so
    then also instead when whenever where while if unless until before after for in on at by with
    within inside outside from to of as since because once during through across between among
    under over per except rather than even just here there it its they their them he we our you
    your what which who whose how why otherwise thus hence therefore still again too must should
    may can could will would shall might cannot can't shouldn't mustn't is are was were be been
    has have had did having being using given consider considering together twice once first second
    else seldom rarely refrain abstain quit stay away from clear steer circumstances least most
    x y z n i j k
    """.split()
)
_VERBS_IN_S: Final = frozenset("bypass guess press access assess dismiss suppress discuss toss kiss miss"
                               " harass possess confess dress bless address express".split())  # fmt: skip
_SINGULAR_NOUNS: Final = frozenset(
    """
    code data input output value default constant variable function method class module package
    property attribute field column row index key name text string number integer float decimal
    list tuple array dict dictionary map table query view model form template component state
    store event handler callback listener thread task queue worker cache buffer file path folder
    time date timestamp timezone duration money price amount quantity total tax fee discount
    rounding ordering sorting parsing validation iteration indexing slicing arithmetic division
    equality comparison serialization serialisation teardown setup fixture test suite error
    exception logging pagination currency locale encoding unicode whitespace case length size
    width height angle vector matrix tensor sensor player inventory score physics collision
    velocity frame unit regular null none nan integer pandas numpy django flask react go rust java
    javascript typescript python kotlin swift ruby php c equal empty missing negative nested
    global local async asynchronous floating mutable immutable naive unordered
    """.split()
)
_STATEMENT: Final = re.compile(
    r"\b(?:is|are|was|were|be|has|have|must|should|may|can|cannot|will|does|do|needs?|returns?|takes?|uses?|yields?"
    r"|raises?|contains?|expects?|accepts?|means?|gives?|compares?|includes?|keeps?|holds?|starts?|begins?|ends?"
    r"|defines?|produces?|stays?|belongs?|counts?|sorts?|drops?|ignores?|counts|goes|go|come|comes|wait|waits"
    r"|arrondit|work|works|round|rounds|differ|differs|apply|applies|depend|depends|exist|exists|convert"
    r"|converts|share|shares|require|requires|support|supports|treat|treats|read|reads|store|stores|pass"
    r"|passes|call|calls|carry|carries|point|points|change|changes|modify|modifies|mutates?|overflows?|wraps?|wants?)\b"
)
_MODAL_VERB: Final = re.compile(
    r"\b(?:must|should|shall|may|can|will)(?: not| never| always| only| also)? ([a-z'-]+)"
)
_AUXILIARY: Final = frozenset(
    "be have not never only also always first stay remain go come appear happen differ apply work"
    " belong depend exist equal fit agree live stand behave accept cover know see look lie succeed"
    " fail overflow survive occur arise matter hang crash last need mean rely refer propagate block remain".split()
)
_WORD: Final = re.compile(r"[a-z'\u00c0-\u024f-]+")
_PLACEHOLDER: Final = "\x02"


def find_unknown_request(segments: list[Segment]) -> str:
    """Return the verb of a request that no rule about code makes; empty if there is none."""
    for segment in segments:
        for sentence in list_sentences(segment.text):
            if unknown := _find_unknown_verb(sentence):
                return unknown
    return ""


_FEATURES: Final = re.compile(
    r"^(?:disable|enable|turn (?:on|off)|switch (?:on|off)) (?:the )?(?:\x02|autoflush|autocommit|auto\w*|caching|cache|buffering"
    r"|animations?|pagination|sorting|interning|echo|propagation|lazy|eager|prefetch\w*|gc|garbage|retries|signals|smoothing"
    r"|antialiasing|vsync|interpolation|rounding|index\w*|inference|foreign)\b"
)
"""Features of code that may be switched; whatever else is disabled is not understood."""


def _find_unknown_verb(sentence: str) -> str:
    plain = remove_code(sentence).casefold()
    for modal in _MODAL_VERB.finditer(plain):
        if modal[1] not in _CODE_VERBS and modal[1] not in _AUXILIARY:
            return modal[1]
    if _FEATURES.match(plain.strip()):
        return ""
    for clause in re.split(r",\s+(?:and |then |so )?|\s+(?:and then|then)\s+", plain):
        if word := _find_unknown_opening(clause):
            return word
    return ""


def _find_unknown_opening(clause: str) -> str:
    """Return the first word of a clause if it may be a verb that is not in the tables."""
    words = clause.split()
    for position, word in enumerate(words):
        if word == _PLACEHOLDER:
            return ""
        bare = word.strip(".,;:!?()'\"\u2026")
        if not _WORD.fullmatch(bare):
            return ""
        if bare in _OPENERS or bare.endswith("ly"):
            continue
        if bare in _CODE_VERBS or bare in _SINGULAR_NOUNS or bare.endswith(("ing", "ed", "tion")):
            return ""
        if bare.endswith("s") and bare not in _VERBS_IN_S:
            return ""
        if is_english_word(bare) and not _is_verb(bare):
            return ""
        follows = " ".join(words[position + 1 :])
        if position and _STATEMENT.search(follows):
            return ""  # "the last page is ...": a noun after an article
        if position and position < len(words):
            return "" if words[position - 1] in _NOUN_OPENERS else bare
        return bare
    return ""


def _is_verb(word: str) -> bool:
    """Return whether the list of English words has an inflected form of a verb for this word."""
    stem = word.removesuffix("e")
    forms = (stem + "ing", stem + "ed", stem + word[-1] + "ing", stem + word[-1] + "ed")
    return any(map(is_english_word, forms))


_NOUN_OPENERS: Final = frozenset(
    "a an the this that these those each every all any some no both one two three several many most"
    " such another other for in on at by with within inside outside from to of as since because"
    " during through across between among under over per its their our your when if where while"
    " which what unless until before after only is are".split()
)
