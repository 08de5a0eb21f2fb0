cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc, realloc
from autograd_rnn.engine.shared cimport Sweeps
from autograd_rnn.engine.value cimport Value, _node
from autograd_rnn.ops.op cimport Op

cdef double VARIABLE
cdef Sweeps SWEEPS
cdef object kinds_of_slopes

# --- nodes by address -------------------------------------------------------------------------
# No references are counted: the graph keeps its nodes alive.  Between marking nodes and reading the
# marks no Python runs, so that no other thread or finaliser marks them again.  So memory is from C
# there, and lists are made before: a new list may have garbage collected, which runs finalisers.

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
    cdef uint64_t mixed = (<uintptr_t>node >> 4) * <uint64_t>0x61C8864680B583EBULL
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

cdef inline PyObject *node_of(Value node) except NULL:
    """The Value; `TypeError` for None, which Cython takes for one."""
    if node is None:
        raise TypeError("None is not a node.")
    return <PyObject *>node

cdef inline list nodes_in_order(list roots, bint past_constants):
    cdef Nodes order = Nodes(NULL, 0, 0), path = Nodes(NULL, 0, 0)
    cdef Table unmarked = Table(NULL, NULL, 0, 0)
    cdef Py_ssize_t place
    cdef Value root
    cdef double sweep = SWEEPS.latest + 1.0
    SWEEPS.latest = sweep
    try:
        for root in roots:
            order_nodes(node_of(root), sweep, past_constants, &order, &path, &unmarked)
        return [<object>order.at[place] for place in range(order.count)]
    finally:
        free(order.at)
        free(path.at)
        free(unmarked.keys)
        free(unmarked.numbers)

cdef inline int order_results(PyObject *output, double sweep, Nodes *order, Nodes *path) except -1:
    """Append what `sweep._ops_in_order` gives; a mark is the sweep's number plus the place."""
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
        node_of(node)
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
    char *known  # whether a result has a tangent
    Table leaves

cdef inline Sweep begun() noexcept:
    cdef Sweep sweep
    SWEEPS.latest += 1.0
    sweep.number = SWEEPS.latest
    sweep.order = sweep.path = Nodes(NULL, 0, 0)
    sweep.results = NULL
    sweep.known = NULL
    sweep.leaves = Table(NULL, NULL, 0, 0)
    return sweep

cdef inline void end(Sweep *sweep) noexcept:
    free(sweep.order.at)
    free(sweep.path.at)
    free(sweep.results)
    free(sweep.known)
    free(sweep.leaves.keys)
    free(sweep.leaves.numbers)

cdef inline int go_down(Sweep *sweep, PyObject *output) except -1:
    """Bring the results in order, and make room for their numbers, -0.0.

    -0.0 leaves the first term that is added to it as it is, bit for bit.
    """
    cdef Py_ssize_t place
    if x_of(output) is <PyObject *>None or (<Value>output)._mark > VARIABLE:
        return 0
    try:
        order_results(output, sweep.number, &sweep.order, &sweep.path)
    finally:
        SWEEPS.latest = sweep.number + sweep.order.count
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

cdef inline int go_back(Sweep *sweep, PyObject *output, double seed) except -1:
    """Compute the adjoints."""
    cdef PyObject *none = <PyObject *>None
    cdef PyObject *node
    cdef double adjoint
    cdef Py_ssize_t place
    go_down(sweep, output)
    add(sweep, output, seed)
    for place in range(sweep.order.count - 1, -1, -1):
        node, adjoint = sweep.order.at[place], sweep.results[place]
        add(sweep, x_of(node), adjoint * (<Value>node)._dx)
        if y_of(node) is not none:
            add(sweep, y_of(node), adjoint * (<Value>node)._dy)
    return 0

cdef inline list adjoints_of(Value output, list nodes, double seed):
    cdef double *found
    cdef Value node
    cdef list adjoints = []
    cdef Sweep sweep = begun()
    try:
        go_back(&sweep, node_of(output), seed)
        for node in nodes:
            found = number_of(&sweep, node_of(node))
            adjoints.append(0.0 if found is NULL else found[0])
        return adjoints
    finally:
        end(&sweep)

cdef inline int carry(Sweep *sweep, Py_ssize_t place, PyObject *operand, double slope) noexcept:
    """Add what an operand passes on to the tangent of the result at the place."""
    cdef double *found = number_of(sweep, operand)
    if found is not NULL:
        if (<Value>operand)._mark == VARIABLE or sweep.known[found - sweep.results]:
            sweep.results[place] += found[0] * slope
            sweep.known[place] = True
    return 0

