"""A job board: employers hand in folders of postings, an import job publishes them."""
