#ifndef MLRT_API_MLRT_HPP_
#define MLRT_API_MLRT_HPP_

// What a C++ program sees: everything that this reaches is public and stands, first, in the single
// header.

#include "api/autolog.hpp"
#include "api/session.hpp"
#include "bundle/bundle.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/version.hpp"
#include "data/csv.hpp"
#include "data/table.hpp"
#include "data/transform.hpp"
#include "model/evaluate.hpp"
#include "model/linear.hpp"
#include "model/model.hpp"
#include "train/hooks.hpp"
#include "train/logistic.hpp"

#endif  // MLRT_API_MLRT_HPP_
