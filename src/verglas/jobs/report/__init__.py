"""What every report is made of, those of projects, live sessions and the demo: text, tables, plots, pictures.

A report is data (document.py, plot.py); html.py makes it a page that needs nothing else and prints well, pdf.py sheets
of A4. Without torch, which the pages do not load.
"""
