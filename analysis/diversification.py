"""The formulas of how risk and correlation are shared among the holdings of a portfolio, for many at once.

Conventions are those of :mod:`analysis.measures`. ``weights`` and what belongs to holdings are of shape ``(portfolios,
holdings)``, 0 if not held.
"""

import numpy as np

from analysis.measures import NOISE, centered, quotient, standard_deviation, standardized
from analysis.models import Booleans, Floats

_DOMINATED = 1e-5
"""The weight of all pairs, relative to that of everything, below which rounding counts in their correlation."""


def covariances(holding_returns: Floats, returns: Floats) -> Floats:
    """Return the sample covariance (ddof 1) of each holding with its portfolio, shape ``(portfolios, holdings)``.

    ``holding_returns`` are ``(portfolios, holdings, observations)``. With S the covariance matrix of the holdings and w
    their weights it is (S w)_i, without computing S.
    """
    # The deviations sum to zero, so the holdings' returns need not be centered as well.
    products: Floats = np.matvec(holding_returns, centered(returns).T)
    return products / (len(returns) - 1)


def risk_contributions(weights: Floats, covariance: Floats, deviation: Floats, noise: Floats) -> Floats:
    """Return w_i (S w)_i / (w' S w): each holding's share of the variance, shape ``(portfolios, holdings)``.

    ``weights`` w are 0 if not held, ``covariance`` is from :func:`covariances`, ``deviation`` the portfolios' daily
    standard deviations, without which there is nothing to share. Those of a portfolio sum to 1.
    """
    parts = weights * covariance
    return parts / np.where(deviation > noise, parts.sum(axis=1), np.nan)[:, None]


def diversification_ratio(weights: Floats, deviations: Floats, deviation: Floats, noise: Floats) -> Floats:
    """Return the sum of abs(w_i) s_i over the portfolio's own daily standard ``deviation``, ``(portfolios,)``.

    The ``weights`` and the holdings' ``deviations`` are ``(portfolios, holdings)``.
    """
    average: Floats = np.vecdot(np.abs(weights), deviations)
    return quotient(average, deviation, noise)


def varying(weights: Floats, deviations: Floats) -> Floats:
    """Return the weights, same shape, with 0 for holdings without variance, which correlate with nothing."""
    return np.where(deviations > NOISE, weights, 0.0)


def per_deviation(weights: Floats, deviations: Floats) -> Floats:
    """Return w_i / s_i, same shape, of :func:`varying` holdings; 0 for the others."""
    return np.divide(weights, deviations, out=np.zeros_like(weights), where=weights != 0)


def average_correlation(standard_returns: Floats, weights: Floats) -> Floats:
    """Return the sum over pairs of w_i w_j rho_ij / the sum of abs(w_i w_j); undefined for less than two holdings.

    ``weights`` w, ``(portfolios, holdings)``, are those of :func:`varying` holdings. ``standard_returns`` are the sums
    of the weighted returns, each divided by its holding's deviation: their variance contains each pair twice, and each
    holding with itself.
    """
    squares = (weights * weights).sum(axis=1)
    several = (weights != 0).sum(axis=1) > 1
    pairs = np.where(several, _pairs(weights), np.nan)
    return np.clip((standard_deviation(centered(standard_returns)) ** 2 - squares) / pairs, -1, 1)


def dominated(weights: Floats) -> Booleans:
    """Return which portfolios have one holding beside which :func:`average_correlation` drowns in rounding."""
    several: Booleans = (weights != 0).sum(axis=1) > 1
    return np.logical_and(several, _pairs(weights) <= _DOMINATED * np.abs(weights).sum(axis=1) ** 2)


def correlation_of_pairs(holding_returns: Floats, weights: Floats) -> float:
    """Return the :func:`average_correlation` of one portfolio, pair by pair.

    ``holding_returns`` are ``(observations, holdings)``, ``weights`` ``(holdings,)``, all of :func:`varying` holdings.
    """
    standard = standardized(centered(holding_returns))
    # Relative to the largest, so that no product is too small for a number.
    relative = weights / np.abs(weights).max()
    products = np.triu(np.outer(relative, relative), 1)
    return float(np.clip((products * (standard.T @ standard)).sum() / len(standard) / np.abs(products).sum(), -1, 1))


def _pairs(weights: Floats) -> Floats:
    pairs: Floats = np.abs(weights).sum(axis=1) ** 2 - (weights * weights).sum(axis=1)
    return pairs
