"""What happens per month: assets, checks, jobs and sensors over the use cases in `pipelines`."""
