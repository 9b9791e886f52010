"""Layers of graphs: convolution, attention, typed graphs, pooling, dropout."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "EdgeDropout": "edge_dropout",
        "GATLayer": "gat_layer",
        "GCN2Layer": "gcn2_layer",
        "GCNLayer": "gcn_layer",
        "GINLayer": "gin_layer",
        "GraphAttentionPooling": "graph_attention_pooling",
        "GraphConvolution": "graph_convolution",
        "GraphLayer": "graph_layer",
        "GraphMaxPooling": "graph_max_pooling",
        "GraphMeanPooling": "graph_mean_pooling",
        "GraphPooling": "graph_pooling",
        "GraphSumPooling": "graph_sum_pooling",
        "HGTLayer": "hgt_layer",
        "ImageGraph": "image_graph",
        "JumpingKnowledge": "jumping_knowledge",
        "MultimodalGraph": "multimodal_graph",
        "NodeDropout": "node_dropout",
        "RGCNLayer": "rgcn_layer",
        "SAGELayer": "sage_layer",
        "SetTransformerPooling": "set_transformer_pooling",
        "SparseDense": "sparse_dense",
        "TopKPooling": "top_k_pooling",
        "TypedGraphLayer": "typed_graph_layer",
        "connect_boxes": "box_edges",
        "connect_neighbors": "neighbor_edges",
        "connect_pairs": "pair_edges",
        "connect_plan": "plan_edges",
        "connect_times": "time_edges",
        "normalize_graph": "gcn_normalization",
    },
)
