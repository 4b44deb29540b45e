"""Speed and memory, as ratios against plain Envoy in the same run. Figures, never assertions."""
