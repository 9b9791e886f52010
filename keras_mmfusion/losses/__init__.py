"""Losses of multimodal models."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BPRLoss": "bpr_loss",
        "BarlowTwinsLoss": "barlow_twins_loss",
        "CosineLoss": "cosine_loss",
        "CoxLoss": "cox_loss",
        "DeepCCALoss": "deep_cca_loss",
        "HardTripletLoss": "hard_triplet_loss",
        "HazardLoss": "hazard_loss",
        "InfoNCELoss": "info_nce_loss",
        "MultinomialLoss": "multinomial_loss",
        "PairLoss": "pair_loss",
        "RankingLoss": "ranking_loss",
        "SelfCriticalLoss": "self_critical_loss",
        "SigLIPLoss": "siglip_loss",
        "SmoothedCrossEntropy": "smoothed_cross_entropy",
        "VICRegLoss": "vicreg_loss",
    },
)