cdef inline int check_tangents(list sources, list tangents) except -1:
    if len(sources) != len(tangents):
        raise ValueError(f"there are {len(sources)} sources, but {len(tangents)} tangents.")
    return 0

cdef inline int go_up(Sweep *sweep, Value output, list sources, list tangents) except -1:
    """Compute the tangents, and return whether the output has one: 0 times infinity is NaN."""
    cdef PyObject *none = <PyObject *>None
    cdef PyObject *node
    cdef double *found
    cdef Py_ssize_t place
    cdef Value source
    check_tangents(sources, tangents)
    go_down(sweep, node_of(output))
    sweep.known = <char *>calloc(sweep.order.count + 1, sizeof(char))
    if sweep.known is NULL:
        raise MemoryError
    for place in range(len(sources)):
        source = sources[place]
        found = number_of(sweep, node_of(source))
        if found is not NULL:
            found[0] = tangents[place]
            if source._mark < VARIABLE:
                sweep.known[found - sweep.results] = True
        elif source._mark == VARIABLE:
            put(&sweep.leaves, <PyObject *>source, tangents[place])
    for place in range(sweep.order.count):
        if not sweep.known[place]:
            node = sweep.order.at[place]
            carry(sweep, place, x_of(node), (<Value>node)._dx)
            if y_of(node) is not none:
                carry(sweep, place, y_of(node), (<Value>node)._dy)
    found = number_of(sweep, <PyObject *>output)
    return found is not NULL and (output._mark == VARIABLE or sweep.known[found - sweep.results])

cdef inline object tangent_of(Value output, list sources, list tangents):
    """The tangent of the output, or None if none of the sources moves it."""
    cdef Sweep sweep = begun()
    try:
        if go_up(&sweep, output, sources, tangents):
            return number_of(&sweep, <PyObject *>output)[0]
        return None
    finally:
        end(&sweep)

# --- second derivatives -----------------------------------------------------------------------

cdef struct Second:
    # How numbers change in a direction.  By places, since Python runs in between, and may have
    # other sweeps made: results come first, then leaves; -1 is a constant.
    Py_ssize_t *left
    Py_ssize_t *right
    double *tangents
    double *adjoints
    double *adjoint_tangents  # of the adjoints
    char *moves
    char *adjoint_moves
    Table kinds  # of slopes, by op

cdef inline Py_ssize_t place_of(Sweep *sweep, PyObject *node) except -2:
    cdef double mark
    cdef double *found
    if node is <PyObject *>None:
        return -1
    mark, found = (<Value>node)._mark, number_of(sweep, node)
    if mark < VARIABLE:
        return -1 if found is NULL else found - sweep.results
    if found is NULL and mark == VARIABLE:
        put(&sweep.leaves, node, sweep.order.count + sweep.leaves.count)
        found = number_of(sweep, node)
    return -1 if found is NULL else <Py_ssize_t>found[0]

cdef inline void carry_second(
    Second *second, Py_ssize_t place, Py_ssize_t operand, double slope
) noexcept:
    if operand >= 0 and second.moves[operand]:
        second.tangents[place] += second.tangents[operand] * slope
        second.moves[place] = True

cdef inline object leaf_of(Value operand):
    """A leaf in place of the operand, or a plain number as the float that it was."""
    if operand._mark > VARIABLE and operand._op is None and operand._name is None:
        return operand._data
    return _node(None, operand._data, None, 0.0, None, 0.0, VARIABLE)

cdef inline object slope_tangent_of(Second *second, Py_ssize_t place, Value node, int position):
    """How the slope of a result by an operand changes, or None, by its rule."""
    cdef list sources = [], tangents = []
    cdef Py_ssize_t left = second.left[place], right = second.right[place]
    cdef object y, x = leaf_of(node._x), z = leaf_of(node)
    cdef object rule
    with cython.boundscheck(True):  # rules of an op can be assigned
        rule = (<object>node._op.partials)[position]
    if left >= 0 and second.moves[left]:
        sources.append(x)
        tangents.append(second.tangents[left])
    if node._y is None:
        slope = rule(x, z)
    else:
        y = leaf_of(node._y)
        slope = rule(x, y, z)
        if right >= 0 and second.moves[right]:
            sources.append(y)
            tangents.append(second.tangents[right])
    if second.moves[place]:
        sources.append(z)
        tangents.append(second.tangents[place])
    return tangent_of(slope, sources, tangents) if isinstance(slope, Value) else None

