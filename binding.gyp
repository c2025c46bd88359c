# The same addon as CMakeLists.txt builds, for node-gyp and prebuildify. Keep the flags of the two equal.
{
  "includes": ["native/sources.gypi"],
  "targets": [
    {
      "target_name": "mobilenetv2",
      "sources": ["<@(native_sources)"],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags": ["-Wall", "-Wextra", "-ffp-contract=off", "-fvisibility=hidden", "-fvisibility-inlines-hidden"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-exceptions", "-fno-rtti"],
      "cflags_cc": ["-std=c++17"],
      "configurations": {"Release": {"defines": ["NDEBUG"]}},
      "conditions": [
        ["OS == 'linux'", {
          "ldflags": ["-Wl,-z,nodelete", "-static-libgcc", "-static-libstdc++", "-pthread"]
        }],
        ["OS == 'mac'", {
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
            "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
            "GCC_ENABLE_CPP_RTTI": "YES",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "OTHER_CFLAGS": ["-Wall", "-Wextra", "-ffp-contract=off"]
          }
        }],
        ["OS == 'win'", {
          "defines": ["NOMINMAX", "_CRT_SECURE_NO_WARNINGS"],
          "msvs_settings": {
            "VCCLCompilerTool": {
              "ExceptionHandling": 1,
              "RuntimeTypeInfo": "true",
              "AdditionalOptions": ["/std:c++17", "/fp:precise", "/utf-8"]
            }
          }
        }]
      ]
    }
  ]
}
