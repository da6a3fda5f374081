// Made by minimax.py: change that, not this. Coefficients from the lowest degree up; those for f32 are f32 numbers.
// clang-format off
#pragma once

namespace normforge::nest::polynomials {

// exp(r) = 1 + r + r^2 P(r), |r| <= ln(2)/2; relative error
// f32: 3.14e-9 (2^-28.25)
inline constexpr double kExpF32[] = {
    0x1.fffffc0p-2, 0x1.5554940p-3, 0x1.5558be0p-5, 0x1.1238560p-7, 0x1.6a3d0e0p-10};

// f64: 3.68e-18 (2^-57.92)
inline constexpr double kExpF64[] = {
    0x1.000000000000ap-1, 0x1.555555555550dp-3, 0x1.55555555507bap-5, 0x1.1111111124540p-7, 0x1.6c16c184319f2p-10,
    0x1.a01a01384fc7bp-13, 0x1.a0199a21b732fp-16, 0x1.71df0cc320c16p-19, 0x1.28ad4c24c33eep-22, 0x1.ad9eee1148ef8p-26};

// exp2(r) = 1 + r P(r), |r| <= 1/2; relative error
// f32: 2.99e-9 (2^-28.32)
inline constexpr double kExp2F32[] = {
    0x1.62e4300p-1, 0x1.ebfbdc0p-3, 0x1.c6af7c0p-5, 0x1.3b2de00p-7, 0x1.5f082e0p-10, 0x1.416b5e0p-13};

// f64: 4.07e-18 (2^-57.77)
inline constexpr double kExp2F64[] = {
    0x1.62e42fefa39efp-1, 0x1.ebfbdff82c59cp-3, 0x1.c6b08d704a0d4p-5, 0x1.3b2ab6fba11f5p-7, 0x1.5d87fe78b3b9bp-10,
    0x1.4309130c0129bp-13, 0x1.ffcbfbf8c7accp-17, 0x1.62bfcdde60d57p-20, 0x1.b5260d9f4081ap-24, 0x1.e611a0651e0f3p-28,
    0x1.e80ee781e4f3cp-32};

// log((1 + s)/(1 - s)) = 2 s + s z P(z), z = s^2, |s| <= 3 - 2 sqrt(2); relative error
// f32: 8.05e-10 (2^-30.21)
inline constexpr double kLogF32[] = {
    0x1.55557a0p-1, 0x1.995ed80p-2, 0x1.31e03c0p-2};

// f64: 1.23e-18 (2^-59.5)
inline constexpr double kLogF64[] = {
    0x1.5555555555592p-1, 0x1.999999997ff63p-2, 0x1.24924941db487p-2, 0x1.c71c521a19ee9p-3, 0x1.74663ba327229p-3,
    0x1.39a20ba987264p-3, 0x1.2f025145873dcp-3};

// tanh(x) = x + x z P(z), z = x^2, |x| <= 0.625; relative error
// f32: 4.52e-9 (2^-27.72)
inline constexpr double kTanhF32[] = {
    -0x1.5555320p-2, 0x1.1106f60p-3, -0x1.b835a40p-5, 0x1.51f8ce0p-6, -0x1.750ce20p-8};

// f64: 1.02e-17 (2^-56.44)
inline constexpr double kTanhF64[] = {
    -0x1.55555555554ffp-2, 0x1.111111110ac94p-3, -0x1.ba1ba1b503b0cp-5, 0x1.664f477a63e9ep-6, -0x1.226e161fd7393p-7,
    0x1.d6cf2688a3d1ep-9, -0x1.7d689392453d9p-10, 0x1.3365acbdc5df6p-11, -0x1.df523fd376574p-13, 0x1.4389ca367d6e2p-14,
    -0x1.0d98c75e0a0b4p-16};

// erf(x) = x + x P(z), z = x^2, |x| <= 1; relative error
// f32: 1.43e-9 (2^-29.39)
inline constexpr double kErfSmallF32[] = {
    0x1.06eba80p-3, -0x1.81273e0p-2, 0x1.ce2ce60p-4, -0x1.b7f71a0p-6, 0x1.53f2240p-8, -0x1.a3515e0p-11, 0x1.4771fe0p-14};

// f64: 1.1e-17 (2^-56.33)
inline constexpr double kErfSmallF64[] = {
    0x1.06eba8214db69p-3, -0x1.812746b037a25p-2, 0x1.ce2f21a0458d7p-4, -0x1.b82ce31354c4cp-6, 0x1.565bcd2c609e5p-8,
    -0x1.c02db93287fc6p-11, 0x1.f9a3b93e5cbc1p-14, -0x1.f4dcef8551593p-17, 0x1.ba68fa7231143p-20,
    -0x1.638fd62df78cfp-23, 0x1.131b57afe958ap-26, -0x1.c497daa50c727p-30, 0x1.3b714517103a6p-33};

// erf(x) = 1 - exp(P(x)), 1 <= x <= 4 (f32), 1 <= x <= 6 (f64); relative error
// f32: 1.08e-9 (2^-29.79)
inline constexpr double kErfLargeF32[] = {
    -0x1.661e4e0p-12, -0x1.2088ea0p+0, -0x1.46baf00p-1, -0x1.a653140p-4, 0x1.65cafa0p-6, -0x1.8259b80p-9,
    0x1.86db160p-13};

// f64: 6.82e-18 (2^-57.02)
inline constexpr double kErfLargeF64[] = {
    -0x1.0df1c531e0d4bp-21, -0x1.20dd1fd59aca6p+0, -0x1.45f62744a565ep-1, -0x1.a4ac5df02c389p-4, 0x1.37229f760886ep-6,
    0x1.ae8f81e142dadp-12, -0x1.f63fd527ab520p-10, 0x1.94086ff338cb9p-11, -0x1.1b34b41b74e28p-13,
    -0x1.541435821af60p-16, 0x1.7eebff34f5439p-16, -0x1.22d61c86dba9fp-17, 0x1.1ea8dbe86fd84p-19,
    -0x1.90d9c56a2400dp-22, 0x1.8eca43fdec1f8p-25, -0x1.0e5ffef8e9030p-28, 0x1.c1b7d5d99c810p-33,
    -0x1.5ad7aafaa8236p-38};

} // namespace normforge::nest::polynomials
