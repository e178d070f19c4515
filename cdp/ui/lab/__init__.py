"""The Attack lab: one image and one or two models under an attack of one's choice."""
