#pragma once
// Pages of lists: ?limit= and ?continue=. One way for all of them. Pure.
#include <cstddef>
#include <string>
#include <utility>

#include "common/core/result.hpp"
#include "common/http/message.hpp"

namespace slipway::api {

struct PageWish {
  std::size_t limit = 500;
  std::string after;  // what the page before told as next; empty: from the start
};
// Errc::invalid names the parameter.
Result<PageWish> page_wish(const http::Request& request);

// The items of [first, last) up to the limit. `view` makes of an element what is shown, or nothing when a filter leaves it out;
// `place` tells of a shown item the key that a next page begins behind: what is added or goes meanwhile moves no other item.
template <class List, class Iterator, class View, class Place>
List page_of(Iterator first, Iterator last, std::size_t limit, View view, Place place) {
  List list;
  for (; first != last; ++first) {
    auto item = view(*first);
    if (!item) continue;
    if (list.items.size() == limit) {
      list.next = place(list.items.back());
      break;
    }
    list.items.push_back(std::move(*item));
  }
  return list;
}

// Of a map by name.
template <class List, class Map, class View, class Place>
List page_of(const Map& map, const PageWish& wish, View view, Place place) {
  return page_of<List>(map.upper_bound(wish.after), map.end(), wish.limit, std::move(view), std::move(place));
}

}  // namespace slipway::api
