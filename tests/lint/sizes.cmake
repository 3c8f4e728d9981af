# Sizes and bans as a test. Run: cmake -DROOT=<source dir> -P sizes.cmake
# Files over 600 lines and functions over 100 lines fail (docs/contributing.md); the bans each have their reason.
cmake_minimum_required(VERSION 3.25)
set(problems "")
file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/common/*.[ch]pp ${ROOT}/proto/*.[ch]pp ${ROOT}/coordinator/*.[ch]pp ${ROOT}/agent/*.[ch]pp)
list(LENGTH files count)
if(count LESS 20)
  message(FATAL_ERROR "only ${count} files found below ${ROOT}: the rule would pass by looking at nothing")
endif()

# regular expression -> what to do instead
set(bans
  "using namespace [a-z:]+\;?$=name things, or alias the namespace in the .cpp"
  "std::(stoi|stol|stoul|stoull|stod)\\(=parse_u64() does not throw"
  "(^|[^a-z_.:>])(system|popen)\\(=no shell: a library, or posix_spawn with an argument vector"
  "sleep_for\\(std::chrono=wait for the thing itself"
  "co_await .*\\?.* : =GCC 12: no co_await in conditional expressions"
  "co_await [a-zA-Z_:<>.-]+\\([^)]*{=GCC 12 destroys a temporary beside co_await twice: name it before")

foreach(file ${files})
  file(READ ${ROOT}/${file} text)
  string(REGEX MATCHALL "\n" newlines "${text}")
  list(LENGTH newlines length)
  if(length GREATER 600)
    list(APPEND problems "${file}: ${length} lines, 600 is the end: split it by responsibility")
  endif()
  # A function body starts on an unindented line that ends in "{" and ends at an unindented "}".
  file(STRINGS ${ROOT}/${file} lines NO_HEX_CONVERSION)
  string(REPLACE "[" "(" text "${text}")
  string(REPLACE "]" ")" text "${text}")
  string(REPLACE ";" "," text "${text}")
  string(REPLACE "\n" ";" lines "${text}")
  set(number 0)
  set(start 0)
  foreach(line IN LISTS lines)
    math(EXPR number "${number}+1")
    if(line MATCHES "^[A-Za-z].*\\) ?(const )?(noexcept )?{$")
      set(start ${number})
    elseif(line STREQUAL "}" AND start GREATER 0)
      math(EXPR body "${number}-${start}")
      if(body GREATER 100)
        list(APPEND problems "${file}:${start}: a function of ${body} lines")
      endif()
      set(start 0)
    endif()
    foreach(ban ${bans})
      string(FIND "${ban}" "=" cut)
      string(SUBSTRING "${ban}" 0 ${cut} what)
      math(EXPR after "${cut}+1")
      string(SUBSTRING "${ban}" ${after} -1 instead)
      if(line MATCHES "${what}" AND NOT line MATCHES "^ *//")
        list(APPEND problems "${file}:${number}: ${instead}")
      endif()
    endforeach()
  endforeach()
endforeach()

if(problems)
  list(JOIN problems "\n  " text)
  message(FATAL_ERROR "rules of the source text broken:\n  ${text}")
endif()
message(STATUS "sizes: ${count} files keep the rules")
