package azure

import (
	"context"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/components"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

const (
	// uploadBytes is the number of random bytes in an upload's name and in the ids of its blocks.
	// They distinguish uploads to the same key.
	uploadBytes = 8
	sumBytes    = 8
	blockBytes  = uploadBytes + 2 + sumBytes // bytes of a block's id; 2 of them are the part's number
)

func newUploadID() string {
	var id [uploadBytes]byte
	_, _ = rand.Read(id[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// blockID returns the id of the block that is a part of an upload. The id includes sum, a checksum of the
// content, so that a resumed upload that sends other bytes does not replace a part. All blocks of a blob,
// even those of other uploads and copies, must have ids of one length.
func blockID(upload string, number int, sum uint64) (string, error) {
	id, err := base64.RawURLEncoding.DecodeString(upload)
	if err != nil || len(id) != uploadBytes {
		return "", argument.Invalid("upload", "must be a name that BeginParts returned", "")
	}
	// The number is at most maxBlocks, which fits.
	id = binary.BigEndian.AppendUint16(id, uint16(number))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(id, sum)), nil
}

const (
	// tagSeparator separates the two values in the tag of a part: the id that blockID made, and a
	// length. A tag has a length only if the block was stored under another id of this length.
	// blockIDFromTag derives the other id. All other tags have no tagSeparator.
	tagSeparator = ":"

	// minDerived and maxDerived are the limits of a derived id in bytes. Tools that number their
	// blocks with 6 digits have ids of 6 bytes. A shorter id could be equal to the id of another
	// upload's block. The service accepts at most 64 bytes.
	minDerived, maxDerived = 6, 64
)

// partBlockID returns the id under which the block of a part was stored.
func partBlockID(upload string, part *driver.Part) (string, error) {
	// The tag begins with the id that blockID made, which ends with the checksum of the part.
	ownID, _, _ := strings.Cut(part.Tag, tagSeparator)
	raw, err := base64.StdEncoding.DecodeString(ownID)
	if err != nil || len(raw) != blockBytes {
		return "", argument.Invalid("part", "must be a part of this upload", "")
	}
	sum := binary.BigEndian.Uint64(raw[blockBytes-sumBytes:])

	// If the tag is of this upload and this part, blockID makes the same id again.
	wantID, err := blockID(upload, part.Number, sum)
	if err != nil {
		return "", err
	}
	storedID, isValid := blockIDFromTag(part.Tag)
	if !isValid || ownID != wantID {
		return "", argument.Invalid("part", "must be a part of this upload", "")
	}
	return storedID, nil
}

// blockIDFromTag returns the id under which the block of a part was stored, or false if the tag is
// invalid. It is the id that blockID made. If the key had blocks with ids of another length, it is an
// id of that length, derived from the id that blockID made.
func blockIDFromTag(tag string) (string, bool) {
	ownID, lengthText, isDerived := strings.Cut(tag, tagSeparator)
	if !isDerived {
		return ownID, true
	}
	wantLength, err := strconv.Atoi(lengthText)
	if err != nil {
		return "", false
	}

	// The derived id has the first bytes of a hash. It is in base64, where 3 bytes are 4 characters.
	size := min(wantLength/4*3, maxDerived)
	if size < minDerived {
		return "", false
	}
	sum := sha512.Sum512([]byte(ownID))
	derivedID := base64.StdEncoding.EncodeToString(sum[:size])
	return derivedID, len(derivedID) == wantLength
}

// blocks sends the blocks of a container's blobs, and commits them.
type blocks struct{ container *blobContainer }

// stage calls store to send a block under its own id, and returns the tag of the part. If the key
// has blocks of another tool with ids of another length, the service refuses the id. stage then
// sends the block again under a derived id of that length.
func (bl *blocks) stage(ctx context.Context, key, id string, store func(id string) error) (tag string, err error) {
	storeErr := store(id)
	if storeErr == nil {
		return id, nil
	}
	if !isCode(translate(storeErr), codeBlockIDLength) {
		return "", storeErr
	}
	idLength, ok := bl.uncommittedIDLength(ctx, key)
	if !ok {
		return "", storeErr
	}

	// The tag contains the length, so that the completion can derive the same id.
	tag = id + tagSeparator + strconv.Itoa(idLength)
	derivedID, ok := blockIDFromTag(tag)
	if !ok {
		return "", storeErr
	}
	return tag, store(derivedID)
}

// uncommittedIDLength returns the length of the ids of the uncommitted blocks that the key has. It returns
// false if the length cannot be found out.
func (bl *blocks) uncommittedIDLength(ctx context.Context, key string) (int, bool) {
	request := func(ctx context.Context, opts *blockblob.GetBlockListOptions) (blockblob.GetBlockListResponse, error) {
		return bl.container.blob(key).GetBlockList(ctx, blockblob.BlockListTypeUncommitted, opts)
	}
	resp, err := send(ctx, bl.container.account, request, nil)
	if err != nil || len(resp.UncommittedBlocks) == 0 {
		return 0, false
	}
	return len(deref(resp.UncommittedBlocks[0].Name)), true
}

// codeBlockIDLength is the code for a block whose id has another length than
// those of existing blocks.
// https://learn.microsoft.com/rest/api/storageservices/put-block
const codeBlockIDLength = "InvalidBlobOrBlock"

// BeginParts returns a new name for an upload. It usually makes no request, because Azure has
// uncommitted blocks but no uploads. If the object is to be locked, it checks that the container
// can lock objects. If r.AnyOrder is set, it stores the marker of an open upload.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	if _, err := d.blocks.options(r); err != nil {
		return "", err
	}
	if err := d.container.checkLocks(ctx, &r.Controls); err != nil {
		return "", err
	}
	if r.AnyOrder {
		return d.uploads.begin(ctx, r.Key)
	}
	return newUploadID(), nil
}

// PutPart stores a part as a block, which becomes part of the object only when the blocks are
// committed. The service verifies the body by its CRC64.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	if isOpenUpload(r.Upload) {
		// The parts of an open upload are blobs of their own.
		return d.uploads.put(ctx, r)
	}

	n, err := d.account.nativeWriteOptions(r.Native)
	if err != nil {
		return driver.Part{}, err
	}
	body, sum, err := withCRC64(ctx, r.Body, r.CRC32C)
	if err != nil {
		return driver.Part{}, err
	}
	id, err := blockID(r.Upload, r.Number, sum)
	if err != nil {
		return driver.Part{}, err
	}

	// stage may have to send the block under another id than its own.
	putBlock := func(id string) error { return d.blocks.put(ctx, r.Key, id, body, sum, n) }
	tag, err := d.blocks.stage(ctx, r.Key, id, putBlock)
	if err != nil {
		return driver.Part{}, blockError(err)
	}
	return driver.Part{Number: r.Number, Tag: tag, Size: r.Size}, nil
}

