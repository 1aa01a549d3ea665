"""How a linear head that learns alone is fitted to all items at once. Torch-free: estimates and scripts say it too."""
from __future__ import annotations

STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
"""Of the pull on weights, as they would be of features with variance 1: half of it times their squares is added to the mean loss."""
USUAL = 0.03
"""Where nothing tells which one is best."""
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Of the training items: when so many have been computed, they are fitted to."""
MOST_ROUNDS, GRADIENT, CHANGE = 60, 1e-5, 1e-8
"""A fit ends after so many rounds, or where the gradient or the change of the loss is that small."""
WORSE = 3
"""So many fits without gain, and those that are freer still are not tried."""
