agent = make(llm, df, allow_dangerous_code=True)
