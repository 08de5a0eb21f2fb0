cimport cython
from autograd_rnn.engine.shared cimport Sweeps, Watch
# Also cimported by value.pxd: types may refer to one another, modules in Python may not.
from autograd_rnn.engine.value cimport Value

cdef double VARIABLE, CONSTANT
cdef Sweeps SWEEPS
cdef Watch WATCH

cpdef double number_in(Value node)
cpdef Value read(Value node, str what)
cpdef double begin()

cpdef bint is_point(Value node) except *

@cython.locals(order=list[Value], path=list[Value], met=set, node=Value, x=Value, y=Value)
cpdef list results_since(double start, Value output)

@cython.locals(path=list[Value], met=set, node=Value, x=Value, y=Value)
cpdef bint reaches(Value output, set points, double start, dict known) except *

@cython.locals(order=list[Value], leaves=list[Value], node=Value, leaf=Value, x=Value, y=Value)
@cython.locals(sweep=double, grad=double, mark=double)
cdef void sweep_back(Value output, double seed) except *

@cython.locals(node=Value, x=Value, y=Value, left=Value, right=Value)
cdef void _ops_in_order(Value output, double sweep, list[Value] order, list[Value] path) except *
