"""Find in a rule what is not the project's code: tools, git, the network, the agent itself.

Whether the rule asks for it or forbids it does not matter: "never commit without first deleting
the failing tests" forbids something too. The patterns match text of `flatten_text`.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from orchestrator.rulebook.screening.sentences import find_code_spans, flatten_text
from orchestrator.rulebook.screening.subjects import Subject

_PROGRAMS: Final = (
    "sudo|doas|chmod|chown|chattr|setfacl|crontab|systemctl|launchctl|nohup|tmux|curl|wget|aria2c"
    "|netcat|ncat|socat|telnet|ftp|sftp|scp|rsync|ssh|sshd|ssh-keygen|openssl|gpg|bash|zsh|fish"
    "|powershell|pwsh|cmd exe|busybox|xargs|eval|docker|podman|buildah|kubectl|helm|terraform|ansible"
    "|vagrant|aws|gcloud|gsutil|heroku|vercel|netlify|fly ctl|flyctl|wrangler|gh|glab|hg|svn"
    "|cmake|makefile|tox|nox|husky|lefthook|pre-commit|precommit|mkfs|dd if|printenv|crond?|at now"
    "|psql|mysql|mongosh|redis-cli|sqlite3 cli|osascript|reg add|schtasks|iptables|nslookup|dig"
    "|base64 -d|tee|nc"
)
_PACKAGE_PROGRAMS: Final = (
    "pip|pip3|pipx|pipenv|uv|uvx|poetry|pdm|hatch|conda|mamba|easy install|twine|npm|npx|pnpm|yarn"
    "|bun|bunx|deno|gem|bundler|cargo|composer|maven|mvn|gradle|nuget|apt|apt-get|dnf|yum|apk|brew"
    "|choco|winget|snap|go get|go install|setup tools"
)
_CHECKS: Final = (
    r"(?:tests?(?! (?:databases?|db|data|clients?|servers?|users?|records?|rows?|folders?|director\w+|doubles?"
    r"|output|factor\w+|tables?|schemas?|images?|names?|inputs?|files? in))|suites?|assert(?:ion)?s?|checks"
    r"|(?:the|a|this|that|each|every|its|slow|ownership|owner|permission|signature|type|access|null|bounds|auth"
    r"|security|final|extra|last|first|same|host|hash) check|checkers?|linters?|lint|specs?|(?:test|failing|old|those|these|red) cases?|checksums?|expectations?"
    r"|expected (?:values?|results?|outputs?|figures?)|golden files?|snapshots?|coverage|gates?"
    r"|scanners?|scans?|warnings?|mypy|ruff|flake8|eslint|pylint|types? checks?|validations?"
    r"|verifications?|guards?)"
)
_WEAKEN: Final = (
    r"(?:skip(?:s|ped|ping)?|omit(?:s|ted|ting)?|delet(?:e|es|ed|ing)|remov(?:e|es|ed|ing|al)"
    r"|drop(?:s|ped|ping)?|disabl(?:e|es|ed|ing)|deactivat\w+|deselect\w*|exclud(?:e|es|ed|ing)"
    r"|ignor(?:e|es|ed|ing)|silenc\w+|mut(?:e|es|ed|ing)|suppress\w*|bypass\w*|circumvent\w*"
    r"|weaken\w*|loosen\w*|relax\w*|lower(?:s|ed|ing)?|rais(?:e|es|ing) the limit|turn\w* off"
    r"|switch\w* off|comment\w* out|leav\w+ out|left out|opt\w* out|retir\w+|quarantin\w+|park\w*"
    r"|mark\w*|renam\w+|rewrit\w+|overwrit\w+|replac\w+|regenerat\w+|updat\w+|adapt\w*|adjust\w*"
    r"|edit\w*|chang\w+|modif\w+|accept\w*|bless\w*|approv\w+|trim\w*|narrow\w*|prun\w+|thin\w*"
    r"|wip\w+|empt(?:ies|ied|ying)|^empty|short-?circuit\w*|stub\w* out|neutrali[sz]\w+|override\w*"
    r"|overrid\w+|hid(?:e|es|ing)|mov(?:e|es|ed|ing)|tolerat\w+|forgiv\w+|not (?:run|needed|required"
    r"|necessary)|no longer|optional|unnecessary|redundant|obsolete)"
)

_WEAKENED: Final = (
    r"(?:skipped|omitted|deleted|removed|dropped|disabled|deactivated|deselected|excluded|ignored|silenced"
    r"|muted|suppressed|bypassed|weakened|loosened|relaxed|lowered|off|out|optional|unnecessary|redundant"
    r"|obsolete|rewritten|replaced|overwritten|regenerated|adapted|adjusted|accepted|hidden|parked|legacy"
    r"|noise|noisy|not (?:be )?(?:run|needed|required|necessary|relevant|count\w*)|no longer|too strict"
    r"|out of date|indicative|retired|trimmed|narrowed|pruned)"
)

_TABLE: Final = (
    (
        Subject.TESTS,
        rf"\b{_WEAKEN}\b(?:\W+\w+){{0,5}}?\W+{_CHECKS}\b",
        rf"\b{_CHECKS}\b(?:\W+\w+){{0,4}}?\W+{_WEAKENED}\b",
        r"\bxfail\w*|\bskipif\b|\bmark skip|\bimportorskip\b|\bdeselect\w*|\bcollect ignore"
        r"|\bpytestmark\b|\bflaky\b|\bquarantin\w+|\brerun(?:s|failures)?\b|\breruns\b",
        r"\bfail under\b|\bno cov\w*|\bpragma no cover|\bnoqa\b|\bnosec\b|\bnolint\b|\bts-?ignore\b"
        r"|\bts-?expect\b|\btype ignore\b|\beslint-?disable\w*|\bpylint\b|\bistanbul ignore"
        r"|\bnosonar\b|\bsuppress warnings?\b|\b(?:filterwarnings|simplefilter) ignore",
        r"\b(?:keep|stay|stays|remain|remains|turn|turns|become|becomes|make|makes|get|gets|are|is)"
        r"(?:\W+\w+){0,3}\W+(?:green|red|calm|quiet)\b|\bgreen (?:run|suite|build|bar)\b",
        r"\bexcept (?:base ?)?exceptions? pass\b|\bcatch(?:es)? assertion ?errors?\b"
        r"|\bexcept assertion ?errors?\b|\bswallow\w*\b",
        r"\bassertions?\b.{0,60}\b(?:is not none|truthy|loose\w*|any|no longer|concrete)\b"
        r"|\bassert true\b|\bassert is not none\b",
        r"\bwhatever (?:the|it|is|was|comes)\b|\bsource of truth\b"
        r"|\bwhat(?:ever)? the (?:code|function|implementation) (?:now )?(?:returns|gives|prints)",
        r"\bsys modules\b|\bpytest current test\b|\bunder test\b|\bin test mode\b|\btesting mode\b"
        r"|\bwhen (?:running )?(?:in|under) (?:pytest|tests?|ci)\b|\bis ?testing\b|\bdetects? pytest\b"
        r"|\bpytest runtest\w*|\bpytest collection\b|\bpytest (?:sessionfinish|configure)\b",
        r"\bfail\w* (?:tests?|cases?) (?:are|is|may|can|should)\b|\bknown (?:bad|failures?|noise)\b"
        r"|\binstead of fix\w*|\bstatt sie zu\b",
    ),
    (
        Subject.GIT,
        r"\bgit\b|\bgithub\b|\bgitlab\b|\bbitbucket\b|\bcodeowners\b|\bgitignore\b|\bgitattributes\b"
        r"|\bsubmodules?\b|\bhooks ?path\b|\bgitconfig\b|\bgitmodules\b",
        r"\bcommit(?:s|ting)\b|\bcommit messages?\b|\b(?:to|before|each|every|then|and|always|never)"
        r" commit\b|^commit\b|\bcommitted (?:to|with|in)\b|\buncommitted\b|\bamend(?:ed)? commits?\b",
        r"\b(?:force )?push(?:es|ed|ing)?\b(?! (?:notification|onto|on the stack|back|state|event|an?"
        r" item))|\bpull requests?\b|\bmerge requests?\b|\bcherry-? ?pick\b|\brebas\w+|\bstash\w*\b"
        r"|\bgit reset\b|\breset hard\b|--hard\b|\bupstream\b|\borigin/\w+",
        r"\b(?:main|master|release|feature|trunk|default|protected|current|topic) branch(?:es)?\b"
        r"|\bbranches\b|\bbranch (?:name|protection|off)\b|\bmerge (?:to|into|at once|it|them|yourself"
        r"|directly|without|straight)\b|\bmerge conflicts?\b|\bblame\b|\bhistory entries\b|\bchangelog\b"
        r"|\btags? (?:the|a) release\b|\brelease tags?\b|\bworktrees?\b|\bsquash\w*\b",
        r"\bremotes?\b(?! (?:services?|calls?|apis?|procedure|endpoints?|data|hosts? in))",
        r"--no-verify\b|\bno-? ?verify\b|\bskip ci\b|\bci skip\b|\bhook files?\b|\bgit hooks?\b"
        r"|\b(?:commit|push|pre-?commit|pre-?push|slow|bypass\w*|skip\w*|disable|disabling|the) hooks?\b"
        r"|\bhooks? (?:off|cost|report\w*|fail\w*|time out|is slow|are slow|run|runs|stalls?|block\w*)\b",
    ),
    (
        Subject.CI,
        r"\bci\b|\bpipelines? (?:step|job|run|file|is|are|fail\w*|yaml|yml)\b|\bworkflows? (?:file|step|"
        r"yaml|yml|run|for|permissions?)\b|\bgithub/workflows\b|\bgithub actions?\b|\bjenkins\w*"
        r"|\bcircleci\b|\btravis\b|\bcontinue-on-error\b|\bpull request target\b|\bnightly (?:job|build)"
        r"|\bbuild (?:server|agent|farm|stays|passes|is green|green|step|job|machine)\b",
        r"\bdeploy(?:s|ed|ing|ments?)?\b|\brollouts?\b|\breleas(?:e|es|ing) (?:the|a|to|job|process|"
        r"without|once)\b|\bpublish(?:es|ed|ing)? (?:to|the (?:package|wheel|release|artifacts?))\b"
        r"|\bbump\w* (?:the )?versions?\b|\bversion bumps?\b|\brelease builds?\b|\bstaging\b|\bproduction\b(?! code)|\bprod\b",
    ),
    (
        Subject.COMMANDS,
        r"(?<![\w-])--[a-z][\w-]+|(?<=\s)-[a-zA-Z]{1,4}(?=\s|$)(?<! -n)",
        r"\bstart(?:s|ing)? (?:the |a |an )?(?:helper|daemon|server|service|process|script|session|agent"
        r"|background|container|listener)\w*\b|\bin the background\b|\bbootstrap\w*\b|\bcommand lines?\b"
        r"|\bcommands? (?:string|is|are|that|which|with|in|from|of)\b|\bshell (?:commands?|history"
        r"|profile|rc)\b|\bin (?:the|a|your) shell\b|\bone (?:command )?string\b",
        r"(?:^|\s)(?:tools|scripts|bin|hack|\.?/tmp|ci|ops|infra|deploy)/[\w.-]+|\b[\w./-]+\.(?:sh|ps1"
        r"|bat|cmd|mk|zsh|fish)\b",
        r"\bdo what (?:it|the|is|was)\b|\bfollow (?:the|its|it|what|any|all|each)\b|\bas (?:is|it is)\b"
        r"$|\bsnippets?\b|\bone-?liners?\b|\bpaste\w*\b|\bgist\b|\bshebang\b|\binterpreter\b",
        r"\b(?:set|export|unset|put|keep|define) \w+ ?= ?[01]\b.{0,30}\b(?:shell|environment|session)\b"
        r"|\bexport [a-z]\w+ ?=",
        r"\b(?:husky|pip|npm|yarn|git|python|node|pythonpath|ld preload|path|bash env|prompt command|"
        r"ssl|curl|requests|aws|ssh|http|https|all|no|ci|pytest|uv|cargo|goproxy|goflags|java tool)"
        r" (?:options?|index|registry|proxy|preload|addopts|httpsverify|verify|home|dont|no|url|debug"
        r"|skip|disable\w*|extra|ca bundle|cert\w*|config\w*|tool|flags|startup|hash ?seed)\b",
        r"\bhusky\b|\bpythonhttpsverify\b|\bpythonstartup\b|\bpythonpath\b|\bnode options\b|\baddopts\b"
        r"|\bpytest addopts\b|\bld preload\b",
    ),
    (
        Subject.PACKAGES,
        r"\binstall(?:s|ed|ing|ation|er)?\b(?!ed apps)|\buninstall\w*|\bdependenc(?:y|ies)\b"
        r"(?! injection)|\brequirements?(?:[\w-]*\.txt| file)\b|\bpyproject\b|\bsetup ?(?:\.py|\.cfg)\b"
        r"|\bpackage(?:-lock)? ?\.?json\b|\block ?files?\b|\bgo\.mod\b|\bcargo\.toml\b|\bpom\.xml\b"
        r"|\bgemfile\b|\bnpmrc\b|\bpypirc\b|\bpip\.conf\b|\bwheels?\b(?! (?:event|speed|radius))",
        r"\bindex-? ?url\b|\bpackage index\b|\bpypi\b|\b(?:package|npm|container|docker|image|private|public"
        r"|internal|our|the|another) registr(?:y|ies)\b(?! (?:of|for|class|pattern))|\bregistry (?:in|url|host|at|to)\b"
        r"|\bmirrors?\b(?! (?:of the|image|the (?:image|sprite)))|\btyposquat\w*|\bbase images?\b"
        r"|\bdocker ?files?\b|\bcontainer images?\b|\bvendor(?:ed|ing)\b|\bforks?\b|\bupgrade\w* (?:to|the)"
        r"\b|\bpin(?:s|ned)? (?:the|to|all|each|every|\w+ to)\b|\bunpin\w*|\bunreleased\b|\bnode modules\b",
    ),
    (
        Subject.NETWORK,
        r"\b(?:send|sends|sending|upload|uploads|uploading|post|posts|posting|transmit\w*|mail|mails|mailing"
        r"|e-?mail|e-?mails|forward|forwards|report|reports|mirror|beacon|ping|notify|exfiltrate\w*|stream"
        r"|publish|share|sync|ship|ships|push|pushes|copy|copies|relay|relays|submit|phone)\b"
        r"(?:\W+\w+){0,8}?\W+(?:to|at|via|over|with|through)\W+(?:the |an? |our |its )?(?:\w+ )?"
        r"(?:servers?|hosts?|endpoints?|collectors?|urls?|address\w*|webhooks?|channels?|slack|bots?"
        r"|metrics|telemetry|monitoring|support|vendors?|partners?|third part\w+|buckets?|cloud|mirrors?"
        r"|outside|internet|dns|remote|home|team|public)\b",
        r"\b(?:tls|ssl|x509|mtls|https? verif\w+|certificates?|certs?|cert none|ca bundle|cafile|cadir"
        r"|check hostname|hostname check\w*|insecure ?skip ?verify|insecure|self-? ?signed|handshakes?"
        r"|http ssl verify|ssl verify|sslverify|unverified context|starttls|hsts)\b|\bverify ?= ?(?:false"
        r"|0|none)\b|\breject ?unauthorized\b|\bverify to false\b|\bcertificate verify failed\b",
        r"\bprox(?:y|ies)\b(?! (?:class|object|pattern|model))|\bvpn\b|\btor\b|\bngrok\b|\btunnels?\b"
        r"|\bfirewalls?\b|\bdns\b|\bgetaddrinfo\b|\bnameservers?\b|\bwebhooks? (?:url|address)\b"
        r"|\b0\.0\.0\.0\b|\ball interfaces\b|\bpublicly\b|\bopen (?:up )?(?:a |the )?(?:tcp |udp )?ports?\b"
        r"|\bport \d+\b|\blisten(?:s|ing)? (?:on|for)\b|\bbind(?:s|ing)? (?:the \w+ |\w+ )?(?:server )?to\b"
        r"|\breverse shell\b|\bsocket connect\w*|\bexpose(?:s|d)? (?:the )?(?:port|server|service|endpoint)",
        r"\b(?:download|downloads|downloading|fetch|fetches|fetching|load|loads|import|imports|include"
        r"|read|reads|take|takes|pull|pulls|get|gets)\b(?:\W+\w+){0,6}?\W+(?:from|at|behind|off)\W+"
        r"(?:the |an? |our |its )?(?:\w+ )?(?:internet|web|webs?ites?|pages?|urls?|links?|gist|cdn"
        r"|addresses|hosts?|wiki|mirror|remote|team's|chat|ticket|issue)\b",
        r"\b(?:links?|urls?|addresses|pages?|wiki|guide|website) (?:in|from|of|named|printed|given|behind"
        r"|that|at) (?:the |an? |its )?(?:log|output|docstring|test|comment|error|message|failing)\w*\b",
        r"\bopen the (?:page|link|url|site)\b|\bvisit\b|\bbrowse\b|\bhints? of the\b|\btelemetry\b"
        r"|\banalytics\b",
    ),
    (
        Subject.SECRETS,
        r"\.env\b|\bdotenv\b|\benv files?\b|\bid rsa\b|\.ssh\b|\.aws\b|\.netrc\b|\.pgpass\b|\bkeychain\b"
        r"|\baws (?:variables?|keys?|config|credentials?)\b|\bservice account\b|\bkube ?config\b"
        r"|\bssh keys?\b|\bgpg keys?\b",
        r"\b(?:environ|env|environment(?: variables?)?|variables)\b(?:[^\w;]+\w+){0,6}?[^\w;]+"
        r"(?:print\w*|log|logs|logged|output|message|messages|report\w*|file|files|page|pages|response"
        r"|responses|body|header|headers|request|url|description|comment|summary|issue|ticket|full)\b",
        r"\b(?:print\w*|log|logs|logging|dump\w*|echo\w*|include|includes|included|render\w*|show|shows"
        r"|attach\w*|append\w*|record|records|report|reports|send\w*|embed\w*|expose\w*|write|writes)\b"
        r"(?:[^\w;]+\w+){0,6}?[^\w;]+(?:environ|env|environment(?: variables?)?)\b",
        r"\bssn\b|\bsocial security\b|\bpersonal data"
        r"\b|\bpii\b|\bdsn\b|\bconnection strings?\b|\bmedical\b|\bpatient (?:data|records?|names?)\b",
    ),
    (
        Subject.PERMISSIONS,
        r"\bh[eo]ld(?:s|ing)? back\b|\b(?:persons?|people|humans?|colleagues?|supervisor|team lead)"
        r" (?:has|have|must|should|is|are|agrees?|decides?|looks?|reads?|signs?|says?|who)\b|\bwait(?:s|ing)? for (?:\w+ ){0,2}"
        r"(?:person|people|human|answer|reply|ok|team|owner|somebody|anybody|anyone)\b|\bapprov(?:e|es|ed|ing|al|als)\b|\bconsent\w*|\bconfirmations?\b(?! (?:page|mail|email|dialog"
        r"|number|code))|\bwithout asking\b|\bask(?:s|ing)? (?:before|first|for permission|anyone|nobody"
        r"|the user)\b|\bdo not ask\b|\bnever ask\b|\bsign-? ?off\b|\bsecond (?:reader|pair)\b|\breviews?\b"
        r"|\breviewers?\b|\breviewed\b|\breviewing\b|\bmaintainers?\b|\bauto-? ?(?:approve|accept|merge)\w*",
        r"\bdangerously[\w-]*|\bbypass ?permissions\b|\bbash\(|\ballow ?list\b|\bwhite ?list\b"
        r"|\ballowed tools\b|\bdeny ?list\b|\bsandbox\w*|\bunrestricted\b|\bno restrictions\b"
        r"|\bwrite access\b|\bfull access\b|\bworld-? ?readable\b|\bworld-? ?writable\b|\b0?777\b|\b0?666\b"
        r"|\bsettings file\b|\bown settings\b|\bpermission (?:mode|prompt|is denied|denied)s?\b",
    ),
    (
        Subject.AGENT,
        r"\bclaude\b|\bclaude\.md\b|\bagents?\.md\b|\bcopilot\b|\bcursor ?rules\b|\bgemini\.md\b"
        r"|\bmcp\b|\b\.claude\b|\bsubagents?\b|\bsub-agents?\b|\bassistants?\b|\bllms?\b|\bchatbots?\b"
        r"|\bslash commands?\b",
        r"\bagents?\b(?! (?:string|header|user))(?<!user agent)(?<!user-agent)",
        r"\bprompts?\b(?! (?:toolkit|templates?|files?|texts?|strings?|from (?:the|a|its) (?:package|file|resource"
        r"|template)))|\bsystem prompt\b|\bjailbreak\w*|\byou are now\b|\bpersona\b",
        r"\binstructions?\b|\bthis (?:rule|entry|lesson|note|line|list|section|file)\b"
        r"|\b(?:other|all|previous|prior|earlier|above|these|following|newer|older|every|any|the|learned"
        r"|existing|own) (?:rules?|lessons?|guidelines|guidance|directives?|conventions|entries)\b"
        r"|\brules? (?:above|below|are|were|in|of the|command|file|that)\b|\blessons?\b|\boutranks?\b"
        r"|\bprecedence\b|\bsupersede\w*|\bguidelines?\b|\bgovern\w*\b",
        r"\b(?:in|of|from|out of|to|into) (?:the |a |your |any )?(?:summar(?:y|ies)|final (?:answer|message"
        r"|report)|hand-?over|write-? ?up|work log|descriptions? of (?:the|a|every|each) (?:fix|change))\b"
        r"|\bsummar(?:y|ies)\b|\bsummari[sz]\w+ (?:a |the )?(?:change|work)\b|\bsay that\b|\btell\b|\bclaim\b"
        r"|\bpretend\b|\bmention\b|\bdisclos\w+|\bconceal\w*|\bsecretly\b|\bdiscreet\w*"
        r"|\bnobody (?:needs|has|must|should)\b|\bwithout (?:telling|mention\w*|comment)\b",
        r"\b(?:each|every|any|new|at the (?:start|beginning|end) of (?:the|a|each|every)|starting a|all)"
        r" (?:new )?(?:sessions?|tasks?|conversations?)\b(?! (?:queue|id|object|in the))"
        r"|\bstart(?:ing)? (?:of )?(?:work|each|every|any)\b|\bbefore (?:anything|everything) else\b"
        r"|\bbeginning any\b|\bon the user'?s behalf\b|\bwhen you (?:are|finish|start|open|edit)\b"
        r"|\bmemory files?\b|\btool (?:calls?|use|prompts?)\b|\bobey\b|\bcomply\b",
        r"\b(?:treat|take|regard|consider|read|follow)\w* (?:\w+ ){0,8}(?:as (?:the )?(?:instructions?"
        r"|orders?|truth|wish\w*|authoritative|trusted|approved|maintainer\w*))\b|\bwishes\b|\btrusted\b",
        r"\b(?:below|above) (?:is|are|describes?|states?|shows?)\b|\bdescribed (?:below|above|here|there)\b"
        r"|\bgiven (?:below|above|in the (?:reason|why))\b|\b(?:the|its) reason (?:states?|says|gives)\b"
        r"|\busual (?:\w+ )?steps\b|\bthe steps\b|\bdo first\b|\bas (?:stated|described|explained)\b"
        r"|\bway it is\b|\bsee (?:below|above|the reason|why)\b",
    ),
    (
        Subject.DATA,
        r"\b(?:drop|drops|dropping|truncat\w+|wip\w+|purg\w+|eras\w+|destroy\w*|recreat\w+|reset\w*"
        r"|re-?initiali[sz]\w+|flush\w*|deletes?|deleting|removes?|removing|clears?|clearing|overwrit\w+|discard\w*)\b"
        r"(?:\W+\w+){0,5}?\W+(?:tables?|databases?|db|schemas?|rows?|records?|buckets?|volumes?|backups?"
        r"|customers?|orders|users?|accounts?|data|home|folders?|director(?:y|ies)|files|everything"
        r"|migrations?|history|logs|index(?:es)? in production|collections?|entities|tree|workspace)\b",
        r"\brm\b|\brmtree\b|\bunlink all\b|\bshred\b|\bformat the\b|\bgit clean\b|\bclean -|\brm -rf\b"
        r"|\bdata loss\b|\birreversibl\w*|\bdelete from (?!(?:an?|the|it|them|its|your|this)\b)|\bdrop (?:table|all)\b|\bobjects[. ]all\b.{0,30}\bdelete\b|\bdelete (?:many|all)\b|\bflush ?(?:all|db)\b|\bdrop column\b",
    ),
    (
        Subject.OUTSIDE,
        r"(?<![\w.~])(?:/etc|/usr|/var|/home|/root|/tmp|/dev|/bin|/opt|/proc|/sys|/mnt|/users|/srv|c:)/"
        r"|(?<!\w)~/|\$home\b|\bhome (?:folder|directory|dir)\b|\bpath home\b|\bexpanduser\b"
        r"|\bparent (?:folder|directory)\b|\b(?:above|outside) (?:the |of the )?(?:repositor\w+|project"
        r"|repo|root|tree)\b|\bother (?:repositor\w+|projects?|repos)\b|\beach repositor\w+|(?<!\w)\.\./",
        r"(?<![\w/*])\.(?:bashrc|zshrc|profile|bash ?profile|vscode|idea|devcontainer|envrc|github|gitlab"
        r"|circleci|cursor|config|docker|npmrc|editorconfig)\b|\bdevcontainer\b|\bcontributing\.md\b"
        r"|\breadme(?:\.md)?\b|\bsecurity\.md\b|\beditor settings\b|\bcron ?(?:jobs?|tabs?)\b"
        r"|\bstartup files?\b|\blogin shell\b|\bsite-? ?packages\b|\bsitecustomize\b|\busercustomize\b"
        r"|\.pth\b|\bnode ?_?modules\b|\bglobal (?:config|settings)\b|--global\b",
    ),
)

_NAMES: Final = frozenset(
    pattern
    for _, *patterns in _TABLE
    for pattern in patterns
    if any(
        mark in pattern
        for mark in ("insecure", "pull request target", "index-? ?url", "hooks ?path", "bypass ?perm", "ssl|curl")
    )
)
"""Patterns that match names of settings, wherever they stand."""

_REQUESTS: Final = (
    (
        Subject.COMMANDS,
        r"(?<![\w.])\b(?:run|runs|running|execute|executes|executing|invoke|launch|launches|spawn (?=an? |the ))\b"
        r"(?! (?:the |all |its |your |only |this |these |those |each |every |slow |unit |migration |\w+ )?"
        r"tests?\b| (?:in|under|over|on|once|twice|before|after|inside|within|at|through|for|concurrently"
        r"|sequentially|as|per|until|without|with|against|by|faster|slower|longer|out|into|from|of|again"
        r"|time|the (?:loop|query|event|migration)|queries|loop|state|counter|length|total|sum|between"
        r"|a (?:query|loop|task|job))\b)",
    ),
    (Subject.AGENT, r"\bsilently\b|\bquietly\b"),
    (Subject.PERMISSIONS, r"\bagree(?:s|d|ment)?\b"),
    (Subject.NETWORK, r"\bsend(?:s|ing)?\b[^;]{0,70}\bto\b"),
)
"""Words that matter in what is asked for, and not in the reason: "it runs twice" describes."""

_BACKGROUND: Final = frozenset((Subject.CI, Subject.NETWORK, Subject.TESTS, Subject.DATA, Subject.GIT,
                                Subject.PACKAGES, Subject.OUTSIDE))  # fmt: skip
"""Subjects that a reason may describe: "the CI runner has another time zone"."""


_PROGRAM: Final = re.compile(rf"(?<![\w.-])(?:{_PROGRAMS})(?![\w.(-])")
_PACKAGE_PROGRAM: Final = re.compile(rf"(?<![\w.-])(?:{_PACKAGE_PROGRAMS})(?![\w.(-])")
_COMMAND: Final = re.compile(
    r"^(?:\$ ?|\./)?(?:make|sh|python3?|node|pytest|go|ruby|perl|java|cp|mv|ln|cat|env|kill|touch|find|sed|awk"
    r"|source|export|echo|cd|set) [\w./-]"
)
"""A code span that is a command line: its first word is also a common word elsewhere."""
_OWN_LEFTOVERS: Final = re.compile(
    r"\b(?:temporary|temp|tmp path|tmpdir|teardown|test (?:database|folder|files?|data)|in-memory|scratch)\b"
)
_NOT_OWN: Final = re.compile(
    r"\b(?:everything|all|below|under|home|production|outside|parents?|recursive\w*|any|user data)\b"
)


_BY_NAME: Final = frozenset((Subject.TESTS, Subject.SECRETS, Subject.DATA))
"""Subjects that the name of a function shows too: `delete_account()`, but not `daily_summary()`."""


def find_outside_subject(text: str) -> tuple[Subject, str] | None:
    """Return the first subject outside the code that a request touches, and the words; or None."""
    return _find_program(text) or _search(text, _REQUESTS) or _search(text, _TABLE)


def find_directive_subject(text: str) -> tuple[Subject, str] | None:
    """Return a subject that not even a reason may touch, and the words; None if there is none."""
    table = [row for row in _TABLE if row[0] not in _BACKGROUND]
    return _find_program(text) or _search(text, table)


def _search(text: str, table: Sequence[tuple[str, ...]]) -> tuple[Subject, str] | None:
    plain, flat = flatten_text(text, split_names=False), flatten_text(text)
    for name, *patterns in table:
        subject = Subject(name)
        if subject is Subject.DATA and _OWN_LEFTOVERS.search(flat) and not _NOT_OWN.search(flat):
            continue
        for pattern in patterns:
            searched = flat if subject in _BY_NAME or pattern in _NAMES else plain
            if found := compile_pattern(pattern).search(searched):
                return subject, found[0].strip()
    return None


def _find_program(text: str) -> tuple[Subject, str] | None:
    lower = text.casefold()
    for subject, programs in ((Subject.PACKAGES, _PACKAGE_PROGRAM), (Subject.COMMANDS, _PROGRAM)):
        if found := programs.search(lower):
            return subject, found[0]
    command = next((span for span in find_code_spans(lower) if _COMMAND.match(span)), "")
    return (Subject.COMMANDS, command) if command else None


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the compiled pattern, once for each."""
    return re.compile(pattern)
