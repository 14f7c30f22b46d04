"""The statements of the store that every engine shares, and the values that they read and write.

`work_queue` claims sources by host and `poll_results` stores what polling them gave; `sources` takes the configuration
over; `ingest` inserts and updates entries; `derived_columns` maintains what listings filter and sort by; `items` and
`item_loader` hand items out; `candidates`, `candidate_changes`, `curation` and `merge_review` serve curating;
`audience` counts. An engine (`aggregator.store.sql.engine`) gives them connections and transactions.
"""
