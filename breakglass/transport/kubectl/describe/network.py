"""Services and ingresses, with the addresses behind them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from breakglass.kubernetes_objects import Object, at, flag, mapping, number, objects, text, texts
from breakglass.transport.kubectl.describe.sheet import NONE, UNSET, Sheet, joined
from breakglass.values import Json

MOST_ADDRESSES = 3


@dataclass(frozen=True, slots=True)
class Behind:
    """A service that an ingress leads to, and what is behind it. `unread` says why it is not known."""

    service: Object = field(default_factory=dict[str, Json])
    slices: list[Object] = field(default_factory=list[Object])
    unread: str = ""


def add_service(sheet: Sheet, value: Object, slices: list[Object] | str) -> None:
    """slices: its endpoint slices, or why they cannot be read."""
    spec = mapping(value, "spec")
    sheet.field("Name", text(value, "metadata", "name"))
    sheet.field("Namespace", text(value, "metadata", "namespace"))
    sheet.labels("Labels", at(value, "metadata", "labels"))
    sheet.annotations(at(value, "metadata", "annotations"))
    sheet.field("Selector", joined(at(spec, "selector")))
    sheet.field("Type", text(spec, "type"))
    if text(spec, "ipFamilyPolicy"):
        sheet.field("IP Family Policy", text(spec, "ipFamilyPolicy"))
    sheet.field("IP Families", ",".join(texts(spec, "ipFamilies")) or NONE)
    sheet.field("IP", text(spec, "clusterIP"))
    sheet.field("IPs", ",".join(texts(spec, "clusterIPs")) or NONE)
    balanced = ", ".join(map(_address, objects(value, "status", "loadBalancer", "ingress")))
    for title, found in (
        ("External IPs", ",".join(texts(spec, "externalIPs"))),
        ("Desired LoadBalancer IP", text(spec, "loadBalancerIP")),
        ("External Name", text(spec, "externalName")),
        ("LoadBalancer Ingress", balanced),
    ):
        if found:
            sheet.field(title, found)
    for port in objects(spec, "ports"):
        name, protocol = text(port, "name") or UNSET, text(port, "protocol")
        sheet.field("Port", f"{name}\t{number(port, 'port')}/{protocol}")
        sheet.field("TargetPort", f"{at(port, 'targetPort')}/{protocol}")
        if text(port, "appProtocol"):
            sheet.field("AppProtocol", text(port, "appProtocol"))
        if number(port, "nodePort"):
            sheet.field("NodePort", f"{name}\t{number(port, 'nodePort')}/{protocol}")
        sheet.field("Endpoints", _unread(slices) or addresses(slices, text(port, "name")))
    sheet.field("Session Affinity", text(spec, "sessionAffinity"))
    for title, found in (
        ("External Traffic Policy", text(spec, "externalTrafficPolicy")),
        ("Internal Traffic Policy", text(spec, "internalTrafficPolicy")),
        ("HealthCheck NodePort", str(number(spec, "healthCheckNodePort") or "")),
        ("LoadBalancer Source Ranges", ",".join(texts(spec, "loadBalancerSourceRanges"))),
        ("Traffic Distribution", text(spec, "trafficDistribution")),
    ):
        if found:
            sheet.field(title, found)


def _address(entry: Object) -> str:
    mode = f" ({text(entry, 'ipMode')})" if text(entry, "ipMode") else ""
    return f"{text(entry, 'ip')}{mode}" if text(entry, "ip") else text(entry, "hostname")


def _unread(slices: list[Object] | str) -> str:
    return f"<not read: {slices}>" if isinstance(slices, str) else ""


def addresses(slices: list[Object] | str, port_name: str) -> str:
    """The ready addresses behind a port of a service, the first few of them."""
    if not slices or isinstance(slices, str):
        return NONE
    found: list[str] = []
    for each in slices:
        ready = [
            first
            for endpoint in objects(each, "endpoints")
            if flag(endpoint, "conditions", "ready", default=True)
            and (first := next(iter(texts(endpoint, "addresses")), ""))
        ]
        ports = objects(each, "ports")
        if not ports:
            found += ready
        for port in ports:
            if text(port, "name") == port_name:
                found += [_joined(address, number(port, "port")) for address in ready]
    more = len(found) - MOST_ADDRESSES
    shown = ",".join(found[:MOST_ADDRESSES])
    return f"{shown} + {more} more..." if more > 0 else shown or NONE


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def add_ingress(sheet: Sheet, value: Object, services: Mapping[str, Behind]) -> None:
    """services: what is known of each service that it leads to."""
    spec = mapping(value, "spec")
    sheet.field("Name", text(value, "metadata", "name"))
    sheet.labels("Labels", at(value, "metadata", "labels"))
    sheet.field("Namespace", text(value, "metadata", "namespace"))
    entries = objects(value, "status", "loadBalancer", "ingress")
    named = {text(each, "ip") or text(each, "hostname") for each in entries} - {""}
    sheet.field("Address", ",".join(sorted(named)))
    sheet.field("Ingress Class", text(spec, "ingressClassName") or NONE)
    backend = mapping(spec, "defaultBackend")
    default = _backend(backend, services) if backend else "<default>"
    sheet.field("Default backend", default)
    if objects(spec, "tls"):
        sheet.add("TLS:")
    for each in objects(spec, "tls"):
        hosts, secret = ",".join(texts(each, "hosts")), text(each, "secretName")
        sheet.add(f"{secret} terminates {hosts}" if secret else f"SNI routes {hosts}", 1)
    sheet.add("Rules:")
    sheet.add("Host\tPath\tBackends", 1)
    sheet.add("----\t----\t--------", 1)
    rules = [rule for rule in objects(spec, "rules") if "http" in rule]
    for rule in rules:
        sheet.add(f"{text(rule, 'host') or '*'}\t", 1)
        for path in objects(rule, "http", "paths"):
            sheet.add(f"\t{text(path, 'path')} \t{_backend(mapping(path, 'backend'), services)}", 2)
    if not rules:
        sheet.add(f"*\t*\t{default}", 1)
    sheet.annotations(at(value, "metadata", "annotations"))


def services_of(value: Object) -> list[str]:
    """The names of the services that an ingress leads to."""
    paths = [path for rule in objects(value, "spec", "rules") for path in objects(rule, "http", "paths")]
    backends = [mapping(value, "spec", "defaultBackend"), *(mapping(path, "backend") for path in paths)]
    return sorted({text(each, "service", "name") for each in backends} - {""})


def _backend(backend: Object, services: Mapping[str, Behind]) -> str:
    if "service" in backend:
        name, port = text(backend, "service", "name"), mapping(backend, "service", "port")
        words = f"{name}:{number(port, 'number') or text(port, 'name')}"
        behind = services.get(name, Behind(unread="not looked for"))
        if behind.unread:
            return f"{words} (<error: {behind.unread}>)"
        port_name = next(
            (
                text(each, "name")
                for each in objects(behind.service, "spec", "ports")
                if number(each, "port") == number(port, "number", default=-1)
                or (text(port, "name") and text(each, "name") == text(port, "name"))
            ),
            "",
        )
        return f"{words} ({addresses(behind.slices, port_name)})"
    if "resource" in backend:
        of = mapping(backend, "resource")
        group = text(of, "apiGroup") or NONE
        return f"APIGroup: {group}, Kind: {text(of, 'kind')}, Name: {text(of, 'name')}"
    return ""
