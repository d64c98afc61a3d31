"""The closed-form entropy against sentences and an inside algorithm that knows nothing of derivations."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest

from ablate.data.corpora.grammar import ACROSS_PREPOSITIONAL, ACROSS_RELATIVE, PHENOMENA, Grammar, rules
from ablate.data.corpora.pcfg import Pcfg
from ablate.seeds import generator

RULES = rules()
WORDS = {word for options in RULES.values() for _, right in options for word in right if word not in RULES}

CLASSES = {
    symbol: {right[0]: p for p, right in options}
    for symbol, options in RULES.items()
    if all(len(right) == 1 and right[0] not in RULES for _, right in options)
}


def probability(sentence: str) -> float:
    """Sum over all derivations: recursion over spans, for any grammar without empty rules or unary cycles."""
    words = tuple(sentence.split())

    @cache
    def inside(symbol: str, start: int, end: int) -> float:
        if symbol not in RULES:
            return float(end == start + 1 and words[start] == symbol)
        if symbol in CLASSES:
            return CLASSES[symbol].get(words[start], 0.0) if end == start + 1 else 0.0
        return sum(p * sequence(right, start, end) for p, right in RULES[symbol])

    @cache
    def sequence(right: tuple[str, ...], start: int, end: int) -> float:
        if len(right) == 1:
            return inside(right[0], start, end)
        head, rest = right[0], right[1:]
        if head not in RULES:
            return sequence(rest, start + 1, end) if words[start] == head and end - start >= len(right) else 0.0
        if head in CLASSES:
            own = inside(head, start, start + 1)
            return own * sequence(rest, start + 1, end) if own and end - start >= len(right) else 0.0
        return sum(inside(head, start, cut) * sequence(rest, cut, end) for cut in range(start + 1, end - len(rest) + 1))

    return inside("S", 0, len(words))


@pytest.fixture(scope="module")
def sample() -> list[str]:
    return [sentence for document in Grammar(sentences=800).documents() for sentence in document.sentences]


def test_entropy_per_token_is_what_sentences_have(sample: list[str]) -> None:
    grammar = Grammar()
    nats = np.array([-math.log(probability(sentence)) for sentence in sample])
    lengths = np.array([len(sentence.split()) for sentence in sample])
    # The ratio of two means, by the delta method.
    error = np.std(nats - grammar.entropy * lengths, ddof=1) / math.sqrt(len(sample)) / lengths.mean()
    assert abs(nats.mean() / lengths.mean() - grammar.entropy) < 3 * error < 0.12
    assert abs(lengths.mean() - grammar.pcfg.expected_length()) < 3 * lengths.std() / math.sqrt(len(sample))


def test_no_sentence_has_two_derivations(sample: list[str]) -> None:
    """The probability over all derivations is that of the one drawn."""
    grammar = Grammar()
    for number in range(200):
        tree = grammar.pcfg.draw(generator(1, "test", number).random)

        def derivation(node: object) -> float:
            if not node.children:  # type: ignore[attr-defined]
                return 1.0
            right = tuple(child.symbol for child in node.children)  # type: ignore[attr-defined]
            (own,) = [p for p, option in RULES[node.symbol] if option == right]  # type: ignore[attr-defined]
            return own * math.prod(derivation(child) for child in node.children)  # type: ignore[attr-defined]

        sentence = " ".join(leaf.symbol for leaf in tree.leaves())
        assert probability(sentence) == pytest.approx(derivation(tree), rel=1e-9)


def test_word_classes_share_no_word() -> None:
    owners = defaultdict(set)
    for symbol, options in RULES.items():
        for _, right in options:
            if len(right) == 1 and right[0] not in RULES:
                owners[right[0]].add(symbol)
    assert {word for word, symbols in owners.items() if len(symbols) > 1} == {"the"}


def test_derivations_end() -> None:
    assert np.abs(np.linalg.eigvals(Grammar().pcfg.expansion())).max() < 0.9


def test_closed_form_on_a_grammar_summed_by_hand() -> None:
    """S -> a S (1/3) | b (1/6) | c (1/2): length is geometric, entropy the entropy of a rule times the mean length."""
    pcfg = Pcfg({"S": [(1 / 3, ("a", "S")), (1 / 6, ("b",)), (1 / 2, ("c",))]}, "S")
    assert pcfg.expected_length() == pytest.approx(1.5)
    assert pcfg.entropy() == pytest.approx(1.5 * (math.log(3) / 3 + math.log(6) / 6 + math.log(2) / 2))


def test_probabilities_must_sum_to_one() -> None:
    with pytest.raises(ValueError, match=r"rules of S have probability 0\.5"):
        Pcfg({"S": [(0.5, ("a",))]}, "S")


def test_minimal_pairs_differ_in_one_word_and_only_one_is_a_sentence() -> None:
    pairs = Grammar().minimal_pairs(203, seed=7)
    assert pairs == Grammar().minimal_pairs(203, seed=7) != Grammar().minimal_pairs(203, seed=8)
    counts = Counter(pair.phenomenon for pair in pairs)
    assert set(counts) == set(PHENOMENA)
    assert max(counts.values()) - min(counts.values()) <= 1
    for pair in pairs:
        good, bad = pair.good.split(), pair.bad.split()
        assert sum(a != b for a, b in zip(good, bad, strict=True)) == 1
        assert set(bad) <= WORDS
        assert probability(pair.good) > 0 == probability(pair.bad)


def test_attractors_disagree_with_the_verb() -> None:
    """The wrong form is the one that agrees with the noun nearest before it."""
    nouns = {n: {right[0] for _, right in RULES[f"N_{n}"]} for n in ("sg", "pl")}
    for pair in Grammar().minimal_pairs(200, seed=0):
        if pair.phenomenon in (ACROSS_PREPOSITIONAL, ACROSS_RELATIVE):
            good, bad = pair.good.split(), pair.bad.split()
            place = next(i for i, (a, b) in enumerate(zip(good, bad, strict=True)) if a != b)
            nearest = next(word for word in reversed(good[:place]) if word in nouns["sg"] | nouns["pl"])
            number = "sg" if nearest in nouns["sg"] else "pl"
            assert any(bad[place] == right[0] for kind in ("Vi", "Vt", "Vr") for _, right in RULES[f"{kind}_{number}"])


def test_documents_are_a_fixed_sample() -> None:
    small, large = Grammar(sentences=20), Grammar(sentences=60)
    documents = list(small.documents())
    assert [len(document.sentences) for document in documents] == [8, 8, 4]
    assert documents[:2] == list(large.documents())[:2]
    assert small.fingerprint() != large.fingerprint() == Grammar(sentences=60).fingerprint()
