"""`seqlab check`: is this training set up to learn?"""
