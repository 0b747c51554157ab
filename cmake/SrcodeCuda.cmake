# CUDA is optional: SRCODE_CUDA=auto builds it where nvcc is, on insists, off leaves it out.
set(SRCODE_CUDA auto CACHE STRING "Build the CUDA kernels: auto, on or off")
