// The schema of what eviction_bench prints with --json.

#ifndef EBCACHE_BENCH_EVICTION_EVICTION_SCHEMA_H_
#define EBCACHE_BENCH_EVICTION_EVICTION_SCHEMA_H_

#include <string_view>

namespace ebcache::eviction {

inline constexpr std::string_view kEvictionSchema = R"schema({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:ebcache:schema:eviction-bench",
  "title": "eviction_bench",
  "description": "What `eviction_bench --json` prints: hits by order of eviction, load and size. Points are percent of the touches. Later versions may have more members.",
  "type": "object",
  "properties": {
    "seed": {"type": "integer"},
    "comparisons": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": {
          "trace": {"type": "string", "description": "the load"},
          "recorded": {"type": "boolean", "description": "rather than made up"},
          "touches": {"type": "integer", "minimum": 0},
          "blocks": {"type": "integer", "minimum": 0, "description": "different ones"},
          "frees": {"type": "integer", "minimum": 0},
          "frees_are": {"enum": ["honoured", "ignored"]},
          "orders": {
            "type": "array",
            "description": "LRU first, the optimum last",
            "items": {
              "type": "object",
              "properties": {
                "name": {"type": "string"},
                "sizes": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "properties": {
                      "cache_blocks": {"type": "integer", "minimum": 16},
                      "hits": {"type": "integer", "minimum": 0},
                      "hit_percent": {"type": "number"},
                      "points_over_lru": {"type": "number"},
                      "gap_closed_percent": {"type": "number", "description": "of the gap between LRU and the optimum; 0 where there is none"}
                    },
                    "required": ["cache_blocks", "hits", "hit_percent", "points_over_lru", "gap_closed_percent"]
                  }
                }
              },
              "required": ["name", "sizes"]
            }
          }
        },
        "required": ["trace", "recorded", "touches", "blocks", "frees", "frees_are", "orders"]
      }
    },
    "worst_first": {
      "type": "array",
      "description": "all loads at all sizes, where the cache does worst against LRU first",
      "items": {
        "type": "object",
        "properties": {
          "trace": {"type": "string"},
          "frees_are": {"enum": ["honoured", "ignored"]},
          "cache_blocks": {"type": "integer"},
          "points_over_lru": {"type": "number"}
        },
        "required": ["trace", "frees_are", "cache_blocks", "points_over_lru"]
      }
    },
    "orders": {"type": "array", "description": "the worst first", "items": {"$ref": "#/$defs/summary"}},
    "cross_validation": {
      "type": ["object", "null"],
      "properties": {
        "variants": {"type": "array", "description": "the cache's order with other constants, on all loads", "items": {"$ref": "#/$defs/summary"}},
        "folds": {
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "chosen_on": {"type": "string"},
              "variant": {"type": "string"},
              "chosen": {"$ref": "#/$defs/summary"},
              "judged": {"$ref": "#/$defs/summary"}
            },
            "required": ["chosen_on", "variant", "chosen", "judged"]
          }
        }
      },
      "required": ["variants", "folds"]
    }
  },
  "required": ["seed", "comparisons", "worst_first", "orders", "cross_validation"],
  "$defs": {
    "summary": {
      "type": "object",
      "properties": {
        "order": {"type": "string"},
        "worst_points": {"type": "number", "maximum": 0, "description": "hits over LRU's, in points, where it is worst"},
        "worst_load": {"type": "string", "description": "empty where it is never below LRU"},
        "worst_blocks": {"type": "integer"},
        "mean_points": {"type": "number"},
        "mean_gap_closed_percent": {"type": "number", "description": "of gaps from 0.05 points on; less than -100 counts as that"},
        "gaps": {"type": "integer", "minimum": 0}
      },
      "required": ["order", "worst_points", "worst_load", "worst_blocks", "mean_points", "mean_gap_closed_percent", "gaps"]
    }
  }
}
)schema";

}  // namespace ebcache::eviction

#endif  // EBCACHE_BENCH_EVICTION_EVICTION_SCHEMA_H_
