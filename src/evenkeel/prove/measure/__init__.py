"""What is measured, and how: values that can be printed, stored and read again. Knows no other room.

Times are seconds on the monotonic clock, which all processes of one machine share; that is what lets a token's way be
measured from the simulator that sent it to the client that got it.
"""
