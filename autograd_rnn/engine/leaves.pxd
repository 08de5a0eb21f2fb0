cimport cython
from autograd_rnn.engine.shared cimport Sweeps
from autograd_rnn.engine.value cimport Value

cdef Sweeps SWEEPS
cdef double CONSTANT, FROZEN
cdef double VARIABLE

@cython.locals(place=Py_ssize_t)
cpdef Py_ssize_t first_other(list things) except? -2

@cython.locals(place=Py_ssize_t, shared=Py_ssize_t)
cpdef Py_ssize_t first_difference(list some, list others) except? -2

@cython.locals(place=Py_ssize_t, value=Value)
cpdef Py_ssize_t first_result(list[Value] values) except? -2

@cython.locals(place=Py_ssize_t, value=Value)
cpdef list constant_places(list[Value] values)

@cython.locals(place=Py_ssize_t, value=Value)
cpdef void read_numbers(list[Value] values, double[::1] into) except *

@cython.locals(place=Py_ssize_t)
cpdef bint read_floats(list numbers, double[::1] into) except -1

@cython.locals(place=Py_ssize_t, value=Value)
cpdef void read_gradients(list[Value] values, double[::1] into) except *

@cython.locals(place=Py_ssize_t, leaf=Value)
cpdef void assign_numbers(list[Value] leaves, double[::1] numbers) except *

@cython.locals(value=Value)
cpdef void clear_gradients(list[Value] values) except *

@cython.locals(place=Py_ssize_t, leaf=Value)
cpdef Py_ssize_t mark_leaves(list[Value] leaves, double mark) except? -2

cpdef bint is_frozen(Value value) except *
