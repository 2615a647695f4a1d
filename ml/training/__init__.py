"""The full tier: a frozen plan, one loop, verified checkpoints, and the job that runs them in a folder."""
