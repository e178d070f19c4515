"""The Attack lab page: one image and one or two models under an attack of one's choice; the helper
process computes, the caches answer."""
