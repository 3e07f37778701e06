// Package layers has no code. Each folder below it has one layer: a driver.Layer changes what a
// bucket does, and driver.WithLayer adds it to any bucket, of any provider:
//
//	bucket, err := storage.Open(ctx, address, driver.WithLayer(limited), driver.WithLayer(cache.Layer()))
//
// The last layer is outermost: it sees each request first. Use this order, from the store outwards:
//
//   - meter: it counts what the store bills.
//   - limit: blocks that a cache already has do not count as requests or as received bytes.
//   - overlay or mirror: the layers above it see one bucket.
//   - diskcache
//   - readonly: a write that is refused does not wait for its turn.
//
// A layer that holds a state, such as a limit or a directory, may be used for several buckets, which
// then share it.
package layers
