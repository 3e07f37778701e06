package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/uploadtoken"
)

// newUploadRecord returns the record of an upload that the request r will begin. The caller sets its
// field Upload when the upload has begun.
func newUploadRecord(e *engine, r *driver.PutRequest, maxSize int64) uploadtoken.Record {
	u := uploadtoken.Record{
		Bucket:    e.identity(),
		Key:       r.Key,
		WriteID:   e.newWriteID(""),
		Type:      r.ContentType,
		Encoding:  r.ContentEncoding,
		Named:     r.ContentDisposition,
		Language:  r.ContentLanguage,
		Cache:     r.CacheControl,
		Class:     r.StorageClass,
		Metadata:  maps.Clone(r.Metadata),
		Tags:      r.Tags,
		Mode:      string(r.Retention.Mode),
		Hold:      r.LegalHold,
		Public:    r.PublicRead,
		Absent:    r.Condition.Absent,
		Revision:  r.Condition.Revision,
		MaxSize:   maxSize,
		Unchecked: r.UncheckedParts,
		Natives:   fingerprintsOf(r.Native),
	}

	// A missing field means that the option was not given.
	if !r.Retention.Until.IsZero() {
		u.Until = r.Retention.Until.Unix()
	}

	// The fields Size and CRC32C stay nil if they are not known.
	if size := r.Size; size >= 0 {
		u.Size = &size
	}
	sum := r.CRC32C.Sum
	if r.CRC32C.Known {
		u.CRC32C = &sum
	}
	return u
}

// recordedProperties returns the properties of the object that an upload's record contains.
func recordedProperties(u *uploadtoken.Record) storage.Properties {
	return storage.Properties{
		ContentType:        u.Type,
		ContentEncoding:    u.Encoding,
		ContentDisposition: u.Named,
		ContentLanguage:    u.Language,
		CacheControl:       u.Cache,
		StorageClass:       u.Class,
		Metadata:           u.Metadata,
	}
}

// recordedPut returns the request with which the recorded upload was begun, without native options.
func recordedPut(u *uploadtoken.Record) driver.PutRequest {
	r := driver.PutRequest{
		Key:            u.Key,
		Properties:     recordedProperties(u),
		Controls:       storage.Controls{PublicRead: u.Public, Tags: u.Tags, LegalHold: u.Hold},
		Condition:      storage.Condition{Absent: u.Absent, Revision: u.Revision},
		AnyOrder:       true,
		UncheckedParts: u.Unchecked,
	}
	if u.Mode != "" {
		r.Retention = storage.Retention{Mode: storage.RetentionMode(u.Mode), Until: time.Unix(u.Until, 0).UTC()}
	}
	return r
}

// identity returns a hash that identifies the bucket. It is the same in every process.
func (e *engine) identity() string {
	return uploadtoken.Hash(e.desc.Provider, e.desc.Location, e.desc.Bucket)
}

// fingerprintsOf returns a hash of the fingerprints of native options, which identify options with
// secrets without revealing them. It returns "" if no option has a fingerprint.
func fingerprintsOf(natives []any) string {
	var texts []string
	for _, native := range natives {
		if f, ok := native.(driver.Fingerprinter); ok {
			texts = append(texts, fmt.Sprintf("%T", native), f.Fingerprint())
		}
	}
	if texts == nil {
		return ""
	}
	return uploadtoken.Hash(texts...)
}

func (u *multipartUpload) Token() string { return u.token }

// ContinueUpload returns the upload with this token, without a request.
func (b bucket) ContinueUpload(
	ctx context.Context, token string, opts *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	open := func(o *operation, u *multipartUpload) *storage.Error {
		u.token = token
		return u.restore(o, opts)
	}
	// The key is "" here, because it is in the token.
	return continueUpload(ctx, b.engine, "ContinueUpload", "", open)
}

// continueUpload returns an upload that was begun earlier, without a request. Both ContinueUpload and
// ContinueListedUpload use it. Their function open checks the options of the caller, and sets the
// fields of the upload.
func continueUpload(
	ctx context.Context, e *engine, name, key string, open func(*operation, *multipartUpload) *storage.Error,
) (storage.MultipartUpload, error) {
	o := &operation{}
	u := &multipartUpload{engine: e}

	// Stop at the first error.
	checkErr := o.prepareWrite(e, name, key)
	if checkErr == nil && ctx.Err() != nil {
		checkErr = asError(ctx, ctx.Err())
	}
	if checkErr == nil {
		checkErr = open(o, u)
	}

	// The hooks see every call, even a refused one.
	_, failure := o.callHooks(ctx, checkErr)
	if err := o.end(failure); err != nil {
		return nil, err
	}
	return u, nil
}

// restore sets the request and the record of u from its token, and checks the options of
// ContinueUpload.
func (u *multipartUpload) restore(o *operation, opts *storage.UploadOptions) *storage.Error {
	// The token must be of this bucket and of the view.
	record, ok := uploadtoken.Parse(u.token)
	if !ok || record.Upload == "" {
		return invalid("token", "must be one that MultipartUpload.Token returned, unchanged")
	}
	if record.Bucket != o.engine.identity() || objectkey.WriteRule(record.Key) != "" {
		return invalid("token", uploadtoken.OtherBucket)
	}

	o.key = record.Key
	viewPrefix := optionState(opts).View
	if !strings.HasPrefix(o.key, viewPrefix) {
		return o.outsideView()
	}

	// Rebuild the request of BeginUpload from the record.
	if err := o.engine.need(storage.MultipartUploads|storage.OpenUploads, "ContinueUpload"); err != nil {
		return err
	}
	req := &u.put
	*req = recordedPut(&record)
	if err := cmp.Or(checkProperties(&req.Properties, 0), checkTags("token", req.Tags)); err != nil {
		return err
	}

	// The native options may be secret, so the record has only their fingerprints.
	natives, err := o.engine.nativeValues(opts.Native)
	if err != nil {
		return err
	}
	if fingerprintsOf(natives) != record.Natives {
		return invalid("options",
			"must be the native options of BeginUpload, such as the key that the object is encrypted with")
	}
	req.Native = natives
	u.record = record
	u.finishRequest()
	return nil
}

// outsideView returns the error for a token of an upload outside of the Prefixed view through which it
// is continued. The hooks see the key in the operation, but the error does not name it, because the
// caller has no access to it.
func (o *operation) outsideView() *storage.Error {
	err := invalid("token", uploadtoken.OtherBucket)
	// Name the operation here, because o.end leaves an error that has one already as it is.
	o.locate(err)
	err.Key = ""
	return err
}
