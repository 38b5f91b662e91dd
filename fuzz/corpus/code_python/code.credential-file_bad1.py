import os
print(open(os.path.expanduser("~/.aws/credentials")).read())
