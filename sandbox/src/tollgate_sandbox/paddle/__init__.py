"""A simulated Paddle Billing account that the official SDK talks to."""
