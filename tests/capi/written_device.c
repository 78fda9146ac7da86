#include "tests/capi/written_device.h"

#include <stdlib.h>
#include <string.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_image.h"

#define PAGE 4096ul

void written_device_init(struct written_device* device) {
  memset(device, 0, sizeof *device);
  pthread_mutex_init(&device->mutex, NULL);
  device->base = sample_image_bytes(&device->length);
  device->pages = calloc(device->length / PAGE, sizeof *device->pages);
  CHECK(device->pages != NULL);
}

void written_device_free(struct written_device* device) {
  for (size_t i = 0; i < device->length / PAGE; ++i) free(device->pages[i]);
  free(device->pages);
  pthread_mutex_destroy(&device->mutex);
}

void written_device_look(const struct written_device* device, uint64_t offset, void* to,
                         size_t length) {
  unsigned char* at = to;
  CHECK(offset + length <= device->length);
  while (length > 0) {
    const size_t within = offset % PAGE;
    const size_t bytes = length < PAGE - within ? length : PAGE - within;
    const unsigned char* page = device->pages[offset / PAGE];
    memcpy(at, (page != NULL ? page : device->base + (offset - within)) + within, bytes);
    at += bytes;
    offset += bytes;
    length -= bytes;
  }
}

static int fails(const struct written_device* device, int call, int from) {
  if (from == 0 || call < from) return 0;
  ebcache_set_error("not this time");
  return device->failure;
}

static int device_read(void* context, uint64_t offset, void* to, size_t length) {
  struct written_device* device = context;
  pthread_mutex_lock(&device->mutex);
  const int error = fails(device, ++device->reads, device->reads_fail_from);
  if (error == 0) written_device_look(device, offset, to, length);
  pthread_mutex_unlock(&device->mutex);
  return error;
}

void written_device_put(struct written_device* device, uint64_t offset, const void* from,
                        size_t length) {
  const unsigned char* at = from;
  CHECK(offset % PAGE == 0 && length % PAGE == 0 && offset + length <= device->length);
  for (; length > 0; length -= PAGE, offset += PAGE, at += PAGE) {
    unsigned char** page = &device->pages[offset / PAGE];
    if (*page == NULL) *page = malloc(PAGE);
    CHECK(*page != NULL);
    memcpy(*page, at, PAGE);
  }
}

static int device_write(void* context, uint64_t offset, const void* from, size_t length) {
  struct written_device* device = context;
  if (device->during != NULL) device->during(device->during_context);
  pthread_mutex_lock(&device->mutex);
  int error = fails(device, ++device->writes, device->writes_fail_from);
  if (error == 0 && device->fails_at != 0 && device->fails_at == offset) {
    error = fails(device, 1, 1);
  }
  if (error == 0) written_device_put(device, offset, from, length);
  pthread_mutex_unlock(&device->mutex);
  return error;
}

static int device_flush(void* context) {
  struct written_device* device = context;
  if (device->during != NULL) device->during(device->during_context);
  pthread_mutex_lock(&device->mutex);
  const int error = fails(device, ++device->flushes, device->flushes_fail_from);
  pthread_mutex_unlock(&device->mutex);
  return error;
}

static void device_close(void* context) { ++((struct written_device*)context)->closed; }

struct ebcache_device written_device_functions(struct written_device* device) {
  const struct ebcache_device functions = {.size = sizeof functions,
                                           .name = "a slate",
                                           .bytes = device->length,
                                           .context = device,
                                           .read = device_read,
                                           .close = device_close,
                                           .write = device_write,
                                           .flush = device_flush};
  return functions;
}

int written_device_open(struct written_device* device, ebcache_filesystem** filesystem) {
  const struct ebcache_device functions = written_device_functions(device);
  const struct ebcache_device* const devices[] = {&functions};
  const struct ebcache_filesystem_options options = {.size = sizeof options, .writable = 1};
  return ebcache_open_devices(devices, 1, &options, filesystem);
}
