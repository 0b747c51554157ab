# CUDA is optional: SRCODE_CUDA=auto builds the kernels where nvcc is, on insists, off leaves them out. What is built holds code for Hopper
# and Ampere and PTX for what comes after, with the runtime inside, so that the addon loads on machines without a driver.
set(SRCODE_CUDA auto CACHE STRING "Build the CUDA kernels: auto, on or off")

if(NOT SRCODE_CUDA STREQUAL "off")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    # Before enable_language: without it CMake takes nvcc's default, and a Hopper would compile old PTX at start.
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real 90-virtual)
    endif()
    enable_language(CUDA)
    file(GLOB SRCODE_CUDA_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/kernels/*/*.cu")
    add_library(srcode_cuda STATIC ${SRCODE_CUDA_SOURCES})
    target_include_directories(srcode_cuda PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
    # -std by hand: CMake 3.25 does not know that nvcc 13 has it. A kernel that spills registers fails the build.
    target_compile_options(srcode_cuda PRIVATE -std=c++20 -Xptxas=-warn-spills -Werror=all-warnings -Xcompiler=-Wall)
    set_target_properties(srcode_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static CUDA_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    target_compile_definitions(srcode_core PRIVATE SRCODE_HAS_CUDA)
    target_link_libraries(srcode_core PUBLIC srcode_cuda)
    message(STATUS "CUDA kernels: ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION}, architectures ${CMAKE_CUDA_ARCHITECTURES}")
  elseif(SRCODE_CUDA STREQUAL "on")
    message(FATAL_ERROR "SRCODE_CUDA=on, but nvcc was not found. Put it on PATH, or set CUDACXX, or use SRCODE_CUDA=auto.")
  else()
    message(STATUS "CUDA kernels: left out, nvcc was not found")
  endif()
endif()
