"""Results of tests as JUnit XML, which CI systems show beside a change."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from breakglass.testing.suite import TestResult
from breakglass.transport.sanitize import visible


def junit(results: Sequence[TestResult]) -> str:
    """One suite a runbook, one case a test."""
    root = Element("testsuites")
    for runbook in dict.fromkeys(each.case.runbook for each in results):
        mine = [each for each in results if each.case.runbook == runbook]
        failed = sum(bool(each.wrong) for each in mine)
        seconds = f"{sum(each.seconds for each in mine):.3f}"
        suite = SubElement(
            root, "testsuite", name=runbook, tests=str(len(mine)), failures=str(failed), time=seconds
        )
        for each in mine:
            case = SubElement(
                suite,
                "testcase",
                classname=f"{runbook}.{each.case.scenario.stem}",
                name=each.case.name,
                file=str(each.case.scenario),
                time=f"{each.seconds:.3f}",
            )
            if each.wrong:
                words = [visible(line) for line in each.wrong]
                SubElement(case, "failure", message=words[0].splitlines()[0]).text = "\n".join(words)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"
