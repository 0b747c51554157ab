# Compiler settings that every target of ours shares.
option(SRCODE_TESTS "Build the native tests" OFF)
option(SRCODE_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# -O3, not -O2: at -O2 g++ 12 leaves arrays of vector accumulators in memory (half the speed).
set(CMAKE_CXX_FLAGS_RELEASE "-O3")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

function(srcode_target target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  # -ffp-contract=off: the law of rows needs the same roundings in every copy of a loop, so FMA is written out.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -ffp-contract=off -fno-math-errno)
  set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON CXX_EXTENSIONS OFF)
  if(SRCODE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=undefined -g)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
endfunction()
