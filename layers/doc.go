// Package layers has no code. Each folder below it has one driver.Layer. A layer changes the
// behavior of a bucket. driver.WithLayer adds it to a bucket of any provider:
//
//	bucket, err := storage.Open(ctx, address, driver.WithLayer(limited), driver.WithLayer(cache.Layer()))
//
// The last layer is outermost: it sees each request first. Use this order, from the store outwards:
//
// - meter: it counts exactly the requests that the store bills.
// - limit: reads from a cache do not count as requests or as received bytes.
// - overlay or mirror: the layers above it see one bucket.
// - diskcache
// - readonly: it refuses a write before the write waits for a limit.
//
// A layer that has a state, such as a limit or a directory, may be used for several buckets. They
// then share the state.
package layers
