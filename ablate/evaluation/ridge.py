"""Ridge regression on one-hot labels in closed form, its strength chosen by leave-one-out, also in closed form.

    W = argmin_W |Y - X W|^2 + penalty |W|^2        X standardised, Y centred; penalty = strength x examples
    leave-one-out residual of example i = (y_i - x_i W) / (1 - h_i),   h_i = [X (X^T X + penalty I)^-1 X^T]_ii + 1/N

so every strength of the grid is judged by N held-out predictions for the price of one eigendecomposition (Hastie,
Tibshirani and Friedman 2009, section 7.10; 1/N is the share of the mean that is fitted too). Nothing is iterated and
nothing is random, which is why a probe is read by it: two arms differ by their features and not by how an optimiser fared.

Float64 on the CPU, in torch rather than numpy because a run fixes torch's threads and not those of numpy's library.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

STRENGTHS = tuple(10.0**power for power in range(-5, 3))
"""Penalties per example, standardised features being of unit variance."""


class Ridge(NamedTuple):
    """A fitted classifier of D features into C classes."""

    mean_D: torch.Tensor
    scale_D: torch.Tensor
    weight_DC: torch.Tensor
    offset_C: torch.Tensor
    strength: float

    def predict(self, features_ND: torch.Tensor) -> torch.Tensor:
        """The class of the largest regression value; int64 [N]."""
        return (((features_ND.double() - self.mean_D) / self.scale_D) @ self.weight_DC + self.offset_C).argmax(1)


def fit(features_ND: torch.Tensor, labels_N: torch.Tensor, classes: int, strengths: tuple[float, ...] = STRENGTHS) -> Ridge:
    """The ridge whose leave-one-out squared error is smallest; the stronger of two equal ones."""
    features_ND = features_ND.double()
    examples = len(features_ND)
    mean_D = features_ND.mean(0)
    scale_D = features_ND.std(0, correction=0)
    # A feature that never varies carries nothing; what rounding leaves of it must not be blown up to unit variance.
    scale_D = torch.where(scale_D > 1e-10 * mean_D.abs().clamp(min=1e-10), scale_D, torch.inf)
    x_ND = (features_ND - mean_D) / scale_D
    y_NC = torch.nn.functional.one_hot(labels_N, classes).double()
    offset_C = y_NC.mean(0)
    y_NC = y_NC - offset_C
    errors: list[tuple[float, float]] = []
    basis_NR, spectrum_R = _left_basis(x_ND)
    projected_RC = basis_NR.T @ y_NC
    for strength in strengths:
        shrink_R = spectrum_R / (spectrum_R + strength * examples)
        residual_NC = y_NC - basis_NR @ (shrink_R[:, None] * projected_RC)
        leverage_N = (basis_NR.square() @ shrink_R) + 1 / examples
        left_out_NC = residual_NC / (1 - leverage_N).clamp(min=1e-12)[:, None]
        errors.append((float(left_out_NC.square().sum()), strength))
    strength = min(errors, key=lambda pair: (pair[0], -pair[1]))[1]
    # x^T (x x^T + penalty)^-1 y, through the basis: no second decomposition.
    weight_DC = x_ND.T @ (basis_NR @ (projected_RC / (spectrum_R + strength * examples)[:, None]))
    return Ridge(mean_D, scale_D, weight_DC, offset_C, strength)


def _left_basis(x_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Left singular vectors and squared singular values of X, by way of the smaller of its two Gram matrices."""
    examples, width = x_ND.shape
    if examples <= width:
        spectrum_R, basis_NR = torch.linalg.eigh(x_ND @ x_ND.T)
        kept_R = spectrum_R > 1e-10 * spectrum_R.max().clamp(min=1e-300)
        return basis_NR[:, kept_R], spectrum_R[kept_R]
    spectrum_R, right_DR = torch.linalg.eigh(x_ND.T @ x_ND)
    kept_R = spectrum_R > 1e-10 * spectrum_R.max().clamp(min=1e-300)
    spectrum_R, right_DR = spectrum_R[kept_R], right_DR[:, kept_R]
    return x_ND @ right_DR / spectrum_R.sqrt(), spectrum_R
