"""Host side: talk to a programmed board. Imports nothing of hwgen but `support`."""
