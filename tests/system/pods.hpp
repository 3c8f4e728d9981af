#pragma once
// Pods of a test's own on a host that it has made beside the shared cluster's.
#include <string>

namespace lab {

// The images that node1's docker has, in that of `host`, too: nothing can be pulled in the lab.
void copy_images(const std::string& host);

// A pod of one container with the image of the quickstart's pods. `container` and `spec` are the fields
// beside those, as JSON ("a":1,"b":2). REQUIREs that it comes to run.
struct Pod {
  std::string name, host, container, spec;
};
void run_pod(const Pod& pod);

}  // namespace lab
