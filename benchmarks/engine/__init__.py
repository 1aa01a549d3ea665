"""The engine beside what people would use instead: the same weights, items, split and epochs, and one clock for all. See RESULTS.md."""
