cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc, realloc
from autograd_rnn.engine.shared cimport Sweeps
from autograd_rnn.engine.value cimport Value

cdef double VARIABLE
cdef Sweeps SWEEPS

# --- nodes by address -------------------------------------------------------------------------
# What follows keeps no references: the graph does, since no Python runs from the time when nodes
# are marked until the marks are read.  Memory is from C, as objects of Python's could have garbage
# collected, which runs Python.

cdef struct Nodes:
    # A list.
    PyObject **at
    Py_ssize_t count, room

cdef struct Table:
    # A number per node, by open addressing: a dict takes several times as long.
    PyObject **keys
    double *numbers
    Py_ssize_t count, room

cdef inline PyObject *x_of(PyObject *node) noexcept:
    return <PyObject *>(<Value>node)._x

cdef inline PyObject *y_of(PyObject *node) noexcept:
    return <PyObject *>(<Value>node)._y

cdef inline int push(Nodes *nodes, PyObject *node) except -1:
    cdef PyObject **moved
    cdef Py_ssize_t room
    if nodes.count == nodes.room:
        room = 2 * nodes.room + 64
        moved = <PyObject **>realloc(nodes.at, room * sizeof(PyObject *))
        if moved is NULL:
            raise MemoryError
        nodes.at, nodes.room = moved, room
    nodes.at[nodes.count] = node
    nodes.count += 1
    return 0

cdef inline PyObject *pop(Nodes *nodes) noexcept:
    nodes.count -= 1
    return nodes.at[nodes.count]

cdef inline Py_ssize_t slot(Table *table, PyObject *node) noexcept:
    """The place of the node, or the one that is free for it."""
    cdef uint64_t mixed = (<uintptr_t>node >> 4) * <uint64_t>11400714819323198485
    cdef Py_ssize_t place = <Py_ssize_t>(mixed >> 32) & (table.room - 1)
    while table.keys[place] is not NULL and table.keys[place] is not node:
        place = (place + 1) & (table.room - 1)
    return place

cdef inline int widen(Table *table) except -1:
    cdef Table wide
    cdef Py_ssize_t place, other
    wide.count, wide.room = table.count, 4 * table.room if table.room else 64
    wide.keys = <PyObject **>calloc(wide.room, sizeof(PyObject *))
    wide.numbers = <double *>malloc(wide.room * sizeof(double))
    if wide.keys is NULL or wide.numbers is NULL:
        free(wide.keys)
        free(wide.numbers)
        raise MemoryError
    for place in range(table.room):
        if table.keys[place] is not NULL:
            other = slot(&wide, table.keys[place])
            wide.keys[other], wide.numbers[other] = table.keys[place], table.numbers[place]
    free(table.keys)
    free(table.numbers)
    table[0] = wide
    return 0

cdef inline bint has(Table *table, PyObject *node) noexcept:
    return table.room and table.keys[slot(table, node)] is not NULL

cdef inline int put(Table *table, PyObject *node, double number) except -1:
    """Give the node, which has none, a number."""
    cdef Py_ssize_t place
    if 2 * table.count >= table.room:
        widen(table)
    place = slot(table, node)
    table.keys[place], table.numbers[place] = node, number
    table.count += 1
    return 0

# --- orders -----------------------------------------------------------------------------------

cdef inline int meet(PyObject *node, double sweep, Table *unmarked) except -1:
    """Whether the node was not met before."""
    cdef double mark = (<Value>node)._mark
    if mark < sweep:
        (<Value>node)._mark = sweep
        return 1
    # Leaves and constants keep their marks.
    if mark < VARIABLE or has(unmarked, node):
        return 0
    put(unmarked, node, 0.0)
    return 1

