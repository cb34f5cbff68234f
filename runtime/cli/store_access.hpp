#ifndef MLRT_CLI_STORE_ACCESS_HPP_
#define MLRT_CLI_STORE_ACCESS_HPP_

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/session.hpp"
#include "cli/arguments.hpp"
#include "core/error.hpp"

namespace mlrt {

// What the commands have in common: opening the store and finding what a word names.

// Throws kNotFound for a store that does not exist, unless `create`.
Session open_store(const GlobalOptions& global, bool create = false);

// The model that `serve` and `predict` are given: in a file, a folder or the store, which is only
// opened for the latter. Throws as load_model and Session::load_model do.
std::shared_ptr<const Model> load_named_model(const GlobalOptions& global, const std::string& uri);

using ExperimentNames = std::map<std::string, std::string>;  // by id, deleted ones too
ExperimentNames read_experiment_names(const TrackingStore& store);

// The experiment that `word` names, or else has as its id; deleted ones too. Throws kNotFound with
// the nearest name.
Experiment find_experiment(const TrackingStore& store, const std::string& word);

// The id of the run that `word` is, or begins: at least four hex digits will do if no other run
// begins so. Throws kNotFound, or kInvalidParameter that lists the runs it could be.
std::string find_run_id(const TrackingStore& store, const std::string& word);

// "m-..." as it is, else a run as above.
std::string find_artifact_owner(const TrackingStore& store, const std::string& word);

// "key=value" words. Throws kUsage that names `option` for one without '=' or key.
std::vector<Tag> read_tag_words(const char* option, const std::vector<std::string>& words);

// "active" (or empty), "deleted" or "all". Throws kUsage for another word.
ViewType read_view(const std::string& word);

// All of a search's pages, up to `max_results` items. A mistake in the filter or in order_by is
// shown under its text.
template <typename Item>
std::vector<Item> search_pages(SearchQuery query, std::size_t max_results,
                               const std::function<SearchPage<Item>(const SearchQuery&)>& search);

// Adds the text that the error's column is about, and a caret below the place, to the message of an
// error of the search language; gives back any other error as it is.
Error with_caret(const Error& error, const SearchQuery& query);

// -----------------------------------------------------------------------------------------------

template <typename Item>
std::vector<Item> search_pages(SearchQuery query, std::size_t max_results,
                               const std::function<SearchPage<Item>(const SearchQuery&)>& search) {
  constexpr std::size_t kPageSize = 1000;
  std::vector<Item> items;
  try {
    while (items.size() < max_results) {
      query.max_results = std::min(kPageSize, max_results - items.size());
      SearchPage<Item> page = search(query);
      for (Item& item : page.items) items.push_back(std::move(item));
      if (page.next_page_token.empty()) break;
      query.page_token = page.next_page_token;
    }
  } catch (const Error& error) {
    throw with_caret(error, query);
  }
  return items;
}

}  // namespace mlrt

#endif  // MLRT_CLI_STORE_ACCESS_HPP_
