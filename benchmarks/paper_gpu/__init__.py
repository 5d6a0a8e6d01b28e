"""The paper's tables on a GPU, in calls of a few minutes."""