// put sends a block with one Put Block request. It sends the whole body, whose checksum is crc64.
func (bl *blocks) put(
	ctx context.Context, key, id string, body io.ReadSeekCloser, crc64 uint64, n *nativeOptions,
) error {
	// An earlier request, with another id of the block, may have read the body.
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}

	opts := &blockblob.StageBlockOptions{
		TransactionalValidation: blob.TransferValidationTypeCRC64(crc64),
		CPKInfo:                 n.keyInfo(),
		CPKScopeInfo:            n.scopeInfo(),
	}
	n.apply(opts)

	request := func(ctx context.Context, opts *blockblob.StageBlockOptions) (blockblob.StageBlockResponse, error) {
		return bl.container.blob(key).StageBlock(ctx, id, body, opts)
	}
	_, err := send(ctx, bl.container.account, request, opts)
	return err
}

// blockError translates the error of a block that was not stored, which is never Unknown, because a
// block does not change the object. It is Locked if the key has too many blocks. Azure permits
// 100,000 uncommitted blocks for a key, and one upload sends at most 50,000, so that some are of
// other uploads. https://learn.microsoft.com/rest/api/storageservices/put-block
func blockError(err error) error {
	storageErr := asError(writeError(err, storage.Condition{}))
	if isCode(storageErr, codeBlockCount) {
		storageErr.Code = storage.Locked
		storageErr.Hint = blocksHint
	}
	return storageErr
}

// CompleteParts makes one Put Block List request with the condition of the write and the properties
// of the object, including its CRC32C.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if isOpenUpload(r.Upload) {
		return d.uploads.complete(ctx, r)
	}

	ids := make([]string, len(r.Parts))
	for i := range r.Parts {
		id, err := partBlockID(r.Upload, &r.Parts[i])
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}

	attrs, err := d.blocks.commit(ctx, ids, r.Put)
	if isCode(err, codeBlocksDropped) && storage.CodeOf(err) == storage.Unavailable {
		// The engine restarts the upload after an error with this status.
		conflict := asError(err)
		conflict.Status = http.StatusConflict
		return nil, conflict
	}
	return attrs, err
}

