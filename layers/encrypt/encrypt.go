// Package encrypt has a [driver.Layer] that encrypts objects before the store sees them, in any
// bucket.
//
//	keys, err := encrypt.ParseKeys(identityFile)
//	layer, err := encrypt.New(encrypt.Config{Keys: keys})
//	bucket, err := storage.Open(ctx, "s3://backups", driver.WithLayer(layer))
//
// Objects are in the format of age (age-encryption.org/v1). Each object has its own data key. The
// header of age contains the data key, encrypted for your keys. It is in the object's metadata. The
// payload of age is the content of the object: chunks of 64 KiB, each with a tag of 16 bytes.
// Ranges, parts in parallel, resumed uploads, conditions and listings therefore work as without the
// layer. A size is the number of plain bytes. [Rewrap] encrypts an object for other keys without
// moving its bytes.
//
// # What the store can still do
//
// The store sees keys (names), sizes, times, content types and your metadata, which are not
// encrypted and not authenticated. It cannot read, change or truncate the bytes of an object, nor
// exchange them for the bytes of another object or of an older version. A read of such bytes fails
// with ChecksumMismatch. With keys of age, the store can exchange objects that have the same name
// in two buckets. To prevent this, use different age keys for each bucket. The store can hide an
// object, or return an older version as a whole. To detect an older version, keep the revision and
// read with [storage.IfRevision]. A range is checked chunk by chunk. If the range does not contain
// the last chunk, that chunk is read first, but only once as long as the bucket remembers the
// object. An object that was truncated is refused.
//
// Someone who knows a public key (a recipient) can make an object that your identity opens, as with
// every file for an age recipient. Keep recipients out of the store, or use [Keys] of a key
// management service.
//
// # What is Unsupported
//
// Signed URLs, forms and parts, open uploads and public objects are Unsupported, because the other
// side would send plain bytes or receive encrypted ones. [storage.StoredChecksums] are Unsupported,
// because the store has the checksum of the encrypted bytes. docs/encryption.md has the whole
// table.
package encrypt

import (
	"errors"
	"slices"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Config sets up a layer that encrypts.
type Config struct {
	// Keys encrypt and decrypt the data keys of objects. They are required.
	Keys Keys
	// AllowPlain permits reading objects that were stored without the layer, for example while a
	// bucket is being encrypted. Such objects have no protection: the store can replace any object
	// by plain bytes, and the bucket returns them. Listings usually show a size that is too small
	// for a plain object. They subtract 16 bytes for each 64 KiB, as if the object were encrypted.
	// Without AllowPlain, reading a plain object fails with ChecksumMismatch. Writes are always
	// encrypted.
	AllowPlain bool
}

// New returns a layer for [driver.WithLayer], for one bucket or several. Copies between buckets
// with the same layer stay inside the store. If the store does not keep [storage.Metadata], reads
// and writes fail with Unsupported.
//
// It fails with InvalidArgument if c.Keys is nil.
func New(c Config) (driver.Layer, error) {
	if c.Keys == nil {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "encrypt.New",
			Err:  errors.New("Keys must not be nil"),
		}
	}
	l := &layer{config: c}
	return func(next driver.Driver) driver.Driver {
		return &objectDriver{
			Driver: next,
			layer:  l,
			desc:   next.Describe(),
			known:  map[string]*dataKey{},
			calls:  map[string]*unwrapCall{},
			sizes:  map[string]int64{},
		}
	}, nil
}

// A layer belongs to one call of New. Drivers with the same layer can copy objects from one
// another.
type layer struct{ config Config }

// An account is the account that a driver of this layer reports. The store copies objects only
// between drivers with equal accounts. A driver without this layer never has an equal account.
// Otherwise the store could copy encrypted bytes to a place where plain bytes are expected.
type account struct {
	below any
	layer *layer
}

// An objectDriver encrypts the objects that it writes, and decrypts the objects that it reads.
type objectDriver struct {
	driver.Driver
	layer *layer
	desc  driver.Description // description of the driver below

	mu    sync.Mutex
	known map[string]*dataKey    // data keys by object and header, so that each one is unwrapped only once
	calls map[string]*unwrapCall // calls of unwrapWith in progress, by object and header
	// The encrypted size of each object that this driver has written, in bytes, by the header of
	// the object.
	sizes map[string]int64
	begun sync.Map // data keys of uploads that this driver has begun, by upload
}

// withheld contains the features that the layer cannot offer. Some features, such as SignedURLs,
// let other programs send or receive bytes without the layer. The remaining features, such as
// ServerCompose, work on the bytes in the store, which are encrypted.
const withheld = storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent | storage.SignedForms |
	storage.SignedHead | storage.SignedTags | storage.SignedLocks | storage.SignedParts | storage.SignedPartChecksums |
	storage.SignedRemovals | storage.StableURLs | storage.Vending |
	storage.OpenUploads | storage.ServerCompose | storage.ServerAppend | storage.ServerMove | storage.ObjectACLs | storage.StoredChecksums | driver.LateMetadata

// Describe returns the description of the driver below, with sizes in plain bytes and without the
// features that the layer cannot have.
func (d *objectDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= withheld
	desc.HiddenMetadata = append(slices.Clip(desc.HiddenMetadata), headerName)
	desc.Stack = append(slices.Clip(desc.Stack), d.layer.identity())
	desc.ChecksumWhileSending = true // Put and sealPart read the checksum only after the body
	desc.CopiesWithoutAttrs = false  // Copy needs the header of the source

	// The objects are in the places of the driver below. Without Places, the engine would call Locate
	// of this layer. Only drivers with the same layer understand the result of that Locate.
	desc.Places = func() []driver.Place { return driver.PlacesOf(d.Driver) }

	limitToChunks(&desc)

	// Other programs must not get or send the bytes of the store, which are encrypted.
	desc.PublicBaseURL = ""
	desc.NeedsSigningBase = false
	desc.Origin = nil
	desc.SigningHint = "the bucket is encrypted by this program, " +
		"and the user of a signed URL would send or get other bytes; serve the object with serve.Object"
	desc.VendingHint = "the bucket is encrypted by this program, " +
		"and others would send or get other bytes; serve the object with serve.Object"
	return desc
}

// limitToChunks changes the limits of the store for encrypted bytes to those for plain bytes, which are
// encrypted in whole chunks.
func limitToChunks(desc *driver.Description) {
	// If the store requires part sizes that are multiples of a unit, the layer offers no uploads in
	// parts, because encrypted chunks do not have such sizes.
	if desc.PartUnit > 1 {
		desc.Features &^= storage.MultipartUploads | driver.SequentialParts
	}

	// Each part has whole chunks, except the last one.
	desc.PartUnit = chunkSize
	desc.FixedParts = true
	desc.MinPartSize = chunkCount(desc.MinPartSize) * chunkSize
	desc.MaxPartSize = plainLimit(desc.MaxPartSize) / chunkSize * chunkSize

	desc.MaxSize = plainLimit(desc.MaxSize)
	desc.MaxPutSize = plainLimit(desc.MaxPutSize)
	desc.OpenUploadLimits = nil // open uploads are withheld
}
