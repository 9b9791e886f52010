"""Multimodal sentiment: CMU-MOSI, CMU-MOSEI and files like theirs."""
