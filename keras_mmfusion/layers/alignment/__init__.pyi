"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.layers.alignment.alignment import Alignment as Alignment
from keras_mmfusion.layers.alignment.attention_alignment import AttentionAlignment as AttentionAlignment
from keras_mmfusion.layers.alignment.graph_matching import GraphMatching as GraphMatching
from keras_mmfusion.layers.alignment.optimal_transport_alignment import OptimalTransportAlignment as OptimalTransportAlignment
from keras_mmfusion.layers.alignment.soft_dtw_alignment import SoftDTWAlignment as SoftDTWAlignment
from keras_mmfusion.layers.alignment.timestamp_alignment import TimestampAlignment as TimestampAlignment
from keras_mmfusion.layers.alignment.assignment import solve_assignment as solve_assignment
from keras_mmfusion.layers.alignment.optimal_transport import solve_optimal_transport as solve_optimal_transport
from keras_mmfusion.layers.alignment.soft_dtw import solve_soft_dtw as solve_soft_dtw
