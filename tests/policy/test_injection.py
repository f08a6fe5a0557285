"""A value stands where its program does not read it as code, and nowhere else."""

import shlex

import pytest

from breakglass.policy.injection import misplaced, reads_program
from breakglass.policy.placeholders import VALUE
from breakglass.policy.shell import parse

CODE = [
    "bash -eo pipefail -c 'ls -d {}'",
    "bash -o pipefail -c 'ls -d {}'",
    "bash --rcfile x -c 'ls {}'",
    "bash -O extglob -c 'ls {}'",
    "bash --unknown 1 -c 'ls {}'",
    "sh -c 'ls {}'",
    "sh -ec 'ls {}' sh x",
    "sh -c {}",
    "sh {}",
    "sh -s {}",
    "zsh -c 'ls {}'",
    "fish -c 'ls {}'",
    "busybox sh -c 'ls {}'",
    "sh -c 'eval \"$1\"' sh {}",
    "sh -c 'sh -c \"ls $1\"' sh {}",
    "sh -c 'awk \"/$1/\"' sh {}",
    "sh -c 'xargs -I% sh -c \"ls %\"' sh {}",
    "sh -c 'cat <<E\n$1\nE' sh {}",
    "su root -c 'ls {}'",
    "runuser -u x -- sh -c 'ls {}'",
    "awk '/{}/ {{print}}' /etc/hostname",
    "awk {} /etc/hostname",
    "sed -n {} /etc/hostname",
    "sed -e s/a/{}/ /etc/hostname",
    "env -S 'ls {}'",
    "env '-Sls {}'",
    "env -S {}",
    "env {} ls",
    "env LD_PRELOAD={} ls",
    "env PATH={} rm x",
    "sudo BASH_ENV={} rm x",
    "python3 -c \"print('{}')\"",
    "python3 -m {}",
    "python3 {}",
    "perl -ne {} x",
    "perl -ne print {}",
    "ruby -e 'puts 1' {}",
    "node -e {}",
    "psql -c \"select '{}'\"",
    "psql {}",
    "mysql -e 'select {}'",
    "sqlite3 x.db 'select {}'",
    "redis-cli EVAL {} 0",
    "watch -n1 'ls {}'",
    "watch -n 1 ls {}",
    "script -c 'ls {}'",
    "rsync -e {} a h:b",
    "rsync a {}",
    "git ls-remote --upload-pack={} .",
    "git -c core.pager={} -p log",
    "git clone -u {} a b",
    "git clone -c {} a b",
    "git clone --upload-pack {} a b",
    "crictl exec c bash -eo pipefail -c 'ls {}'",
    "timeout 5 bash -eo pipefail -c 'ls {}'",
    "timeout --unknown 5 bash -c 'ls {}'",
    "nice -n 5 sh -c 'ls {}'",
    "sudo -u root sh -c 'ls {}'",
    "sudo -u root -- timeout 5 sh -c 'ls {}'",
    "docker exec web sh -c 'ls {}'",
    "docker exec --unknown x web sh -c 'ls {}'",
    "docker exec web {}",
    "docker run x {}",
    "docker run --entrypoint {} x",
    "kubectl exec -n x pod -- bash -eo pipefail -c 'ls {}'",
    "kubectl exec pod -- {}",
    "kubectl run x --image=y -- sh -c 'ls {}'",
    "find . -maxdepth 0 -exec sh -c 'ls {}' ';'",
    "find . -exec {} ';'",
    "xargs sh -c 'ls {}'",
    "xargs {}",
    "sudo {} x",
    "nohup {}",
    "{} x",
    "ssh h ls {}",
    "ssh -o ProxyCommand={} h ls",
    "eval ls {}",
    "trap 'ls {}' EXIT",
    "trap {} EXIT",
    ". {}",
    "set -- {}",
    "export X={}",
    "read {}",
    "unset {}",
    "test -v {}",
    "[[ {} -eq 1 ]]",
    "at -f {} now",
    "crontab {}",
    "systemd-run {}",
    "vim {}",
    "less {}",
    "tar -xf {}",
    "make X={}",
    "gdb -batch -ex {}",
    "gdb -p 1 -batch -ex 'print {}'",
    "mytool sh -c 'ls {}'",
    "mytool --exec {}",
    "mytool --exec={}",
    "mytool -e {}",
    "mytool '-e x{}'",
    "mytool -cfoo={}",
    "mytool '-cx{}'",
    "curl -Kx{} http://h",
    "wget -e{} http://h",
    "ip -b{}",
    "env mytool sh -c 'ls {}'",
    "mytool -e{}",
    "mytool 'select {}'",
    "mytool 'a={},b'",
    "mytool '{{\"a\": {}}}'",
]

