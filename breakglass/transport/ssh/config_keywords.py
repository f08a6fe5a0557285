"""The keywords of `ssh_config`: how their values are written, and which matter for getting in.

From ssh_config(5) of OpenSSH 9.2, and of 10.2 for what came later.
"""

from collections.abc import Mapping

_YES_NO = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_TRUE_FALSE = {"yes": "true", "true": "true", "no": "false", "false": "false"}

ALIASES = {
    "identityfile2": "identityfile",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "dsaauthentication": "pubkeyauthentication",
}
"""Former names of keywords that matter."""
ONE_WORD = frozenset(
    {
        *("hostname", "user", "hostkeyalias", "identityagent", "bindaddress", "bindinterface"),
        *("ciphers", "kexalgorithms", "macs", "hostkeyalgorithms", "pubkeyacceptedalgorithms"),
        *("casignaturealgorithms", "revokedhostkeys", "preferredauthentications", "pkcs11provider"),
        "ignoreunknown",
    }
)
"""The first value counts, and is one word."""
MANY_WORDS = frozenset(
    {"userknownhostsfile", "globalknownhostsfile", "canonicaldomains", "canonicalizepermittedcnames"}
)
"""The first value counts, and is the words of a line."""
LISTS = frozenset({"identityfile", "certificatefile"})
"""Every value counts, once."""
REST_OF_LINE = frozenset({"proxycommand", "knownhostscommand"})
"""The first value counts, and is the rest of a line as it is written."""
CHOICES: Mapping[str, Mapping[str, str]] = {
    "addressfamily": {"any": "any", "inet": "inet", "inet6": "inet6"},
    "canonicalizehostname": {**_TRUE_FALSE, "always": "always"},
    "hashknownhosts": _YES_NO,
    "identitiesonly": _YES_NO,
    "proxyusefdpass": _YES_NO,
    "pubkeyauthentication": {**_TRUE_FALSE, "unbound": "unbound", "host-bound": "host-bound"},
    "stricthostkeychecking": {
        **_TRUE_FALSE,
        "off": "false",
        "ask": "ask",
        "accept-new": "accept-new",
    },
}
"""Values in lower case, and as `ssh -G` prints them."""
NUMBERS = frozenset({"port", "requiredrsasize"})
TIMES = frozenset({"connecttimeout"})
MATTERS = (
    {"proxyjump", "host", "match", "include"}
    | ONE_WORD
    | MANY_WORDS
    | LISTS
    | REST_OF_LINE
    | CHOICES.keys()
    | NUMBERS
    | TIMES
)
_NOT_THE_WAY_IN = """
    addkeystoagent batchmode canonicalizefallbacklocal canonicalizemaxdots channeltimeout
    clearallforwardings compression compressionlevel connectionattempts controlmaster controlpath
    controlpersist dynamicforward enableescapecommandline escapechar exitonforwardfailure fingerprinthash
    forkafterauthentication forwardagent forwardx11 forwardx11timeout forwardx11trusted gatewayports ipqos
    localcommand localforward loglevel logverbose obscurekeystroketiming permitlocalcommand
    permitremoteopen rekeylimit remotecommand remoteforward requesttty sendenv serveralivecountmax
    serveraliveinterval sessiontype setenv smartcarddevice stdinnull streamlocalbindmask
    streamlocalbindunlink syslogfacility tcpkeepalive tunnel tunneldevice useprivilegedport
    versionaddendum visualhostkey warnweakcrypto xauthlocation tag gssapirenewalforcesrekey gssapitrustdns
    gssapikexalgorithms
"""
# What is sent along, forwarded, logged or shown; what a terminal is for; how long a connection lives.
_OTHER_LOGINS = """
    challengeresponseauthentication enablesshkeysign gssapiauthentication gssapiclientidentity
    gssapidelegatecredentials gssapikeyexchange gssapiserveridentity hostbasedacceptedalgorithms
    hostbasedauthentication hostbasedkeytypes kbdinteractiveauthentication kbdinteractivedevices
    keyboardinteractiveauthentication numberofpasswordprompts passwordauthentication skeyauthentication
    tisauthentication securitykeyprovider
"""
# Other ways of logging in than with a key, which are not taken.
_ASKED_ABOUT = """
    checkhostip nohostauthenticationforlocalhost updatehostkeys verifyhostkeydns
"""
# Without them a key is asked about that would be taken unasked; CheckHostIP compares with the address what is
# compared with the name already.
_WITHOUT_EFFECT = """
    afstokenpassing cipher fallbacktorsh globalknownhostsfile2 kerberosauthentication kerberostgtpassing
    protocol rhostsauthentication rhostsrsaauthentication rsaauthentication userknownhostsfile2 useroaming
    usersh usekeychain
"""
# Long without effect.
HARMLESS = frozenset(f"{_NOT_THE_WAY_IN} {_OTHER_LOGINS} {_ASKED_ABOUT} {_WITHOUT_EFFECT}".split())
"""What is passed over, since it does not decide where or as whom one gets in."""
