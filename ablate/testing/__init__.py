"""The contract that every objective and every metric keeps, in this package and in others.

From the command line, for classes of any package that can be imported:

    python -m ablate.testing --objective my_package.electra:Electra
    python -m ablate.testing --metric my_package.rhyme:Rhyme -k same

In a test suite of one's own, where settings can vary:

    @pytest.mark.parametrize("case", [Case(Electra), Case(Electra, {"rate": 0.3})], ids=str)
    class TestElectra(ObjectiveContract): ...

A violation is one line: the objective, the field and the two values. pytest comes with `pip install 'ablate[test]'`.

| file | the contract |
| --- | --- |
| cases | which objective, at which settings, on which text |
| heads | logits do not depend on what they may not see, for every head of the loss |
| counts | tokens, targets and FLOPs are those of the batch |
| capabilities | padding, summaries and answers |
| objective | all of it, and learning, determinism, weights |
| metric | a reading repeats, leaves no trace and can be recorded |

Nothing outside this package imports it.
"""
