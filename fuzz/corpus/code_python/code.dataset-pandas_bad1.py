from datasets import load_dataset
load_dataset("pandas", data_files="a.pkl")
