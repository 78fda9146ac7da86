#ifndef EBCACHE_CORE_ABSL_FUNCTIONAL_FUNCTION_REF_H_
#define EBCACHE_CORE_ABSL_FUNCTIONAL_FUNCTION_REF_H_

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace absl {

template <typename Signature>
class FunctionRef;

// A borrowed callable, which must outlive it: two words, and nothing is allocated.
template <typename Result, typename... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  FunctionRef(Result (*function)(Arguments...))  // NOLINT: implicit, as in Abseil
      : callee_{.function = function}, call_([](Callee callee, Arguments... arguments) -> Result {
          return callee.function(std::forward<Arguments>(arguments)...);
        }) {}
  template <typename Callable>
  requires(!std::is_same_v<Callable, FunctionRef> &&
           !std::is_convertible_v<const Callable&, Result (*)(Arguments...)> &&
           std::is_invocable_r_v<Result, const Callable&, Arguments...>)
      FunctionRef(const Callable& callable)  // NOLINT: implicit, as in Abseil
      : callee_{.object = std::addressof(callable)},
        call_([](Callee callee, Arguments... arguments) -> Result {
          return std::invoke(*static_cast<const Callable*>(callee.object),
                             std::forward<Arguments>(arguments)...);
        }) {}

  Result operator()(Arguments... arguments) const {
    return call_(callee_, std::forward<Arguments>(arguments)...);
  }

 private:
  union Callee {
    const void* object;
    Result (*function)(Arguments...);
  };

  Callee callee_;
  Result (*call_)(Callee callee, Arguments... arguments);
};

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_FUNCTIONAL_FUNCTION_REF_H_
