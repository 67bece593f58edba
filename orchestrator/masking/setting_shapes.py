"""Shapes of secrets after a name: in settings, code, tables and login files."""

# ruff: noqa: E501 -- a pattern is read as a whole

from orchestrator.masking.name_patterns import (
    ASSIGNED,
    BEFORE,
    LOOSE_HINTS,
    LOOSE_NAME,
    NAME,
    PASS_NAME,
    SURE_HINTS,
    SURE_NAME,
    WORD,
)
from orchestrator.masking.shape import Shape
from orchestrator.masking.value_checks import (
    CODE,
    PLACEHOLDER,
    is_bare,
    is_given,
    is_literal,
    is_pair,
    is_prose,
    is_random,
    is_scrambled,
    is_slug,
    is_word,
)

SETTINGS: tuple[Shape, ...] = (
    # An environment's variable, in capitals: its value is a secret whatever it looks like.
    Shape(
        "secret",
        (*SURE_HINTS, "auth", "_pat", "_pw", "signature", "cookie", "creds", "pin", "otp"),
        r"(?:(?<![\w.])|(?<=\\x00))(?-i:[A-Z0-9_]{0,60}?(?:PASS(?:W(?:OR)?D|PHRASE|CODE)?|PWD|SECRET|"
        r"TOKEN|CREDENTIALS?|CREDS|APIKEY|_KEY|_PAT|_AUTH|_PW|_PIN|_OTP|SIGNATURE|COOKIE)"
        r"(?!_?(?:FILE|PATH|DIR|NAME|POLICY|ID|ARN|URL|TYPE|LENGTH|TTL|VERSION|STORE|HINT|ALGORITHM|"
        r"COUNT|SIZE|SERVER|PARALLELISM|IZER))(?:_[A-Z0-9_]{0,30})?)(?:\[\d+\])?="
        rf"(?P<s>{WORD})",
        lines=1,
        accept=lambda value: is_given(value) and not (value.isdigit() and len(value) < 4),
    ),
    # A number, or a word that nothing but white space or quotes ends: no argument in code.
    Shape(
        "password",
        ("pass", "pwd", "pw"),
        rf"{BEFORE}[\w.-]{{0,60}}?{PASS_NAME}['\"]?\]?[=:][ \t]?['\"]?(?P<s>\d{{6,40}})(?![\w.])"
        rf"|(?:^|(?<=[\s'\"`]))[\w.-]{{0,60}}?{PASS_NAME}=(?P<t>[A-Za-z]{{5,40}})(?=[\s'\"`]|$)",
        accept=lambda value: value.isdigit() or (is_word(value) and is_given(value)),
    ),
    Shape("secret", ("pat=", "pin=", "otp=", "pw="),
          rf"(?<![\w.])(?-i:PAT|PIN|OTP|PW)=(?P<s>{WORD})", accept=lambda value: len(value) > 3 and is_given(value)),
    Shape("pin", ("pin", "otp"),
          r"(?<![a-z])(?:pin|otp|pin[_-]?code)\\?['\"]?[ \t]*[:=][ \t]*\\?['\"]?(?P<s>\d{4,12})(?![\w.])"),
    Shape("password", ("password for", "passphrase for"),
          r"\bpass(?:word|phrase) for [^\n]{1,120}?:[ \t]+(?P<s>[^\s'\"`\])},;]{6,200})(?=[\s'\"`\])},;]|$)", accept=is_bare),
    # A whole line of a settings file.
    Shape(
        "secret",
        SURE_HINTS,
        rf"^[+ -]?(?:export\s+|set\s+|ENV\s+|ARG\s+)?[\w.-]{{0,60}}?{SURE_NAME}[\w.-]{{0,20}}="
        r"(?P<s>[^\s'\"=(){}$,&]\S{3,400})[ \r]*$",
        accept=lambda value: is_given(value) and not CODE.fullmatch(value),
    ),
    Shape(
        "password",
        ("pass", "pwd", "kennwort"),
        rf"^[+ -]?\s*(?:- )?['\"]?[\w.-]{{0,60}}?{PASS_NAME}['\"]?:[ \t]+(?P<s>[^\W_]{{4,60}})[ \r]*$",
        accept=is_word,
    ),
    Shape(
        "password",
        ("pass", "pwd"),
        rf"\\?['\"][\w.-]{{0,60}}?{PASS_NAME}\\?['\"][ \t]*:[ \t]*\\?\"(?P<s>[^\W_]{{4,60}})\\?\"",
        accept=is_word,
    ),
    Shape(
        "password",
        ("passwd", "password"),
        r"^[+ -]?(?:admin|db|root|smtp|mail|master|user)_passw(?:or)?d = (?P<s>[^\W_]{4,60})[ \r]*$",
        accept=is_word,
    ),
    Shape(
        "secret",
        SURE_HINTS,
        rf"{BEFORE}{NAME}\\?['\"]?\]?{ASSIGNED}(?P<s>(?:(?!%26|\\[rn]|\\x00)[^\s'\",;(){{}}\[\]<>`&]|&(?=\w)(?!amp;|[\w.-]{{1,40}}=)){{4,400}})(?![\w(\[])",
        accept=is_bare,
    ),
    Shape(
        "secret",
        SURE_HINTS,
        rf"{BEFORE}{NAME}['\"]?\]?(?:[ \t]*:[ \t]*\w+[ \t]*=[ \t]*|{ASSIGNED})[rbfun]{{0,2}}"
        r"(?:\"(?P<s>(?:[^\"\\\n]|\\[\s\S]){1,400})\"|'(?P<t>(?:[^'\\\n]|\\.|''){1,400})')",
        lines=1,
        accept=is_literal,
    ),
    Shape(
        "secret",
        SURE_HINTS,
        rf"{BEFORE}{NAME}\\['\"]{ASSIGNED}\\['\"](?P<s>[^'\"\\\n]{{1,400}})\\['\"]",
        accept=is_literal,
    ),
    Shape(
        "secret",
        LOOSE_HINTS,
        rf"{BEFORE}{LOOSE_NAME}\\?['\"]?\]?{ASSIGNED}\\?['\"]?(?P<s>[\w+/~=.!@#%^*-]{{10,400}})(?![\w(\[])",
        accept=lambda value: is_random(value) or is_scrambled(value),
    ),
    Shape(
        "secret",
        (*SURE_HINTS, "_key"),
        rf"{BEFORE}(?:{NAME}|\w{{1,40}}_key)['\"]?{ASSIGNED}(?:[|>][+-]?|\"\"\"|\x27\x27\x27)[ \t]*\n"
        r"[ \t+-]*(?P<s>[^\s'\"]{8,400})",
        lines=1,
        accept=is_pair,
    ),
    Shape("password", ("pwd=[-", "password=[-"),
          r"(?:pwd|password)=\[-(?P<s>[^\]\n]{1,100})-\]\{\+(?P<t>[^}\n]{1,100})\+\}"),
    # Name and value beside each other: words, arguments, columns, attributes, elements.
    Shape(
        "secret",
        ("key", "token", "pass", "secret"),
        r"\b(?<!public )(?:[\w.-]{0,60}(?:[-_]key|token|secret)|[\w.-]{0,60}passw(?:or)?d)['\"]?,?[ \t]+"
        r"(?:is\s+|was\s+|to\s+)?['\"]?(?P<s>[\w+/=.~!@#$%^&*-]{12,400})",
        accept=lambda value: is_random(value) and not is_slug(value),
    ),
    Shape("password", ("password ", "passphrase "),
          r"\bpass(?:word|phrase)[ \t]+(?:to|is|was)[ \t]+['\"]?(?P<s>[^\s'\",;`\])}]{6,100})",
          accept=is_bare),
    Shape("secret", SURE_HINTS,
          rf"['\"]{NAME}['\"],[ \t]*['\"](?P<s>[^'\"\n]{{4,400}})['\"]", accept=is_literal),
    Shape(
        "secret",
        SURE_HINTS,
        rf"\b(?:name|key)['\"]?[ \t]*[:=][ \t]*['\"]?{NAME}['\"]?,?[ \t]*\n?[ \t~+-]*['\"]?value['\"]?"
        r"[ \t]*[:=][ \t]*(?:\"(?P<s>[^\"\n]{4,400})\"(?:[ \t]*->[ \t]*\"(?P<t>[^\"\n]{4,400})\")?"
        r"|(?P<u>[^\s'\"]{4,400}))",
        lines=1,
        accept=lambda value: is_literal(value) and not CODE.fullmatch(value),
    ),
    Shape(
        "secret",
        SURE_HINTS,
        rf"<(?:\w+:)?\w{{0,40}}?{SURE_NAME}\w{{0,20}}(?:\s[^<>\n]{{0,300}})?>(?P<s>[^<>\n]{{3,400}})</"
        r"|<input\b[^<>\n]{0,200}password[^<>\n]{0,200}\bvalue=['\"](?P<t>[^'\"\n]{3,200})",
        accept=is_literal,
    ),
    Shape("secret", ('name="', "name='"),
          rf"\bname=['\"]{NAME}['\"]\r?\n[+ -]?\r?\n[+ -]?(?P<s>[^\n\r]{{3,400}})", lines=2),
    Shape("password", ("random_password",), r"['\"]result['\"]:\s*['\"](?P<s>[^'\"\n]{4,200})", lines=3),
    Shape(
        "password",
        ("identified", "password", "pwd"),
        r"\b(?:identified\s+by|(?:with\s+)?(?:encrypted\s+)?password(?:\s*=\s*N?|\s*\(|\s+))\s*"
        r"'(?P<s>(?:[^'\n]|''){3,200})'",
        accept=lambda value: not PLACEHOLDER.fullmatch(value) and not is_prose(value),
    ),
    # ---- login files
    Shape("password", ("login", "machine"),
          r"\blogin\s+\S{1,100}[\s+-]+passw(?:or)?d\s+(?P<s>\S{1,300})", lines=2),
    Shape("password", ("passw",),
          r"^[+ -]?\s*passw(?:or)?d\s+(?P<s>[^\s:=,.(){}'\"]{4,200})$", accept=lambda value: is_bare(value) and not is_slug(value)),
    Shape(
        "password",
        (":5432:", ":*:", ":3306:"),
        r"(?:^[+ -]?|(?<=[\s'\"`\[(]))[\w.*-]{1,100}:(?:\d{2,5}|\*):[\w.*-]{1,60}:[\w.*-]{1,60}:"
        r"(?P<s>[^\s'\"`\])},]{1,200})(?=[\s'\"`\])},]|:?\s|$)",
    ),
    Shape(
        "password",
        tuple(f":{digit}" for digit in range(1, 10)),
        r"(?:^[+ -]?|(?<=[\s'\"`\[(]))(?![^\s:]{0,100}\.(?:py|pyx|js|jsx|ts|tsx|c|h|cc|cpp|hpp|go|rs|java|kt|rb|php|cs|sh|sql|html|css|ya?ml|json|toml|md|txt):)"
        r"[\w.*-]{1,100}:\d{4,5}:(?!\d+:)[\w.*-]{1,60}:[\w.*-]{1,60}:(?P<s>[^\s:'\"`\])},]{6,200})(?=[\s'\"`\])},]|:?\s|$)",
        accept=is_bare,
    ),
    Shape(
        "auth",
        ('"auth"', "'auth'", "_auth", "_password", "identitytoken", "registrytoken"),
        r"(?:['\"](?:auth|identitytoken|registrytoken)['\"]\s*:\s*['\"]|\b_(?:auth(?:Token)?|password)\s*=\s*['\"]?)"
        r"(?P<s>[\w+/=.-]{8,4000})",
        accept=is_pair,
    ),
    Shape(
        "certificate key",
        ("client-key-data", "key-data", "tls.key"),
        r"\b(?:client-key-data|tls\.key|key-data)['\"]?\s*:\s*['\"]?(?P<s>[\w+/=]{20,8000})",
    ),
    Shape("account key", ("accountkey", "sharedaccesskey", "password=", "pwd="),
          r"\b(?:Account|SharedAccess|Access)Key=(?P<s>[^\s;'\"]{8,200})"
          r"|[;'\"](?:password|pwd)=(?P<t>[^;'\"\n\[]{1,200})(?=[;'\"]|$)"),
)  # fmt: skip
