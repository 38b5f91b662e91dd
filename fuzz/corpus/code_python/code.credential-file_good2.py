print(open("key.pub").read())
