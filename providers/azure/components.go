package azure

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/components"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// An open upload (driver.PutRequest.AnyOrder) stores each part as a blob with a key of its own. To
// complete the upload, this package copies these blobs as blocks of the object.
//
// Blocks of the object's own key would need no copy, but they have two disadvantages. Any other
// write to the key drops the blocks. A client that may send blocks to the key may also overwrite
// the object. See docs/maintainers/decisions/open-uploads.md.
//
// The keys of parts have an empty segment, which the library never writes in a caller's key. List
// and ListVersions omit these keys.
const (
	reservedPrefix   = ".omnibucket//"
	componentsPrefix = reservedPrefix + "parts/"

	maxParallel = 16 // requests at the same time
)

func isReserved(key string) bool { return strings.HasPrefix(key, reservedPrefix) }

// An openUpload is the parsed name of an open upload. The name consists of an id, which is in the
// keys of the parts, and a secret, which no signed URL reveals.
type openUpload struct {
	prefix string // prefix of the keys of the upload's parts
	secret string
}

// openUploads matches the name of an open upload: the id and the secret. The secret is optional,
// because ListUploads returns names without it.
var openUploads = regexp.MustCompile(`^[0-9a-f]{32}(-[0-9a-f]{32})?$`)

// isOpenUpload reports whether upload is the name of an open upload. A name from newUploadID is
// not.
func isOpenUpload(upload string) bool { return openUploads.MatchString(upload) }

// parseOpenUpload parses the name of an open upload, which is "id-secret" or, without the secret,
// "id". It refuses any other name with InvalidArgument, because it could lead to keys outside
// componentsPrefix.
func parseOpenUpload(upload string) (*openUpload, error) {
	if !isOpenUpload(upload) {
		return nil, argument.Invalid("upload", "must be a name that BeginParts returned", "")
	}
	id, secret, _ := strings.Cut(upload, "-")
	return &openUpload{prefix: componentsPrefix + id + "/", secret: secret}, nil
}

// key returns the key of a part, which is an object of its own.
func (u *openUpload) key(part int) string { return components.Part(u.prefix, part) }

// marker returns the key of the marker, an empty blob that exists as long as the upload is open.
func (u *openUpload) marker() string { return components.Marker(u.prefix) }

// proofKey is the metadata name for the proof that this package wrote a part. A client with a
// signed URL could set checksumKey to a wrong checksum, which would make the object unreadable. But
// that client cannot compute the proof.
const proofKey = "omnibucket_proof"

// proof returns the value of proofKey for a part with this checksum, which only a holder of the
// secret can compute.
func (u *openUpload) proof(number int, checksum string) string {
	mac := hmac.New(sha256.New, []byte(u.secret))
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(number)))
	mac.Write([]byte(checksum))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// checksum returns the checksum in a part's metadata, or none if the metadata does not prove that this
// package wrote the part (see proofKey). A client with a signed URL could have set a wrong checksum.
func (u *openUpload) checksum(number int, metadata map[string]*string, size int64) storage.CRC32C {
	text := ""
	proof := ""
	for name, value := range metadata {
		if strings.EqualFold(name, checksumKey) {
			text = deref(value)
		} else if strings.EqualFold(name, proofKey) {
			proof = deref(value)
		}
	}
	if u.secret == "" || !hmac.Equal([]byte(proof), []byte(u.proof(number, text))) {
		return storage.CRC32C{}
	}
	return parseChecksum(text, size)
}

// put stores a part as a blob of its own, with one Put Blob request, and encrypts it like the
// object. The service verifies the part's CRC64.
func (cu *componentUploads) put(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	u, err := parseOpenUpload(r.Upload)
	if err != nil {
		return driver.Part{}, err
	}

	// Signing the checksum proves to a later completion that this package wrote it (see proofKey).
	metadata := map[string]string{}
	if checksum := encodeMetadata(nil, r.CRC32C, r.Size)[checksumKey]; checksum != nil {
		metadata[proofKey] = u.proof(r.Number, *checksum)
	}

	attrs, err := cu.objects.Put(ctx, &driver.PutRequest{
		Key:        u.key(r.Number),
		Body:       r.Body,
		Size:       r.Size,
		CRC32C:     r.CRC32C,
		Properties: storage.Properties{ContentType: components.ContentType, Metadata: metadata},
		// The other options are for the object, which complete creates.
		Native: slices.DeleteFunc(slices.Clone(r.Native), isNotEncryption),
	})
	if err != nil {
		// A part does not change the object.
		return driver.Part{}, sdkerror.WithoutEffect(err)
	}

	// If the upload has ended meanwhile, nobody else would remove the part.
	isOpen := func(ctx context.Context) (bool, error) { return cu.isOpen(ctx, u) }
	removePart := func(ctx context.Context) error {
		return cu.removeCurrent(ctx, u.key(r.Number), attrs.Version)
	}
	if err := components.CheckOpen(ctx, isOpen, removePart); err != nil {
		return driver.Part{}, err
	}
	return driver.Part{Number: r.Number, Tag: attrs.ETag, Size: r.Size, CRC32C: r.CRC32C}, nil
}

