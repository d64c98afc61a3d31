"""A synthetic corpus whose entropy is known exactly: number agreement across words that lie between.

    S   -> NP_n VP_n .                                        n in {sg, pl}
    NP_n -> D_n B_n | D_n B_n PP | D_n B_n RC_n               D_n determiner, B_n -> Adj B_n | N_n
    PP  -> P NP_m                                             m drawn anew: an attractor
    RC_n -> that VP_n | that NP_m V_m                         subject and object relative clauses
    VP_n -> Vi_n | Vi_n Adv | Vt_n NP_m | Vr_n self_n         self: itself, themselves

The verb agrees with its subject over prepositional phrases and relative clauses of either number, the determiner with its noun
over adjectives, the reflexive with its subject. A noun phrase takes one modifier at its right edge, and verb phrases take no
prepositional phrase. So every sentence has one derivation, and the closed form of `pcfg` is the entropy of sentences. The full
stop ends the sentence and counts as a token:

    entropy [nats per token] = H(S) / L(S)

It is the least cross-entropy any model can reach on words separated by spaces. What comes between documents (8 sentences
each) is not counted, and a tokenizer that cuts words changes the unit, not nats per sentence.
The constructions are those of Linzen et al. 2016 (sec. 2) and Marvin & Linzen 2018 (sec. 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ablate.config import Data
from ablate.data.corpora.corpus import MinimalPair
from ablate.data.corpora.pcfg import Pcfg, Rules, Tree
from ablate.data.document import Document
from ablate.measure import digest
from ablate.seeds import generator
from ablate.sources import source_digest

NUMBERS = ("sg", "pl")
OTHER = {"sg": "pl", "pl": "sg"}
NOUNS = (
    "farmer dog teacher king river horse doctor tree village soldier bird queen road letter child garden sailor cat "
    "merchant house judge lamp painter stone baker fox guard bridge poet tower nurse boat singer wolf miller candle "
    "driver owl weaver cart pilot mirror hunter clock barber goat porter ladder"
)
INTRANSITIVE = (
    "sleep wait fall laugh arrive return tremble rest wander vanish shine stumble pause grow sing move kneel sink "
    "glow drift crawl shrink"
)
TRANSITIVE = (
    "see know follow help watch admire find trust hear praise remember greet chase fear guide visit pull avoid call "
    "paint repair warn carry lift"
)
REFLEXIVE = "hide blame protect describe hurt free defend wash"
ADJECTIVES = "old small quiet red young tall clever tired heavy strange bright narrow proud gentle broken pale"
PREPOSITIONS = "near behind beside under above before with without"
ADVERBS = "slowly again today often together loudly here outside early badly"
DETERMINERS = {"sg": ("the", "each", "this", "every", "one"), "pl": ("the", "some", "these", "all", "two")}
"""Position by position the same meaning in both numbers; `the` has no number."""
SELF = {"sg": "itself", "pl": "themselves"}
IRREGULAR = {"child": "children", "fox": "foxes", "wolf": "wolves"}
SIBILANT = ("s", "x", "sh", "ch")

ADJECTIVE, PREPOSITIONAL, RELATIVE, OBJECT_RELATIVE = 0.22, 0.16, 0.12, 0.40
"""Probabilities of another adjective, a prepositional phrase after a noun, a relative clause, one of the object kind."""
VERB_PHRASES = (0.30, 0.12, 0.46, 0.12)
"""Intransitive, with adverb, transitive, reflexive."""
SENTENCES_IN_DOCUMENT = 8
SEED = 20160801
"""Of the corpus: it is one fixed sample, the same for every replicate."""

ADJACENT = "agreement, adjacent"
ACROSS_PREPOSITIONAL = "agreement across a prepositional phrase"
ACROSS_RELATIVE = "agreement across a relative clause"
DETERMINER_NOUN = "determiner-noun agreement"
ANAPHOR = "reflexive agreement"
PHENOMENA = (ADJACENT, ACROSS_PREPOSITIONAL, ACROSS_RELATIVE, DETERMINER_NOUN, ANAPHOR)


def _third_person(verb: str) -> str:
    return verb + ("es" if verb.endswith(SIBILANT) else "s") if not verb.endswith("rry") else verb[:-1] + "ies"


def _zipf(words: list[str] | tuple[str, ...]) -> list[tuple[float, tuple[str, ...]]]:
    """Word r of a class has probability in proportion to 1 / (r + 2): frequent and rare words, as in real text."""
    weights = 1 / (np.arange(len(words)) + 3.0)
    return [(float(p), (word,)) for p, word in zip(weights / weights.sum(), words, strict=True)]


def rules() -> Rules:
    """The grammar, its probabilities and its words."""
    found: dict[str, list[tuple[float, tuple[str, ...]]]] = {
        "S": [(0.5, (f"NP_{n}", f"VP_{n}", ".")) for n in NUMBERS],
        "NP": [(0.5, (f"NP_{n}",)) for n in NUMBERS],
        "PP": [(1.0, ("P", "NP"))],
        "P": _zipf(PREPOSITIONS.split()),
        "Adj": _zipf(ADJECTIVES.split()),
        "Adv": _zipf(ADVERBS.split()),
    }
    for n in NUMBERS:
        head = (f"D_{n}", f"B_{n}")
        found[f"NP_{n}"] = [
            (1 - PREPOSITIONAL - RELATIVE, head),
            (PREPOSITIONAL, (*head, "PP")),
            (RELATIVE, (*head, f"RC_{n}")),
        ]
        found[f"B_{n}"] = [(1 - ADJECTIVE, (f"N_{n}",)), (ADJECTIVE, ("Adj", f"B_{n}"))]
        objects = [(OBJECT_RELATIVE / 2, ("that", f"NP_{m}", f"Vt_{m}")) for m in NUMBERS]
        found[f"RC_{n}"] = [(1 - OBJECT_RELATIVE, ("that", f"VP_{n}")), *objects]
        phrases = ((f"Vi_{n}",), (f"Vi_{n}", "Adv"), (f"Vt_{n}", "NP"), (f"Vr_{n}", SELF[n]))
        found[f"VP_{n}"] = list(zip(VERB_PHRASES, phrases, strict=True))
        found[f"D_{n}"] = _zipf(DETERMINERS[n])
        found[f"N_{n}"] = _zipf([noun if n == "sg" else IRREGULAR.get(noun, noun + "s") for noun in NOUNS.split()])
        for kind, verbs in (("Vi", INTRANSITIVE), ("Vt", TRANSITIVE), ("Vr", REFLEXIVE)):
            found[f"{kind}_{n}"] = _zipf([_third_person(verb) if n == "sg" else verb for verb in verbs.split()])
    return found


class Grammar:
    """See the module's docstring."""

    name = "grammar"

    def __init__(self, sentences: int = 60_000) -> None:
        self.sentences = sentences
        self.pcfg = Pcfg(rules(), "S")

    @cached_property
    def entropy(self) -> float:
        """Exact nats per token, the closing full stop counted."""
        return self.pcfg.entropy() / self.pcfg.expected_length()

    def fingerprint(self) -> str:
        """Digest of the size, the seed and the code."""
        modules = ("ablate.data.corpora.grammar", "ablate.data.corpora.pcfg", "ablate.seeds")
        return digest(self.name, self.sentences, SEED, np.__version__.split(".")[0], source_digest(*modules))

    def describe(self) -> dict[str, str]:
        """Size and entropy."""
        return {
            "text": f"{self.sentences:,} sentences of a probabilistic grammar with number agreement",
            "entropy": f"{self.entropy:.4f} nats per word, the full stop counted",
            "sentences": f"{self.pcfg.expected_length():.2f} words on average, {SENTENCES_IN_DOCUMENT} a document",
            "labels": "none",
        }

    def documents(self) -> Iterator[Document]:
        """Documents of independent sentences; the last one may be shorter."""
        for number, first in enumerate(range(0, self.sentences, SENTENCES_IN_DOCUMENT)):
            uniform = generator(SEED, "grammar/document", number).random
            count = min(SENTENCES_IN_DOCUMENT, self.sentences - first)
            yield Document(tuple(" ".join(leaf.symbol for leaf in self.pcfg.draw(uniform).leaves()) for _ in range(count)))

    def minimal_pairs(self, count: int, seed: int) -> list[MinimalPair]:
        """`count` pairs, phenomena in turn; the bad sentence has one word in the wrong number and no derivation.

        Across a prepositional phrase or a relative clause the nearest noun before the verb has the wrong number too.
        """
        found: dict[str, list[MinimalPair]] = {phenomenon: [] for phenomenon in PHENOMENA}
        each = -(-count // len(PHENOMENA))
        uniform = generator(seed, "grammar/minimal pairs").random
        while any(len(pairs) < each for pairs in found.values()):
            tree = self.pcfg.draw(uniform)
            for phenomenon, place, word in _violations(tree):
                good = [leaf.symbol for leaf in tree.leaves()]
                bad = [*good[:place], word, *good[place + 1 :]]
                if len(found[phenomenon]) < each:
                    found[phenomenon].append(MinimalPair(" ".join(good), " ".join(bad), phenomenon))
        return [found[PHENOMENA[i % len(PHENOMENA)]][i // len(PHENOMENA)] for i in range(count)]


def named(argument: str, data: Data) -> Grammar:
    """The one of the default size."""
    return Grammar()


def _violations(sentence: Tree) -> Iterator[tuple[str, int, str]]:
    """(phenomenon, which word, what to put there) for the sentence's own subject, verb and reflexive."""
    subject, phrase, _ = sentence.children
    number = subject.symbol.removeprefix("NP_")
    verb_place = len(list(subject.leaves()))
    verb = phrase.children[0]
    wrong = _in_other_number(verb)
    nearest = _last_noun_number(subject)
    if len(subject.children) == 2:
        yield ADJACENT, verb_place, wrong
    elif nearest != number:
        yield ACROSS_PREPOSITIONAL if subject.children[2].symbol == "PP" else ACROSS_RELATIVE, verb_place, wrong
    if verb.symbol.startswith("Vr_"):
        yield ANAPHOR, verb_place + 1, SELF[OTHER[number]]
    determiner = subject.children[0]
    if determiner.children[0].symbol not in set(DETERMINERS["sg"]) & set(DETERMINERS["pl"]):
        yield DETERMINER_NOUN, 0, _in_other_number(determiner)


def _in_other_number(preterminal: Tree) -> str:
    kind, number = preterminal.symbol.split("_")
    words = {n: [right[0] for _, right in RULES[f"{kind}_{n}"]] for n in NUMBERS}
    return words[OTHER[number]][words[number].index(preterminal.children[0].symbol)]


def _last_noun_number(tree: Tree) -> str:
    """Number of the noun nearest to the end."""
    if tree.symbol.startswith("N_"):
        return tree.symbol.removeprefix("N_")
    return next((found for child in reversed(tree.children) if (found := _last_noun_number(child))), "")


RULES = rules()
