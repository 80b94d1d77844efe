"""The churn agent: early warning of customers about to leave, with reasons."""
