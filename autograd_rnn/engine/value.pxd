cimport cython
from cpython.object cimport PyObject, PyTypeObject, destructor
from autograd_rnn.arguments cimport as_float, truth
cimport autograd_rnn.engine.sweep as sweep
from autograd_rnn.engine.shared cimport Sweeps, Watch
from autograd_rnn.ops.ieee cimport exponent_slope, ieee_divide, power, power_slope
from autograd_rnn.ops.op cimport Op

cdef Op ADD, SUB, MUL, DIV, POW
cdef double VARIABLE, CONSTANT
cdef Sweeps SWEEPS
cdef Watch WATCH

@cython.final
cdef class Value:
    cdef double _data, _grad, _dx, _dy, _mark
    cdef object _name
    cdef Op _op
    cdef Value _x, _y

cdef inline Py_hash_t hash_of(Value value) noexcept:
    """The hash that `object` has: a class with comparisons does not inherit it."""
    return <Py_hash_t>(<size_t><PyObject *>value >> 4)

cdef Value _twin(Value value, Value x, Value y)
cdef Value _node(Op op, double data, Value x, double dx, Value y, double dy, double mark)
cdef Value _operand(object other)
cdef Value _unary(Op op, Value x)
cdef Value _binary(Op op, Value x, Value y)

# --- freeing in a loop ------------------------------------------------------------------------
# Freeing a node frees its operands, theirs, and so on: deeper than the C stack on a long chain.
# So what dies while a node is being freed waits for its turn, linked by the memory of its number.
# What a node's fields are does not matter: `_free_one` is the function that Cython made of them.

cdef destructor _free_one
cdef PyObject *_waiting
cdef bint _freeing

cdef inline PyObject **_next(PyObject *dead) noexcept:
    return <PyObject **>&(<Value>dead)._data

cdef inline void _free(PyObject *dead) noexcept:
    global _waiting, _freeing
    if _freeing:
        _next(dead)[0] = _waiting
        _waiting = dead
        return
    _freeing = True
    _free_one(dead)
    while _waiting is not NULL:
        dead = _waiting
        _waiting = _next(dead)[0]
        _free_one(dead)
    _freeing = False

# --- memory that is used again ----------------------------------------------------------------
# Memory that Python returns to the system comes back a page at a time, which takes a seventh of
# the time of a graph.  Python returns a megabyte when all in it is free.  So one node in 8,192,
# which is less than a megabyte, is freed later than the others.

cdef extern from "Python.h":
    ctypedef struct Kind "PyTypeObject":
        void (*tp_free)(void *)
    void PyObject_Free(void *memory)

cdef void *_late[32]
cdef Py_ssize_t _freed

cdef inline void _free_memory(void *memory) noexcept:
    global _freed
    _freed += 1
    if _freed & 8191 == 0:
        _late[_freed >> 13 & 31], memory = memory, _late[_freed >> 13 & 31]
    PyObject_Free(memory)

cdef inline void free_in_a_loop() noexcept:
    """Have nodes freed by `_free` from now on."""
    global _free_one
    _free_one = (<PyTypeObject *>Value).tp_dealloc
    (<PyTypeObject *>Value).tp_dealloc = <destructor>_free
    (<Kind *>Value).tp_free = _free_memory
