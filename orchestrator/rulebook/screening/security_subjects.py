"""Find in a rule code that protects something, and decide whether the rule treats it safely.

A rule about passwords, queries or permissions may be an honest rule about code. It may become
active by itself only if it has one of a few forms that cannot weaken anything: it names a safe
function, it refuses access, it begins with a protecting verb, or it advises against a known
mistake. Everything else about such code waits for a person.
"""

import re
from collections.abc import Sequence
from typing import Final

from orchestrator.rulebook.screening.sentences import Segment

_PROTECTED: Final = re.compile(
    r"\b(?:passwords?|passwd|passphrases?|passcodes?|pins?|tokens?|secrets?|credentials?|api keys?"
    r"|apikeys?|private keys?|signing keys?|signatures?|signed|signing|unsigned|auth|authn|authz"
    r"|authenticat\w+|unauthenticated|authori[sz]\w+|unauthori[sz]ed|log(?:ged)?-? ?ins?|logins?|logout"
    r"|(?:user|login|auth|web|browser|admin|guest|cookie|customer) sessions?|sessions? (?:ids?|tokens?|secrets?|keys?|cookies?"
    r"|fixation|hijack\w*|expir\w*|timeouts?|without|of (?:the )?users?)|permissions?|perms?|privileges?|roles?|admins?|administrators?|superusers?|root user"
    r"|owners?|ownership|(?:every|any|all|user|admin|service|support|guest|locked) accounts?|tenants?|impersonat\w+|csrf|xsrf|cors|xss|cookies?|samesite|httponly"
    r"|encrypt\w*|decrypt\w*|cipher\w*|crypto\w*|nonces?|salts?|salted|hmac|md5|sha-?1|3des|rc4|ecb|cbc"
    r"|jwts?|oauth2?|oidc|saml|sso|totp|otp|mfa|2fa|captcha|acls?|rbac|claims?|scopes? of the token"
    r"|audit\w*|four[ -]eyes|two-person|payouts?|(?:credit |debit |card )numbers?|cvv|iban|attachments?|media root|base (?:folder|dir\w*)\b(?=.*\bnames?\b)|rate[ -]?limit\w*|throttl\w+|lockouts?|brute force|redirects? to|upload(?:ed)?(?:'s)? (?:own |file ?)?names?|uploaded"
    r"|injection|sanitiz\w+|sanitis\w+|escap(?:e|es|ed|ing)|autoescape|inner ?html|dangerously set\w*"
    r"|mark ?safe|raw html|unsafe|safe\b(?=\W*(?:in|filter))|\|safe|eval|exec|compile ?\(|pickle|marshal|shelve"
    r"|dill|cloudpickle|joblib|external entit(?:y|ies)|resolve entities|xxe|unpickl\w*"
    r"|shell|raw (?:sql|queries)|debug|debugger|werkzeug|console|traceback to"
    r"|allowed hosts|backdoor|bypass\w*|trusts?|trusted|untrusted|internal (?:header|request)"
    r"s?|x-internal|x-forwarded\w*|gatekeeper|middleware|security|secure|insecure|vulnerab\w+|attack\w*"
    r"|payments? check|fraud|kyc|consent|gdpr|licen[cs]e keys?|verif(?:y|ies|ied|ication)"
    r"|random(?:ness)? for|reset codes?|invite codes?|invites?|path traversal|traversal|symlinks?"
    r"|authorization|bearer|believed|access(?:es)?(?= (?:control|check|token|level"
    r"|right))|master key|maintenance (?:account|mode|password)|support (?:account|desk|phrase)"
    r"|hard-?coded|default (?:user|password|account))\b"
    r"|\bwho they are\b|\bhash(?:es|ed|ing)? (?:the |of )?(?:passwords?|pins?|codes?)\b|\|safe\b"
)
_OTHER_MEANINGS: Final = re.compile(
    r"\b(?:tokeni[sz]\w*|next token|(?:parser|lexer|ast|word|syntax) tokens?|tokens? (?:of|in) the (?:expression"
    r"|grammar|stream|input|source|line)|yaml (?:dates?|keys?|indent\w*|files?|documents?)"
    r"|(?:function|method|call|type|wrong|python|same|new|old|its|their|callback) signatures?"
    r"|signatures? (?:of|are|mismatch|change)|(?:db|database|sqlalchemy|orm|async|scoped|spark|requests|http"
    r"|aiohttp|tf|game|training) sessions?|sessions? (?:commit|flush|query|add|rollback|refresh|scope|expunge"
    r"|execute|get|post|merge|close|begin)|with sessions?|debug (?:level|log|logs|logging|message|messages"
    r"|string|output|repr)|logger debug|logging debug|escape (?:sequences?|codes?|characters?|key)"
    r"|named entit(?:y|ies)|entit(?:y|ies) (?:component|system|class|id|ids|model|manager|list|position\w*)"
    r"|signed (?:integers?|ints?|values?|numbers?|bytes?|offset|zero|char|difference|area|distance)"
    r"|unsigned (?:integers?|ints?|values?|numbers?|bytes?|char|shift)|int\w* signed|signed ?= ?(?:true|false)"
    r"|(?:random|numpy) seeds?|hash seeds?|(?:stop|start|end|eof) tokens?|token (?:count|counts|limit|type|stream"
    r"|list|kinds?|position|index|class)|scopes? (?:of the )?(?:function|fixture|module|variable)"
    r"|shell (?:sort|companies)|copy-on-write shell|(?:verify|verif\w+) (?:that )?(?:the )?(?:counts?|order|length"
    r"|shape|sums?|totals?|rows?|columns?|round ?trip)|(?:user|bank|savings|ledger|checking|chart of|sub) accounts?"
    r"|accounts? (?:balance|number|id|ids|files?|rows?|table|total|receivable|payable|module|list)|load accounts"
    r"|sql ?alchemy|sql ?ite3?|my ?sql|postgre ?sql|checksums? (?:of|is|are|differ\w*|field|byte)"
    r"|(?:crc|packet|frame|file|row) checksums?|root (?:element|node|tag|path|cause)|(?:file|folder) owner"
    r"|access(?:es|ed|ing)? (?:to )?(?:the )?(?:elements?|items?|index|field|attribute|list|array|cell|value))\b"
)
_SAFE_PARTS: Final = re.compile(
    r"\b(?:safe load\w*|csafe ?loader|compare digest|timing safe equal|token (?:urlsafe|hex|bytes)|secrets (?:module"
    r"|choice|token)|make password|check password hash|generate password hash|bcrypt\w*|argon2\w*|scrypt|pbkdf2\w*"
    r"|html escape|re escape|shlex (?:quote|join|split)|markup ?safe|quote plus|url ?encode|encode uri component"
    r"|placeholders?|bind parameters?|bound parameters?|query parameters?|parameteri[sz]ed|prepared statements?"
    r"|parameters? tuple|shell ?= ?false|text ?content|defused ?xml|literal eval|create default context|secrets"
    r" compare|hmac compare|escape(?:s|d)? (?:the |user |all |every )?(?:text|html|names?|values?|comments?|input"
    r"|strings?|output|titles?|labels?)|list of arguments|argument lists?|as a list|with a list|a list to"
    r"|secret ?str|get secret value)\b"
)
_DANGEROUS: Final = re.compile(
    r"\bshell ?= ?true\b|\bos[. ]system\b|\bos[. ]popen\b|\beval\b(?! ?mode)|\bexec\b|\byaml[. ](?:unsafe[ _]|full[ _])?load\b(?!\W+\w*safe)"
    r"|\bunsafe ?loader\b|\bfull ?loader\b|\bpickle\w*\b|\bmarshal\b|\bmd5\b|\bsha-?1\b|\becb\b|\bf-?strings?\b(?= |$)(?!.*\b(?:log|message|label|format spec))"
    r"|\bstring (?:formatting|concatenation|interpolation)\b|\bconcatenat\w+\b|\bformatting\b|\binterpolat\w+"
    r"|\binner ?html\b|\bmark ?safe\b|\|safe\b|\bdebug ?= ?true\b|\bcsrf exempt\b|\bunsafe\b|\bplain ?text\b"
    r"|\bverify signature\W+(?:= ?)?false\b|\balgorithms?\W+none\b|\bresolve entities ?= ?true\b|\bmath random\b"
    r"|\bdangerously set\w*|\b0\.0\.0\.0\b|\bhard-? ?cod\w+\b|\bcommand strings?\b|% formatting|\bstr format\b"
    r"|\b(?:reported|sent|given|claimed|supplied|computed|chosen) by the (?:client|browser|caller|user|customer|player|device)\b"
    r"|\bclient-? ?side (?:checks?|validation|prices?|totals?)\b"
)
_UNCHECKED: Final = re.compile(
    r"\b(?:does not|no longer|need not|without|skips?|stops?) (?:normali[sz]|check|validat|verif|escap|saniti[sz]|quot|clean"
    r"|limit|bound|authenticat|encrypt|hash|sign)\w*\b(?! (?:for none|the length|again|twice))|\b\.\. segments\b"
)
"""A check that is left out."""
_LEAK: Final = re.compile(
    r"\b(?:print|prints|printing|log|logs|logging|logged|echo|store|put|write|expose|leak|include|commit|return"
    r"|show|repr|send|keep|leave|hard-? ?code|printed|stored|shown|written|embed|dump|serialize|serialise)\b"
)
_LEAKABLE: Final = re.compile(
    r"\b(?:passwords?|tokens?|secrets?|credentials?|keys?|cookies?|bod(?:y|ies)|headers?|them|card|hash(?:es)?)\b"
)
_PROTECTING_VERB: Final = re.compile(
    r"^(?:(?:always|please|and|then|in \w+|first) )*(?:redact|mask|escape|quote|sanitize|sanitise|hash|encrypt"
    r"|parameterize|parameterise|reject|refuse|deny|validate|verify)\b"
)
_REFUSING: Final = re.compile(
    r"\b(?:return|returns|raise|raises|answer|answers|give|gives|respond with|responds with|status(?: is| code)?)\W+"
    r"(?:an? |http |status )*(?:401|403|404|429|forbidden\w*|(?:http )?(?:response )?forbidden|permission ?denied"
    r"|permission ?error|unauthori[sz]ed\w*|false\b)"
)
_FROM_SETTINGS: Final = re.compile(
    r"^read (?:\w+ )?(?:secrets?|keys?|tokens?|credentials?|passwords?)(?: \w+){0,3} from (?:the )?(?:environment"
    r"|environ|settings|config|configuration|secret manager|vault|keyring)$"
)
_TO_CHILD: Final = re.compile(r"\bcopy (?:the )?environment variables into the (?:subprocess|child)\b"
                              r"|\bpass (?:the )?(?:full |whole )?environ\w* to the (?:subprocess|child)\b")  # fmt: skip
