"""Where a study looks: its first points, and the ends of its ranges."""

from __future__ import annotations

import json
import math

import pytest

from seqlab.studies.tune.space import Dimension, around, first_points


def test_points_around_the_usual_one_keep_most_of_it_and_fill_every_range_evenly():
    space = [
        Dimension("a", 1e-4, 1.0, logarithmic=True),
        Dimension("b", choices=(1, 2, 4, 8)),
        Dimension("c", 0, 1),
    ]
    usual = {"a": 1e-2, "b": 2, "c": 0.5}
    points = around(space, usual, 64, 3)
    assert points == around(space, usual, 64, 3)
    assert points != around(space, usual, 64, 4)
    assert usual not in points
    assert all(points.count(one) == 1 for one in points)
    for key in ("a", "c"):
        assert 28 <= sum(point[key] == usual[key] for point in points) <= 44, "three of four, but for the usual point"
    decades = [math.floor(math.log10(point["a"])) for point in points if point["a"] != usual["a"]]
    counts = [decades.count(power) for power in (-4, -3, -2, -1)]
    assert max(counts) - min(counts) <= 3


def test_the_rate_of_the_range_test_comes_second_and_the_one_half_way_to_it_third():
    space = [Dimension("training.lr", 1e-4, 1.0, logarithmic=True), Dimension("b", choices=(1, 2, 4, 8))]
    usual = {"training.lr": 1e-2, "b": 2}
    points = first_points(space, usual, 0.04, 5, 3)
    assert points[:3] == [usual, {"training.lr": 0.04, "b": 2}, {"training.lr": 0.02, "b": 2}]
    assert len(points) == 6
    assert all(points.count(one) == 1 for one in points)
    for nothing_new in (None, 1e-2):
        assert first_points(space, usual, nothing_new, 5, 3) == [usual, *around(space, usual, 5, 3)]
    assert first_points(space[1:], {"b": 2}, 0.04, 2, 3) == [{"b": 2}, *around(space[1:], {"b": 2}, 2, 3)]


def test_the_widths_next_to_the_usual_one_come_before_points_that_change_several_settings():
    width = Dimension("model.hidden_dim", choices=(100, 150, 200, 300, 400))
    space = [Dimension("training.lr", 1e-4, 1.0, logarithmic=True), width]
    usual = {"training.lr": 1e-2, "model.hidden_dim": 200}
    points = first_points(space, usual, 0.04, 8, 3)
    assert [one["training.lr"] for one in points[:5]] == [1e-2, 0.04, 0.02, 1e-2, 1e-2]
    assert [one["model.hidden_dim"] for one in points[:5]] == [200, 200, 200, 150, 300]
    assert len(points) == 9
    assert all(points.count(one) == 1 for one in points)
    smallest = {"training.lr": 1e-2, "model.hidden_dim": 100}
    assert first_points(space, smallest, None, 8, 3)[1] == {"training.lr": 1e-2, "model.hidden_dim": 150}
    assert first_points(space, smallest, None, 8, 3)[2] != {"training.lr": 1e-2, "model.hidden_dim": 400}


def test_a_small_space_has_no_more_points_than_it_has():
    space = [Dimension("b", choices=(1, 2)), Dimension("c", choices=(1, 2))]
    points = around(space, {"b": 1, "c": 1}, 10, 1)
    assert sorted(map(str, points)) == sorted(map(str, [{"b": 1, "c": 2}, {"b": 2, "c": 1}, {"b": 2, "c": 2}]))


@pytest.mark.parametrize(
    ("dimension", "value", "end"),
    [
        (Dimension("training.lr", 1e-3, 1e-1, logarithmic=True), 1.2e-3, "lowest"),
        (Dimension("training.lr", 1e-3, 1e-1, logarithmic=True), 1e-2, ""),
        (Dimension("training.lr", 1e-3, 1e-1, logarithmic=True), 9e-2, "highest"),
        (Dimension("model.dropout", 0.0, 0.6, step=0.05, natural=(0.0,)), 0.0, ""),
        (Dimension("model.dropout", 0.0, 0.6, step=0.05, natural=(0.0,)), 0.05, ""),
        (Dimension("model.dropout", 0.0, 0.6, step=0.05, natural=(0.0,)), 0.6, "highest"),
        (Dimension("model.hidden_dim", choices=(64, 128, 256)), 256, "highest"),
        (Dimension("model.hidden_dim", choices=(64, 128, 256)), 128, ""),
        (Dimension("model.cell", choices=("gru", "lstm")), "lstm", ""),
    ],
)
def test_a_best_value_at_the_end_of_its_range_is_noticed(dimension, value, end):
    assert dimension.end(value) == end
    assert Dimension.of_json(json.loads(json.dumps(dimension.to_json()))) == dimension
