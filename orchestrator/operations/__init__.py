"""What operators see: figures now and over time, incidents and their past."""
