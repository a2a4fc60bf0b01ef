"""The page as a whole: it needs nothing, it can be read by all, and bad input never stops it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from lxml import html

from qcaps.commands import main
from qcaps.content import ContentFolders
from qcaps.measure.results import results_file
from qcaps.measure.results.results_file import Results
from qcaps.report import page, section, sources, terms
from tests.support import reporting

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = 9


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, page.PageReport]:
    folder = tmp_path_factory.mktemp("report")
    return folder, page.build(reporting.sources(reporting.full()), folder)


def test_every_section_is_on_it(drawn: tuple[Path, page.PageReport]) -> None:
    folder, report = drawn
    assert [one.name for one in report.missing] == ["today"], "no real libvirt was measured"
    assert report.shown == (
        *("verdict", "timeline", "words", "speedup_by_devices", "time_by_devices", "where_time_goes"),
        *("policy_by_validity", "ladder", "real_libvirt", "forest", "counters", "run_order", "provenance"),
    )
    assert all(path.is_file() for path in report.files)
    assert len(list(folder.glob("*.png"))) == len(list(folder.glob("*.svg"))) == FIGURES
    assert (folder / "report.html").stat().st_size < 2_000_000


def test_the_page_needs_nothing(drawn: tuple[Path, page.PageReport]) -> None:
    text = (drawn[0] / "report.html").read_text()
    document: Any = html.fromstring(text)
    assert document.xpath("//link | //img | //iframe | //object | //script/@src") == []
    (script,) = document.xpath("//script")
    assert not re.search(r"fetch|XMLHttp|import\(|http", script.text)
    for address in document.xpath("//@href | //@src"):
        assert address.startswith(("#", "data:")), address
    assert "@import" not in text
    assert set(re.findall(r"https?://[^\"' )<]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_each_word_is_hinted_at_and_explained(drawn: tuple[Path, page.PageReport]) -> None:
    document: Any = html.fromstring((drawn[0] / "report.html").read_text())
    explained = {one.get("id"): one.getnext().text_content() for one in document.xpath("//dl/dt[@id]")}
    known = terms.read()
    assert set(explained) == {term.anchor for term in known}
    assert {term.word for term in known} >= {
        *("lookup", "D", "per device", "per task", "naive", "series", "once", "once-abort", "oracle"),
        *("fork", "ctime", "watch", "trust", "torn", "pair"),
    }
    hinted = {link.get("href")[1:]: link.get("title") for link in document.xpath("//a[@class='word']")}
    assert {"word-lookup", "word-naive", "word-once", "word-ctime", "word-fork"} <= set(hinted)
    assert all(explained[anchor] == title for anchor, title in hinted.items())
    told = {text.text: text[0].text for text in document.xpath("//svg//text[title]")}
    assert told["oracle"] == explained["word-oracle"]
    cells = {one.text: one.get("title") for one in document.xpath("//td/abbr | //th/abbr")}
    assert cells["watch"] == explained["word-watch"]


def test_the_glossary_knows_the_words_of_the_page(checkout: Path) -> None:
    glossary = (checkout / "docs" / "glossary.md").read_text()
    for term in terms.read():
        assert f"**{term.word}**" in glossary or f"`{term.word}`" in glossary, term.word


def test_marks_say_their_values_and_commands_can_be_typed(drawn: tuple[Path, page.PageReport]) -> None:
    document: Any = html.fromstring((drawn[0] / "report.html").read_text())
    for name in ("timeline", "speedup_by_devices", "ladder", "policy_by_validity", "forest"):
        (wide,) = document.xpath(f"//section[@id='{name}']//div[@class='wide']/svg")
        titles = [title.text for title in wide.xpath(".//g//title | .//use/title | .//path/title")]
        assert any(re.search(r"\d", title) for title in titles), name
        (again,) = document.xpath(f"//section[@id='{name}']//details[@class='again']//code")
        assert again.text == f"qcaps report file-1.json --section {name}"


def test_a_section_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "results.json")
    assert main(["report", str(file), "--section", "forest", "-o", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").glob("*.svg")} == {"forest.svg"}
    assert main(["report", str(file), "--section", "forst", "-o", str(tmp_path / "no")]) == 2
    assert "did you mean 'forest'" in capsys.readouterr().err


def test_names_are_unique_and_refer_to_something(drawn: tuple[Path, page.PageReport]) -> None:
    document: Any = html.fromstring((drawn[0] / "report.html").read_text())
    names = document.xpath("//@id")
    assert len(names) == len(set(names))
    pointed = [name for names in document.xpath("//@aria-labelledby") for name in names.split()]
    pointed += [address[1:] for address in document.xpath("//@href") if address.startswith("#")]
    pointed += re.findall(r"url\(#([^)]+)\)", (drawn[0] / "report.html").read_text())
    assert pointed
    assert set(pointed) <= set(names)


def test_every_picture_has_words(drawn: tuple[Path, page.PageReport]) -> None:
    document: Any = html.fromstring((drawn[0] / "report.html").read_text())
    pictures = document.xpath("//svg")
    assert len(pictures) == 2 * FIGURES
    for picture in pictures:
        assert picture.get("role") == "img"
        assert len(picture.xpath("title")[0].text) > 10
        assert len(picture.xpath("desc")[0].text) > 30
    headings = [int(one.tag[1]) for one in document.xpath("//h1 | //h2 | //h3")]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert all(one.xpath("caption") for one in document.xpath("//table"))


def test_colours_follow_the_page(drawn: tuple[Path, page.PageReport]) -> None:
    text = (drawn[0] / "report.html").read_text()
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", text))
    assert {"--ink", "--grid", "--green", "--vermilion"} <= used
    assert used <= set(re.findall(r"(--[a-z0-9-]+):", text))
    style, dark = text.partition("prefers-color-scheme: dark")[::2]
    light = dict(re.findall(r"(--[a-z]+): (#\w+)", style))
    night = dict(re.findall(r"(--[a-z]+): (#\w+)", dark))
    for given in (light, night):
        for name in ("--ink", "--quiet", "--link", "--red"):
            assert _contrast(given[name], given["--page"]) >= 4.5, name
            assert _contrast(given[name], given["--panel"]) >= 4.5, name
        for name in ("--blue", "--vermilion", "--green", "--grey"):
            assert _contrast(given[name], given["--page"]) >= 3, name


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_summary_is_short_and_says_the_findings(drawn: tuple[Path, page.PageReport]) -> None:
    lines = (drawn[0] / "summary.md").read_text().splitlines()
    assert len(lines) <= 60
    assert lines[0].startswith("# 'once' is ")
    assert "\n\n\n" not in "\n".join(lines)
    assert sum(line.startswith("* **") for line in lines) == 12
    numbers = json.loads((drawn[0] / "summary.json").read_text())
    assert len(numbers["speedups"]) > 50


def test_nothing_measured_is_a_page_that_says_so(tmp_path: Path) -> None:
    report = page.build(reporting.sources(Results(())), tmp_path)
    assert set(report.shown) <= {"provenance"}
    assert "What is missing" in (tmp_path / "report.html").read_text()
    assert "Missing" in (tmp_path / "summary.md").read_text()


def test_old_results_without_spans_or_facts(tmp_path: Path) -> None:
    bare = [replace(one, runs=(replace(one.runs[0], facts={}),)) for one in reporting.grown("disks").measured]
    report = page.build(reporting.sources(Results(tuple(bare))), tmp_path)
    assert {one.name for one in report.missing} == {
        *("today", "timeline", "where_time_goes", "ladder", "real_libvirt")
    }
    assert not any(one.failed for one in report.missing)
    assert "hold no spans" in (tmp_path / "report.html").read_text()


def test_a_section_of_one_s_own_and_one_that_fails(tmp_path: Path) -> None:
    own = tmp_path / "own" / "reports" / "sections"
    own.mkdir(parents=True)
    head = "from qcaps.report.section import Content\nORDER = 1\nHEADING = 'Mine'\nMISSING = ''\n"
    (own / "mine.py").write_text(
        head + "def data(sources):\n    return len(sources.results.measured)\n"
        "def content(value):\n    return Content(f'<b>{value}</b> arms & more.')\n"
    )
    (own / "broken.py").write_text(
        head.replace("Mine", "Broken")
        + "def data(sources):\n    return 1 / 0\ndef content(value):\n    return value\n"
    )
    output = tmp_path / "out"
    output.mkdir()
    report = page.build(
        reporting.sources(reporting.grown("disks", ns=(1, 4))), output, ContentFolders(tmp_path / "own")
    )
    assert report.shown[0] == "mine"
    (failed,) = (one for one in report.missing if one.failed)
    assert "ZeroDivisionError" in failed.why
    assert "broken.py:6" in failed.why
    assert "&lt;b&gt;30" not in (text := (output / "report.html").read_text())
    assert "&lt;b&gt;20&lt;/b&gt; arms &amp; more." in text


FOREIGN = (
    '{"version": "1.0", "benchmarks": [{"metadata": {"name": "n", "unit": "second"},'
    ' "runs": [{"values": [1.0]}]}]}'
)


def written(path: Path) -> Path:
    results_file.write(path, reporting.grown("disks", ns=(1, 4)))
    return path


def test_the_command_draws_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "results.json")
    assert main(["report", str(file), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "speedup_by_devices" in said.out
    assert "not shown: The series of 2018" in said.err
    assert "Traceback" not in said.err
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("name", "contents", "complaint"),
    [
        ("empty", "", "no results file: it is empty"),
        ("domain", "<domain type='kvm'/>", "no results file: it begins with '<domain'"),
        ("braces", "{}", "truncated, or not a results file"),
        ("list", "[1]", "no results file: it begins with '[1]'"),
        ("binary", "\x00\x01", "no results file: it begins with"),
        (
            "foreign",
            (
                '{"version": "1.0", "benchmarks": [{"metadata": {"name": "n", "unit": "second"},'
                ' "runs": [{"values": [1.0]}]}]}'
            ),
            "was not measured by 'qcaps run'",
        ),
    ],
)
def test_a_bad_file_is_said_and_the_rest_read(
    name: str, contents: str, complaint: str, tmp_path: Path
) -> None:
    bad = tmp_path / name
    bad.write_text(contents)
    given = sources.load([bad, written(tmp_path / "results.json")])
    (said,) = given.complaints
    assert said.startswith(str(bad))
    assert complaint in said
    assert len(given.results.measured) == 20


def test_a_file_of_two_kinds_gives_what_is_ours(tmp_path: Path) -> None:
    file = written(tmp_path / "results.json")
    plain = json.loads(file.read_text())
    plain["benchmarks"].append(json.loads(FOREIGN)["benchmarks"][0])
    file.write_text(json.dumps(plain))
    given = sources.load([file])
    assert len(given.results.measured) == 20
    assert "benchmark 'n' was not measured" in given.complaints[0]


def test_a_truncated_file_alone_is_a_page_without_sections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "results.json")
    file.write_bytes(file.read_bytes()[:-2000])
    assert main(["report", str(file), "-o", str(tmp_path / "out")]) == 1
    assert "truncated" in capsys.readouterr().err
    assert "nothing that can be shown" in (tmp_path / "out" / "report.html").read_text()


def test_no_such_file_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "absent.json"), "-o", str(tmp_path / "out")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_section_in_the_documentation_works(checkout: Path, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (checkout / "docs" / "report.md").read_text(), re.DOTALL)
    (tmp_path / "reports" / "sections").mkdir(parents=True)
    (tmp_path / "reports" / "sections" / "often.py").write_text(example)
    found = section.sections(reporting.sources(reporting.grown("disks", ns=(1,))), ContentFolders(tmp_path))
    (own,) = (one for one in section.present(found) if one.name == "often")
    assert own.content.tables[0].rows[0] == ("naive", "16")