cdef inline int add_terms(
    Second *second, Py_ssize_t place, PyObject *node, int position, Py_ssize_t operand, double slope
) except -1:
    """Add the term of an operand to its adjoint, and to how that changes."""
    cdef double adjoint = second.adjoints[place]
    cdef int kind
    cdef Py_ssize_t factor
    if operand < 0:
        return 0
    second.adjoints[operand] += adjoint * slope
    if second.adjoint_moves[place]:
        second.adjoint_tangents[operand] += second.adjoint_tangents[place] * slope
        second.adjoint_moves[operand] = True
    kind = kind_of(&second.kinds, (<Value>node)._op, position)
    if kind < 3:
        factor = second.left[place] if kind == 0 else second.right[place] if kind == 1 else place
        if factor >= 0 and second.moves[factor]:
            second.adjoint_tangents[operand] += adjoint * second.tangents[factor]
            second.adjoint_moves[operand] = True
        return 0
    # Where no operand moves, the result does not either.
    if kind != 3 or not second.moves[place]:
        return 0
    slope_tangent = slope_tangent_of(second, place, <Value>node, position)
    if slope_tangent is not None:
        second.adjoint_tangents[operand] += adjoint * <double>slope_tangent
        second.adjoint_moves[operand] = True
    return 0

cdef inline int kind_of(Table *kinds, Op op, int position) except -1:
    """What `kinds_of_slopes` says of the op."""
    cdef Py_ssize_t place
    if not has(kinds, <PyObject *>op):
        found = kinds_of_slopes(op)
        put(kinds, <PyObject *>op, found)
    place = <Py_ssize_t>kinds.numbers[slot(kinds, <PyObject *>op)]
    return place // 8 if position == 0 else place % 8

cdef inline list adjoint_tangents_of(Value output, list nodes, list sources, list tangents):
    cdef Second second = Second(NULL, NULL, NULL, NULL, NULL, NULL, NULL, Table(NULL, NULL, 0, 0))
    cdef Py_ssize_t *wanted = NULL
    cdef Py_ssize_t place, count, size
    cdef PyObject *at
    cdef Value node
    cdef list found = [], named = [*nodes, *sources]
    cdef Sweep sweep = begun()
    try:
        check_tangents(sources, tangents)
        go_down(&sweep, node_of(output))
        count = sweep.order.count
        second.left = <Py_ssize_t *>malloc((2 * count + len(named) + 1) * sizeof(Py_ssize_t))
        if second.left is NULL:
            raise MemoryError
        second.right, wanted = second.left + count, second.left + 2 * count
        for place in range(count):
            second.left[place] = place_of(&sweep, x_of(sweep.order.at[place]))
            second.right[place] = place_of(&sweep, y_of(sweep.order.at[place]))
        for place, node in enumerate(named):
            wanted[place] = place_of(&sweep, node_of(node))
        size = count + sweep.leaves.count
        second.tangents = <double *>calloc(3 * size + 1, sizeof(double))
        second.moves = <char *>calloc(2 * size + 1, sizeof(char))
        if second.tangents is NULL or second.moves is NULL:
            raise MemoryError
        second.adjoints = second.tangents + size
        second.adjoint_tangents = second.tangents + 2 * size
        second.adjoint_moves = second.moves + size
        for place in range(len(sources)):
            if wanted[len(nodes) + place] >= 0:
                second.tangents[wanted[len(nodes) + place]] = tangents[place]
                second.moves[wanted[len(nodes) + place]] = True
        for place in range(count):
            if not second.moves[place]:
                at = sweep.order.at[place]
                carry_second(&second, place, second.left[place], (<Value>at)._dx)
                carry_second(&second, place, second.right[place], (<Value>at)._dy)
        if count:
            second.adjoints[count - 1] = 1.0
        for place in range(count - 1, -1, -1):
            at = sweep.order.at[place]
            add_terms(&second, place, at, 0, second.left[place], (<Value>at)._dx)
            add_terms(&second, place, at, 1, second.right[place], (<Value>at)._dy)
        for place in range(len(nodes)):
            found.append(second.adjoint_tangents[wanted[place]] if wanted[place] >= 0 else 0.0)
        return found
    finally:
        free(second.left)
        free(second.tangents)
        free(second.moves)
        free(second.kinds.keys)
        free(second.kinds.numbers)
        end(&sweep)
