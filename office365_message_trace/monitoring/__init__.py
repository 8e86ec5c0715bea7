"""Metrics, the activity log, the probe ports, and what reaches the error tracker."""
