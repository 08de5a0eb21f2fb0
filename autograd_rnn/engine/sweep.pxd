cimport cython
from autograd_rnn.engine.shared cimport Sweeps, Watch
from autograd_rnn.engine.value cimport Value

cdef double VARIABLE
cdef Sweeps SWEEPS
cdef Watch WATCH

@cython.locals(node=Value, leaf=Value, x=Value, y=Value, sweep=double, grad=double, mark=double, order=list[Value], leaves=list[Value])
cdef void sweep_back(Value output, double seed) except *

@cython.locals(node=Value, x=Value, y=Value, left=Value, right=Value)
cdef void _ops_in_order(Value output, double sweep, list[Value] order, list[Value] path) except *
