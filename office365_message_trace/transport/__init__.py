"""HTTP within limits, with one retry loop; knows neither Microsoft nor Sekoia.io."""
