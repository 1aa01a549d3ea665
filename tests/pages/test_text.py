"""Names stay names, numbers are what people read."""
from __future__ import annotations

import re

import pytest

from pages.ui import i18n
from pages.ui.text import about, count, duration, likelihood, listed, md, percent, score_range, size
from tests.pages.prepared import HOSTILE


def read(markdown: str) -> str:
    """What a reader sees of Markdown in which everything is escaped: backslashes go, entities become their letters, and a word joiner
    has no width."""
    plain = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace("\u2060", "")
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@pytest.mark.parametrize("name", [*HOSTILE, r"a\*b", "a & b &lt;c&gt;", "1. one", "- two", "# three", "+4", "a|b",
                                  ":smile: :material/home:", "[x](y)", "a_b_c", "https://evil.example", "<script>", "$a$ and $b$", "猫 🐈"])
def test_a_name_is_read_as_it_was_typed_and_every_sign_of_markdown_in_it_is_escaped(name: str) -> None:
    shown = md(name)
    assert read(shown) == name
    assert "<" not in shown and ">" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`~$\[\]:#|]", shown.replace("&lt;", "").replace("&gt;", "").replace("&amp;", ""))


@pytest.mark.parametrize("name", ["http://evil.example", "see HTTPS://evil.example/x", "www.evil.example", "me@evil.example", "mailto:me"])
def test_an_address_in_a_name_is_broken_up_where_it_would_become_a_link(name: str) -> None:
    assert not re.search(r"(?i)(https?|ftp|mailto)\\?:|www\\?\.|[a-z]@", md(name))


def test_a_name_of_several_lines_stays_on_one() -> None:
    assert md("one\n\n# two\t three ") == "one \\# two three"


@pytest.mark.parametrize("share, text", [(None, "–"), (0.0, "0 %"), (0.934, "93 %"), (1.0, "100 %")])
def test_percents_are_whole(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_a_score_bears_its_range() -> None:
    assert score_range(0.93, 0.884, 0.957) == "93 % (88–96)"


@pytest.mark.parametrize("seconds, text", [(0.2, "under 1 s"), (3.4, "3 s"), (9.4, "9 s"), (43, "45 s"), (89, "90 s"), (100, "2 min"),
                                           (5000, "83 min"), (9000, "2.5 h")])
def test_a_duration_is_as_coarse_as_an_estimate(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("n_bytes, text", [(10_035_040, "10 MB"), (553_434_218, "553 MB"), (2.34e9, "2.3 GB")])
def test_sizes(n_bytes: float, text: str) -> None:
    assert size(n_bytes) == text


@pytest.mark.parametrize("n, text", [(999, "999"), (2565, "2,565"), (11_689_512, "11.7 M"), (123_456, "123.5 K")])
def test_counts(n: int, text: str) -> None:
    assert count(n) == text


@pytest.mark.parametrize("share, text", [(0.0, "0 %"), (0.004, "under 1 %"), (0.5, "50 %"), (0.994, "over 99 %"), (0.996, "over 99 %"), (1.0, "100 %")])
def test_an_answer_is_never_rounded_to_certainty(share: float, text: str) -> None:
    assert likelihood(share) == text


@pytest.mark.parametrize("seconds, text", [(0.2, "under 1 s"), (0.3, "under 1 s"), (43, "about 45 s")])
def test_an_estimate_says_that_it_is_one(seconds: float, text: str) -> None:
    assert about(seconds) == text


def test_chinese_writes_figures_and_lists_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "chosen_language", lambda: "zh-CN")
    assert score_range(0.93, 0.884, 0.957) == "93%（88–96）" and percent(0.934) == "93%" and about(43) == "约 45 秒"
    assert (percent(0.93), score_range(0.93, 0.88, 0.96), listed(["a", "b"])) == ("93%", "93%（88–96）", "a、b")
    assert [count(n) for n in (2565, 12_345, 4_906_000, 4_908_000, 11_689_512, 138_357_544)] == ["2,565", "1.23万", "491万", "491万", "1170万", "1.38亿"]
    assert listed(("ResNet-18", "VGG-16")) == "ResNet-18、VGG-16"
