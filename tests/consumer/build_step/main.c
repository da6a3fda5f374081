#include "app_norms.h"

int main(void) {
  const float x[2] = {3, 4};
  float y[2];
  app_norms_scale_norm_f32_args args = app_norms_scale_norm_f32_defaults();
  args.rows = 1;
  args.cols = 2;
  args.x = x;
  args.y = y;
  args.g = 5;
  return app_norms_scale_norm_f32(&args, NULL) != APP_NORMS_OK || y[0] != 3 || y[1] != 4;
}
