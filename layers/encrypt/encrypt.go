// Package encrypt encrypts objects before the store sees them: a [driver.Layer] for any bucket.
//
//	keys, err := encrypt.ParseKeys(identityFile)
//	layer, err := encrypt.New(encrypt.Config{Keys: keys})
//	bucket, err := storage.Open(ctx, "s3://backups", driver.WithLayer(layer))
//
// Objects are in the format of age (age-encryption.org/v1). Each object has a data key of its own. The
// header, which has the data key encrypted for your keys, is in the object's metadata. The payload is the
// object: chunks of 64 KiB, each with a tag of 16 bytes. Ranges, parts in parallel, resumed uploads,
// conditions and listings therefore work as without the layer, and sizes are those of the plain bytes.
// [Rewrap] encrypts an object for other keys without moving its bytes.
//
// # What the store can still do
//
// The store sees keys (names), sizes, times, content types and your metadata, which are not encrypted and not
// authenticated. It cannot read, change, truncate or exchange the bytes of an object, also not with those of another
// object or of an older version: a read that meets such bytes fails with ChecksumMismatch. With keys of age, objects
// of the same key (name) in two buckets can be exchanged: use other age keys for each bucket. It can hide an object,
// or show an older version as a whole; a revision that you have kept ([storage.IfRevision]) finds that. A range is
// checked chunk by chunk. If the range does not have the last chunk, that chunk is read first, once for each object
// that a bucket remembers. An object that was cut off is refused.
//
// Someone who knows a public key (a recipient) can make an object that your identity opens, as with
// every file for an age recipient. Keep recipients out of the store, or use [Keys] of a key management
// service.
//
// # What is Unsupported
//
// Signed URLs, forms and parts, open uploads and public objects are Unsupported, because the other side would
// send or get other bytes. StoredChecksums is, because the store has the checksum of the encrypted
// bytes. docs/encryption.md has the whole table.
package encrypt

import (
	"errors"
	"slices"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Config sets up a layer.
type Config struct {
	// Keys encrypt and decrypt the data keys of objects; required.
	Keys Keys
	// AllowPlain permits reading objects that were stored without the layer, as while a bucket is
	// being encrypted. The store can then pass off plain bytes as an object. In listings, the sizes of
	// such objects are too small by 16 bytes for each 64 KiB. Without AllowPlain, reading them
	// fails with ChecksumMismatch. Writes are encrypted always.
	AllowPlain bool
}

// New returns a layer for [driver.WithLayer], for one bucket or several. Copies between buckets with
// the same layer stay inside the store. If the store keeps no [storage.Metadata], reads and writes are
// Unsupported.
//
// It fails with InvalidArgument if c.Keys is nil.
func New(c Config) (driver.Layer, error) {
	if c.Keys == nil {
		return nil, &storage.Error{
			Code: storage.InvalidArgument, Op: "encrypt.New", Err: errors.New("Keys must not be nil"),
		}
	}
	l := &layer{config: c}
	return func(next driver.Driver) driver.Driver {
		return &objectDriver{
			Driver: next, layer: l, desc: next.Describe(),
			known: map[string]*dataKey{}, opening: map[string]*opening{}, ends: map[string]int64{},
		}
	}, nil
}

// A layer is the state that the drivers of one New share.
type layer struct{ config Config }

// An account is the account of a driver below a layer. Without the same layer, a copy inside the store
// would copy encrypted bytes as plain ones, or plain ones as encrypted.
type account struct {
	below any
	layer *layer
}

// An objectDriver encrypts what it writes, and decrypts what it reads.
type objectDriver struct {
	driver.Driver
	layer *layer
	desc  driver.Description // of the driver below

	mu      sync.Mutex
	known   map[string]*dataKey // by object and header, so that the reads of one object unwrap it once
	opening map[string]*opening // by object and header, too
	ends    map[string]int64    // bytes in the store of objects that this driver has written, by header
	begun   sync.Map            // data keys of uploads that this driver has begun, by upload: its keys may only encrypt
}

// withheld are the features that let others send or get bytes without the layer, or that depend on the
// stored bytes.
const withheld = storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent | storage.SignedForms |
	storage.SignedHead | storage.SignedTags | storage.SignedLocks | storage.SignedParts | storage.SignedPartChecksums |
	storage.OpenUploads | storage.ServerCompose | storage.ServerAppend | storage.ServerMove | storage.ObjectACLs | storage.StoredChecksums | driver.LateMetadata

// Describe returns what the driver below declares, in plain bytes and without what is withheld.
func (d *objectDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= withheld
	desc.Places = func() []driver.Place { return driver.PlacesOf(d.Driver) } // Locate is for copies by this layer
	// Chunks with their tags never fill such parts.
	if desc.PartUnit > 1 {
		desc.Features &^= storage.MultipartUploads | driver.SequentialParts
	}
	desc.PartUnit, desc.MinPartSize = chunkSize, max(1, (desc.MinPartSize+chunkSize-1)/chunkSize)*chunkSize
	desc.MaxPartSize = mostPlain(desc.MaxPartSize) / chunkSize * chunkSize
	desc.MaxSize, desc.MaxPutSize = mostPlain(desc.MaxSize), mostPlain(desc.MaxPutSize)
	desc.OpenUploadLimits, desc.HiddenMetadata = nil, append(slices.Clip(desc.HiddenMetadata), headerName)
	desc.FixedParts, desc.ChecksumWhileSending, desc.CopiesWithoutAttrs = true, true, false
	desc.PublicBaseURL, desc.NeedsSigningBase, desc.Origin = "", false, nil
	desc.Stack = append(slices.Clip(desc.Stack), d.layer.identity())
	desc.SigningHint = "the bucket is encrypted by this program, and the user of a signed URL would send or get other bytes; serve the object with serve.Object"
	return desc
}
