"""From a study's records to a page that answers its question: tables, figures, HTML, LaTeX, Markdown, index.

Reading order:

- `evidence` reads a report's records, and `blocks` are the parts of a page in no format yet
- one file for each section, from `answer` to `provenance`
- `markdown`, `html` and `latex` write blocks in a format
- `compile` writes a report, `index` the list of studies, and `diff` compares two reports

    from ablate.report.compile import compile_report
    compile_report(Path("reports/local/bert-masking"))

No statistics here: every number comes from `ablate.analysis` or `ablate.claims`. matplotlib and seaborn are imported
when a figure is drawn, not before.
"""
