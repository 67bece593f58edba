"""Shapes of tokens and keys by their vendor's format.

From the vendors' documentation, and from public secret scanners.
"""

# ruff: noqa: E501 -- a pattern is read as a whole

from orchestrator.masking.shape import Shape
from orchestrator.masking.value_checks import is_key

_BEGIN = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"

FORMATS: tuple[Shape, ...] = (
    Shape(
        "private key",
        ("private key",),
        rf"{_BEGIN}(?:[\w+/=\s\\:,.\"'>|()-]{{0,8000}}?{_END}|[A-Za-z0-9+/=\s\\\"'+-]{{0,8000}})"
        # The group itself is not possessive: before 3.11.5 such a group can fail to match (CPython
        # gh-106052), and Debian 12 has 3.11.2. Each line reads one way, so little is tried twice.
        rf"|^(?:[+ -]?+[A-Za-z0-9+/=]{{1,80}}+[ \r]*+\n){{1,400}}[+ -]?{_END}",
        lines=-1,
    ),
    Shape(
        "private key",
        ("private-lines:",),
        r"^[+ \t-]{0,20}Private-Lines: \d+\r?\n(?P<s>(?:[+ \t-]{0,20}[A-Za-z0-9+/=]{1,80}\r?\n){1,100})",
        lines=100,
    ),
    Shape("private key", ("kty",), r"['\"](?:d|dp|dq|qi|k|p|q)['\"]\s*:\s*['\"](?P<s>[\w-]{16,2000})['\"]", lines=12),
    Shape("key id", ("private_key_id", "privatekeyid"),
          r"\bprivate_?key_?id['\"]?\s*[:=]\s*['\"]?(?P<s>[0-9a-f]{16,64})"),
    Shape("json web token", ("eyj",), r"\beyJ[\w-]{8,2000}\.(?:[\w-]{4,4000}(?:\.[\w-]{0,4000}){0,3}|(?:\.[\w-]{0,4000}){1,3})|\beyJrIjoi[\w+/=-]{30,}"),
    Shape(
        "api key",
        ("sk-", "sk_", "pk_", "pk-", "rk_", "rk-", "whsec_"),
        r"\b(?:sk|pk|rk)[-_](?=[\w-]{0,200}\d)(?:[A-Za-z0-9]{1,20}[-_]){0,6}[A-Za-z0-9]{12,}[\w-]{0,400}"
        r"|\bwhsec_[\w+/=]{16,}",
    ),
    Shape(
        "github token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"(?:gh[pousr]_[A-Za-z0-9]{10,}|github_pat_\w{10,})",
    ),
    Shape("gitlab token", ("glp", "glo", "gld", "glr", "gls", "glc", "glf", "gli", "gla"),
          r"\bgl(?:pat|oas|dt|rt|soat|cbt|ptt|ft|imt|agent|ffct)-[\w.-]{10,}"),
    Shape("aws key", ("akia", "asia", "abia", "acca"), r"\b(?-i:A(?:KIA|SIA|BIA|CCA)[0-9A-Z]{12,})"),
    Shape(
        "google key",
        ("aiza", "ya29.", "gocspx-", "1//0"),
        r"\bAIza[\w-]{20,}|\bya29\.[\w-]{10,}|\bGOCSPX-[\w-]{20,}|\b1//0[\w-]{30,}",
    ),
    Shape(
        "slack token",
        ("xox", "xapp-", "xwfp-"),
        r"\b(?:xox[abcdeoprs][.-]|xapp-|xwfp-)[\w.-]{10,}",
    ),
    Shape(
        "token",
        ("hf_", "npm_", "dop_v1_", "doo_v1_", "dor_v1_", "shpat_", "shpca_", "shppa_", "shpss_",
         "lin_api_", "dckr_", "pypi-", "age-secret-key-", "glsa_", "glc_", "nrak-", "pul-", "figd_",
         "ntn_", "rdme_", "dp.", "ops_ey", "sntrys_", "sntryu_", "phc_", "phx_", "r8_", "gsk_",
         "xai-", "tvly-", "pplx-", "nvapi-", "tgp_v1_", "jina_", "lsv2_", "sbp_", "rnd_", "fo1_",
         "aio_", "pcsk_", "nfp_", "pscale_", "pnu_", "sgp_", "rpa_", "hvs.", "hvb.", "hvr.", "dt0",
         "pmak-", "ezak", "eztk", "sq0", "shippo_", "duffel_", "flyv1 ", "vercel_", "atlasv1.",
         "re_", "sg.", "key-", "eaaa", "atatt", "pat", "squ_", "sqp_", "sqa_", "rubygems_"),
        r"\b(?:hf_|npm_|do[opr]_v1_|shp(?:at|ca|pa|ss)_|lin_api_|dckr_[po]at_|pypi-|AGE-SECRET-KEY-"
        r"|gl(?:sa|c)_|NRAK-|pul-|figd_|ntn_|rdme_|dp\.(?:pt|st|ct|sa)\.|ops_ey|sntry[su]_|ph[cx]_"
        r"|r8_|gsk_|xai-|tvly-|pplx-|nvapi-|tgp_v1_|jina_|lsv2_(?:pt|sk)_|sbp_|rnd_|fo1_|aio_"
        r"|pcsk_|nfp_|pscale_(?:tkn|pw|oauth)_|pnu_|sgp_|rpa_|hv[sbr]\.|dt0[a-z]\d\d\.|PMAK-|EZ[AT]K"
        r"|sq0(?:atp|csp|idp)-|shippo_(?:live|test)_|duffel_(?:live|test)_|FlyV1 |vercel_)"
        r"(?=[\w.+/-]{0,200}\d)[\w.+/=-]{16,}"
        r"|\bATATT3xFfGF0[\w=-]{20,}|\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}|\bpat-(?:na|eu)\d-[0-9a-f-]{36}"
        r"|\bsq[upa]_[0-9a-f]{40}|\brubygems_[0-9a-f]{40,}|[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,}|\b(?-i:re_[A-Za-z0-9]{6,}_[A-Za-z0-9]{16,})"
        r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bkey-[0-9a-f]{32}\b|\b(?-i:EAAA[\w-]{60})",
    ),
    # What each vendor documents, or public scanners know: prefix, alphabet and length.
    Shape(
        "token",
        ("api_org_", "dapi", "lin_oauth_", "sb_secret_", "nral", "v1.0-", "cfut_",
         "cfat_", "cfk_", "tskey-", "q~", "atbb", "1/", "2/", "sdk-", "api-", "mob-", "bkua_",
         "bkct_", "bkaj_", "ccipat_", "ccipprj_", "cio", "akcp", "cmvmdgtu", "xkeysib-", "xsmtpsib-",
         "access-", "access_token$", "sl.", "eaac", "absk", "ltai", "akid", "aqvn", "cfpat-",
         "fio-u-", "s-s4t2", "ico-", "live_", "napi_", "scw", "snyk_", "tfp_", "flwseck",
         "wandb_v1_", "ak-", "as-", "csk-", "fw_", "fc-", "key_", "hrku-", "ddp_", "ddw_", "endr+", "rzp_"),
        r"\b(?:api_org_[A-Za-z]{30,}|dapi[0-9a-f]{32}(?:-\d)?|lin_oauth_\w{32,}|sb_secret_\w{31,60}"
        r"|cf(?:ut|at|k)_\w{30,}|tskey-[a-z]{2,10}-[\w-]{16,}|v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}"
        r"|[12]/\d{10,20}(?:/\d{10,20})?:[0-9a-f]{32}|(?:sdk|api|mob)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        r"|access-(?:sandbox|development|production)-[0-9a-f-]{36}|access_token\$(?:production|sandbox)\$\w+\$[0-9a-f]{32}"
        r"|bk(?:ua|ct|aj)_[0-9a-f]{40}|CCIP(?:AT|RJ)_\w{20,}|x(?:key|smtp)sib-[0-9a-f]{60,}-\w{16}"
        r"|FLWSECK(?:_TEST)?-[0-9a-f]{12,}(?:-X)?|snyk_[us]at\.\w+\.[\w-]{30,}|s-s4t2(?:ud|af)-[0-9a-f]{64}"
        r"|(?:napi|tfp|dd[pw]|wandb_v1)_\w{30,}|fio-u-[\w-]{60,}|CFPAT-[\w-]{40,}|HRKU-AA[\w-]{50,}"
        r"|rzp_(?:live|test)_\w{14,}|live_(?:pub_)?[0-9a-f]{35}\b|fc-[0-9a-f]{32}|key_[0-9a-f]{64}|api_org_\w{30,})"
        r"|\b(?-i:[0-9a-f]{36}NRAL|ATBB\w{28,}|cio(?=\w{0,31}\d)[A-Za-z0-9]{32}\b"
        r"|AKCp\w{60,}|cmVmdGtu\w{50,}|sl\.[\w-]{100,}|EAAC[A-Za-z0-9]{50,}|ABSK[\w+/=]{100,}|LTAI[A-Za-z0-9]{12,24}\b"
        r"|AKID[A-Za-z0-9]{30,36}\b|AQVN[\w-]{35,38}|ico-\w{32}\b|SCW[A-Z0-9]{17}\b|API-(?=[A-Z]{0,30}\d)[A-Z0-9]{25,40}\b"
        r"|a[ks]-(?=\w{0,21}\d)\w{22}\b|(?:csk-|fw_)(?=\w{0,40}\d)\w{22,}|endr\+\w{16})"
        r"|(?<![\w~.-])(?-i:[\w~.-]{3}\dQ~[\w~.-]{31,34})",
    ),
    # Vendors that are newer than this table: a prefix, and a part that was generated.
    Shape(
        "token",
        ("_", "-"),
        r"(?<![\w/+=.-])(?!sha\d)[a-z][a-z0-9]{1,15}(?:[_-][a-z0-9]{1,15}){0,3}[_-](?P<s>(?-i:[A-Za-z0-9]{32,200}))(?![\w/+=-])",
        accept=is_key,
    ),
    Shape("token", ("aaaaaaaaaaaaaaaaaaaa",),
          r"(?<![\w+/=])(?-i:A{20,22}[A-Za-z0-9%]{50,110})(?![\w+/=%])", accept=is_key),
    Shape("mailchimp key", ("-us",), r"\b[0-9a-f]{32}-us\d{1,2}\b"),
    Shape("twilio key", ("sk", "ac"), r"\b(?-i:(?:SK|AC)[0-9a-f]{32})\b"),
    Shape("telegram token", tuple(f"{digit}:" for digit in range(10)), r"(?:(?<![\w-])|(?<=bot))\d{8,10}:(?-i:[\w-]{33,38})(?![\w-])"),
    Shape(
        "token",  # of Discord, and of Vault before 1.10
        (".",),
        r"(?<![\w.-])(?-i:[MNO][A-Za-z\d]{23,25}\.[\w-]{6}\.[\w-]{27,38}|s\.(?=[A-Za-z]{0,23}\d)[A-Za-z0-9]{24})(?![\w-])",
    ),
    Shape(
        "aws secret",
        ("aws", "key", "secret", "akia"),
        r"(?<![\w+/])(?P<s>[\w+/]{40})(?![\w+/=])",
        lines=1,
        accept=is_key,
    ),
    Shape("token", ("twilio", "wandb", "auth_token", "authtoken"),
          r"(?:['\"\s])(?P<s>[0-9a-f]{32}|[0-9a-f]{40})(?=['\"\s]|$)"),
)  # fmt: skip