cdef inline int order_nodes(
    PyObject *root, double sweep, bint past_constants, Nodes *order, Nodes *path, Table *unmarked
) except -1:
    """Append what `depth_first` gives of one more root."""
    cdef PyObject *none = <PyObject *>None
    cdef PyObject *node = root
    cdef PyObject *operand
    if not meet(root, sweep, unmarked):
        return 0
    while True:
        if past_constants or (<Value>node)._mark <= VARIABLE:
            operand = x_of(node)
            if operand is not none and meet(operand, sweep, unmarked):
                push(path, node)
                node = operand
                continue
            operand = y_of(node)
            if operand is not none and meet(operand, sweep, unmarked):
                push(path, node)
                node = operand
                continue
        push(order, node)
        if path.count == 0:
            return 0
        node = pop(path)

cdef inline list nodes_in_order(list roots, bint past_constants):
    cdef Nodes order = Nodes(NULL, 0, 0), path = Nodes(NULL, 0, 0)
    cdef Table unmarked = Table(NULL, NULL, 0, 0)
    cdef Py_ssize_t place
    cdef Value root
    cdef double sweep = SWEEPS.latest + 1.0
    SWEEPS.latest = sweep
    try:
        for root in roots:
            order_nodes(<PyObject *>root, sweep, past_constants, &order, &path, &unmarked)
        return [<object>order.at[place] for place in range(order.count)]
    finally:
        free(order.at)
        free(path.at)
        free(unmarked.keys)
        free(unmarked.numbers)

cdef inline int order_results(PyObject *output, double sweep, Nodes *order, Nodes *path) except -1:
    """Append what `sweep._ops_in_order` gives; a mark is the sweep's number plus the place.

    So the next sweep's number must be larger than all of those.
    """
    cdef PyObject *none = <PyObject *>None
    cdef PyObject *node = output
    cdef PyObject *x
    cdef PyObject *y
    (<Value>node)._mark = sweep
    while True:
        x = x_of(node)
        if (<Value>x)._mark < sweep:
            (<Value>x)._mark = sweep
            push(path, node)
            node = x
            continue
        y = y_of(node)
        if y is not none and (<Value>y)._mark < sweep:
            (<Value>y)._mark = sweep
            push(path, node)
            node = y
            continue
        (<Value>node)._mark = sweep + order.count
        push(order, node)
        if path.count == 0:
            return 0
        node = pop(path)

cdef inline list uses_by(list order, Value operand):
    cdef Value node
    cdef list found = []
    for node in order:
        if node._x is operand:
            found.append((node, 0))
        if node._y is operand and operand is not None:
            found.append((node, 1))
    return found

# --- sweeps -----------------------------------------------------------------------------------

cdef struct Sweep:
    # A number per result, by its place in the order, and a number per leaf.
    double number
    Nodes order, path
    double *results
    Table leaves

cdef inline Sweep begun() noexcept:
    cdef Sweep sweep
    sweep.number = SWEEPS.latest + 1.0
    sweep.order = sweep.path = Nodes(NULL, 0, 0)
    sweep.results = NULL
    sweep.leaves = Table(NULL, NULL, 0, 0)
    return sweep

cdef inline void end(Sweep *sweep) noexcept:
    SWEEPS.latest = sweep.number + sweep.order.count
    free(sweep.order.at)
    free(sweep.path.at)
    free(sweep.results)
    free(sweep.leaves.keys)
    free(sweep.leaves.numbers)

cdef inline int go_down(Sweep *sweep, PyObject *output) except -1:
    """Bring the results in order, and make room for their numbers, -0.0.

    -0.0 leaves the first term that is added to it as it is, bit for bit.
    """
    cdef Py_ssize_t place
    if x_of(output) is <PyObject *>None or (<Value>output)._mark > VARIABLE:
        return 0
    order_results(output, sweep.number, &sweep.order, &sweep.path)
    sweep.results = <double *>malloc(sweep.order.count * sizeof(double))
    if sweep.results is NULL:
        raise MemoryError
    for place in range(sweep.order.count):
        sweep.results[place] = -0.0
    return 0

