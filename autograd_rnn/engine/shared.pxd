cimport cython

@cython.final
cdef class Sweeps:
    cdef public double latest, assigned, marked

@cython.final
cdef class Watch:
    cdef public Py_ssize_t open
