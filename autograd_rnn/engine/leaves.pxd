cimport cython
from autograd_rnn.engine.value cimport Value

@cython.locals(place=Py_ssize_t, value=Value)
cpdef Py_ssize_t first_result(list[Value] values) except? -2

@cython.locals(place=Py_ssize_t, value=Value)
cpdef void read_numbers(list[Value] values, double[::1] into) except *

@cython.locals(place=Py_ssize_t, value=Value)
cpdef void read_gradients(list[Value] values, double[::1] into) except *

@cython.locals(place=Py_ssize_t, leaf=Value)
cpdef void assign_numbers(list[Value] leaves, double[::1] numbers) except *