// commit creates an object from blocks, with one Put Block List request. r has no body, because the
// blocks are the content.
func (bl *blocks) commit(ctx context.Context, ids []string, r *driver.PutRequest) (*storage.Attrs, error) {
	opts, err := bl.options(r)
	if err != nil {
		return nil, err
	}
	if err := checkDistinct(ids); err != nil {
		return nil, err
	}

	request := func(
		ctx context.Context, opts *blockblob.CommitBlockListOptions,
	) (blockblob.CommitBlockListResponse, error) {
		return bl.container.blob(r.Key).CommitBlockList(ctx, ids, opts)
	}
	resp, err := write(ctx, bl.container.account, request, opts)
	if isCode(err, codeBlocksDropped) {
		// The service may drop blocks before they are committed.
		return nil, bl.droppedError(ctx, asError(err), r)
	}
	if err != nil {
		return nil, writeError(err, r.Condition)
	}

	attrs := writeAttrs(resp.ETag, resp.LastModified, resp.VersionID)
	attrs.StorageClass = deref((*string)(opts.Tier))
	attrs.Encryption = encryption(resp.IsServerEncrypted, resp.EncryptionScope, resp.EncryptionKeySHA256)
	return attrs, nil
}

// checkDistinct returns an error if two parts have the same block id, so that one has replaced the other.
// The error makes the engine restart the upload. A derived id is a hash, which may be too short to be
// unique (see blockIDFromTag).
func checkDistinct(ids []string) error {
	sorted := slices.Sorted(slices.Values(ids))
	distinct := slices.Compact(sorted)
	if len(distinct) == len(ids) {
		return nil
	}
	return &storage.Error{
		Code:      storage.Unavailable,
		Retryable: true,
		Status:    http.StatusConflict,
		Err:       errors.New("two parts were stored as one block"),
	}
}

// options returns the options of Put Block List, with the same encryption as that of the blocks.
func (bl *blocks) options(r *driver.PutRequest) (*blockblob.CommitBlockListOptions, error) {
	n, err := bl.container.account.nativeWriteOptions(r.Native)
	if err != nil {
		return nil, err
	}

	// The metadata also has the checksum, which Azure does not store, and the size that it is for.
	opts := &blockblob.CommitBlockListOptions{
		HTTPHeaders:                  httpHeaders(&r.Properties),
		Metadata:                     encodeMetadata(r.Metadata, r.CRC32C, r.Size),
		Tags:                         r.Tags,
		Tier:                         n.accessTier(r.StorageClass),
		CPKInfo:                      n.keyInfo(),
		CPKScopeInfo:                 n.scopeInfo(),
		AccessConditions:             conditions(r.Condition),
		LegalHold:                    httpheader.Optional(r.LegalHold),
		ImmutabilityPolicyMode:       policyMode(r.Retention),
		ImmutabilityPolicyExpiryTime: httpheader.Optional(r.Retention.Until),
	}

	// The functions that the user passed to WithOptions may change the options.
	if err := n.applyOrFail(opts, "CommitBlockList"); err != nil {
		return nil, err
	}
	return opts, nil
}

// codeBlocksDropped is the code if blocks are missing. A commit to a key drops the blocks of all
// other uploads to that key.
const codeBlocksDropped = "InvalidBlockList"

// droppedError returns the error for a commit that failed because its blocks were dropped. It is
// retryable, and the upload must restart. If the write has a condition that a request shows to be
// false, the error is PreconditionFailed, which is not retryable.
func (bl *blocks) droppedError(ctx context.Context, storageErr *storage.Error, r *driver.PutRequest) error {
	storageErr.Code = storage.Unavailable
	storageErr.Retryable = true
	if r.Condition == (storage.Condition{}) {
		return storageErr
	}

	// Find out whether the condition is false. If that is not known, the error stays retryable.
	_, props, err := bl.container.properties(ctx, r.Key, "", storage.Condition{}, r.Native)
	err = bl.container.changeError(ctx, err)
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return storageErr
	}

	// The revision is empty if the object does not exist.
	revision := ""
	if props != nil {
		revision = quoteETag(props.ETag)
	}
	isCreated := r.Condition.Absent && revision != ""
	isReplaced := r.Condition.Revision != "" && r.Condition.Revision != revision
	if isCreated || isReplaced {
		storageErr.Code = storage.PreconditionFailed
		storageErr.Retryable = false
		storageErr.Hint = ""
	}
	return storageErr
}

// AbortParts removes the parts of an open upload to this key, and does nothing for any other
// upload. The parts of the others are uncommitted blocks, which no reader sees and no request can
// remove. Azure drops them a week after the last one was sent.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	u, err := parseOpenUpload(upload)
	if err != nil {
		// This is not an open upload, so no part can be removed.
		return nil
	}
	marker, err := d.uploads.marker(ctx, u)
	if err != nil {
		return err
	}

	if marker != nil {
		// A marker of another tool may have no key.
		uploadKey := components.Key(marker.Metadata)
		if uploadKey != "" && uploadKey != key {
			return nil
		}
	}
	return d.uploads.remove(ctx, u)
}
