"""The project on disc: processes, nodes, graph, numbering, lock, trash; the only place that knows default_pipeline.star."""
