"""How requests are served: threads, answers, files, websockets, faults."""
