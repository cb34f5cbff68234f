#ifndef MLRT_STORE_SCHEMA_HPP_
#define MLRT_STORE_SCHEMA_HPP_

// Internal: the tables of a store and how older ones become today's.

namespace mlrt {

class StoreConnection;

// What the header of a store says in SQLite's application_id: "mlrt".
constexpr int kStoreApplicationId = 0x6d6c7274;

// The user_version that this program writes and the highest it reads.
int newest_schema();

// Brings the store to newest_schema(), one transaction a step; fine if it is there already or if
// other processes do the same now. Throws kDataCorrupt for a store of a newer mlrt or a database
// that is not a store, kPermissionDenied if a step is needed and the file is read-only. After a
// failure the store stands at the last whole step.
void migrate_schema(StoreConnection& connection);

}  // namespace mlrt

#endif  // MLRT_STORE_SCHEMA_HPP_
