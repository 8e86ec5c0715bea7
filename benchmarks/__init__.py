"""What collecting costs: CPU and memory of the real thing, beside the least that the work can cost."""
