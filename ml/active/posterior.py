"""How sure the instant head is of its log odds: Laplace's approximation (MacKay 1992) with one curvature a tag.

The head's prior is a Gaussian of variance 1 / ridge for each weight. Decided products narrow it along their principal
axes, by the tag's mean ``p (1 - p)``; across them it stays as wide as the prior, so that what is unlike anything
decided is uncertain. For all products and tags that is one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Posterior:
    """axes ``(d + 1, r)`` orthonormal directions of decided products in scaled features, spread ``(r,)`` their squared
    singular values, scale ``(d + 1,)``."""

    axes: np.ndarray
    spread: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, decided: np.ndarray, ridge: float, intercept_ridge: float = 0.1) -> Posterior:
        """``decided`` ``(m, d)``: features of the decided products."""
        m, d = decided.shape
        scale = np.full(d + 1, ridge**-0.5, dtype=np.float32)
        scale[-1] = intercept_ridge**-0.5
        if not m:
            return cls(np.zeros((d + 1, 0), dtype=np.float32), np.zeros(0, dtype=np.float32), scale)
        scaled = np.hstack([decided, np.ones((m, 1), dtype=np.float32)]) * scale
        if m <= d + 1:
            values, left = np.linalg.eigh(scaled @ scaled.T)
            keep = values > values[-1] * 1e-6
            axes = scaled.T @ (left[:, keep] / np.sqrt(values[keep]))
        else:
            values, right = np.linalg.eigh(scaled.T @ scaled)
            keep = values > values[-1] * 1e-6
            axes = right[:, keep]
        return cls(axes.astype(np.float32), values[keep].astype(np.float32), scale)

    def variance(self, features: np.ndarray, curvature: np.ndarray) -> np.ndarray:
        """``(n, T)``: variance of each tag's log odds. curvature ``(T,)``: the mean of p (1 - p) over decided products,
        those where the tag was no question counting 0."""
        scaled = np.hstack([features, np.ones((len(features), 1), dtype=np.float32)]) * self.scale
        inside = (scaled @ self.axes) ** 2
        told = self.spread[:, None] * curvature[None, :].astype(np.float32)
        whole = (scaled**2).sum(axis=1, keepdims=True)
        return np.asarray(np.maximum(whole - inside @ (told / (1 + told)), 0.0))