DATA = [
    "xargs rm -v -- {}",
    "xargs -0 rm -v {}",
    "nice tee a={}",
    "nice -n 5 tee a={}",
    "env tee a={}",
    "mytool --name={}",
    "mytool --cx={}",
    "sh -c 'ls -d \"$1\"' sh {}",
    "bash -eo pipefail -c 'ls -d \"$1\" | head -1' bash {}",
    "timeout 5 sh -c 'rm -rf \"$1\"' sh {}",
    "python3 -c 'import sys; print(sys.argv[1])' {}",
    "python3 /opt/tool.py {}",
    "sh /opt/tool.sh {}",
    "sed -n p {}",
    "awk 1 /srv/{}",
    "gdb -p {} -batch -ex 'thread apply all bt'",
    "git clone --depth 1 --branch {} {} {}",
    "qm status {}",
    "qm set {} --boot order={}",
    "qm reset {}",
    "rm -rf /srv/{}",
    "rm -rf {}/x",
    "kill -9 {}",
    "sudo rm /srv/{}",
    "timeout {} rm x",
    "docker exec {} cat /etc/hostname",
    "docker exec {} /bin/registry garbage-collect x",
    "docker restart {}",
    "docker build -t {} {}/x",
    "kubectl delete pod {} -n {}",
    "kubectl get pods -l app={}",
    "kubectl patch pod x -p {}",
    "kubectl annotate pod x note={}",
    "systemctl restart kubelet-{}",
    "mount -t nfs {}:{} /tmp/x",
    "find {} -name x -delete",
    "find . -name {}",
    "grep -F -- {} /etc/hosts",
    "grep -r bash {}",
    "mytool {}",
    "mytool --name {}",
    "mytool --name={} /srv/{}/x",
    "/opt/bin/mytool {}:9100",
    "echo {}",
    "test -n {}",
    "[ -f {} ]",
]


def words(line: str) -> list[str]:
    return shlex.split(line.format(*[VALUE] * 5))


@pytest.mark.parametrize("line", CODE)
def test_a_value_that_its_program_may_read_as_code_is_refused(line: str) -> None:
    assert misplaced(words(line))


@pytest.mark.parametrize("line", DATA)
def test_a_value_that_is_only_data_to_its_program_is_let_in(line: str) -> None:
    assert misplaced(words(line)) == ""


def test_the_refusal_shows_the_right_way() -> None:
    assert """sh -c 'ls -d "$1"' sh ${{ … }}""" in misplaced(words("bash -c 'ls {}'"))


@pytest.mark.parametrize(
    "script",
    [
        'x="$(cat {})"; eval "ls $x"',
        'x="$(cat {})"; sh -c "ls $x"',
        'x="$(cat {})"; awk "/$x/" /etc/hosts',
        "echo {} | sh",
        "echo {} | bash -s",
        "printf %s {} | xargs -I% sh -c 'ls %'",
        "printf %s {} | xargs sh -c",
        "printf %s {} | sudo sh",
        "printf %s {} | python3 -",
        "printf %s {} | psql",
        "printf %s {} | ssh h",
        "printf %s {} | sh -c 'sh'",
    ],
)
def test_in_a_script_a_value_reaches_no_program_in_a_roundabout_way(script: str) -> None:
    commands = parse(script.replace("{}", VALUE))
    assert any(misplaced(each.words, tainted=True) for each in commands if each.words)


