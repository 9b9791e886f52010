import pytest

from keras_mmfusion.encoders.efficientnet_lite import scale_filters, scale_stages


@pytest.mark.parametrize(
    "width, depth, filters, repeats",
    [
        (1.0, 1.0, [16, 24, 40, 80, 112, 192, 320], [1, 2, 2, 3, 3, 4, 1]),
        (1.1, 1.2, [16, 24, 48, 88, 120, 208, 352], [1, 3, 3, 4, 4, 5, 1]),
    ],
)
def test_stages_match_the_published_networks(width, depth, filters, repeats):
    stages = scale_stages(width, depth)
    assert [stage.filters for stage in stages] == filters
    assert [stage.repeats for stage in stages] == repeats


def test_rounding_removes_at_most_a_tenth_of_the_filters():
    for filters in range(8, 400):
        scaled = scale_filters(filters, 1.0)
        assert scaled % 8 == 0
        assert scaled >= 0.9 * filters