cdef inline double *number_of(Sweep *sweep, PyObject *node) noexcept:
    """Where the number of a node is, or NULL if it has none."""
    cdef double mark = (<Value>node)._mark
    cdef Py_ssize_t place
    if mark < VARIABLE:
        place = <Py_ssize_t>(mark - sweep.number)
        return &sweep.results[place] if 0.0 <= mark - sweep.number < sweep.order.count else NULL
    if mark > VARIABLE or not sweep.leaves.room:
        return NULL
    place = slot(&sweep.leaves, node)
    return NULL if sweep.leaves.keys[place] is NULL else &sweep.leaves.numbers[place]

cdef inline int add(Sweep *sweep, PyObject *operand, double term) except -1:
    """Add a term of a result that was swept to its operand."""
    cdef double mark = (<Value>operand)._mark
    cdef double *found
    if mark < VARIABLE:
        sweep.results[<Py_ssize_t>(mark - sweep.number)] += term
    elif mark == VARIABLE:
        found = number_of(sweep, operand)
        if found is NULL:
            put(&sweep.leaves, operand, term)
        else:
            found[0] += term
    return 0

cdef inline list adjoints_of(Value output, list nodes, double seed):
    cdef PyObject *none = <PyObject *>None
    cdef PyObject *node
    cdef double *found
    cdef double adjoint
    cdef Py_ssize_t place
    cdef Value value
    cdef list adjoints = []
    cdef Sweep sweep = begun()
    try:
        go_down(&sweep, <PyObject *>output)
        add(&sweep, <PyObject *>output, seed)
        for place in range(sweep.order.count - 1, -1, -1):
            node, adjoint = sweep.order.at[place], sweep.results[place]
            add(&sweep, x_of(node), adjoint * (<Value>node)._dx)
            if y_of(node) is not none:
                add(&sweep, y_of(node), adjoint * (<Value>node)._dy)
        for value in nodes:
            found = number_of(&sweep, <PyObject *>value)
            adjoints.append(0.0 if found is NULL else found[0])
        return adjoints
    finally:
        end(&sweep)

cdef inline int carry(
    Sweep *sweep, char *known, Py_ssize_t place, PyObject *operand, double slope
) except -1:
    """Add what an operand passes on to the tangent of the result at the place."""
    cdef double *found = number_of(sweep, operand)
    if found is not NULL:
        if (<Value>operand)._mark == VARIABLE or known[found - sweep.results]:
            sweep.results[place] += found[0] * slope
            known[place] = True
    return 0

cdef inline double tangent_of(Value output, list sources, list tangents) except? -1.0:
    cdef PyObject *none = <PyObject *>None
    cdef PyObject *node
    cdef double *found
    cdef char *known = NULL  # whether a result has a tangent: 0 times an infinite slope is NaN
    cdef Py_ssize_t place
    cdef Value source
    cdef Sweep sweep = begun()
    try:
        go_down(&sweep, <PyObject *>output)
        known = <char *>calloc(sweep.order.count + 1, sizeof(char))
        if known is NULL:
            raise MemoryError
        for place, source in enumerate(sources):
            found = number_of(&sweep, <PyObject *>source)
            if found is not NULL:
                found[0] = tangents[place]
                if source._mark < VARIABLE:
                    known[found - sweep.results] = True
            elif source._mark == VARIABLE:
                put(&sweep.leaves, <PyObject *>source, tangents[place])
        for place in range(sweep.order.count):
            if not known[place]:
                node = sweep.order.at[place]
                carry(&sweep, known, place, x_of(node), (<Value>node)._dx)
                if y_of(node) is not none:
                    carry(&sweep, known, place, y_of(node), (<Value>node)._dy)
        found = number_of(&sweep, <PyObject *>output)
        if found is NULL or (output._mark < VARIABLE and not known[found - sweep.results]):
            return 0.0
        return found[0]
    finally:
        free(known)
        end(&sweep)