@pytest.mark.parametrize(
    "script",
    [
        'x="$(cat {})"; echo "$x"',
        "printf %s {} | xargs -n1 ls -d",
        "printf %s {} | sh -c 'cat'",
        'n="$(wc -l < /etc/hosts)"; sh -c \'echo "$1"\' sh {}',
        "ls {} | awk '{print $1}'",
        "ls {} | sed -n 1p",
    ],
)
def test_in_a_script_a_value_may_be_read_as_data(script: str) -> None:
    commands = parse(script.replace("{}", VALUE, 1))
    assert [misplaced(each.words, tainted=True) for each in commands if each.words] == [""] * len(
        [each for each in commands if each.words]
    )


@pytest.mark.parametrize(
    ("line", "reader"),
    [
        ("sh", "sh"),
        ("bash -s", "bash"),
        ("bash -e", "bash"),
        ("sudo -n sh", "sh"),
        ("sh -c 'cat | sh'", "sh"),
        ("python3", "python3"),
        ("python3 -", "python3"),
        ("psql -h x", "psql"),
        ("qm monitor 201", "qm monitor"),
        ("mytool sh", "sh"),
        ("kubectl exec -i pod -- sh", "sh"),
        ("sh -c 'cat > /tmp/x'", ""),
        ("python3 /opt/tool.py", ""),
        ("tee /tmp/x", ""),
        ("mytool", ""),
    ],
)
def test_what_reads_its_standard_input_as_a_program_is_known(line: str, reader: str) -> None:
    assert reads_program(shlex.split(line)) == reader


@pytest.mark.parametrize(
    "script",
    [
        "sh -c 'mytool $1' sh {}",
        "sh -c 'rm -r $*' sh {}",
        "sudo bash -c 'mv $1 /x' b {}",
        "sh -c 'x=\"$1\"; mytool $x' sh {}",
        "mytool $(echo {})",
        "echo {} | while read x; do rm $x; done",
        "echo {} | xargs rm",
        "echo {} | xargs -I% rm %",
        "cd {} && rm *",
    ],
)
def test_a_value_never_becomes_several_words_of_what_may_change(script: str) -> None:
    found = [
        misplaced(each.words) or misplaced(each.words, tainted=True)
        for each in parse(script.replace("{}", VALUE, 1))
        if each.words
    ]
    assert "several words" in "".join(found)


@pytest.mark.parametrize(
    "script",
    [
        "sh -c 'mytool \"$1\"' sh {}",
        "sh -c 'ls $1' sh {}",
        "find /srv/{} -print0 | xargs -0 rm",
        "find /srv/{} | xargs ls -d",
        "rm -rf {}/*",
        "cd {} && rm ./*",
    ],
)
def test_a_value_that_stays_one_word_or_is_only_read_is_let_through(script: str) -> None:
    for each in parse(script.replace("{}", VALUE, 1)):
        if each.words:
            assert not misplaced(each.words)
            assert not misplaced(each.words, tainted=True)


@pytest.mark.parametrize(
    "line",
    [
        "rg --pre {} x",
        "sort --compress-program={} f",
        "wget -e {} http://h",
        "curl -K {} http://h",
        "curl -K{} http://h",
        "ip -b {}",
        "nginx -c {}",
        "haproxy -c -f {}",
        "dmsetup ls --exec {}",
        "apt-get -o {} install x",
        "helm upgrade x y --post-renderer {}",
        "kubectl --kubeconfig {} get pods",
    ],
)
def test_a_value_is_no_program_and_no_file_of_options_of_a_program_that_is_known(line: str) -> None:
    assert "leave it out" in misplaced(shlex.split(line.replace("{}", VALUE)))
