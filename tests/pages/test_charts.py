"""Charts as data: right figures in the right place, and names that stay names."""
from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest

from pages.ui.charts import (
    PALETTES,
    Theme,
    class_counts_figure,
    confusion_figure,
    plain,
    probability_bars,
    scatter_figure,
    short,
    values_figure,
)

HOSTILE = ["<b>bold</b>", "<a href='javascript:alert(1)'>x</a>", "$\\alpha$", "a\nb", "&amp;", "![t](http://example.org/p.png)", "%{x}", ""]
THEMES: list[Theme] = ["light", "dark"]


def said(figure: go.Figure) -> str:
    """Every text of a figure."""
    return json.dumps(json.loads(figure.to_json()), ensure_ascii=False)


def figures(labels: list[str], theme: Theme = "light") -> list[go.Figure]:
    n = len(labels)
    return [confusion_figure([[i + j for j in range(n)] for i in range(n)], labels, theme),
            probability_bars(labels, [1 / n] * n, theme),
            class_counts_figure(labels, {"train": [3] * n, "val": [1] * n}, theme)]


@pytest.mark.parametrize("theme", THEMES)
def test_hostile_names_are_shown_letter_by_letter(theme: Theme) -> None:
    for figure in figures(HOSTILE, theme):
        text = said(figure)
        assert "&lt;b&gt;" in text and "<b>bold" not in text and "<a href" not in text
        assert "$" not in text
        assert "&amp;amp;" in text


def test_a_name_is_not_taken_for_a_hover_template() -> None:
    for figure in figures(["%{customdata}", "b"]):
        assert all("%{customdata}</b>" not in (trace.hovertemplate or "") for trace in figure.data)


def test_plain_undoes_what_plotly_would_render() -> None:
    assert plain("<i>a</i> & $b$\n c") == "&lt;i&gt;a&lt;/i&gt; &amp; &#36;b&#36; c"


def test_a_long_name_keeps_both_ends_and_is_escaped_after_cutting() -> None:
    assert short("x" * 30 + "7").endswith("7") and short("x" * 30).startswith("xxx")
    assert short("<" * 40).count("&lt;") + 1 == 22
    assert "&…" not in short("&" * 40)


@pytest.mark.parametrize("labels", [["1", "2", "10"], ["same name that is very very long 1"] * 3, ["2020-01-01", "2021-01-01", "x"]])
def test_names_that_look_like_numbers_dates_or_each_other_keep_their_rows(labels: list[str]) -> None:
    confusion, bars, counts = figures(labels)
    for axis in (confusion.layout.xaxis, confusion.layout.yaxis, bars.layout.yaxis, counts.layout.yaxis):
        assert list(axis.tickvals) == [0, 1, 2] and len(axis.ticktext) == 3


def test_confusion_counts_stand_at_true_row_and_answer_column() -> None:
    figure = confusion_figure([[8, 2], [0, 5]], ["ant", "bee"], "light")
    heat, cells = figure.data
    assert heat.text[0][1] == "2" and heat.text[1][0] == ""
    assert heat.z[0][0] == pytest.approx(0.8) and heat.z[0][1] == pytest.approx(-0.2) and heat.z[1][1] == 1
    place = list(map(tuple, cells.customdata)).index((0, 1))
    assert (cells.x[place], cells.y[place]) == (1, 0)
    assert "ant → bee" in cells.text[place] and "2 of 10" in cells.text[place]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first label on top


def test_a_label_without_items_divides_by_nothing() -> None:
    figure = confusion_figure([[3, 0], [0, 0]], ["ant", "bee"], "dark")
    assert list(figure.data[0].z[1]) == [0, 0]


@pytest.mark.parametrize("matrix", [[], [[1]], [[1, 2], [3]]])
def test_a_matrix_of_another_size_is_refused(matrix: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="2 by 2"):
        confusion_figure(matrix, ["ant", "bee"], "light")


def test_the_likeliest_label_stands_on_top_in_full_colour() -> None:
    figure = probability_bars(["ant", "bee", "cat"], [0.004, 0.993, 0.003], "light")
    bar, = figure.data
    assert list(figure.layout.yaxis.ticktext) == ["bee", "ant", "cat"] and list(bar.x) == [0.993, 0.004, 0.003]
    assert bar.marker.color[0] == PALETTES["light"].learns != bar.marker.color[1]
    assert list(bar.text) == ["over 99 %", "under 1 %", "under 1 %"]


def test_only_the_likeliest_labels_are_shown() -> None:
    figure = probability_bars([str(n) for n in range(100)], [n / 4950 for n in range(100)], "light", most=5)
    assert list(figure.layout.yaxis.ticktext) == ["99", "98", "97", "96", "95"]


def test_probabilities_of_other_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 2"):
        probability_bars(["ant", "bee"], [1.0], "light")


def test_splits_without_items_have_no_bar() -> None:
    figure = class_counts_figure(["ant", "bee"], {"train": [3, 4], "val": [0, 0], "test": [1, 1]}, "light")
    assert [trace.name for trace in figure.data] == ["training", "test"] and list(figure.data[0].x) == [3, 4]


@pytest.mark.parametrize("theme", THEMES)
def test_backgrounds_are_transparent_and_the_toolbar_is_bare(theme: Theme) -> None:
    for figure in figures(["ant", "bee"], theme):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert "zoom" in figure.layout.modebar.remove
        assert figure.layout.font.color == PALETTES[theme].ink


@pytest.mark.parametrize("theme", THEMES)
def test_every_number_is_in_one_range_of_its_side(theme: Theme) -> None:
    figure = values_figure({"train": [1.0, 1.0, 9.0, 5.0], "val": [9.0], "test": []}, "<b>age</b>", "$y$", theme)
    assert [sum(bar.y) for bar in figure.data] == [4, 1] and figure.data[0].y[0] == 2 and figure.data[1].y[-1] == 1
    assert "&lt;b&gt;" in said(figure) and "<b>" not in said(figure) and "$" not in said(figure)
    assert sum(values_figure({"train": [3.0, 3.0]}, "age", "", theme).data[0].y) == 2, "all may be the same"


@pytest.mark.parametrize("theme", THEMES)
def test_right_numbers_lie_on_the_line(theme: Theme) -> None:
    line, points = scatter_figure([(1.0, 1.0), (4.0, 6.0)], "<i>age</i>", "years", theme).data
    assert line.x == line.y and line.x[0] < 1 and line.x[1] > 6
    assert (points.x, points.y) == ((1.0, 4.0), (1.0, 6.0))
    assert scatter_figure([(2.0, 2.0)], "age", "", theme).data[0].x[0] < 2, "a single item has room around it"
