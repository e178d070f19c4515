"""Real data sets (registry), sample sets on disk, and the readers that check every byte they take
from a user."""
