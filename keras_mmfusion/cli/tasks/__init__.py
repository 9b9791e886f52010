"""One module per task, named like its commands: `train`, `evaluate` and `export`, each optional.

A new task adds one module here; `mmfusion train TASK` and so on find it by its file name.
"""
