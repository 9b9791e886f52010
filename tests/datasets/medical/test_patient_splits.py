import numpy as np
import pytest

from keras_mmfusion.datasets.medical.patient_splits import assign_folds, check_disjoint


def test_folds_keep_groups_together_and_spread_classes():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 100, 300)
    labels = (groups % 10 == 0).astype(int)
    folds = assign_folds(groups, labels, 5)
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1
    positive = {fold: len(set(groups[(folds == fold) & (labels == 1)])) for fold in range(5)}
    assert max(positive.values()) - min(positive.values()) <= 1
    np.testing.assert_array_equal(folds, assign_folds(groups, labels, 5))
    assert (folds != assign_folds(groups, labels, 5, seed=1)).any()
    with pytest.raises(ValueError, match="from 2 to the number of groups, 2. Received: 3"):
        assign_folds([1, 2], [0, 0], 3)


def test_shared_ids_are_listed():
    check_disjoint({"train": [1], "dev": [2], "test": [3]})
    ids = [f"HAM_{i:04d}" for i in range(30)]
    with pytest.raises(ValueError, match="25 lesions are in both 'train' and 'dev': HAM_0005, "):
        check_disjoint({"train": ids, "dev": ids[5:]}, noun="lesions")
