import sys

import pytest

from keras_mmfusion._extras import MissingExtraError, require_extra


def test_what_is_missing_is_named_with_its_extra(monkeypatch):
    require_extra("test", "Testing", "pytest")
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(MissingExtraError) as error:
        require_extra("test", "Testing", "pytest", "sys", "no_such_module")
    assert str(error.value) == (
        "Testing needs pytest and no_such_module, which are not installed: "
        "pip install 'keras-mmfusion[test]'"
    )
