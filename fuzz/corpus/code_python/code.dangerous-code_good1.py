agent = make(llm, df)
