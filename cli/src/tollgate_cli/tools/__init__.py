"""Tools around pricing: lint, quote, explain, backtest, probe. Each module is one command; deciding is done in core."""
