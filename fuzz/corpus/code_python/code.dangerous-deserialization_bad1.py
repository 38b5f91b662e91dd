from langchain_community.vectorstores import FAISS
FAISS.load_local("i", e, allow_dangerous_deserialization=True)
