"""`verglas halves check`: are the two halves of a refinement independent?"""
