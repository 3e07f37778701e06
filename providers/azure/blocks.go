package azure

import (
	"context"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

const (
	// uploadBytes of random are in the name of an upload, and in those of its
	// blocks: they tell it from others to the same key.
	uploadBytes = 8
	sumBytes    = 8
	blockBytes  = uploadBytes + 2 + sumBytes // of a block's name, with its number
)

// newUpload is the name of an upload, of which the service knows nothing.
func newUploadID() string {
	var id [uploadBytes]byte
	_, _ = rand.Read(id[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// blockID names a block by its content too: a number that is sent again with
// other bytes, as by a resumed upload, replaces nothing that a part was recorded
// as. All blocks of a blob, those of other uploads and of copies to it too, must
// have names of one length.
func blockID(upload string, number int, sum uint64) (string, error) {
	id, err := base64.RawURLEncoding.DecodeString(upload)
	if err != nil || len(id) != uploadBytes {
		return "", invalid.Argument("upload", "must be one that this driver began", "")
	}
	id = binary.BigEndian.AppendUint16(id, uint16(number)) // up to maxBlocks
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(id, sum)), nil
}

// recordedID is the id of the block that a part was stored as.
func partBlockID(upload string, part *storage.Part) (string, error) {
	name, _, _ := strings.Cut(part.Tag, tagSeparator)
	raw, _ := base64.StdEncoding.DecodeString(name)
	if len(raw) == blockBytes {
		id, err := blockID(upload, part.Number, binary.BigEndian.Uint64(raw[blockBytes-sumBytes:]))
		if err != nil {
			return "", err
		}
		if stored, ok := blockIDFromTag(part.Tag); ok && id == name {
			return stored, nil
		}
	}
	return "", invalid.Argument("part", "must be one that this upload stored", "")
}

const (
	tagSeparator = ":" // between a block's own id and the length of the id that it was stored under

	// The bytes of an id that is derived: fewer than 9 could be the id of another
	// upload's block, and the service takes no more than 64.
	minDerived, maxDerived = 9, 64
)

// storedID is the id that a tag tells: the block's own, or one of another length
// that is derived from it.
func blockIDFromTag(tag string) (string, bool) {
	id, text, derived := strings.Cut(tag, tagSeparator)
	if !derived {
		return id, true
	}
	length, err := strconv.Atoi(text)
	size := min(length/4*3, maxDerived)
	if err != nil || size < minDerived {
		return "", false
	}
	sum := sha512.Sum512([]byte(id))
	stored := base64.StdEncoding.EncodeToString(sum[:size])
	return stored, len(stored) == length
}

// stage sends a block under its own id. If another tool left blocks on the key
// whose ids have another length, the service refuses it: the block is sent again
// under an id of their length. It returns the tag of the part.
func (d *driver) stageBlock(ctx context.Context, key, id string, send func(id string) error) (tag string, err error) {
	if err = send(id); err == nil || !isCode(translate(err), codeBlockIDLength) {
		return id, err
	}
	out, listErr := d.blob(key).GetBlockList(d.singleAttempt(ctx), blockblob.BlockListTypeUncommitted, nil)
	if listErr != nil || len(out.UncommittedBlocks) == 0 {
		return "", err
	}
	tag = id + tagSeparator + strconv.Itoa(len(deref(out.UncommittedBlocks[0].Name)))
	stored, ok := blockIDFromTag(tag)
	if !ok {
		return "", err
	}
	return tag, send(stored)
}

// codeOtherLength is of a block whose id has another length than those of the
// blocks that are there.
// https://learn.microsoft.com/rest/api/storageservices/put-block
const codeBlockIDLength = "InvalidBlobOrBlock"

// BeginParts makes no request: Azure has uncommitted blocks, and no uploads.
func (d *driver) BeginParts(_ context.Context, r *storage.PutRequest) (string, error) {
	if len(r.Native) > 0 {
		return "", storage.Unsupported
	}
	return newUploadID(), nil
}

// PutPart is one Put Block, whose CRC64 the service compares.
func (d *driver) PutPart(ctx context.Context, r *storage.PartRequest) (storage.Part, error) {
	body, sum, err := withCRC64(r.Body, r.CRC32C)
	if err != nil {
		return storage.Part{}, err
	}
	id, err := blockID(r.Upload, r.Number, sum)
	if err != nil {
		return storage.Part{}, err
	}
	tag, err := d.stageBlock(ctx, r.Key, id, func(id string) error {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := d.blob(r.Key).StageBlock(d.singleAttempt(ctx), id, body, &blockblob.StageBlockOptions{
			TransactionalValidation: blob.TransferValidationTypeCRC64(sum),
		})
		return err
	})
	if err != nil {
		return storage.Part{}, writeError(err, storage.Condition{}) // never Unknown: a block is not the object
	}
	return storage.Part{Number: r.Number, Tag: tag, Size: r.Size}, nil
}

// CompleteParts is one Put Block List, which has the write's condition and all
// that is said of the object, its CRC32C included.
func (d *driver) CompleteParts(ctx context.Context, r *storage.CompleteRequest) (*storage.Attrs, error) {
	ids := make([]string, len(r.Parts))
	for i := range r.Parts {
		id, err := partBlockID(r.Upload, &r.Parts[i])
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	attrs, err := d.commit(ctx, ids, &blockList{
		key:        r.Put.Key,
		properties: &r.Put.Properties,
		condition:  r.Put.Condition,
		crc:        r.Put.CRC32C,
		size:       r.Put.Size,
	})
	if isCode(err, codeBlocksDropped) && storage.CodeOf(err) == storage.Unavailable {
		e := *asError(err)
		e.Status = http.StatusConflict // has the core begin anew
		err = &e
	}
	return attrs, err
}

// A commit is what Put Block List says of the object beside its blocks.
type blockList struct {
	key        string
	properties *storage.Properties
	condition  storage.Condition
	crc        *uint32
	size       int64
}

func (d *driver) commit(ctx context.Context, ids []string, c *blockList) (*storage.Attrs, error) {
	var out blockblob.CommitBlockListResponse
	err := writes(d.singleAttempt(ctx), func(ctx context.Context) (err error) {
		out, err = d.blob(c.key).CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
			HTTPHeaders:      httpHeaders(c.properties),
			Metadata:         encodeMetadata(c.properties.Metadata, c.crc, c.size),
			Tier:             tier(c.properties.StorageClass),
			AccessConditions: conditions(c.condition),
		})
		return err
	})
	if isCode(err, codeBlocksDropped) {
		return nil, d.droppedError(ctx, asError(err), c)
	}
	if err != nil {
		return nil, writeError(err, c.condition)
	}
	return writeAttrs(out.ETag, out.LastModified, out.VersionID), nil
}

// codeDropped is of blocks that are gone: every commit to a key drops those of
// all other uploads to it, which elsewhere would not hinder one another.
const codeBlocksDropped = "InvalidBlockList"

// dropped is no verdict on a condition: one look is. Without one the upload has
// to begin anew.
func (d *driver) droppedError(ctx context.Context, e *storage.Error, c *blockList) error {
	e.Code, e.Retryable = storage.Unavailable, true
	if c.condition == (storage.Condition{}) {
		return e
	}
	found, err := d.Head(ctx, &storage.GetRequest{Key: c.key, Length: -1})
	switch {
	case err != nil && storage.CodeOf(err) != storage.ObjectNotFound:
	case c.condition.Absent && found != nil, c.condition.Revision != "" && (found == nil || found.Revision != c.condition.Revision):
		e.Code, e.Retryable, e.Hint = storage.PreconditionFailed, false, ""
	}
	return e
}

// AbortParts does nothing. Blocks that are not committed are seen by nobody, and
// the service drops them a week after the last of them came; to drop them at
// once the key would have to be written.
func (d *driver) AbortParts(context.Context, string, string) error { return nil }
