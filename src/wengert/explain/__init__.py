"""What a person looks at: evaluation traces, typed formulas, tables and pictures."""
