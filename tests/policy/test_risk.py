"""Risk is derived from the command; what is not known to be harmless counts as a change."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.policy.commands import judge_kubectl, judge_method, judge_shell
from breakglass.policy.risk import Risk


@pytest.mark.parametrize(
    ("line", "risk"),
    [
        ("get pods -A", Risk.READ),
        ("-n vault get pods", Risk.READ),
        ("--context=x logs vault-0", Risk.READ),
        ("auth can-i delete pods", Risk.READ),
        ("rollout status deploy/x", Risk.READ),
        ("rollout restart deploy/x", Risk.CHANGE),
        ("delete pod x", Risk.DESTRUCTIVE),
        ("-n get delete pod x", Risk.DESTRUCTIVE),
        ("delete pod x --dry-run=server", Risk.DESTRUCTIVE),
        ("drain node1", Risk.DESTRUCTIVE),
        ("patch pv x -p {}", Risk.CHANGE),
        ("apply -f x", Risk.CHANGE),
        ("create job x --from=cronjob/y", Risk.PROBE),
        ("exec vault-0 -- vault status", Risk.READ),
        ("exec vault-0 -c vault -- timeout 3 vault status -format=json", Risk.READ),
        ("exec vault-0 -- sh -c 'df -k /dev/shm; ls /dev/shm | wc -l'", Risk.READ),
        ("exec vault-0 -- rm -rf /vault/data", Risk.DESTRUCTIVE),
        ("exec vault-0 -- vault operator step-down", Risk.DESTRUCTIVE),
        ("exec -it vault-0", Risk.CHANGE),
        ("something-new", Risk.CHANGE),
    ],
)
def test_kubectl_by_its_verb(line: str, risk: Risk) -> None:
    assert judge_kubectl(shlex.split(line)).risk is risk


@pytest.mark.parametrize(
    ("line", "risk"),
    [
        ("ps -eo stat,pid,args", Risk.READ),
        ("ps aux | grep -c nfs", Risk.READ),
        ("grep uid /proc/mounts 2>/dev/null || true", Risk.READ),
        ("cat /proc/fs/nfsd/threads 2>&1", Risk.READ),
        ("echo 8 > /proc/fs/nfsd/threads", Risk.CHANGE),
        ("echo 8 | tee /proc/fs/nfsd/threads", Risk.CHANGE),
        ("sudo -n -- umount -l /x", Risk.CHANGE),
        ("sudo timeout -k 5 30 mount -t nfs a:/b /c", Risk.PROBE),
        ("qm status 201", Risk.READ),
        ("qm agent 201 ping", Risk.READ),
        ("qm reset 201", Risk.DESTRUCTIVE),
        ("qm start 201", Risk.CHANGE),
        ("kill -9 $(cat /var/run/qemu-server/201.pid)", Risk.DESTRUCTIVE),
        ("kill -0 123", Risk.READ),
        ("systemctl is-active nfs-server", Risk.READ),
        ("systemctl restart nfs-server", Risk.DESTRUCTIVE),
        ("exportfs -v", Risk.READ),
        ("exportfs -ra", Risk.CHANGE),
        ("find / -name x -delete", Risk.DESTRUCTIVE),
        ("find / -name x -exec rm {} \\;", Risk.DESTRUCTIVE),
        ("sed -i s/a/b/ /etc/exports", Risk.CHANGE),
        ("sed -n 1p /etc/exports", Risk.READ),
        ("awk '{print $1}' /etc/exports", Risk.READ),
        ("awk 'BEGIN{system(\"reboot\")}'", Risk.CHANGE),
        ("echo $(reboot)", Risk.DESTRUCTIVE),
        ('echo "`reboot`"', Risk.DESTRUCTIVE),
        ("for n in 1 2; do reboot; done", Risk.DESTRUCTIVE),
        ("if true; then rm x; fi", Risk.DESTRUCTIVE),
        ("bash -c 'cat x && reboot'", Risk.DESTRUCTIVE),
        ("LC_ALL=C ls", Risk.READ),
        ("X=1 ls", Risk.CHANGE),
        ("docker exec registry-private /bin/registry garbage-collect --dry-run /c.yml", Risk.READ),
        ("docker exec registry-private /bin/registry garbage-collect /c.yml", Risk.DESTRUCTIVE),
        ("docker restart registry-nginx", Risk.DESTRUCTIVE),
        ("curl -s http://x", Risk.READ),
        ("curl -X DELETE http://x", Risk.DESTRUCTIVE),
        ("curl -d x http://x", Risk.CHANGE),
        ("unheard-of --flag", Risk.CHANGE),
        ("echo 'open quote", Risk.CHANGE),
        ("vault operator raft snapshot restore -force x", Risk.DESTRUCTIVE),
        ("ip link set eth0 down", Risk.CHANGE),
        ("ip -br addr", Risk.READ),
        ("find . | xargs rm", Risk.DESTRUCTIVE),
    ],
)
def test_a_shell_line_by_its_worst_part(line: str, risk: Risk) -> None:
    assert judge_shell(line).risk is risk


@pytest.mark.parametrize(
    ("method", "risk"),
    [("get", Risk.READ), ("HEAD", Risk.READ), ("POST", Risk.CHANGE), ("DELETE", Risk.DESTRUCTIVE)],
)
def test_http_by_its_method(method: str, risk: Risk) -> None:
    assert judge_method(method).risk is risk


@given(
    harmless=st.sampled_from(["ls", "true", "cat x"]),
    between=st.sampled_from(["; ", " && ", " | ", "\n", " & "]),
)
def test_nothing_harmless_hides_what_is_not(harmless: str, between: str) -> None:
    assert judge_shell(f"{harmless}{between}reboot{between}{harmless}").risk is Risk.DESTRUCTIVE
