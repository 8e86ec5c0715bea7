"""Durable named blobs in a folder or an S3 bucket, and nothing else."""
