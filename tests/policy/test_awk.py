"""Which programs of awk are known to read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.policy import placeholders
from breakglass.policy.awk import objection

EVERYDAY = [
    "",
    "1",
    "NF",
    "{print}",
    "{print $1}",
    "{ print $NF }",
    "{print $(NF-1)}",
    "{print $1, $NF-1, -$2, !$3, $1^2, $1%2, $1/2, $1 / $2}",
    '{print $1 "," $2}',
    '{print $1","$2; next}',
    "NR==1",
    "NR>1",
    "NR%2==0",
    "NR>=10 && NR<=20",
    "NR>1 {print $5}",
    "/error/",
    "!/error/",
    "/error/ && !/debug/",
    "/error/{print $2}",
    "/start/,/end/",
    '/start/,/end/ {print NR": "$0}',
    "/=/{print $2}",
    r"/\/var\/log/",
    "/[[:space:]]+[^]]*]/",
    '$1 == "Ready"',
    "$3 > 5",
    "$5+0 >= 90 {print $6, $5}",
    "$1 ~ /^[0-9]+$/",
    "$2 !~ /Running|Completed/ {print $1}",
    "$1 ~ /^D/",
    "/x/ && $3 > 5 {n++} END {print n}",
    "END{print NR}",
    "BEGIN{print 1/3}",
    'BEGIN {FS=":"} {print $1}',
    'BEGIN { FS = ":"; OFS = "\\t" } ; { print $1, $3 }',
    "{s+=$1} END{print s}",
    '{s+=$1} END{printf "%.2f\\n", s/NR}',
    "{sum += $2; if ($2 > max) max = $2} END {print sum/NR, max}",
    "{c[$1]++} END {for (k in c) print c[k], k}",
    "!seen[$0]++",
    "NR==FNR{a[$1]=$2;next} $1 in a {print $0, a[$1]}",
    "length($0) > 80",
    "length > 80",
    "{print length}",
    "{print length($0)/2}",
    '{print substr($0, 1, 10) "..."}',
    '{split($0, a, ":"); print a[1]}',
    "{n = split($2, parts, /[.]/); print parts[n]}",
    '{gsub(/"/, ""); print}',
    r'{gsub(/\/+/,"/"); print $0}',
    '{sub(/^[ \\t]+/, "", $2); print $2}',
    '{print toupper($1), tolower($2), int($3), sprintf("%05d", $4)}',
    '{if ($1 > 3) print; else print "no"}',
    "{if ($1 > 3) {print} else if ($1 < 1) {next} else {exit 1}}",
    '{for (i=1;i<=NF;i++) printf "%s ", $i; print ""}',
    '{for (i = NF; i > 0; i--) {s = s $i OFS}; print s; s = ""}',
    "{i = 1; while (i <= NF) {t += $i; i++}} END {print t}",
    "{do {x--} while (x > 0)}",
    "{for (;;) {break}}",
    "{print (a > b)}",
    '{print ($1 > $2) ? "more" : "less"}',
    "{print ($1 > $2 ? $1 : $2)}",
    '{x = x ? x "," $1 : $1} END {print x}',
    "{a[$1,$2] = 1; if (($1,$2) in a) delete a[$1,$2]}",
    '{$1=""; print substr($0,2)}',
    "{$2 = $2 * 1024} 1",
    '{printf "%-20s %s\\n", $1, $2}',
    '{printf("%s %d%%\\n", $1, $2)}',
    '{ print strftime("%F %T", $1), systime() }',
    "/x/{getline; print}",
    "BEGIN {while ((getline line) > 0) n++; print n}",
    "{print; fflush()}",
    "END {exit !found}",
    "{exit (n > 5)}",
    'BEGIN {print ENVIRON["HOME"]}',
    '{PROCINFO["sorted_in"] = "@val_num_desc"; for (k in c) print k}',
    "{print $1}; {print $2}",
    "# the sum\n{s += $1} # of the first\n\nEND {\n  print s,\n    NR\n}\n",
    "/a/ &&\n/b/ {print}",
    "{print $1, \\\n $2}",
    '{print "größer"}',
    '{print "a system(1) | sort > f"}',
]


@pytest.mark.parametrize("program", EVERYDAY)
def test_everyday_programs_read(program: str) -> None:
    assert objection(program) == ""


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ('BEGIN{system ("rm -rf /data")}', "`system` runs a program"),
        ('BEGIN{system("rm x")}', "`system` runs a program"),
        ('system("rm")', "`system` runs a program"),
        ("{print > f}", "`>` writes a file"),
        ('{print > "f"}', "`>` writes a file"),
        ('{print $1, $2 > "f"}', "`>` writes a file"),
        ("{print a > b ? c : d}", "`>` writes a file"),
        ("{print a ? b > c : d}", "`>` writes a file"),
        ("{print (a) > b}", "`>` writes a file"),
        ("{print (a, b) > c}", "`>` writes a file"),
        ("{print(1)(2) > c}", "`>` writes a file"),
        ("{print a[1 > 2]}", "`>` writes a file"),
        ("{print $a[1 > 2]}", "`>` writes a file"),
        ('BEGIN{printf("%s\\n", "x") > "f"}', "`>` writes a file"),
        ("{print a,\n b > c}", "`>` writes a file"),
        ("{print a >= b}", "`>` writes a file"),
        ("{print >> f}", "`>>` writes a file"),
        ("{print | c}", "`|` runs a program"),
        ('{printf "rm -rf %s\\n", $1 |& "sh"}', "`|&` runs a program"),
        ('BEGIN{"rm -rf /data" |  getline}', "`|` runs a program"),
        ('BEGIN{"rm" | getline x}', "`|` runs a program"),
        ('{getline x < "f"}', "`getline <` reads another file"),
        ('{getline < "f"}', "`getline <` reads another file"),
        ("{getline x + 1}", "this is not understood: + 1}"),
        ("{getline a[1]}", "this is not understood: [1]}"),
        ('{close("x")}', "`close` ends a file or a program"),
        ('{ARGV[1] = "x"}', "`ARGV` names the files that are read"),
        ("{for (i in ARGV) print}", "`ARGV` names the files that are read"),
        ('{sub(/a/, "b", ARGV[1])}', "`ARGV` names the files that are read"),
        ("{ARGC = 1}", "`ARGC` names the files that are read"),
        ('{ENVIRON["PATH"] = "x"}', 'this is not understood: = "x"}'),
        ('{ENVIRON["PATH"]++}', "this is not understood: ++}"),
        ('{sub(/a/, "b", ENVIRON["x"])}', "`sub` assigns to what is not a variable"),
        ("{for (k in ENVIRON) print k}", "`ENVIRON` as a whole is the environment"),
        ("{delete ENVIRON}", "`ENVIRON` as a whole is the environment"),
        ('{OFMT = "%s%n"}', 'this is not understood: = "%s%n"}'),
        ("{for (OFMT in a) print 0.1}", "this is not understood: ) print 0.1}"),
        ("{getline CONVFMT}", "this is not understood: }"),
        ('{SYMTAB["ARGV"]}', 'this is not understood: SYMTAB["ARGV"]}'),
        ("function f(x) {system(x)} {f(1)}", "this is not understood: function f(x) {syste…"),
        ("{f(1)}", "`f` is not a function that is known"),
        ("{f (1)}", "`f` is not a function that is known"),
        ("{@f(1)}", "this is not understood: @f(1)}"),
        ('@include "f"', 'this is not understood: @include "f"'),
        ('@load "filefuncs"', 'this is not understood: @load "filefuncs"'),
        ("{awk::system(1)}", "this is not understood: ::system(1)}"),
        ("BEGINFILE{print}", "this is not understood: BEGINFILE{print}"),
        ('{print _"text"}', 'this is not understood: _"text"}'),
        ("{switch ($1) {case 1: print}}", "this is not understood: switch ($1) {case 1:…"),
        ("{print length / 2}", "this is not understood: / 2}"),
        ('{if (x) /a/; print "/b/ > f"}', 'this is not understood: /a/; print "/b/ > f"…'),
        ("{x++ /a/ 2}", "this is not understood: /a/ 2}"),
        ('{print "a" /b/ "c"}', 'this is not understood: /b/ "c"}'),
        ("/[/]/ {print}", "not every version sees the same end of /[/]/ {print}"),
        (r"/[\]/]/", r"not every version sees the same end of /[\]/]/"),
        ("/a\n/", "this has no end: /a"),
        ('{print "a\n"}', 'this is not understood: "a'),
        ('{print "a\\\n"}', 'this is not understood: "a\\'),
        ("{print} # \\\n{print > f}", "a comment ends in a backslash"),
        ("{print 0x10}", "this is not understood: 0x10}"),
        ("{print 2**3}", "this is not understood: **3}"),
        ("{1 = 2}", "this is not understood: = 2}"),
        ("{print 'x'}", "this is not understood: 'x'}"),
        ("{print", "it ends too early"),
        ("if (x) print", "this is not understood: if (x) print"),
        ("{" * 100 + "}" * 100, "it is nested too deeply"),
        ("{print\r}", "it holds the control character U+000D"),
        ("{größe = 1}", "this is not understood: öße = 1}"),
    ],
)
def test_anything_else_is_objected_to(program: str, why: str) -> None:
    assert objection(program) == why


@pytest.mark.parametrize("mark", sorted(placeholders.STAND_INS))
@pytest.mark.parametrize("program", ['{{print "{}"}}', "/{}/", "# {}", "{}"])
def test_a_value_is_never_a_part_of_a_program(program: str, mark: str) -> None:
    assert objection(program.format(mark)) == "a value stands in its text"


@given(st.text(st.sampled_from("{}()[]/\\\"' \n;ax1.e$=+-*<>|,:?!~&#") | st.characters()))
def test_any_text_gets_an_answer(program: str) -> None:
    objection(program)


@pytest.mark.parametrize(
    "piece", ["{", "(", "$", "-", "1", "1e", "/", "/[", '"', "x=", "a ", ";", "#\n", "a?", "{if(1)"]
)
def test_a_long_text_gets_an_answer(piece: str) -> None:
    objection(piece * 50_000)
