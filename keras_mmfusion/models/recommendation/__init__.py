"""Recommendation: models of users, items and the items' features."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BPRRecommender": "bpr_recommender",
        "GraphFusionRecommender": "graph_fusion_recommender",
        "LightGCNRecommender": "light_gcn_recommender",
        "PopularityRecommender": "popularity_recommender",
        "Recommender": "recommender",
        "RecommenderRecipe": "recommender_recipe",
        "TripletSequence": "interaction_batches",
        "UserSequence": "interaction_batches",
        "VBPRRecommender": "vbpr_recommender",
        "describe_recipe": "recommender_recipe",
        "encode_movies": "movie_encoding",
        "evaluate_recommender": "recommender_evaluation",
        "export_recommender": "recommender_export",
        "get_recommender_recipe": "recommender_recipe",
        "train_recommender": "recommender_recipe",
    },
)
