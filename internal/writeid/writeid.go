// Package writeid lets a job name its write, so that a repeated call finds an object that an
// earlier process has written for it.
package writeid

// Key is the name of an object's metadata that has the write id of the core.
const Key = "omnibucketwriteid"

// Option returns an option with a write id of 32 hexadecimal digits. Package storage sets it.
//
// For an upload or a copy it is a storage.WriteOption: the object gets this id, and IfAbsent
// succeeds if the object that is there has it. For Attrs it is a storage.AttrsOption: an object
// without this id is ObjectNotFound. On a store without Metadata no object has an id.
var Option func(id string) any
