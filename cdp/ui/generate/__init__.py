"""The Generate page: the form, the live arms, figures, saving."""
