"""Forecast metrics against values worked out by hand."""

import numpy as np
import pytest

from neural.evaluation.forecasts import (
    bias,
    forecast_metrics,
    interval_coverage,
    interval_width,
    mase,
    naive_errors,
    pinball,
    wape,
    weighted_quantile_loss,
)

ACTUAL = np.array([[10.0, 12.0], [0.0, 4.0]])
FORECAST = np.array([[9.0, 15.0], [1.0, 4.0]])
HISTORY = [np.array([1.0, 3.0, 2.0, 6.0]), np.array([5.0, 5.0, 4.0])]


def test_naive_errors_are_of_values_a_season_apart() -> None:
    assert naive_errors(HISTORY).tolist() == pytest.approx([(2 + 1 + 4) / 3, 0.5])
    assert naive_errors(HISTORY, season=2).tolist() == pytest.approx([(1 + 3) / 2, 1.0])
    assert np.isnan(naive_errors(HISTORY, season=3)[1])


def test_mase_scales_each_series_by_its_own_naive_error() -> None:
    assert mase(ACTUAL, FORECAST, HISTORY) == pytest.approx((2 / (7 / 3) + 0.5 / 0.5) / 2)


def test_a_series_that_never_changed_is_left_out_of_mase() -> None:
    history = [HISTORY[0], np.full(5, 3.0)]
    assert mase(ACTUAL, FORECAST, history) == pytest.approx(2 / (7 / 3))
    assert mase(ACTUAL, FORECAST, [np.ones(3), np.ones(1)]) is None


def test_wape_and_bias_are_shares_of_what_was_observed() -> None:
    assert wape(ACTUAL, FORECAST) == pytest.approx((1 + 3 + 1 + 0) / 26)
    assert bias(ACTUAL, FORECAST) == pytest.approx((-1 + 3 + 1) / 26)
    assert wape(np.zeros((1, 2)), FORECAST[:1]) is None
    assert bias(np.zeros((1, 2)), FORECAST[:1]) is None


def test_pinball_charges_each_side_by_its_level() -> None:
    quantiles = np.array([[[8.0, 11.0]]])  # against 10: the lower lies 2 below, the upper 1 above
    assert pinball(np.array([[10.0]]), quantiles, (0.1, 0.9)).tolist() == pytest.approx([0.1 * 2, 0.1 * 1])


def test_the_weighted_loss_is_twice_the_sum_over_what_was_observed() -> None:
    quantiles = np.stack([FORECAST - 2, FORECAST + 2], axis=2)
    levels = (0.2, 0.8)
    loss = [
        sum(max(q * (a - f), (q - 1) * (a - f)) for a, f in zip(ACTUAL.ravel(), made.ravel(), strict=True))
        for q, made in zip(levels, (FORECAST - 2, FORECAST + 2), strict=True)
    ]
    assert weighted_quantile_loss(ACTUAL, quantiles, levels) == pytest.approx(2 * np.mean(loss) / 26)
    assert weighted_quantile_loss(np.zeros((1, 2)), quantiles[:1], levels) is None


def test_at_the_median_the_weighted_loss_is_wape() -> None:
    found = weighted_quantile_loss(ACTUAL, FORECAST[..., None], (0.5,))
    assert found == pytest.approx(wape(ACTUAL, FORECAST))


def test_coverage_counts_the_bounds_as_inside() -> None:
    low, high = FORECAST - 1, FORECAST + 1
    assert interval_coverage(ACTUAL, low, high) == 0.75
    assert interval_width(ACTUAL, low, high) == pytest.approx(8 / 26)
    assert interval_coverage(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 2))) is None


def test_all_metrics_of_a_window_name_their_interval() -> None:
    quantiles = np.stack([FORECAST - 3, FORECAST, FORECAST + 3], axis=2)
    found = forecast_metrics(ACTUAL, FORECAST, HISTORY, quantiles=quantiles, levels=(0.1, 0.5, 0.9))
    assert set(found) == {
        *("mase", "wape", "bias", "wql", "pinball"),
        *("interval_coverage@80", "interval_width@80"),
    }
    assert found["interval_coverage@80"] == 1.0
    assert set(forecast_metrics(ACTUAL, FORECAST, HISTORY)) == {"mase", "wape", "bias"}
