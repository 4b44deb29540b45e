"""Tools around pricing: lint, quote, explain, backtest. Each module is one command; deciding is done in core."""
