package driver

import "github.com/omnibucket/storage"

// These features tell the engine how to use a driver. They are not for callers of a bucket. A
// driver declares them in [Description].Features, together with the features of package storage.
const (
	StreamingPut storage.Features = 1 << (63 - iota) // Put accepts a body of unknown size, and does not buffer it
	EqualParts                                       // all parts but the last must have the same size
	// SequentialParts means that parts are sent one after the other, as in GCS's resumable uploads.
	// The engine then sets PartRequest.Offset and CompleteRequest.Last.
	SequentialParts
	// LateMetadata means that Put reads PutRequest.Metadata only after Body has ended. The Body may
	// therefore add values to that map until it ends. LateMetadata also means that CompleteParts
	// stores the metadata in the CompleteRequest.
	LateMetadata
)
