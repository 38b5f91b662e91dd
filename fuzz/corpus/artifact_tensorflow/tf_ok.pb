

xPlaceholder

vVarHandleOp

rReadVariableOpv

mMatMulxr

yRelum"ˆ