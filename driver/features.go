package driver

import "github.com/omnibucket/storage"

// The features of a driver that only the engine asks for. Like those of package storage, a driver declares
// them in [Description].Features.
const (
	StreamingPut    storage.Features = 1 << (63 - iota) // Put takes a body of unknown size, without buffering it
	EqualParts                                          // all parts but the last must have one size
	SequentialParts                                     // parts are sent one after the other (GCS's resumable uploads): PartRequest.Offset, CompleteRequest.Last
	LateMetadata                                        // Put reads PutRequest.Metadata after Body, which may add to the map until its end; CompleteParts keeps the metadata of its own request
)
