"""Request bodies in protobuf, as `kubectl` sends them and as it never should."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.kubernetes_objects import at
from breakglass.simulator.kubernetes.protobuf import MAGIC, ProtobufError, decode


def varint(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(written) + bytes([number])


def message(*parts: tuple[int, int | str | bytes]) -> bytes:
    """Fields in the wire format: numbers as varints, everything else with its length."""
    written = b""
    for field, value in parts:
        if isinstance(value, int):
            written += varint(field << 3) + varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            written += varint(field << 3 | 2) + varint(len(content)) + content
    return written


def envelope(version: str, kind: str, content: bytes) -> bytes:
    return MAGIC + message((1, message((1, version), (2, kind))), (2, content))


def test_a_job_with_its_pod_template_is_read() -> None:
    owner = message((1, "CronJob"), (3, "probe"), (4, "u-1"), (5, "batch/v1"), (6, 1))
    annotation = message((1, "cronjob.kubernetes.io/instantiate"), (2, "manual"))
    metadata = message((1, "by-hand"), (2, ""), (8, b""), (12, annotation), (13, owner))
    limit = message((1, "memory"), (2, message((1, "64Mi"))))
    secret = message((1, message((1, "credentials"))), (2, "token"))
    variable = message((1, "TOKEN"), (2, ""), (3, message((4, secret))))
    volume = message((1, "scratch"), (2, message((2, message((1, "Memory"))))))
    container = message(
        (1, "main"), (2, "a:1"), (3, "sh"), (3, "-c"), (7, variable), (8, message((1, limit))), (16, 0)
    )
    template = message((1, b""), (2, message((1, volume), (2, container), (3, "Never"))))
    body = envelope("batch/v1", "Job", message((1, metadata), (2, message((6, template), (7, 0))), (3, b"")))
    assert decode(body) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "by-hand",
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [
                {
                    "kind": "CronJob",
                    "name": "probe",
                    "uid": "u-1",
                    "apiVersion": "batch/v1",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {},
                "spec": {
                    "restartPolicy": "Never",
                    "volumes": [{"name": "scratch", "emptyDir": {"medium": "Memory"}}],
                    "containers": [
                        {
                            "name": "main",
                            "image": "a:1",
                            "command": ["sh", "-c"],
                            "env": [
                                {
                                    "name": "TOKEN",
                                    "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "token"}},
                                }
                            ],
                            "resources": {"limits": {"memory": "64Mi"}},
                        }
                    ],
                },
            },
        },
    }


def test_bytes_become_base64_and_times_become_text() -> None:
    moment = message((1, 1_778_414_400))
    pair = message((1, "key"), (2, b"\x00\xff"))
    value = decode(envelope("v1", "Secret", message((1, message((1, "s"), (8, moment))), (2, pair))))
    assert at(value, "data", "key") == base64.b64encode(b"\x00\xff").decode()
    assert at(value, "metadata", "creationTimestamp") == "2026-05-10T12:00:00Z"


def test_a_negative_number_is_read() -> None:
    body = message((1, 2**64 - 1))
    assert at(decode(envelope("v1", "DeleteOptions", body)), "gracePeriodSeconds") == -1


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        envelope("v1", "Pod", b""),
        envelope("v1", "ConfigMap", message((99, "unknown"))),
        envelope("v1", "ConfigMap", message((1, 5))),
        envelope("v1", "ConfigMap", b"\x0a\x05ab"),
        envelope("v1", "ConfigMap", b"\x0d\x00\x00\x00\x00"),
        envelope("v1", "ConfigMap", b"\xff"),
    ],
)
def test_what_cannot_be_read_whole_is_refused(body: bytes) -> None:
    with pytest.raises(ProtobufError):
        decode(body)


@given(st.binary(max_size=40))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    try:
        value = decode(envelope("v1", "ConfigMap", content))
    except (ProtobufError, UnicodeDecodeError):
        return
    assert value["kind"] == "ConfigMap"
