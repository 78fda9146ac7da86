/* A program of two parts, each with another one of the libraries, whose caches live at the same time. */

#include <stdio.h>

const char* full_library(void);
int full_begin(void);
int full_end(void);
const char* core_library(void);
int core_begin(void);
int core_end(void);

int main(void) {
  printf("full: %s\ncore: %s\n", full_library(), core_library());
  const int begun[] = {full_begin(), core_begin()};
  const int ended[] = {full_end(), core_end()};
  printf("%d %d, %d %d\n", begun[0], begun[1], ended[0], ended[1]);
  return 0;
}
