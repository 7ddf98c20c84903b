"""The project on disc: processes, nodes, graph, numbering, lock, trash.

The only place that knows `default_pipeline.star`.
"""