// isNotEncryption reports whether an option is only about the object. Options for encryption are
// about the parts, too.
func isNotEncryption(option any) bool {
	switch option.(type) {
	case encryptionScope, *customerkey.Key:
		return false
	}
	return true
}

func (u *openUpload) takesParts(item *container.BlobItem) bool {
	metadata, _ := decodeMetadata(item.Metadata, 0)
	return components.IsOpen(metadata)
}

func (u *openUpload) part(number int, item *container.BlobItem) driver.Part {
	e := listEntry(item)
	return driver.Part{Number: number, Tag: e.ETag, Size: e.Size, CRC32C: u.checksum(number, item.Metadata, e.Size)}
}

// complete copies the parts as blocks, commits the blocks with the condition and the properties of
// the write, and removes the parts. If the commit fails, the parts remain for another attempt.
// Concurrent calls create one object (see components.Completion).
func (cu *componentUploads) complete(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	u, err := parseOpenUpload(r.Upload)
	if err != nil {
		return nil, err
	}
	if err := cu.container.checkLocks(ctx, &r.Put.Controls); err != nil {
		return nil, err
	}
	ranges, size, err := cu.partRanges(ctx, u, r)
	if err != nil {
		return nil, err
	}

	// Completion makes sure that concurrent calls create only one object.
	req := *r.Put
	req.Size = size
	var blockIDs []string // set by stageBlocks
	stageBlocks := func(ctx context.Context) error {
		var err error
		blockIDs, err = cu.stageOpenParts(ctx, u, ranges, &req)
		return err
	}
	commitBlocks := func(ctx context.Context, condition storage.Condition) (*storage.Attrs, error) {
		req.Condition = condition
		return cu.copier.commitCopied(ctx, blockIDs, &req)
	}
	removeParts := func(ctx context.Context) error { return cu.remove(ctx, u) }

	completion := components.Completion{
		Store:   cu.objects,
		Marker:  u.marker(),
		Prepare: stageBlocks,
		Commit:  commitBlocks,
		Drop:    removeParts,
	}
	return completion.Run(ctx, r)
}

// stageOpenParts calls stageParts, and returns components.ErrEnded if a part is missing because the
// upload has ended.
func (cu *componentUploads) stageOpenParts(
	ctx context.Context, u *openUpload, ranges []copyRange, req *driver.PutRequest,
) (blockIDs []string, err error) {
	blockIDs, err = cu.stageParts(ctx, ranges, req)
	if storage.CodeOf(err) != storage.Changed {
		return blockIDs, err
	}

	// Changed means that a part was replaced or removed.
	isOpen, openErr := cu.isOpen(ctx, u)
	if openErr == nil && !isOpen {
		return nil, components.ErrEnded
	}
	return nil, err
}

// partRanges returns the ranges to copy as blocks, and their total size in bytes. It splits each
// part into ranges of the usual block size, unless a blob cannot have so many blocks. Then each
// part is one range.
func (cu *componentUploads) partRanges(
	ctx context.Context, u *openUpload, r *driver.CompleteRequest,
) (ranges []copyRange, size int64, err error) {
	for i := range r.Parts {
		size += r.Parts[i].Size
	}
	// Each part has at most one block that is shorter than blockSize.
	maxCount := len(r.Parts) + int(size/cu.copier.blockSize())
	canSplit := maxCount <= maxBlocks

	for i := range r.Parts {
		part := &r.Parts[i]
		ref := driver.ObjectRef{
			Account:  cu.container.account.identity,
			Bucket:   cu.container.name,
			Key:      u.key(part.Number),
			Revision: part.Tag,
			Native:   r.Put.Native,
		}

		if part.Size == 0 {
			// An empty part has no range.
			continue
		}
		if !canSplit {
			ranges = append(ranges, copyRange{source: ref, bytes: blob.HTTPRange{Count: part.Size}})
			continue
		}
		ranges, err = cu.copier.split(ranges, part.Size, ref)
		if err != nil {
			return nil, 0, err
		}
	}
	return ranges, size, nil
}

// isOpen reports whether the upload has a marker and still accepts parts.
func (cu *componentUploads) isOpen(ctx context.Context, u *openUpload) (bool, error) {
	marker, err := cu.marker(ctx, u)
	return marker != nil && components.IsOpen(marker.Metadata), err
}

// marker returns the attributes of the marker, an empty blob that represents the upload, or nil if
// there is none.
func (cu *componentUploads) marker(ctx context.Context, u *openUpload) (*storage.Attrs, error) {
	marker, err := cu.objects.Head(ctx, &driver.GetRequest{Key: u.marker(), Length: -1, Auxiliary: true})
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, nil
	}
	return marker, err
}
