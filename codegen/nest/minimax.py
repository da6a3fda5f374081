#!/usr/bin/env python3
"""Prints codegen/nest/polynomials.h: the coefficients of the transcendental functions, for f32 and f64.

Each row of kSpecs is a function to approximate, how much an error at x matters (the weight makes it the relative error of the final
result), an interval, and how many coefficients each precision gets. Remez's exchange finds the polynomial of least maximal error;
coefficients are rounded from the lowest degree up, each time fitting the rest anew to what rounding left. Needs mpmath alone.
"""
from mpmath import mp, mpf, matrix, lu_solve, exp, log, sqrt, tanh, erf, erfc, atanh, pi, frexp, ldexp, nint, cos, linspace, taylor

mp.dps = 60


def round_to(value, bits):
    mantissa, exponent = frexp(mpf(value))
    return ldexp(nint(ldexp(mantissa, bits)), exponent - bits)


def remez(f, weight, powers, low, high):
    """Coefficients of the powers for f, and the largest weighted error."""
    count = len(powers) + 1
    grid = [(low + high) / 2 - (high - low) / 2 * cos(pi * i / 1200) for i in range(1201)]
    values = [f(x) for x in grid]
    weights = [weight(x) for x in grid]
    rows = [[x ** p for p in powers] for x in grid]
    at = [round(1200 * (i + 0.5) / count) for i in range(count)]
    for _ in range(40):
        system = matrix([[weights[i] * v for v in rows[i]] + [(-1) ** n] for n, i in enumerate(at)])
        solution = lu_solve(system, matrix([weights[i] * values[i] for i in at]))
        c = [solution[i] for i in range(len(powers))]
        error = [weights[i] * (values[i] - sum(a * b for a, b in zip(c, rows[i]))) for i in range(len(grid))]
        extremes = []  # one per run of equal sign: where the error is largest
        for i, e in enumerate(error):
            if weights[i] == 0:
                continue
            if extremes and (e > 0) == (error[extremes[-1]] > 0):
                if abs(e) > abs(error[extremes[-1]]):
                    extremes[-1] = i
            else:
                extremes.append(i)
        size = lambda n: abs(error[extremes[n]])
        while len(extremes) > count:  # drop the least one, and keep the signs alternating
            least = min(range(len(extremes)), key=size)
            ends = (0, len(extremes) - 1)
            if least in ends or len(extremes) == count + 1:
                extremes.pop(min(ends, key=size))
            else:
                first = least if size(least + 1) < size(least - 1) else least - 1
                del extremes[first : first + 2]
        if len(extremes) < count or extremes == at:
            break
        at = extremes
    return c, max(abs(e) for e in error)


def fit(f, weight, count, low, high, bits):
    """Rounded coefficients, and their largest weighted error."""
    fixed = []
    for degree in range(count):
        # What is left over x^degree: a full polynomial again, so that errors alternate on both sides of 0.
        rest = lambda x: (f(x) - sum(c * x ** p for p, c in enumerate(fixed))) / x ** degree if x else mpf(0)
        c, _ = remez(rest, lambda x: weight(x) * abs(x) ** degree, range(count - degree), low, high)
        fixed.append(round_to(c[0], bits))
    return fixed, max(abs(weight(x) * (f(x) - sum(c * x ** p for p, c in enumerate(fixed)))) for x in linspace(low, high, 3001))


def series(f, order, terms=40):
    """f(x) without its first `order` Taylor terms, over x^order; by the series near 0, where the difference cancels."""
    coefficients = taylor(f, 0, order + terms)
    def tail(x):
        if abs(x) < mpf("0.01"):
            return sum(c * x ** i for i, c in enumerate(coefficients[order:]))
        return (f(x) - sum(c * x ** i for i, c in enumerate(coefficients[:order]))) / x ** order
    return tail


LN2 = log(mpf(2))
TINY = mpf(10) ** -12
half_ln2, half = LN2 / 2 * (1 + mpf(10) ** -6), mpf("0.5000001")
log_s = (sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1)


def odd(f, x):  # f(√z)/√z
    return f(sqrt(x)) / sqrt(x)


exp_tail = series(exp, 2)
exp2_tail = series(lambda x: exp(x * LN2), 1)

# name, comment, f, weight, low, high, coefficients (f32, f64)
kSpecs = [
    ("Exp", "exp(r) = 1 + r + r^2 P(r), |r| <= ln(2)/2; relative error", exp_tail, lambda x: x * x / exp(x), -half_ln2, half_ln2, (5, 10)),
    ("Exp2", "exp2(r) = 1 + r P(r), |r| <= 1/2; relative error", exp2_tail, lambda x: abs(x) / exp(x * LN2), -half, half, (6, 11)),
    ("Log", "log((1 + s)/(1 - s)) = 2 s + s z P(z), z = s^2, |s| <= 3 - 2 sqrt(2); relative error",
     lambda z: 2 * (odd(atanh, z) - 1) / z, lambda z: z / odd(atanh, z) / 2, TINY, log_s ** 2, (3, 7)),
    ("Tanh", "tanh(x) = x + x z P(z), z = x^2, |x| <= 0.625; relative error",
     lambda z: (odd(tanh, z) - 1) / z, lambda z: z / odd(tanh, z), TINY, mpf("0.625") ** 2, (5, 11)),
    ("ErfSmall", "erf(x) = x + x P(z), z = x^2, |x| <= 1; relative error",
     lambda z: odd(erf, z) - 1, lambda z: 1 / odd(erf, z), TINY, mpf(1), (7, 13)),
    ("ErfLarge", "erf(x) = 1 - exp(P(x)), 1 <= x <= 4 (f32), 1 <= x <= 6 (f64); relative error",
     lambda x: log(erfc(x)), lambda x: erfc(x) / erf(x), mpf(1), (mpf(4), mpf(6)), (7, 18)),
]


def literal(value):
    return float(value).hex() if value == mpf(float(value)) else None


def table(name, coefficients):
    lines, line = [], "   "
    for c in coefficients:
        text = " " + (literal(c).replace("000000p", "p")) + ","
        if len(line) + len(text) > 120:
            lines.append(line)
            line = "   "
        line += text
    return f"inline constexpr double {name}[] = {{\n" + "\n".join(lines + [line]).rstrip(",") + "};\n"


print("""// Made by minimax.py: change that, not this. Coefficients from the lowest degree up; those for f32 are f32 numbers.
// clang-format off
#pragma once

namespace normforge::nest::polynomials {
""")
for name, comment, f, weight, low, high, counts in kSpecs:
    print(f"// {comment}")
    for precision, (suffix, bits) in enumerate((("F32", 24), ("F64", 53))):
        top = high[precision] if isinstance(high, tuple) else high
        coefficients, worst = fit(f, weight, counts[precision], low, top, bits)
        print(f"// {suffix.lower()}: {mp.nstr(worst, 3)} (2^{mp.nstr(log(worst) / LN2, 4)})")
        print(table(f"k{name}{suffix}", coefficients))
print("} // namespace normforge::nest::polynomials")
