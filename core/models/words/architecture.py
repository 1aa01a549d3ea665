"""A network of word vectors, with torch alone: vectors are looked up, averaged or read by an LSTM, then decided upon.

A bundle carries a copy of these lines, so that what is trained here and what is taken home are made alike. For that reason this file
imports nothing of ours, and no `from __future__`, which could not stand in the middle of another file.
"""
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class WordNetwork(nn.Module):
    """Token ids (B, L), words (below `n_words`) before hashed character n-grams (from `n_words` on) -> logits (B, n_outputs).

    The words' vectors are averaged, or read in order and both ways by an LSTM (Hochreiter and Schmidhuber 1997) whose outputs are averaged
    and, at each place, the largest taken (Howard and Ruder 2018, arXiv:1801.06146). The n-grams' vectors are averaged beside them
    (Bojanowski et al. 2017, arXiv:1607.04606). In training each n-gram is left out with
    the probability `unspelled`, so that no single one is relied on. `mean` and `std` bring numbers from around zero to the labels' unit.
    `width_before`: of a hidden layer before the last one, with `dropout_before`; 0: there is none.
    """

    def __init__(self, n_words: int, width: int, buckets: int, character_width: int, hidden: int, n_outputs: int, dropout: float,
                 unspelled: float = 0.0, mean: float = 0.0, std: float = 1.0, width_before: int = 0, dropout_before: float = 0.0) -> None:
        super().__init__()
        self.n_words, self.unspelled, self.mean, self.std = n_words, unspelled, mean, std
        self.words = nn.Embedding(n_words, width, sparse=True)
        self.characters = nn.EmbeddingBag(buckets, character_width, mode="mean", sparse=True)
        self.reader = nn.LSTM(width, hidden, batch_first=True, bidirectional=True) if hidden else nn.Identity()
        features = (4 * hidden if hidden else width) + character_width
        before = [nn.Linear(features, width_before), nn.ReLU(), nn.Dropout(dropout_before)] if width_before else []
        self.head = nn.Sequential(nn.Dropout(dropout), *before, nn.Linear(width_before or features, n_outputs))

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        x, n = self.look_up(ids, lengths)
        return self.decided(self.pooled(self.in_order(x, n), n, self.spelled(ids, lengths)))

    def look_up(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of the words (B, W, width), zeros behind each text, and how many there are (B,)."""
        is_word = (ids < self.n_words) & _real(ids, lengths)
        n = is_word.sum(1)
        w = max(1, int(n.max()))
        is_word = is_word[:, :w]
        return self.words(ids[:, :w] * is_word) * is_word[..., None], n

    def spelled(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """The mean vector of each text's n-grams (B, character_width); zeros where there are none."""
        is_ngram = (ids >= self.n_words) & _real(ids, lengths)
        if self.characters.training and self.unspelled:
            is_ngram &= torch.rand(ids.shape, device=ids.device) >= self.unspelled
        n = is_ngram.sum(1)
        return self.characters(ids[is_ngram] - self.n_words, n.cumsum(0) - n)

    def in_order(self, x: Tensor, n: Tensor) -> Tensor:
        """Vectors (B, W, width) as the LSTM understands them in their order (B, W, 2 * hidden)."""
        if isinstance(self.reader, nn.Identity):
            return x
        with torch.autocast(x.device.type, enabled=False):
            packed = pack_padded_sequence(x.float(), n.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(self.reader(packed)[0], batch_first=True, total_length=x.shape[1])[0]

    def pooled(self, x: Tensor, n: Tensor, characters: Tensor) -> Tensor:
        """One row a text: (B, features)."""
        real = _real(x[..., 0], n)[..., None]
        mean = (x * real).sum(1) / n.clamp(min=1)[:, None]
        if isinstance(self.reader, nn.Identity):
            return torch.cat([F.layer_norm(mean, mean.shape[1:]), characters], 1)
        largest = x.masked_fill(~real, float("-inf")).amax(1).masked_fill(n[:, None] == 0, 0.0)
        return torch.cat([mean, largest, characters], 1)

    def decided(self, features: Tensor) -> Tensor:
        """Logits (B, n_outputs); numbers are in the unit of the labels."""
        return self.head(features).float() * self.std + self.mean


def _real(x: Tensor, lengths: Tensor) -> Tensor:
    """Which places of (B, L) lie within each text."""
    return torch.arange(x.shape[1], device=x.device)[None] < lengths[:, None]


def rebuild_words(architecture: dict[str, object]) -> nn.Module:
    """The network that `architecture` describes: the arguments of `WordNetwork`."""
    return WordNetwork(**{key: value for key, value in architecture.items() if key != "builder"})  # type: ignore[arg-type]
