# One translation unit per instruction-set level: backend/cpu/level_<name>.cc. Only these files are built with more than
# the baseline, and the level is chosen at run time, so that one binary runs on every x86-64 machine.
set(SRCODE_ISA_portable "")
set(SRCODE_ISA_avx2 -mavx2 -mfma)
set(SRCODE_ISA_avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma)
set(SRCODE_ISA_avx512_bf16 ${SRCODE_ISA_avx512} -mavx512bf16)
set(SRCODE_ISA_amx ${SRCODE_ISA_avx512_bf16} -mamx-tile -mamx-bf16)

function(srcode_isa_sources)
  foreach(source ${ARGN})
    get_filename_component(name "${source}" NAME_WE)
    if(name MATCHES "^level_(.+)$")
      # g++ 12 takes its own _mm512_undefined_ps() for an uninitialized variable.
      set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS
        "${SRCODE_ISA_${CMAKE_MATCH_1}};-Wno-uninitialized;-Wno-maybe-uninitialized;-Wno-unused-function")
    endif()
  endforeach()
endfunction()
