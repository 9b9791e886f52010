import os

import numpy as np
import pytest
from checkpoint_files import TENSORS

from keras_mmfusion.checkpoints.weight_files import open_weights

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("is_zip", [True, False])
def test_tensors_are_read(is_zip, tmp_path):
    tensors = {name: torch.from_numpy(array) for name, array in TENSORS.items()}
    tensors["half"] = torch.ones(2, 3).T.to(torch.bfloat16)
    torch.save(tensors, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=is_zip)
    weights = open_weights(tmp_path)
    assert set(weights) == {*TENSORS, "half"}
    assert len(weights) == 3
    assert weights.shapes["half"] == (3, 2)
    assert weights["half"].dtype.name == "bfloat16"
    np.testing.assert_array_equal(weights["dense.weight"], TENSORS["dense.weight"])


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_file_is_not_executed(tmp_path):
    torch.save({"x": Code(str(tmp_path / "executed"))}, tmp_path / "pytorch_model.bin")
    with pytest.raises(
        ValueError, match="objects other than tensors.*Nothing in it was executed"
    ) as error:
        open_weights(tmp_path)
    assert "weights_only" not in str(error.value)  # PyTorch recommends to execute the file.
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [{"x": 3}, {3: torch.ones(1)}, [torch.ones(1)], torch.ones(1)])
def test_other_content_raises_an_error(content, tmp_path):
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="must contain"):
        open_weights(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"text", b"\x80\x02"])
def test_damaged_files_raise_an_error(content, tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ValueError, match="pytorch_model.bin"):
        open_weights(tmp_path)


def test_truncated_files_raise_an_error(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"x": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="pytorch_model.bin"):
        open_weights(tmp_path)
