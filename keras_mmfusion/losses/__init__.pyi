"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.losses.bpr_loss import BPRLoss as BPRLoss
from keras_mmfusion.losses.barlow_twins_loss import BarlowTwinsLoss as BarlowTwinsLoss
from keras_mmfusion.losses.cosine_loss import CosineLoss as CosineLoss
from keras_mmfusion.losses.cox_loss import CoxLoss as CoxLoss
from keras_mmfusion.losses.deep_cca_loss import DeepCCALoss as DeepCCALoss
from keras_mmfusion.losses.hard_triplet_loss import HardTripletLoss as HardTripletLoss
from keras_mmfusion.losses.hazard_loss import HazardLoss as HazardLoss
from keras_mmfusion.losses.info_nce_loss import InfoNCELoss as InfoNCELoss
from keras_mmfusion.losses.multinomial_loss import MultinomialLoss as MultinomialLoss
from keras_mmfusion.losses.pair_loss import PairLoss as PairLoss
from keras_mmfusion.losses.ranking_loss import RankingLoss as RankingLoss
from keras_mmfusion.losses.self_critical_loss import SelfCriticalLoss as SelfCriticalLoss
from keras_mmfusion.losses.siglip_loss import SigLIPLoss as SigLIPLoss
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy as SmoothedCrossEntropy
from keras_mmfusion.losses.vicreg_loss import VICRegLoss as VICRegLoss
