// Package writeid names the metadata that distinguishes one write from another.
package writeid

// Key is the name of an object's metadata that has the write id of the core.
const Key = "omnibucketwriteid"
