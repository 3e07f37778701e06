// Package writeid defines the metadata that identifies the write that stored an object.
package writeid

// Key is the name of the metadata in which the engine stores a random id, which is different for each
// write.
const Key = "omnibucketwriteid"
