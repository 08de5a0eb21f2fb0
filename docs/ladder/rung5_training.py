"""Training is to follow the gradient downhill, again and again."""

from rung1_value import Value
from rung2_sweep import gradients
from rung4_rnn import unroll

STRINGS = ["1", "01", "110", "0101", "11011"]


def train(w1, w2, epochs, learning_rate):
    """The mean loss of each epoch, while the weights learn to count the ones of each string."""
    losses = []
    for _ in range(epochs):
        total, slopes = 0.0, {w1: 0.0, w2: 0.0}
        for string in STRINGS:
            difference = Value(float(string.count("1"))) - unroll(w1, w2, map(float, string))
            loss = difference * difference
            found = gradients(loss)
            total += loss.data
            slopes = {weight: slopes[weight] + found[weight] for weight in slopes}
        losses.append(total / len(STRINGS))
        for weight in slopes:
            weight.data -= learning_rate * (slopes[weight] / len(STRINGS))
    return losses


if __name__ == "__main__":
    w1, w2 = Value(0.5), Value(0.5)
    losses = train(w1, w2, epochs=300, learning_rate=0.02)
    print(round(losses[0], 2), round(losses[-1], 6))  # 3.0 0.0
    print(round(w1.data, 3), round(w2.data, 3))  # 1.0 1.0
