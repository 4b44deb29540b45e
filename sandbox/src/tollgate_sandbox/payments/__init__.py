"""What simulated payment providers share: a clock, faults, webhook deliveries, a state file and plain pages."""
