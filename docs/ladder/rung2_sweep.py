"""One sweep from the output back to the inputs gives the gradient with respect to every node."""

from rung1_value import Value


def topological(output):
    """The nodes that the output is computed from and the output itself, inputs first."""
    order, path = {}, [output]
    while path:
        missing = [parent for parent in path[-1].parents if parent not in order]
        if missing:
            path.append(missing[0])
        else:
            order[path.pop()] = None
    return list(order)


def gradients(output):
    """∂output/∂node for each of these nodes: the sum of one term per use."""
    found = {output: 1.0}
    for node in reversed(topological(output)):
        for parent, partial in zip(node.parents, node.partials, strict=True):
            found[parent] = found.get(parent, 0.0) + found[node] * partial
    return found


if __name__ == "__main__":
    w = Value(4.0)
    product = w * w
    print(gradients(product * w)[w])  # 48.0, which is 3w²: w is used three times
