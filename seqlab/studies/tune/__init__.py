"""`seqlab tune`: which settings learn most in a given time?"""
