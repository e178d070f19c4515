"""Contrastive guidance: losses (pure functions of features), pairs (positives and negatives), guide
(loss + encoder -> a Guide)."""
