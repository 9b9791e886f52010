"""Environment variables for processes that run JAX: XLA compiles fast, as tests compute little."""

JAX_SETTINGS = {
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    # Most operations are small, and these emitters take half of the time to compile one.
    "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false",
}
