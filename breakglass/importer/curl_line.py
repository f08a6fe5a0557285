"""A line with `curl` as an `http` action. Addresses, names and secrets are the site's, by the endpoint."""

import json
import re
from dataclasses import dataclass
from urllib.parse import unquote

from breakglass.importer.place import site_name
from breakglass.importer.written import words_of

_SWITCHES = frozenset(
    (
        *("-s", "-S", "-k", "-f", "-v", "-sS", "-i", "--silent", "--show-error", "--insecure"),
        *("--fail", "--verbose", "--include", "-g", "-N", "--compressed", "-4", "-6"),
    )
)
_LEFT_TO_THE_SITE = frozenset(
    (
        *("--resolve", "--cacert", "--cert", "--key", "-E", "-u", "--user", "--connect-timeout"),
        *("-w", "--write-out", "--retry", "-A", "--capath", "--connect-to"),
    )
)
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\$\{\{[^}]*\}\}|[^/?#]+)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?"
)
_BY_A_VALUE = re.compile(
    r"\$\{\{ (?:inputs\.|secrets\.)?(?P<host>\w+) \}\}(?P<path>/[^?#]*|)(?:\?(?P<query>[^#]*))?"
)


@dataclass(slots=True)
class _Request:
    method: str = ""
    url: str = ""
    data: str = ""
    follow: bool = False
    timeout: str = ""


def curl_line(template: str) -> dict[str, object] | None:
    """The keys of the step that a `curl` line is; None where it does more than send a request."""
    words = words_of(template)
    if words is None or words[0] != "curl":
        return None
    request, headers = _Request(), dict[str, str]()
    if not _read(words[1:], request, headers):
        return None
    found = _URL.fullmatch(request.url) or _BY_A_VALUE.fullmatch(request.url)
    if found is None and re.fullmatch(r"[\w.-]+(?::\d+)?(?:/\S*)?", request.url):
        found = _URL.fullmatch(f"http://{request.url}")
    if found is None:
        return None
    method = (request.method or ("post" if request.data else "get")).lower()
    if method not in ("get", "head", "options", "post", "put", "patch", "delete"):
        return None
    action: dict[str, object] = {method: endpoint_name(found["host"])}
    if found["path"] and found["path"] != "/":
        action["path"] = found["path"]
    query = _query(found["query"] or "")
    if query is None:
        return None
    if query:
        action["query"] = query
    if headers:
        action["headers"] = headers
    if request.follow:
        action["follow"] = True
    if request.data and not _with_body(action, request.data):
        return None
    return {"http": action, **({"timeout": request.timeout} if request.timeout else {})}


def endpoint_name(host: str) -> str:
    """The name that the site may have for a host of a URL."""
    if "${{" in host:
        host = re.sub(r"[^a-z0-9]+", "-", host.lower().replace("inputs.", "")).strip("-")
    host = host.rpartition("@")[2]
    return site_name(host.removesuffix("_addr").removesuffix("_url").replace("_", "-").replace(":", "-"))


def _read(words: list[str], request: _Request, headers: dict[str, str]) -> bool:
    """Put a line's words into a request. False for one that is not plain."""
    index = 0
    while index < len(words):
        word, joined = words[index], ""
        index += 1
        if word.startswith("--") and "=" in word:
            word, _, joined = word.partition("=")
        elif re.fullmatch(r"-[XHdom].+", word):
            word, joined = word[:2], word[2:]
        if re.fullmatch(r"-[sSkfviLIgN46]{2,}", word):
            words[index:index] = [f"-{letter}" for letter in word[1:]]
            continue
        if re.fullmatch(r"-[sSkfvig]+[oXHdwm]", word):
            words[index:index] = [*(f"-{letter}" for letter in word[1:])]
            continue
        if word in _SWITCHES:
            continue
        if word in ("-L", "--location"):
            request.follow = True
        elif word in ("-I", "--head"):
            request.method = "head"
        elif not word.startswith("-"):
            if request.url:
                return False
            request.url = word
        else:
            if not joined and index >= len(words):
                return False
            value, index = (joined, index) if joined else (words[index], index + 1)
            if not _option(word, value, request, headers):
                return False
    return bool(request.url)


def _option(word: str, value: str, request: _Request, headers: dict[str, str]) -> bool:
    match word:
        case "-X" | "--request":
            request.method = value.lower()
        case "-H" | "--header":
            name, colon, text = value.partition(":")
            if not colon or "${{" in name:
                return False
            if not re.search(r"authorization|token|cookie|api-?key", name, re.IGNORECASE):
                headers[name.strip()] = text.strip()
        case "-d" | "--data" | "--data-raw" | "--data-binary" | "--json":
            if value.startswith("@") or request.data:
                return False
            request.data = value
        case "-m" | "--max-time" if re.fullmatch(r"[1-9]\d{0,3}", value):
            request.timeout = f"{value}s"
        case "-o" | "--output" if value == "/dev/null":
            pass
        case _ if word in _LEFT_TO_THE_SITE:
            pass
        case _:
            return False
    return True


def _query(text: str) -> dict[str, str] | None:
    pairs = dict[str, str]()
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        if name in pairs or "${{" in name:
            return None
        pairs[unquote(name)] = value if "${{" in value else unquote(value).replace("+", " ")
    return pairs


def _with_body(action: dict[str, object], data: str) -> bool:
    try:
        action["json"] = json.loads(data)
    except ValueError:
        action["body"] = data
    return True
