"""A Value is a number that remembers how it was computed."""


class Value:
    """A number, the Values it was computed from, and its partial derivatives."""

    def __init__(self, data, parents=(), partials=()):
        self.data, self.parents, self.partials = data, parents, partials

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __sub__(self, other):
        return Value(self.data - other.data, (self, other), (1.0, -1.0))

    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def relu(self):
        return Value(max(self.data, 0.0), (self,), (1.0 if self.data > 0.0 else 0.0,))


if __name__ == "__main__":
    w = Value(4.0)
    product = w * w  # two operands, both of them w
    print(product.data, product.parents == (w, w), product.partials)  # 16.0 True (4.0, 4.0)
