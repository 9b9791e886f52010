"""Results of an evaluation: metrics on stdout, everything with its protocol in a JSON file."""

import typer

from keras_mmfusion.files.atomic_files import write_json


def report_result(result, metadata, json_file):
    """Prints the metrics and writes the result.

    Args:
        result: `EvaluationResult`.
        metadata: dict. What the command knows about the model and the data.
        json_file: path or `None`.
    """
    from keras_mmfusion._provenance import describe_machine, describe_versions

    width = max(15, *map(len, result.metrics))
    for name, value in result.metrics.items():
        typer.echo(f"{name:{width}} {value:.4f}")
    if "meteor" in result.protocol:
        typer.echo(f"{'meteor_variant':{width}} {result.protocol['meteor']}")
    if json_file is not None:
        environment = {"versions": describe_versions(), "machine": describe_machine()}
        write_json(result.add_protocol(**metadata, **environment).to_json(), json_file)
