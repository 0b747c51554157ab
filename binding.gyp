# A door for tools that call node-gyp (electron-rebuild, prebuildify, habit). CMake is the only description of the build.
{
  'targets': [{
    'target_name': 'srcode_native',
    'type': 'none',
    'actions': [{
      'action_name': 'cmake_build',
      'inputs': [],
      # Never made, so that the action always runs: CMake decides what is stale.
      'outputs': ['<(INTERMEDIATE_DIR)/always-run'],
      'action': ['node', '<(module_root_dir)/scripts/build-native.mjs', '--config', '$(BUILDTYPE)'],
    }],
  }],
}
