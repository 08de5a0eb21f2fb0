cimport libc.math as math

cdef double inf, nan

cpdef bint same_bits(double x, double y) noexcept
cpdef double ieee_divide(double x, double y) noexcept
cpdef double ieee_power(double x, double y) except? -1.0
cpdef double divide(double x, double y) except? -1.0
cpdef double power(double x, double y) except? -1.0
cpdef double power_slope(double x, double y, double z) except? -1.0
cpdef double exponent_slope(double x, double y, double z) except? -1.0
cpdef double exp(double x) except? -1.0
cpdef double log(double x) noexcept
cpdef double sqrt(double x) noexcept
cpdef double sin(double x) except? -1.0
cpdef double cos(double x) except? -1.0
cpdef double tan(double x) except? -1.0
cpdef double log2(double x) noexcept
cpdef double log10(double x) noexcept
cpdef double log1p(double x) noexcept
cpdef double exp2(double x) except? -1.0
cpdef double expm1(double x) except? -1.0
cpdef double sinh(double x) except? -1.0
cpdef double cosh(double x) except? -1.0
cpdef double arcsin(double x) noexcept
cpdef double arccos(double x) noexcept
cpdef double arccosh(double x) noexcept
cpdef double arctanh(double x) noexcept
cpdef double hypot(double x, double y) except? -1.0
cpdef double mod(double x, double y) noexcept
cpdef double sigmoid(double x) noexcept
cpdef double softplus(double x) noexcept
cpdef double maximum(double x, double y) noexcept
