"""Results of evaluations."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """Scores of a model, with everything needed to read and reproduce them.

    Args:
        metrics: dict, name -> float.
        protocol: dict of JSON values. How the metrics were computed: data, settings, seeds.
        samples: list of dicts of JSON values, one for each sample.
        table: dict that describes the scores for `zoo/update_score_tables.py`:
            `"metrics"`, a dict of metric -> column heading; `"settings"`, a dict of column heading
            -> text that tells several results of a preset apart; and `"summary"`, a string, the
            protocol in one line. Empty if the scores are not shown in a table.

    Example:

    >>> result = EvaluationResult({"accuracy": 0.9}, {"seeds": [0]}, [])
    >>> result.add_protocol(data="mosi").to_json()["protocol"]
    {'data': 'mosi', 'seeds': [0]}
    """

    metrics: dict
    protocol: dict
    samples: list
    table: dict = dataclasses.field(default_factory=dict)

    def add_protocol(self, **entries):
        """Returns the result with further entries of the protocol, before the existing ones.

        Args:
            **entries: JSON values.

        Returns:
            `EvaluationResult`.
        """
        return dataclasses.replace(self, protocol={**entries, **self.protocol})

    def to_json(self):
        """Returns the result as a dict of JSON values.

        Returns:
            A dict of `"metrics"`, `"protocol"`, `"table"` and `"samples"`.
        """
        return {name: getattr(self, name) for name in ("metrics", "protocol", "table", "samples")}