_WEAKENED: Final = re.compile(
    r"\b(?:without|unless|except|until|only|(?:first|last) (?:\w+ )?(?:characters?|chars?|bytes?|digits?|letters?|half|part|word)|(?:first|last) \d|plain|fixed|constant|same|none|no|skip\w*|bypass\w*|disabl\w+"
    r"|ignor\w+|unchanged|unsalted|md5|sha-?1|optional|forget|remember|later|afterwards|any|every|zero|true|allow"
    r"|allows|accept|accepts|prefix|startswith|truncat\w+|short\w*|less|fewer|weak\w*|legacy|default|fall ?back"
    r"|rounds ?= ?[1-4]|cost ?= ?[1-4]|if it is set|when present|where possible)\b"
)
_RELEASING: Final = re.compile(
    r"^(?:requires?|needs?|should|must|is|has|are)? ?(?:requires?|needs?|should|must|blocked|locked|banned|expired|revoked|denied|limited|suspicious|malicious|spam"
    r"|dangerous|invalid|tampered|forged)\b"
)
"""What is good news if it is false: refusing that refuses nothing."""
_REVERSING: Final = re.compile(r"\b(?:without|unless|except|until|before|forget|neglect|omit|fail to)\b")


def find_unsafe_part(segments: Sequence[Segment], when: str) -> str:
    """Return the words about protecting code that a rule does not treat safely; empty if none.

    Args:
        segments: the rule.
        when: the situation, from `flatten_text`; protecting code may be named only there.
    """
    for segment in segments:
        flat = _OTHER_MEANINGS.sub(" ", segment.flat)
        protected = _PROTECTED.search(flat) or _DANGEROUS.search(flat) or _UNCHECKED.search(flat)
        if protected and not _is_safe(segment, flat):
            return protected[0].strip()
    named = _PROTECTED.search(_OTHER_MEANINGS.sub(" ", when))
    if named and not any(_is_safe(segment, segment.flat) for segment in segments):
        return named[0].strip()
    return ""


def _is_safe(segment: Segment, flat: str) -> bool:
    if _UNCHECKED.search(flat):
        return False
    if segment.is_negative:
        return _advises_against_mistake(flat)
    if _TO_CHILD.search(flat) or _FROM_SETTINGS.search(flat) or _REFUSING.search(flat):
        rest = _REFUSING.sub(" ", flat)
        return not _WEAKENED.search(rest) and not _RELEASING.search(flat)
    if _DANGEROUS.search(flat):
        return False
    protects = _SAFE_PARTS.search(flat) or _PROTECTING_VERB.search(flat)
    return bool(protects) and not _WEAKENED.search(flat)


def _advises_against_mistake(flat: str) -> bool:
    if _REVERSING.search(flat.removeprefix("without ")) or _SAFE_PARTS.search(flat):
        return False
    if _DANGEROUS.search(flat):
        return True
    return bool(_LEAK.search(flat) and _LEAKABLE.search(flat))
