"""What drives a server and stands around it: its processes, its database, the model it calls, the clients it serves.

Everything runs on this machine and speaks over the network, so that any server that speaks the agent API can take the
place of ours. What is random is drawn from a seed.
"""
