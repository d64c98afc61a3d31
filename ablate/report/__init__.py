"""From a study's records to a page that answers its question: tables, figures, HTML, LaTeX, Markdown, index.

Reading order: `folder` is what a report is made of; `blocks` is what it is made into, before any format; one file for
each section, in the order of the page, from `answer` to `provenance`; `markdown`, `html` and `latex` write the
blocks down; `compile` puts it together, `index` lists the studies, `diff` compares two reports.

    from ablate.report.compile import compile_report
    compile_report(Path("reports/local/bert-masking"))

No statistics here: every number comes from `ablate.analysis` or `ablate.claims`. matplotlib and seaborn are imported
when a figure is drawn, not before.
"""
