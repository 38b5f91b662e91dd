from datasets import load_dataset
load_dataset("parquet", data_files="a.parquet")
