"""`seqlab compare`: is one model better than another, and by how much?"""
