"""Shapes of secrets on command lines."""

# ruff: noqa: E501 -- a pattern is read as a whole

from orchestrator.masking.name_patterns import LOOSE_NAME, NAME, SURE_HINTS, SURE_NAME, WORD
from orchestrator.masking.shape import Shape
from orchestrator.masking.value_checks import PLACEHOLDER, is_bare, is_given

COMMANDS: tuple[Shape, ...] = (
    Shape(
        "password",
        (" -u", " --user", " --proxy-user", "creds", "--auth", " -a "),
        r"\s(?:-u|--user|--proxy-user|--(?:src-|dest-)?creds|--auth|-a)[\s=]*['\"]?[^\s:'\"/=<$]{1,100}:"
        r"(?P<s>(?!//)[^\s'\"]{1,300})",
        accept=lambda value: not value.isdigit() and not PLACEHOLDER.fullmatch(value),
    ),
    Shape("password", ("curl", "wget", "http"),
          r"\b(?:curl|wget|https?)\b[^|;&\n]{0,200}?\s(?:-u|--user|--proxy-user|--auth|-a)[\s=]*['\"]?[A-Za-z][\w.@-]{0,60}:(?P<s>\d{4,40})(?![\w.])"),
    # What programs have in common that take a user and a password.
    Shape(
        "password",
        (" -p", " -w"),
        r"\s(?:-u|-U|--user(?:name)?)[ =]?[^\s-]\S{0,60}[ \t](?:[^|;&\n]{0,100}[ \t])?(?-i:-p|-w|-P)[ =]?(?P<s>[^\s'\"`&|;<>\])},-][^\s'\"`&|;<>\])},]{5,100})(?=[\s'\"`\])},:]|$)",
        accept=is_bare,
    ),
    Shape("secret", ("secret set", "secrets set", "variable set"),
          rf"\bsecrets?\s+set\s+\S+\s[^|;&\n]{{0,100}}?(?:--body|--value|-b)[ =](?P<s>{WORD})", accept=is_given),
    Shape("secret", ("setx", "setenv"), rf"\b(?:setx|setenv)\s+(?:/m\s+)?{NAME}\s+(?P<s>{WORD})", accept=is_given),
    Shape("secret", ("<(echo", "<(printf", "command"),
          r"(?:<\(|-command[ =]['\"])(?:echo|printf)\s+(?:['\"]%s['\"]\s+)?(?P<s>[^\s'\")]{4,200})", accept=is_given),
    Shape("password", ("nmcli",), rf"\bnmcli\b[^|;&\n]{{0,200}}?\spassword\s+(?P<s>{WORD})", accept=is_given),
    Shape("password", ("lftp",), r"\blftp\b[^|;&\n]{0,200}?\s-u\s+[^\s,]{1,60},(?P<s>[^\s'\"]{1,200})"),
    Shape(
        "password",
        ("mysql", "mariadb", "mongo"),
        rf"\b(?:mysql\w*|mariadb\w*|mongo\w*)\b[^|;&\n]{{0,300}}?\s-p(?P<s>{WORD})",
        accept=is_given,
    ),
    Shape(
        "password",
        ("mongo", "redis-cli", "sshpass", "login", "7z", "rar", "twine", "psexec"),
        r"(?:\b(?:mongo\w*|sshpass|psexec\w*|twine\s+upload|"
        r"(?:docker|podman|helm|az|oc|npm|registry)\s+(?:registry\s+)?login|login|7z\w?|u?n?rar)\b"
        rf"[^|;&\n]{{0,300}}?\s-p|\bredis-cli\b[^|;&\n]{{0,300}}?\s-a)[\s=]*(?P<s>{WORD})"
        r"|\bsshpass['\"],\s*['\"]-p['\"],\s*['\"](?P<t>[^'\"\n]{1,200})",
        accept=is_given,
    ),
    Shape("password", ("ldap",), rf"\bldap\w+\b[^|;&\n]{{0,300}}?\s-w\s*(?P<s>{WORD})",
          accept=is_given),
    Shape(
        "password",
        ("sqlcmd", "bcp", "zip", "smbclient", "ipmitool", "ssh-keygen"),
        rf"\b(?:sqlcmd|bcp|zip|ipmitool)\b[^|;&\n]{{0,300}}?\s(?-i:-P)\s*(?P<s>{WORD})"
        rf"|\bunzip\b[^|;&\n]{{0,300}}?\s(?-i:-P)\s*(?P<v>{WORD})"
        rf"|\bssh-keygen\b[^|;&\n]{{0,300}}?\s(?-i:-[NP])\s*(?P<u>{WORD})"
        rf"|\bsmbclient\b[^|;&\n]{{0,300}}?-U\s+[^\s%]+%(?P<t>{WORD})",
        accept=is_given,
    ),
    Shape("password", ("net use",), r"\bnet\s+use\b[^\n]{0,200}?\s\\\\\S+\s+(?P<s>[^\s/]\S{2,100})\s+/user:"),
    Shape("password", ("securestring",),
          r"ConvertTo-SecureString\s+(?:-String\s+)?['\"](?P<s>[^'\"\n]{1,200})['\"]"),
    Shape("password", ("http-basic",), r"\bhttp-basic\.\S+\s+\S+\s+(?P<s>\S{3,200})"),
    Shape(
        "secret",
        ("<<<",),
        rf"\b(?:sudo|login|passwd|chpasswd|su)\b[^\n]{{0,200}}?<<<\s*(?P<s>{WORD})",
        accept=is_given,
    ),
    Shape(
        "password",
        ("htpasswd",),
        rf"\bhtpasswd\s(?:[^|;&\n]{{0,200}}?\s)?-\w*(?-i:b)\w*\s+\S+\s+\S+\s+(?P<s>{WORD})",
    ),
    Shape("password", ("enc ",), rf"\bopenssl\s+enc\b[^|;&\n]{{0,300}}?\s-k\s+(?P<s>{WORD})"),
    Shape(
        "secret",
        ("vault ",),
        r"\bvault\s+(?:kv\s+(?:put|patch)|write)\s+(?:-\S+\s+)*\S+"
        + "".join(rf"(?:\s+[\w.-]+=(?P<s{n}>{WORD}))?" for n in range(6)),
        accept=is_bare,
    ),
    Shape("secret", ("--from-literal",), rf"--from-literal[=\s]+['\"]?[^\s=]+=(?P<s>{WORD})",
          accept=lambda value: not value.isalpha()),
    Shape("password", ("pass:",), rf"\bpass:(?P<s>{WORD})"),
    Shape(
        "password",
        ("password-stdin", "sudo", "chpasswd", "--stdin", "with-token"),
        rf"\b(?:echo|printf)\s+(?:-\w+\s+)*(?:['\"]%s(?:\\n)?['\"]\s+)?(?P<s>{WORD})"
        r"(?=[^|;&\n]{0,200}\|[^;&\n]{0,200}(?:--password-stdin|--with-token|\bpasswd\s+--stdin"
        r"|\bchpasswd|\bsudo\s(?:[^|;&\n]*\s)?-\w*(?-i:S)))",
        accept=is_given,
    ),
    Shape(
        "secret",
        SURE_HINTS,
        rf"(?<![\w-])--?{NAME}(?:[ \t]+|=|['\"],[\s+-]*['\"])(?!-)(?P<s>{WORD})",
        lines=1,
        accept=lambda value: (
            # `[--password PASSWORD]` is how usage is written.
            is_given(value) and not (value.endswith("]") and value.strip("'\"]").isalpha())
        ),
    ),
    Shape(
        "secret",
        ("auth", "pat", "pw", "key", "sid", "pin", "otp", "cookie", "dsn", "session", "sig"),
        rf"(?<![\w-])--{LOOSE_NAME}(?:\s+|=)(?!-)(?P<s>[^\s'\"&;|<>\\:]{{8,}})(?!:)",
        accept=is_bare,
    ),
    Shape("secret", ("--pw ", "--pw=", "--auth "),
          r"(?<![\w-])--(?:pw|auth)[\s=]+(?P<s>[^\s'\"&;|<>\\:-][^\s'\"&;|<>\\:]{3,100})(?=\s|$)"),
    Shape(
        "secret",
        ("set ", "config "),
        rf"\b(?:configure|config|parameter)\s+set\s+(?:--?\S+\s+){{0,3}}\S{{0,60}}{SURE_NAME}\S{{0,40}}"
        rf"\s+(?P<s>{WORD})",
        accept=is_given,
    ),
)  # fmt: skip
