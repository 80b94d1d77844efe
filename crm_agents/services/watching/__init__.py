"""What becomes of scores: kept until it is known how they did, compared, judged; and what is due when."""
