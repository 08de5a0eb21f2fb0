/* The limit: the network of replay.py by hand, 8 sequences in lanes, tiles in registers.

   gcc -O3 -march=native -shared -fPIC -DH=8 -DX=4
   Parameters: a row per state of [inputs, states], the offsets, the readout, its offset. */
#include <stdint.h>

typedef double lanes __attribute__((vector_size(64)));
typedef int64_t integers __attribute__((vector_size(64)));

#define K (X + H)

static inline lanes all(double x) { return (lanes){x, x, x, x, x, x, x, x}; }

/* expm1(2|x|) by a polynomial, and from it tanh. */
static inline lanes tanh_lanes(lanes x) {
  integers sign = (integers)x & INT64_MIN;
  lanes y = (lanes)((integers)x & INT64_MAX);
  integers small = y < all(20.0);
  y = (lanes)(((integers)y & small) | ((integers)all(20.0) & ~small));
  y = y + y;
  lanes shift = all(6755399441055744.0);
  lanes shifted = y * 1.4426950408889634 + shift;
  lanes k = shifted - shift;
  lanes r = y - k * 6.93147180369123816490e-01;
  r = r - k * 1.90821492927058770002e-10;
  lanes q = all(1.0 / 6227020800.0);
  q = q * r + 1.0 / 479001600.0;
  q = q * r + 1.0 / 39916800.0;
  q = q * r + 1.0 / 3628800.0;
  q = q * r + 1.0 / 362880.0;
  q = q * r + 1.0 / 40320.0;
  q = q * r + 1.0 / 5040.0;
  q = q * r + 1.0 / 720.0;
  q = q * r + 1.0 / 120.0;
  q = q * r + 1.0 / 24.0;
  q = q * r + 1.0 / 6.0;
  q = q * r + 0.5;
  lanes e = r * r * q + r;
  lanes scale = (lanes)(((integers)shifted << 52) + (1023LL << 52));
  lanes expm1 = scale * e + (scale - 1.0);
  lanes t = expm1 / (expm1 + 2.0);
  return (lanes)((integers)t | sign);
}

static inline void rows_of(const double *w, const double *b, const lanes *v, int n, lanes *out) {
  for (int i0 = 0; i0 < n; i0 += 8) {
    lanes a[8];
    for (int i = 0; i < 8; i++) a[i] = all(b[i0 + i]);
    for (int k = 0; k < K; k++) {
      lanes x = v[k];
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) a[i] += w[(i0 + i) * K + k] * x;
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) out[i0 + i] = tanh_lanes(a[i]);
  }
}

/* Adds losses and gradients of `blocks` blocks; x is [block][step][X][lane], y [block][lane];
   work holds (T + 1) * (K + H) + 2 * H vectors. */
void run(const double *p, const lanes *x, const lanes *y, int64_t T, int64_t blocks, lanes *gradient,
         lanes *work, lanes *loss) {
  const double *w = p, *b = w + H * K, *wo = b + H, *bo = wo + H;
  lanes *gw = gradient, *gb = gw + H * K, *gwo = gb + H, *gbo = gwo + H;
  lanes *tape = work, *slopes = tape + (T + 1) * K, *d = slopes + T * H;
  for (int64_t n = 0; n < blocks; n++) {
    const lanes *inputs = x + n * T * X;
    for (int j = 0; j < H; j++) tape[X + j] = all(0.0);
    for (int64_t t = 0; t < T; t++) {
      lanes *v = tape + t * K;
      for (int k = 0; k < X; k++) v[k] = inputs[t * X + k];
      rows_of(w, b, v, H, v + K + X);
    }
    lanes *q = tape + T * K + X;
    lanes out = all(*bo);
    for (int j = 0; j < H; j++) out += wo[j] * q[j];
    lanes error = out - y[n], slope = 2.0 * error;
    loss[n] = error * error;
    *gbo += slope;
    for (int j = 0; j < H; j++) {
      gwo[j] += slope * q[j];
      d[j] = slope * wo[j];
    }
    for (int64_t t = T; t-- > 0;) {
      lanes *s = slopes + t * H, *behind = tape + (t + 1) * K + X;
      for (int j = 0; j < H; j++) s[j] = d[j] * (1.0 - behind[j] * behind[j]);
      for (int j0 = 0; t && j0 < H; j0 += 8) {
        lanes a[8];
        for (int j = 0; j < 8; j++) a[j] = all(0.0);
        for (int i = 0; i < H; i++) {
          lanes si = s[i];
#pragma GCC unroll 8
          for (int j = 0; j < 8; j++) a[j] += w[i * K + X + j0 + j] * si;
        }
        for (int j = 0; j < 8; j++) d[j0 + j] = a[j];
      }
    }
    for (int i0 = 0; i0 < H; i0 += 4) {
      for (int k0 = 0; k0 < K; k0 += 4) {
        lanes a[4][4];
        for (int i = 0; i < 4; i++)
          for (int k = 0; k < 4; k++) a[i][k] = gw[(i0 + i) * K + k0 + k];
        for (int64_t t = 0; t < T; t++) {
          lanes *s = slopes + t * H + i0, *v = tape + t * K + k0;
#pragma GCC unroll 4
          for (int i = 0; i < 4; i++)
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++) a[i][k] += s[i] * v[k];
        }
        for (int i = 0; i < 4; i++)
          for (int k = 0; k < 4; k++) gw[(i0 + i) * K + k0 + k] = a[i][k];
      }
      for (int i = 0; i < 4; i++) {
        lanes a = gb[i0 + i];
        for (int64_t t = 0; t < T; t++) a += slopes[t * H + i0 + i];
        gb[i0 + i] = a;
      }
    }
  }
}

/* The same by plain loops, a sequence at a time, with the C library's tanh: x [sequence][step][X]. */
#include <math.h>
void plain(const double *p, const double *x, const double *y, int64_t T, int64_t count,
           double *gradient, double *work, double *loss) {
  const double *w = p, *b = w + H * K, *wo = b + H, *bo = wo + H;
  double *gw = gradient, *gb = gw + H * K, *gwo = gb + H, *gbo = gwo + H;
  double *tape = work;
  for (int64_t n = 0; n < count; n++) {
    for (int j = 0; j < H; j++) tape[X + j] = 0.0;
    for (int64_t t = 0; t < T; t++) {
      double *v = tape + t * K;
      for (int k = 0; k < X; k++) v[k] = x[(n * T + t) * X + k];
      for (int i = 0; i < H; i++) {
        double a = b[i];
        for (int k = 0; k < K; k++) a += w[i * K + k] * v[k];
        v[K + X + i] = tanh(a);
      }
    }
    double *q = tape + T * K + X, out = *bo, d[H], e[H];
    for (int j = 0; j < H; j++) out += wo[j] * q[j];
    double error = out - y[n], slope = 2.0 * error;
    loss[n] = error * error;
    *gbo += slope;
    for (int j = 0; j < H; j++) {
      gwo[j] += slope * q[j];
      d[j] = slope * wo[j];
    }
    for (int64_t t = T; t-- > 0;) {
      double *v = tape + t * K;
      for (int j = 0; j < H; j++) e[j] = 0.0;
      for (int i = 0; i < H; i++) {
        double h = v[K + X + i], s = d[i] * (1.0 - h * h);
        gb[i] += s;
        for (int k = 0; k < K; k++) gw[i * K + k] += s * v[k];
        for (int j = 0; j < H; j++) e[j] += s * w[i * K + X + j];
      }
      for (int j = 0; j < H; j++) d[j] = e[j];
    }
  }
}
