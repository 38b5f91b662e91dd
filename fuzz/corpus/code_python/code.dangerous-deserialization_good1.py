from langchain_community.vectorstores import FAISS
FAISS.load_local("i", e)
