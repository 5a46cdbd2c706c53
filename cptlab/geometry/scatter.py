"""NC1 of neural collapse: how far images of a class are spread, beside how far classes are apart.

Papyan, Han and Donoho (2020), PNAS 117(40). Image features are L2-normalised first, as CLIP
compares directions; numbers are floats computed in float64 on the CPU.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Between unit vectors, lengths below this are rounding of float32 features, not directions.
ROUNDING = 1e-6


def class_means(features: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Mean of the normalised features of each class; the means are not normalised again.

    Args:
        features: (N, d) image features.
        labels: (N,) integer class of each, in 0..K-1.
        n_classes: K.

    Returns:
        (K, d) float64 means on the CPU; NaN in the rows of classes without samples.

    Raises:
        ValueError: on labels outside 0..K-1.
    """
    rows, labels = unit(features), labels.cpu()
    if len(labels) and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(f"labels must lie in 0..{n_classes - 1}, one index per prototype.")
    sums = torch.zeros(n_classes, rows.shape[-1], dtype=rows.dtype).index_add(0, labels, rows)
    return sums / labels.bincount(minlength=n_classes).unsqueeze(-1)


def within_class_scatter(features: Tensor, labels: Tensor) -> float:
    """NC1, variability inside classes compared with that between them: tr(S_W S_B^+) / K.

    S_W = 1/N sum_i (h_i - m_{y_i})(h_i - m_{y_i})^T over all samples and
    S_B = 1/K sum_c (m_c - m)(m_c - m)^T over the K classes that have any, with the class means m_c
    and their mean m; S_B^+ is the pseudo-inverse, as S_B has rank K - 1 at most. A class of one
    sample sits at its mean and adds nothing to S_W, and noise of the means adds to S_B, so the
    fewer images a class has, the lower this is: it does not compare imbalance ratios
    (`scatter_ratio` does).

    Args:
        features: (N, d) image features.
        labels: (N,) integer class of each.

    Returns:
        NC1; NaN with fewer than two classes or if all class means coincide.
    """
    classes, labels = labels.cpu().unique(return_inverse=True)
    means = class_means(features, labels, len(classes))
    # K S_B = A^T A for the centred means A = U diag(s) V^T, so S_B^+ = K V diag(s^-2) V^T and the
    # trace is a mean of squares: no (d, d) matrix is formed.
    _, singular, directions = torch.linalg.svd(centred(means), full_matrices=False)
    kept = singular > ROUNDING
    if not kept.any():
        return math.nan
    spread = (unit(features) - means[labels]) @ directions[kept].mT / singular[kept]
    return spread.square().sum(-1).mean().item()


def scatter_ratio(features: Tensor, labels: Tensor) -> float:
    """NC1 free of the numbers of images: tr(S_W) / tr(S_B), each without bias.

    With w_c = 1/(n_c - 1) sum_{i in c} |h_i - m_c|^2, which estimates the trace of a class's
    covariance whatever its number of images n_c,

        tr(S_W) = mean of w_c over the classes with two images or more,
        tr(S_B) = 1/K sum_c |m_c - m|^2 - (1 - 1/K) 1/K sum_c w_c / n_c.

    A mean of n_c images is off by a covariance of trace w_c / n_c, of which centring on the mean of
    K means takes 1/K away: that is subtracted from tr(S_B). Every class counts equally. A class of
    one image, whose spread is unknown, has no part in tr(S_W) and gets it for w_c in tr(S_B).

    tr(S_W S_B^+), the measure of Papyan et al., has no such form: its inverse weighs most the
    directions in which means hardly differ, and there, with one to sixteen images a class, what is
    seen is noise of the means. Dividing by n_c - 1 alone leaves most of the bias.

    Args:
        features: (N, d) image features.
        labels: (N,) integer class of each.

    Returns:
        The ratio, 0 for collapsed classes; NaN with fewer than two classes, without a class of two
        images, or if the class means are no further apart than their noise.
    """
    classes, labels = labels.cpu().unique(return_inverse=True)
    counts, k = labels.bincount().double(), len(classes)
    means, several = class_means(features, labels, k), counts > 1
    if k < 2 or not several.any():
        return math.nan
    squares = (unit(features) - means[labels]).square().sum(-1)
    spread = torch.zeros(k, dtype=squares.dtype).index_add(0, labels, squares)
    own = spread / (counts - 1).clamp(min=1)
    within = own[several].mean()
    noise = own.where(several, within) / counts
    between = centred(means).square().sum(-1).mean() - (1 - 1 / k) * noise.mean()
    return (within / between).item() if between > ROUNDING**2 else math.nan


def unit(features: Tensor) -> Tensor:
    """Normalised (..., d) features in float64 on the CPU, without gradient."""
    return F.normalize(features.detach().cpu().double(), dim=-1)


def centred(vectors: Tensor) -> Tensor:
    """(K, d) vectors minus their mean."""
    return vectors - vectors.mean(0)
